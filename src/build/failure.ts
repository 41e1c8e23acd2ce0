/** Why a build failed, and where in the Dockerfile: shown with the lines around it. */
import type { LineRange } from "./dockerfile/source.ts";

export class BuildFailure extends Error {
  readonly range: LineRange;
  /** Of the program that failed; undefined when none did. */
  readonly exitCode: number | undefined;

  constructor(cause: Error, range: LineRange, exitCode?: number) {
    super(cause.message, { cause });
    this.name = "BuildFailure";
    this.range = range;
    this.exitCode = exitCode;
  }
}

const around = 2;
const rule = "--------------------";

/** The lines of a Dockerfile around those that failed, which are marked. */
export const excerpt = (name: string, lines: readonly string[], { start, end }: LineRange): string => {
  const first = Math.max(1, start - around);
  const last = Math.min(lines.length, end + around);
  const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const number = first + index;
    const mark = number >= start && number <= end ? ">>>" : "   ";
    return `${String(number).padStart(4)} | ${mark} ${lines[number - 1] ?? ""}`.trimEnd();
  });
  return [`${name}:${start}`, rule, ...shown, rule, ""].join("\n");
};
