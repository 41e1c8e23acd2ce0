/** The progress of loads, imports and pulls. */
import type { ProgressLine } from "../../api/answers.ts";
import { Failure } from "../failure.ts";
import { print } from "../streams/output.ts";
import { outputIsTerminal } from "../streams/terminal.ts";
import { harmless } from "./table.ts";

/** Prints each line; throws the error that a line tells of. What merely moves on is shown to nobody. */
export const printProgress = async (
  lines: AsyncIterable<ProgressLine>,
  write: (text: string) => void = print,
): Promise<void> => {
  const clean = (text: string) => (outputIsTerminal() ? text.split("\n").map(harmless).join("\n") : text);
  for await (const { stream, status, id, progressDetail, error, errorDetail } of lines) {
    if (error !== undefined) throw new Failure(errorDetail?.message || error);
    if (stream !== undefined) write(clean(stream));
    else if (status !== undefined && !progressDetail?.current) write(clean(`${id ? `${id}: ` : ""}${status}\n`));
  }
};
