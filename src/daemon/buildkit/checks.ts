/** What a Dockerfile is warned of, as BuildKit's clients read it. */
import type { Warning } from "../../build/check/check.ts";

interface CheckedDockerfile {
  readonly name: string;
  readonly text: string;
  readonly warnings: readonly Warning[];
}

const rangeOf = ({ range }: Warning) => ({ start: { line: range.start }, end: { line: range.end } });

/** The JSON of `frontend.lint`. */
export const lintOf = ({ name, text, warnings }: CheckedDockerfile) => ({
  warnings: warnings.map((warning) => ({
    ...{ ruleName: warning.rule, description: warning.description, url: warning.url, detail: warning.detail },
    location: { ranges: [rangeOf(warning)] },
  })),
  sources: [{ fileName: name, language: "Dockerfile", definition: null, data: Buffer.from(text).toString("base64") }],
});

/** As a warning of a step's. */
export const warningOf = (
  vertex: string,
  { name, text }: Pick<CheckedDockerfile, "name" | "text">,
  warning: Warning,
) => ({
  ...{ vertex, level: 1, url: warning.url, detail: [Buffer.from(warning.description)] },
  short: Buffer.from(`${warning.rule}: ${warning.detail} (line ${warning.range.start})`),
  info: { filename: name, data: Buffer.from(text), language: "Dockerfile" },
  ranges: [{ start: { line: warning.range.start, character: 0 }, end: { line: warning.range.end, character: 0 } }],
});
