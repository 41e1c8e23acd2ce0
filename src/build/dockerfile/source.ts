/**
 * The text of a Dockerfile as logical lines: directives, comments, continuations and heredocs are resolved, and every
 * instruction knows where it stands. What the arguments mean is decided by `instructions.ts`.
 */
import { buildError } from "../errors.ts";
import { type Heredoc, heredocsOf, readHeredoc } from "./heredocs.ts";

export interface LineRange {
  /** Counted from 1, both included. */
  readonly start: number;
  readonly end: number;
}

export interface SourceInstruction extends LineRange {
  /** Upper case. */
  readonly name: string;
  /** `--flag` and `--flag=value`, as written. */
  readonly flags: readonly string[];
  /** What follows the flags. */
  readonly rest: string;
  /** The whole of it in one line, as progress and history show it. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}

export interface Directives {
  readonly syntax?: string;
  readonly check?: string;
  /** What is used as one: `\` or a backtick. */
  readonly backslash: string;
}

export interface Source {
  readonly directives: Directives;
  readonly instructions: readonly SourceInstruction[];
  /** The last lines of instructions that go on over an empty line. */
  readonly emptyContinuations: readonly LineRange[];
  /** As it came: for errors that show where they are. */
  readonly lines: readonly string[];
}

export const parseError = (line: number, problem: string): Error => buildError("parseLine", { line, problem });

const directivePattern = /^\s*#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$/;
const knownDirectives = new Set(["syntax", "escape", "check"]);

/** Directives stand before everything else, comments and empty lines included; a known one stands there once. */
export const parseDirectives = (lines: readonly string[]): Directives => {
  const found = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    const match = directivePattern.exec(line);
    if (match === null) break;
    const key = match[1]!.toLowerCase();
    if (!knownDirectives.has(key)) continue;
    if (found.has(key)) throw parseError(index + 1, `only one ${key} parser directive can be used`);
    found.set(key, match[2]!);
  }
  const backslash = found.get("escape") ?? "\\";
  if (backslash !== "\\" && backslash !== "`") {
    throw parseError(
      lines.findIndex((line) => /escape/i.test(line)) + 1,
      `invalid ESCAPE '${backslash}': must be \\ or \``,
    );
  }
  const [syntax, check] = [found.get("syntax"), found.get("check")];
  return { backslash, ...(syntax === undefined ? {} : { syntax }), ...(check === undefined ? {} : { check }) };
};

const isComment = (line: string): boolean => /^\s*#/.test(line);
const isBlank = (line: string): boolean => line.trim() === "";

/** The line without its escape at the end, or undefined where it goes on no further: two escapes are none. */
const continued = (line: string, backslash: string): string | undefined => {
  const trimmed = line.replace(/[ \t]+$/, "");
  if (!trimmed.endsWith(backslash) || trimmed.endsWith(backslash + backslash)) return undefined;
  return trimmed.slice(0, -1);
};

const maxBytes = 16 * 1024 * 1024;

/** Throws BuildKit's sentences with the number of the line. */
export const parseSource = (text: string): Source => {
  if (text.length > maxBytes) throw parseError(1, `the file is larger than ${maxBytes} bytes`);
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const directives = parseDirectives(lines);
  const instructions: SourceInstruction[] = [];
  const emptyContinuations: LineRange[] = [];
  for (let at = 0; at < lines.length; ) {
    if (isComment(lines[at]!) || isBlank(lines[at]!)) {
      at++;
      continue;
    }
    const start = at + 1;
    const logical = joinLines(lines, at, directives.backslash);
    at = logical.next;
    if (logical.hasEmpty) emptyContinuations.push({ start: at, end: at });
    const { name, flags, rest } = splitInstruction(logical.text, directives.backslash, start);
    const heredocs: Heredoc[] = [];
    for (const opening of heredocsOf(name, rest, directives.backslash)) {
      const read = readHeredoc(lines, at, opening);
      if (read === undefined) throw parseError(start, "unterminated heredoc");
      heredocs.push(read.heredoc);
      at = read.next;
    }
    const whole = [name, ...flags, rest].filter((part) => part !== "").join(" ");
    instructions.push({ name, flags, rest, heredocs, text: whole, start, end: at });
  }
  return { directives, instructions, emptyContinuations, lines };
};

/** The instruction that begins at this line, with all that continues it; comments and empty lines within do not count. */
const joinLines = (
  lines: readonly string[],
  first: number,
  backslash: string,
): { text: string; next: number; hasEmpty: boolean } => {
  let text = "";
  let hasEmpty = false;
  let at = first;
  for (; at < lines.length; at++) {
    const line = lines[at]!;
    if (at > first && isBlank(line)) hasEmpty = true;
    if (at > first && (isComment(line) || isBlank(line))) continue;
    const part = at === first ? line.trimStart() : line;
    const more = continued(part, backslash);
    text += more ?? part;
    if (more === undefined) return { text, next: at + 1, hasEmpty };
  }
  return { text, next: at, hasEmpty };
};

const splitInstruction = (
  line: string,
  backslash: string,
  number: number,
): { name: string; flags: readonly string[]; rest: string } => {
  const match = /^(\S+)\s*([\s\S]*)$/.exec(line.trim());
  if (match === null) throw parseError(number, "there is no instruction");
  return { name: match[1]!.toUpperCase(), ...splitFlags(match[2]!.trim(), backslash) };
};

/** Words that begin with `--` are flags until the first that does not; quotes and escapes keep a word together and go. */
export const splitFlags = (text: string, backslash: string): { flags: readonly string[]; rest: string } => {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? "")) at++;
    if (!text.startsWith("--", at)) break;
    const { word, end } = readWord(text, at, backslash);
    at = end;
    if (word === "--") break;
    flags.push(word);
  }
  return { flags, rest: text.slice(at).trim() };
};

const readWord = (text: string, start: number, backslash: string): { word: string; end: number } => {
  let word = "";
  let quote = "";
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (quote === "" && /\s/.test(character)) break;
    if (character === backslash && quote !== "'" && at + 1 < text.length) word += text[++at];
    else if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else word += character;
  }
  return { word, end: at };
};
