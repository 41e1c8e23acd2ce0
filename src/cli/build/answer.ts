/** What a Dockerfile says, as buildx prints it. */
import type { BuildAnswer } from "../../api/answers/builds.ts";
import { harmless, print } from "../streams/output.ts";
import { outputIsTerminal } from "../streams/terminal.ts";
import type { BuildCall } from "./call.ts";
import { type Lint, printCheck } from "./check.ts";

/** Answers what the command ends with. */
export const printAnswer = ({ question, isJson }: BuildCall, { json, text, code }: BuildAnswer): number => {
  if (isJson) print(`${JSON.stringify(json, undefined, 2)}\n`);
  else if (question === "frontend.lint") printCheck(json as Lint);
  else print(outputIsTerminal() ? harmless(text) : text);
  return code;
};
