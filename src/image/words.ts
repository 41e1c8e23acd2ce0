/** The arguments of an instruction, by the rules of Dockerfiles: exec forms, quotes, escapes and `$variables`. */

import { imageError } from "./errors.ts";

export type Variables = ReadonlyMap<string, string>;

export const wrong = (instruction: string, problem: string): Error =>
  imageError("changeArguments", { instruction, problem });

/** The exec form, `["a","b"]`; undefined when the text is none and so a shell's command line. */
export const parseExecForm = (text: string): readonly string[] | undefined => {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
  } catch {
    return undefined;
  }
};

/** The words between white space; quotes and escapes are left in them. Undefined when a quote is not closed. */
export const splitWords = (text: string): readonly string[] | undefined => {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote === "" && /\s/.test(character)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    word += character;
    if (character === "\\" && quote !== "'" && at + 1 < text.length) word += text[++at];
    else if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
  }
  if (quote !== "") return undefined;
  return word === "" ? words : [...words, word];
};

/** The word without its quotes and escapes, its variables replaced; undefined when it is malformed. */
export const expandWord = (word: string, variables: Variables): string | undefined => {
  let result = "";
  let quote = "";
  for (let at = 0; at < word.length; at++) {
    const character = word[at]!;
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (character === "\\" && quote !== "'" && at + 1 < word.length) {
      const next = word[++at]!;
      // Within double quotes a backslash escapes only what is special there.
      result += quote === '"' && !'"$\\'.includes(next) ? `\\${next}` : next;
    } else if (character === "$" && quote !== "'") {
      const found = expandVariable(word.slice(at), variables);
      if (found === undefined) return undefined;
      result += found.value;
      at += found.length - 1;
    } else result += character;
  }
  return quote === "" ? result : undefined;
};

interface Expansion {
  readonly value: string;
  /** Characters of the text that it stands for. */
  readonly length: number;
}

/** `$name`, `${name}`, `${name:-default}` or `${name:+instead}` at the beginning of the text; any other `$` is itself. */
const expandVariable = (text: string, variables: Variables): Expansion | undefined => {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text);
  if (plain !== null) return { value: variables.get(plain[1]!) ?? "", length: plain[0].length };
  if (!text.startsWith("${")) return { value: "$", length: 1 };
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^{}]*))?\}/.exec(text);
  if (braced === null) return undefined;
  const [whole, name, operator = "", alternative = ""] = braced;
  const value = variables.get(name!);
  const isSet = value !== undefined && !(operator.startsWith(":") && value === "");
  if (operator.endsWith("+")) return { value: isSet ? alternative : "", length: whole.length };
  return { value: isSet ? value : alternative, length: whole.length };
};
