/** Cuts a template into tokens, by the rules of Go's text/template/parse: text, and what stands between `{{` and `}}`. */

export type TokenKind =
  | "text"
  | "open"
  | "close"
  | "space"
  | "field"
  | "variable"
  | "identifier"
  | "keyword"
  | "boolean"
  | "nil"
  | "dot"
  | "number"
  | "character"
  | "string"
  | "raw"
  | "pipe"
  | "declare"
  | "assign"
  | "comma"
  | "left"
  | "right"
  | "other"
  | "error"
  | "end of file";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Where it begins, in UTF-16 units. */
  readonly at: number;
}

export const keywords = new Set("block break continue define else end if range template with".split(" "));
const blanks = " \t\r\n";
const letter = /^[\p{L}\p{Nd}_]$/u;

/** The tokens; the last one is an error or the end of the file. */
export function* tokensOf(template: string): Generator<Token, void> {
  let at = 0;
  let trim = false;
  for (;;) {
    const open = template.indexOf("{{", at);
    const end = open < 0 ? template.length : open;
    const trimsBefore = open >= 0 && template[open + 2] === "-" && blanks.includes(template[open + 3] || "x");
    let text = template.slice(at, end);
    if (trim) text = text.replace(/^[ \t\r\n]+/, "");
    if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, "");
    if (text !== "") yield { kind: "text", text, at };
    if (open < 0) return yield { kind: "end of file", text: "", at: end };
    const inside = trimsBefore ? open + 4 : open + 2;
    const action = template.startsWith("/*", inside) ? comment(template, inside) : actionTokens(template, open, inside);
    const result = yield* action;
    if (result === undefined) return;
    ({ at, trim } = result);
  }
}

interface Behind {
  readonly at: number;
  /** Whether the white space behind the action is left out. */
  readonly trim: boolean;
}

/** Where a closing delimiter at this place ends; undefined when there is none. */
const closing = (template: string, at: number): Behind | undefined => {
  if (template.startsWith("}}", at)) return { at: at + 2, trim: false };
  const trims = blanks.includes(template[at] || "x") && template.startsWith("-}}", at + 1);
  return trims ? { at: at + 4, trim: true } : undefined;
};

function* comment(template: string, at: number): Generator<Token, Behind | undefined> {
  const end = template.indexOf("*/", at);
  if (end < 0) return void (yield { kind: "error", text: "unclosed comment", at });
  const behind = closing(template, end + 2);
  if (behind === undefined) yield { kind: "error", text: "comment ends before closing delimiter", at };
  return behind;
}

function* actionTokens(template: string, open: number, start: number): Generator<Token, Behind | undefined> {
  yield { kind: "open", text: "{{", at: open };
  let depth = 0;
  for (let at = start; ; ) {
    const behind = closing(template, at);
    if (behind !== undefined) {
      if (depth > 0) return void (yield { kind: "error", text: "unclosed left paren", at });
      yield { kind: "close", text: "}}", at };
      return behind;
    }
    const token = nextToken(template, at);
    if (token.kind === "left") depth++;
    if (token.kind === "right" && --depth < 0) {
      return void (yield { kind: "error", text: "unexpected right paren", at });
    }
    yield token;
    if (token.kind === "error") return undefined;
    at += token.text.length;
  }
}

const single: ReadonlyMap<string, TokenKind> = new Map([
  ["=", "assign"],
  ["|", "pipe"],
  ["(", "left"],
  [")", "right"],
  [",", "comma"],
]);

/** The patterns of what is quoted, by its first character, and what is said where it does not end. */
const quoted: ReadonlyMap<string, readonly [kind: TokenKind, pattern: RegExp, failure: string]> = new Map([
  ['"', ["string", /"(?:[^"\\\n]|\\[^\n])*"/y, "unterminated quoted string"]],
  ["`", ["raw", /`[^`]*`/y, "unterminated raw quoted string"]],
  ["'", ["character", /'(?:[^'\\\n]|\\[^\n])*'/y, "unterminated character constant"]],
]);

const nextToken = (template: string, at: number): Token => {
  const fail = (text: string): Token => ({ kind: "error", text, at });
  const character = characterAt(template, at);
  if (character === "") return fail("unclosed action");
  if (blanks.includes(character)) return { kind: "space", text: spaceAt(template, at), at };
  if (template.startsWith(":=", at)) return { kind: "declare", text: ":=", at };
  if (character === ":") return fail("expected :=");
  const kind = single.get(character);
  if (kind !== undefined) return { kind, text: character, at };
  const quotes = quoted.get(character);
  if (quotes !== undefined) {
    const text = matchAt(quotes[1], template, at);
    return text === "" ? fail(quotes[2]) : { kind: quotes[0], text, at };
  }
  const next = template[at + 1] ?? "0";
  if (/[+\-\d]/.test(character) || (character === "." && /\d/.test(next))) return numberAt(template, at);
  if (character === "." || character === "$" || letter.test(character)) return wordAt(template, at, character);
  if (/^[\x21-\x7e]$/.test(character)) return { kind: "other", text: character, at };
  return fail(`unrecognized character in action: ${codePoint(character)}`);
};

/** White space up to the next token, or up to the blank that belongs to ` -}}`. */
const spaceAt = (template: string, at: number): string => {
  const text = matchAt(/[ \t\r\n]+/y, template, at);
  return text.length > 1 && template.startsWith("-}}", at + text.length) ? text.slice(0, -1) : text;
};

/** What looks like a number; whether it is one is seen when it is read. */
const numberAt = (template: string, at: number): Token => {
  const pattern = /[+-]?(?:0[xX][\da-fA-F_]*|0[bB][01_]*|0[oO][0-7_]*|[\d_]*\.?[\d_]*(?:[eE][+-]?[\d_]*)?)/y;
  const text = matchAt(pattern, template, at);
  const rest = characterAt(template, at + text.length);
  if (!letter.test(rest)) return { kind: "number", text, at };
  return { kind: "error", text: `bad number syntax: "${text}${rest}"`, at };
};

/** `.`, `.Name`, `$name`, `name`. */
const wordAt = (template: string, at: number, first: string): Token => {
  const text = matchAt(/[.$]?[\p{L}\p{Nd}_]*/uy, template, at);
  const rest = characterAt(template, at + text.length);
  const ends = rest === "" || `${blanks}.,|:()`.includes(rest) || template.startsWith("}}", at + text.length);
  if (!ends) return { kind: "error", text: `bad character ${codePoint(rest)}`, at };
  return { kind: wordKind(text, first), text, at };
};

const wordKind = (text: string, first: string): TokenKind => {
  if (first === "$") return "variable";
  if (first === ".") return text === "." ? "dot" : "field";
  if (keywords.has(text)) return "keyword";
  if (text === "true" || text === "false") return "boolean";
  return text === "nil" ? "nil" : "identifier";
};

const matchAt = (pattern: RegExp, text: string, at: number): string => {
  const sticky = new RegExp(pattern.source, pattern.flags);
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0] ?? "";
};

const characterAt = (text: string, at: number): string => {
  const code = text.codePointAt(at);
  return code === undefined ? "" : String.fromCodePoint(code);
};

/** As Go's %#U: `U+007D '}'`. */
const codePoint = (character: string): string =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")} '${character}'`;
