/** Words of an instruction: where one ends and the next begins. What is in them is expanded by `expand.ts`. */

const isSpace = (character: string): boolean => /\s/.test(character);

/** Between white space; quotes and escapes keep a word together, and stay in it. */
export const splitWords = (text: string, backslash: string): readonly string[] => {
  const words: string[] = [];
  let word = "";
  let begun = false;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote === "" && isSpace(character)) {
      if (begun) words.push(word);
      [word, begun] = ["", false];
      continue;
    }
    begun = true;
    word += character;
    if (character === backslash && quote !== "'" && at + 1 < text.length) word += text[++at];
    else if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
  }
  return begun ? [...words, word] : words;
};

/** Between white space alone. */
export const splitSpaces = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

/** The exec form: a list of texts; undefined where it is none and so a shell's line. Throws `notTexts` for a list of anything else. */
export const parseExecForm = (text: string, notTexts: () => Error): readonly string[] | undefined => {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item): item is string => typeof item === "string")) throw notTexts();
  return value;
};
