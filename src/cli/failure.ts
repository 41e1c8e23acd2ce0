/** How a command ends when it does not succeed: what is written to standard error, and the exit code. */
import { AnswerError } from "../api/client.ts";

/** An end with an exit code of its own. An empty message means that all has been said. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Failure";
    this.exitCode = exitCode;
  }
}

export const messageOf = (error: unknown): string => {
  if (error instanceof AnswerError) return `Error response from daemon: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
};

export const exitCodeOf = (error: unknown): number => (error instanceof Failure ? error.exitCode : 1);

/** The path of a file and why it cannot be used, as Go writes it: `open x: no such file or directory`. */
export const fileFailure = (path: string, cause: unknown): Failure => {
  const { code = "", syscall = "open", message } = cause as NodeJS.ErrnoException;
  return new Failure(`${syscall} ${path}: ${reasons.get(code) ?? message}`, 1, cause);
};

const reasons: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "no such file or directory"],
  ["EACCES", "permission denied"],
  ["EISDIR", "is a directory"],
  ["ENOTDIR", "not a directory"],
  ["EEXIST", "file exists"],
  ["ELOOP", "too many levels of symbolic links"],
  ["ENAMETOOLONG", "file name too long"],
]);
