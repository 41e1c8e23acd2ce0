/**
 * Patterns over paths with slashes: `*`, `?`, `[a-z]` and escapes as in Go's path.Match, and where asked `**` for any number
 * of directories, as .dockerignore has it. Matched in time that grows with both lengths, whatever the pattern.
 */

type Part =
  | { readonly kind: "text"; readonly text: string }
  /** One character, no slash. */
  | { readonly kind: "one" }
  | { readonly kind: "class"; readonly isNegated: boolean; readonly ranges: readonly (readonly [string, string])[] }
  /** Any number of characters without a slash. */
  | { readonly kind: "any" }
  /** Any number of characters. */
  | { readonly kind: "deep" }
  /** Nothing, or anything that ends with a slash. */
  | { readonly kind: "directories" };

export type PathPattern = readonly Part[];

/** The pattern, or undefined when it is malformed. */
export const parsePathPattern = (pattern: string, options: { readonly deep: boolean }): PathPattern | undefined => {
  const characters = [...pattern];
  const parts: Part[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === "*" && characters[at + 1] === "*" && options.deep) {
      const found = parseDeep(characters, at + 2);
      parts.push(found.part);
      at = found.next - 1;
    } else if (character === "*") parts.push({ kind: "any" });
    else if (character === "?") parts.push({ kind: "one" });
    else if (character === "[") {
      const found = parseClass(characters, at + 1);
      if (found === undefined) return undefined;
      parts.push(found.part);
      at = found.next - 1;
    } else if (character === "\\") {
      const next = characters[++at];
      if (next === undefined) return undefined;
      parts.push({ kind: "text", text: next });
    } else parts.push({ kind: "text", text: character });
  }
  return parts;
};

const isSpecial = (character: string): boolean => "*?[\\".includes(character);

/** `**` at the end, or before plain text at the beginning, is anything at all; elsewhere it is whole directories. */
const parseDeep = (characters: readonly string[], after: number): { part: Part; next: number } => {
  const next = characters[after] === "/" ? after + 1 : after;
  if (next >= characters.length) return { part: { kind: "deep" }, next };
  const isSuffix = after === 2 && next === after && !characters.slice(next).some(isSpecial);
  return { part: { kind: isSuffix ? "deep" : "directories" }, next };
};

const parseClass = (characters: readonly string[], start: number): { part: Part; next: number } | undefined => {
  let at = start;
  const isNegated = characters[at] === "^";
  if (isNegated) at++;
  const ranges: [string, string][] = [];
  const member = (): string | undefined => {
    const character = characters[at++];
    if (character === undefined || character === "-" || character === "]") return undefined;
    return character === "\\" ? characters[at++] : character;
  };
  while (characters[at] !== "]" || ranges.length === 0) {
    const low = member();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (characters[at] === "-") {
      at++;
      high = member();
      if (high === undefined) return undefined;
    }
    ranges.push([low, high]);
  }
  return { part: { kind: "class", isNegated, ranges }, next: at + 1 };
};

const isIn = ({ isNegated, ranges }: Part & { kind: "class" }, character: string): boolean => {
  const point = character.codePointAt(0)!;
  const isFound = ranges.some(([low, high]) => low.codePointAt(0)! <= point && point <= high.codePointAt(0)!);
  return isFound !== isNegated && character !== "/";
};

/** The states in which the pattern can be after nothing more was read. */
const withFree = (pattern: PathPattern, states: Set<number>): Set<number> => {
  for (const state of states) {
    const kind = pattern[state]?.kind;
    if (kind === "any" || kind === "deep" || kind === "directories") states.add(state + 1);
  }
  return states;
};

/** Whether the whole text is what the pattern says. */
export const matchesPath = (pattern: PathPattern, text: string): boolean => {
  // Within `directories`, a state of its own: only a slash leads out of it.
  let inside = new Set<number>();
  let states = withFree(pattern, new Set([0]));
  for (const character of text) {
    const next = new Set<number>();
    const nextInside = new Set<number>();
    for (const state of inside) {
      nextInside.add(state);
      if (character === "/") next.add(state + 1);
    }
    for (const state of states) {
      const part = pattern[state];
      switch (part?.kind) {
        case undefined:
          break;
        case "text":
          if (part.text === character) next.add(state + 1);
          break;
        case "one":
          if (character !== "/") next.add(state + 1);
          break;
        case "class":
          if (isIn(part, character)) next.add(state + 1);
          break;
        case "any":
          if (character !== "/") next.add(state);
          break;
        case "deep":
          next.add(state);
          break;
        case "directories":
          nextInside.add(state);
          if (character === "/") next.add(state + 1);
          break;
      }
    }
    inside = nextInside;
    states = withFree(pattern, next);
    if (states.size === 0 && inside.size === 0) return false;
  }
  return states.has(pattern.length);
};
