/** Programs that keep passwords: `docker-credential-NAME` (docker-credential-helpers' protocol). */
import { spawn } from "node:child_process";
import { cliError } from "../errors.ts";

/** How helpers say that they know nobody there. */
const unknown = /credentials not found in native keychain|no credentials server url|no credentials username/i;

/** The helper's answer as a value; undefined when it knows nothing, or has nothing to say. */
export const askHelper = async (name: string, verb: "get" | "store" | "erase", input: string): Promise<unknown> => {
  const program = `docker-credential-${name}`;
  // A name with a slash would be a program from anywhere.
  if (!/^[\w.-]+$/.test(name)) throw cliError("helperFailed", { program, reason: "this is no name of a helper" });
  const { code, output, errors } = await run(program, verb, input);
  if (code !== 0) {
    const reason = (output.trim() || errors.trim() || `exit code ${code}`).slice(0, 500);
    if (verb !== "store" && unknown.test(reason)) return undefined;
    throw cliError("helperFailed", { program, reason });
  }
  if (verb !== "get") return undefined;
  try {
    return JSON.parse(output) as unknown;
  } catch (cause) {
    throw cliError("helperFailed", { program, reason: "its answer is no JSON" }, cause);
  }
};

const run = (
  program: string,
  verb: string,
  input: string,
): Promise<{ readonly code: number; readonly output: string; readonly errors: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, [verb], { stdio: "pipe" });
    let [output, errors] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.once("error", (cause) => reject(cliError("helperFailed", { program, reason: cause.message }, cause)));
    child.once("close", (code) => resolve({ code: code ?? 1, output, errors }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
