/** Variables and labels: from the flags, and from files with one of them on each line. */
import { errnoOf } from "../../base/errors.ts";
import { files } from "../../base/files.ts";
import { fileFailure } from "../failure.ts";
import { splitPair } from "../values/kinds.ts";
import { createError } from "./errors.ts";

/** `KEY=value` as it is; `KEY` takes its value from our own environment, where it has one. */
export const checkVariable = (text: string): string => {
  const [name, value] = splitPair(text);
  if (name === "") throw createError("environment", { text });
  const own = value === undefined ? process.env[name] : undefined;
  return own === undefined ? text : `${name}=${own}`;
};

export const checkLabel = (text: string): string => {
  const name = splitPair(text)[0].replace(/^[ \t]+/, "");
  if (name === "") throw createError("labelName", { text });
  if (/[ \t]/.test(name)) throw createError("labelSpaces", { name });
  return text;
};

const readLines = (path: string): Buffer[] => {
  try {
    const lines: Buffer[] = [];
    const whole = files().readFileSync(path);
    for (let start = 0; start < whole.length; ) {
      const end = whole.indexOf(10, start);
      lines.push(whole.subarray(start, end < 0 ? whole.length : end));
      start = end < 0 ? whole.length : end + 1;
    }
    return lines;
  } catch (cause) {
    const failure = fileFailure(path, cause);
    throw errnoOf(cause) === "EISDIR" ? createError("envFileRead", { path, reason: failure.message }, cause) : failure;
  }
};

/** The file's `KEY=value` lines; a line with a key alone takes what `lookUp` finds for it, or is left out. */
const readPairs = (path: string, lookUp: (name: string) => string | undefined): string[] => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return readLines(path).flatMap((bytes, index) => {
    let line: string;
    try {
      line = decoder.decode(bytes).replace(index === 0 ? /^\uFEFF/ : "", "");
    } catch (cause) {
      throw createError("envFileBytes", { path, number: index + 1, bytes: [...bytes].join(" ") }, cause);
    }
    const trimmed = line.replace(/\r$/, "").replace(/^\s+/, "");
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    const [name, value] = splitPair(trimmed);
    if (/[ \t]/.test(name)) throw createError("envFileKey", { path, name });
    if (name === "") throw createError("envFileName", { path, line: trimmed });
    const found = value ?? lookUp(name);
    return found === undefined ? [] : [`${name}=${found}`];
  });
};

/** The variables of all files, then those of the flags. */
export const gatherVariables = (files: readonly string[], given: readonly string[]): string[] => [
  ...files.flatMap((path) => readPairs(path, (name) => process.env[name])),
  ...given,
];

export const gatherLabels = (files: readonly string[], given: readonly string[]): string[] => [
  ...files.flatMap((path) => readPairs(path, () => undefined)),
  ...given,
];
