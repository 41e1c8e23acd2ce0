/** `--check`: what a Dockerfile is warned of, as buildx prints it. */
import { print } from "../streams/output.ts";

export interface Lint {
  readonly warnings: readonly {
    readonly ruleName: string;
    readonly url: string;
    readonly detail: string;
    readonly location: { readonly ranges: readonly Range[] };
  }[];
  readonly sources: readonly { readonly fileName: string; readonly data: string }[];
}

interface Range {
  readonly start: { readonly line: number };
  readonly end: { readonly line: number };
}

const around = 2;
const rule = "-".repeat(20);

const headOf = (count: number): string => {
  if (count === 0) return "Check complete, no warnings found.";
  return count === 1
    ? "Check complete, 1 warning has been found!"
    : `Check complete, ${count} warnings have been found!`;
};

export const printCheck = ({ warnings, sources }: Lint): void => {
  const [source] = sources;
  const lines = Buffer.from(source?.data ?? "", "base64")
    .toString("utf8")
    .split("\n");
  print(`${headOf(warnings.length)}\n`);
  for (const { ruleName, url, detail, location } of warnings) {
    const range = location.ranges[0]!;
    print(`\nWARNING: ${ruleName} - ${url}\n${detail}\n${excerpt(source?.fileName ?? "", lines, range)}`);
  }
};

const excerpt = (name: string, lines: readonly string[], { start, end }: Range): string => {
  const [first, last] = [Math.max(1, start.line - around), Math.min(lines.length, end.line + around)];
  const shown = lines.slice(first - 1, last).map((line, index) => {
    const number = first + index;
    const mark = number >= start.line && number <= end.line ? ">>>" : "   ";
    return `${String(number).padStart(4)} | ${mark} ${line}`.trimEnd();
  });
  return [`${name}:${start.line}`, rule, ...shown, rule, ""].join("\n");
};
