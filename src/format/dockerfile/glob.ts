/** Patterns of `${x#p}` and `${x/p/r}`: `*`, `?` and escapes, matched in bounded time whatever they look like. */
import { formatError } from "../errors.ts";

type Part = { readonly kind: "any" } | { readonly kind: "one" } | { readonly kind: "text"; readonly text: string };

const parsePattern = (pattern: string): readonly Part[] => {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === "*") parts.push({ kind: "any" });
    else if (character === "?") parts.push({ kind: "one" });
    else if (character === "\\" && at + 1 < pattern.length) parts.push({ kind: "text", text: pattern[++at]! });
    else parts.push({ kind: "text", text: character });
  }
  return parts;
};

/** The ends of all matches that begin at `start`, in ascending order: the states of the pattern move along the text together. */
const endsOf = (parts: readonly Part[], text: string, start: number): readonly number[] => {
  const ends: number[] = [];
  let states = closure(parts, new Set([0]));
  for (let at = start; ; at++) {
    if (states.has(parts.length)) ends.push(at);
    if (at === text.length || states.size === 0) return ends;
    const next = new Set<number>();
    for (const state of states) {
      const part = parts[state];
      if (part === undefined) continue;
      if (part.kind === "any") next.add(state);
      else if (part.kind === "one" || part.text === text[at]) next.add(state + 1);
    }
    states = closure(parts, next);
  }
};

const closure = (parts: readonly Part[], states: Set<number>): Set<number> => {
  for (const state of states) if (parts[state]?.kind === "any") states.add(state + 1);
  return states;
};

export const trimPrefix = (text: string, pattern: string, isLongest: boolean): string => {
  const ends = endsOf(parsePattern(pattern), text, 0);
  const end = isLongest ? ends.at(-1) : ends[0];
  return text.slice(end ?? 0);
};

export const trimSuffix = (text: string, pattern: string, isLongest: boolean): string => {
  const reversed = [...text].reverse().join("");
  const parts = parsePattern(pattern).toReversed();
  const ends = endsOf(parts, reversed, 0);
  const end = (isLongest ? ends.at(-1) : ends[0]) ?? 0;
  return text.slice(0, text.length - end);
};

/** Every start may look at the whole text. */
const maxText = 16 * 1024;

/** The longest match at each place, from the left, replaced: the first one, or all. An empty pattern matches nothing. */
export const replaceMatches = (text: string, pattern: string, replacement: string, isAll: boolean): string => {
  if (pattern === "") return text;
  if (text.length > maxText) {
    throw formatError("expansion", {
      word: "a replacement",
      problem: `the value is longer than ${maxText} characters`,
    });
  }
  const parts = parsePattern(pattern);
  let result = "";
  let at = 0;
  while (at < text.length) {
    const end = endsOf(parts, text, at).at(-1);
    if (end === undefined || end === at) {
      result += text[at++];
      continue;
    }
    result += replacement;
    at = end;
    if (!isAll) break;
  }
  return result + text.slice(at);
};
