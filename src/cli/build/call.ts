/** `--call`: what is asked of a Dockerfile instead of a build. */
import { cliError } from "../errors.ts";
import { parseCsv } from "../values/csv.ts";

export interface BuildCall {
  /** As BuildKit calls it; "": none, it is to be built. */
  readonly question: string;
  readonly isJson: boolean;
}

const questions: ReadonlyMap<string, string> = new Map([
  ["build", ""],
  ["check", "frontend.lint"],
  ["lint", "frontend.lint"],
  ["outline", "frontend.outline"],
  ["targets", "frontend.targets"],
  ["subrequests.describe", "frontend.subrequests.describe"],
]);

/** `outline`, `outline,format=json` */
export const parseCall = (call: string): BuildCall => {
  const [method = "", ...fields] = parseCsv(call);
  const question = questions.get(method);
  if (question === undefined) throw cliError("unknownCall", { call });
  let isJson = false;
  for (const field of fields) {
    if (field !== "format=json" && field !== "format=text") throw cliError("unknownCallField", { field, call });
    isJson = field === "format=json";
  }
  return { question, isJson };
};
