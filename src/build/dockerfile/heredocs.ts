/** Heredocs: `RUN <<EOF`, `COPY <<"EOF" /file`. */
import { splitWords } from "../../format/dockerfile/words.ts";

export interface Heredoc {
  /** What ends it, without quotes. */
  readonly name: string;
  /** The lines, each with its end. */
  readonly content: string;
  /** Variables in it mean something: its name had no quotes. */
  readonly expands: boolean;
  /** `<<-`: tabs at the beginning of lines do not count. */
  readonly chomps: boolean;
}

export type HeredocOpening = Omit<Heredoc, "content">;

const directives = new Set(["RUN", "COPY", "ADD"]);

/** The opening that a word is, or undefined. */
export const parseOpening = (word: string): HeredocOpening | undefined => {
  const match = /^\d*<<(-?)([^<]+)$/.exec(word);
  if (match === null) return undefined;
  const quoted = /^(['"])(.+)\1$/.exec(match[2]!);
  const name = quoted?.[2] ?? match[2]!;
  if (/\s/.test(name) || name.includes("'") || name.includes('"')) return undefined;
  return { name, expands: quoted === null, chomps: match[1] === "-" };
};

/** The heredocs that an instruction opens, in their order. */
export const heredocsOf = (name: string, rest: string, backslash: string): readonly HeredocOpening[] => {
  const trigger = /^(RUN|COPY|ADD)\s+([\s\S]*)$/i.exec(rest);
  if (name === "ONBUILD" && trigger !== null) return heredocsOf(trigger[1]!.toUpperCase(), trigger[2]!, backslash);
  if (!directives.has(name) || !rest.includes("<<") || rest.startsWith("[")) return [];
  return splitWords(rest, backslash).flatMap((word) => parseOpening(word) ?? []);
};

/** Tabs at the beginning of each line go. */
export const chomp = (content: string): string => content.replace(/^\t+/gm, "");

/** The heredoc whose first line is at this index; undefined when nothing ends it. */
export const readHeredoc = (
  lines: readonly string[],
  first: number,
  opening: HeredocOpening,
): { heredoc: Heredoc; next: number } | undefined => {
  const content: string[] = [];
  for (let at = first; at < lines.length; at++) {
    const line = lines[at]!;
    if ((opening.chomps ? line.replace(/^\t+/, "") : line) === opening.name) {
      return { heredoc: { ...opening, content: content.map((part) => `${part}\n`).join("") }, next: at + 1 };
    }
    content.push(line);
  }
  return undefined;
};
