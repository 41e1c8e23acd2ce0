/** The progress of loads, imports and pulls. */
import type { ProgressLine } from "../../api/answers.ts";
import { Failure } from "../failure.ts";
import { print } from "../streams/output.ts";

/** Prints each line; throws the error that a line tells of. What merely moves on is shown to nobody. */
export const printProgress = async (
  lines: AsyncIterable<ProgressLine>,
  write: (text: string) => void = print,
): Promise<void> => {
  for await (const { stream, status, id, progressDetail, error, errorDetail } of lines) {
    if (error !== undefined) throw new Failure(errorDetail?.message || error);
    if (stream !== undefined) write(stream);
    else if (status !== undefined && !progressDetail?.current) write(`${id ? `${id}: ` : ""}${status}\n`);
  }
};
