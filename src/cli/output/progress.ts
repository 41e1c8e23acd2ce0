/** The progress of loads, imports, pulls and pushes. */
import type { ProgressLine } from "../../api/answers/images.ts";
import { Failure } from "../failure.ts";
import { print, printError } from "../streams/output.ts";

/** Prints each line; throws the error that a line tells of. What merely moves on is shown to nobody. */
export const printProgress = async (
  lines: AsyncIterable<ProgressLine>,
  write: (text: string) => void = print,
): Promise<void> => {
  for await (const line of lines) {
    const { stream, status, id, progressDetail } = line;
    throwFailure(line);
    if (stream !== undefined) write(stream);
    else if (status !== undefined && !progressDetail?.current) write(`${id ? `${id}: ` : ""}${status}\n`);
  }
};

export interface ProgressOptions {
  readonly quiet: boolean;
  /** On standard error: the output is for what comes later. */
  readonly toErrors?: boolean;
}

/** At a terminal one line for each layer, and one for all together; elsewhere line after line. */
export const showProgress = async (
  lines: AsyncIterable<ProgressLine>,
  { quiet, toErrors = false }: ProgressOptions,
): Promise<void> => {
  const write = toErrors ? printError : print;
  if (quiet) return await printProgress(lines, () => undefined);
  if (!process.getBuiltinModule("node:tty").isatty(toErrors ? 2 : 1)) return await printProgress(lines, write);
  const { ProgressScreen } = await import("./progress-screen.ts");
  using screen = new ProgressScreen(toErrors ? 2 : 1);
  for await (const line of lines) {
    throwFailure(line);
    screen.show(line);
  }
};

const throwFailure = ({ error, errorDetail }: ProgressLine): void => {
  if (error !== undefined) throw new Failure(errorDetail?.message || error);
};
