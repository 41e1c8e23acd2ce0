/** `.dockerignore`: which paths of a context are left out. The last pattern that says something about a path counts. */
import { posix } from "node:path";
import { formatError } from "./errors.ts";
import { matchesPath, type PathPattern, parsePathPattern } from "./path-patterns.ts";

interface Rule {
  readonly isException: boolean;
  readonly pattern: PathPattern;
}

export interface Ignore {
  /** Whether the path, or a directory above it, is left out and not taken back in. */
  has(path: string): boolean;
  /** Whether something in a directory that is left out may be taken back in. */
  readonly hasExceptions: boolean;
}

/** The patterns of a file: one a line, without comments; a slash at the beginning or the end means nothing. */
export const parseIgnoreFile = (text: string): readonly string[] =>
  text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const isException = line.startsWith("!");
      const path = isException ? line.slice(1).trim() : line;
      if (path === "") return line;
      const clean = posix.normalize(path).replace(/(?<=.)\/+$/, "");
      const relative = clean.length > 1 && clean.startsWith("/") ? clean.slice(1) : clean;
      return isException ? `!${relative}` : relative;
    });

/** Throws for a pattern that is none. */
export const parseIgnore = (patterns: readonly string[]): Ignore => {
  const rules = patterns
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== "")
    .map(parseRule);
  return {
    has: (path) => isIgnored(rules, path),
    hasExceptions: rules.some(({ isException }) => isException),
  };
};

const parseRule = (text: string): Rule => {
  const isException = text.startsWith("!");
  const raw = isException ? text.slice(1) : text;
  const clean = posix.normalize(raw);
  const pattern =
    raw === "" ? undefined : parsePathPattern(clean.length > 1 ? clean.replace(/\/$/, "") : clean, { deep: true });
  if (pattern === undefined) throw formatError("ignorePattern", { pattern: text.slice(0, 200) });
  return { isException, pattern };
};

const isIgnored = (rules: readonly Rule[], path: string): boolean => {
  if (rules.length === 0) return false;
  const names = path.split("/").filter((name, index) => name !== "" || index === 0);
  const ways = names.map((_, index) => names.slice(0, index + 1).join("/"));
  // A path that ends with a slash is the directory itself as well.
  const whole = path.endsWith("/") && path !== "/" ? [...ways, path.slice(0, -1)] : [...ways, path];
  return rules.reduce((ignored, { isException, pattern }) => {
    // What says nothing new need not be asked.
    if (ignored !== isException) return ignored;
    return whole.some((way) => matchesPath(pattern, way)) ? !isException : ignored;
  }, false);
};
