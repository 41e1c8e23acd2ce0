/** `--chmod`: octal, or the words of chmod(1) for what is copied. */
import { buildError } from "./errors.ts";

/** The twelve bits that a file has afterwards, from those that it has. */
export type ChangeMode = (mode: number, isDirectory: boolean) => number;

const shifts: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
const clause = /^([ugoa]*)((?:[-+=][rwxXst]*)+)$/;

/** What one letter means for the user, the group or the others; X: x for directories, and where anybody has it. */
const bitsOf = (letter: string, who: string, isAll: boolean, mode: number, isDirectory: boolean): number => {
  if (letter === "t") return isAll ? 0o1000 : 0;
  if (letter === "s") return who === "u" ? 0o4000 : who === "g" ? 0o2000 : 0;
  if (letter === "X" && !isDirectory && (mode & 0o111) === 0) return 0;
  const bit = letter === "r" ? 4 : letter === "w" ? 2 : 1;
  return bit << shifts[who]!;
};

const apply = (text: string, mode: number, isDirectory: boolean): number => {
  const [, said = "", actions = ""] = clause.exec(text)!;
  const isAll = said === "" || said.includes("a");
  const whose = isAll ? ["u", "g", "o"] : [...new Set(said)];
  let result = mode;
  for (const [, action, letters = ""] of actions.matchAll(/([-+=])([rwxXst]*)/g)) {
    const bits = whose
      .flatMap((who) => [...letters].map((letter) => bitsOf(letter, who, isAll, mode, isDirectory)))
      .reduce((sum, bit) => sum | bit, 0);
    const all = whose.reduce((sum, who) => sum | (7 << shifts[who]!), 0);
    if (action === "-") result &= ~bits;
    else result = action === "+" ? result | bits : (result & ~all) | bits;
  }
  return result;
};

export const parseMode = (text: string): ChangeMode => {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode > 0o7777) throw buildError("invalidMode", { mode: text });
    return () => mode;
  }
  const clauses = text.split(",");
  if (!clauses.every((one) => clause.test(one))) throw buildError("invalidMode", { mode: text });
  return (mode, isDirectory) => clauses.reduce((before, one) => apply(one, before, isDirectory), mode);
};
