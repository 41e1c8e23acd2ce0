/** What a runtime wrote to its log, a JSON object a line: the last line that tells of an error is why it failed. */
import { readFileSync } from "node:fs";

const limit = 65_536;

/** Undefined when it has told nothing. */
export const lastError = (text: string): string | undefined => {
  const lines = text.split("\n").flatMap(parseLine);
  return (lines.findLast(({ level }) => level === "error" || level === "fatal") ?? lines.at(-1))?.message;
};

const parseLine = (line: string): readonly { readonly level: string; readonly message: string }[] => {
  try {
    const { level, msg } = JSON.parse(line) as { readonly level?: unknown; readonly msg?: unknown };
    return typeof msg === "string" && msg !== "" ? [{ level: String(level), message: msg.trim() }] : [];
  } catch {
    return [];
  }
};

/** The same of a file, which need not be there. */
export const readRuntimeLog = (path: string): string | undefined => {
  try {
    return lastError(readFileSync(path, "utf8").slice(-limit));
  } catch {
    return undefined;
  }
};
