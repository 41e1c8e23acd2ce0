/**
 * A command's flags are one table; the parser, the help and the types of the values all read it. The rules of the
 * parser are those of pflag, which Docker uses: `-it`, `-eC=d`, `-p80:80`, `--rm=true`, `--flag value`, `--`.
 */
import { cliError } from "./errors.ts";
import { quote } from "./values/quote.ts";

/** How a flag's text becomes a value. `read` is called once for each time the flag is given, with what came before. */
export interface Kind<T> {
  /** What the help shows after the flag's name; empty for flags without a value. */
  readonly placeholder: string;
  readonly initial: T;
  /** How the help shows the default; absent where there is nothing to show. */
  readonly shown?: string;
  /** The text that stands for the flag given alone (`--rm`); absent where a value must follow. */
  readonly alone?: string;
  read(text: string, before: T): T;
}

export interface Flag<T = unknown> {
  readonly kind: Kind<T>;
  readonly usage: string;
  readonly short?: string;
  /** Further names, not shown in the help. */
  readonly aliases?: readonly string[];
}

export type FlagTable = Readonly<Record<string, Flag>>;
export type Values<T extends FlagTable> = { readonly [K in keyof T]: T[K] extends Flag<infer V> ? V : never };

export interface Parsed<T extends FlagTable> {
  readonly values: Values<T>;
  /** The names of the flags that were given, whatever their values. */
  readonly given: ReadonlySet<keyof T & string>;
  readonly positional: readonly string[];
}

export const flag = <T>(kind: Kind<T>, usage: string, more?: Omit<Flag<T>, "kind" | "usage">): Flag<T> => ({
  kind,
  usage,
  ...more,
});

/** How messages name a flag: `-e, --env`. */
const titleOf = (name: string, short: string | undefined): string => (short ? `-${short}, --${name}` : `--${name}`);

/** Reads a command's words. With `stopAtFirst`, everything from the first word that is no flag on is positional. */
export const parseFlags = <T extends FlagTable>(
  table: T,
  words: readonly string[],
  { stopAtFirst = false }: { readonly stopAtFirst?: boolean } = {},
): Parsed<T> => {
  const values: Record<string, unknown> = {};
  const byShort = new Map<string, string>();
  const byAlias = new Map<string, string>();
  for (const [name, entry] of Object.entries(table)) {
    values[name] = entry.kind.initial;
    if (entry.short !== undefined) byShort.set(entry.short, name);
    for (const alias of entry.aliases ?? []) byAlias.set(alias, name);
  }
  const given = new Set<string>();
  const positional: string[] = [];
  let at = 0;

  const set = (name: string, typed: string, text: string): void => {
    const { kind, short } = table[name]!;
    try {
      values[name] = kind.read(text, values[name]);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const title = titleOf(typed, typed === name ? short : undefined);
      throw cliError("invalidArgument", { value: quote(text), flag: quote(title), reason }, cause);
    }
    given.add(name);
  };

  const readLong = (word: string): void => {
    const equals = word.indexOf("=");
    const typed = equals < 0 ? word.slice(2) : word.slice(2, equals);
    if (typed === "" || typed.startsWith("-")) throw cliError("badFlagSyntax", { word });
    const name = Object.hasOwn(table, typed) ? typed : byAlias.get(typed);
    if (name === undefined) throw cliError("unknownFlag", { name: typed });
    const { alone } = table[name]!.kind;
    if (equals >= 0) set(name, typed, word.slice(equals + 1));
    else if (alone !== undefined) set(name, typed, alone);
    else if (at >= words.length) throw cliError("flagNeedsArgument", { flag: `--${typed}` });
    else set(name, typed, words[at++]!);
  };

  const readShort = (word: string): void => {
    for (let rest = word.slice(1); rest !== ""; rest = rest.slice(1)) {
      const letter = rest[0]!;
      const name = byShort.get(letter) ?? (letter === "h" && Object.hasOwn(table, "help") ? "help" : undefined);
      if (name === undefined) throw cliError("unknownShorthand", { letter, word: `-${rest}` });
      const { alone } = table[name]!.kind;
      const joined = rest[1] === "=" && rest.length > 2 ? rest.slice(2) : undefined;
      if (joined === undefined && alone !== undefined) {
        set(name, name, alone);
        continue;
      }
      if (joined !== undefined) set(name, name, joined);
      else if (rest.length > 1) set(name, name, rest.slice(1));
      else if (at >= words.length) throw cliError("flagNeedsArgument", { flag: `'${letter}' in -${rest}` });
      else set(name, name, words[at++]!);
      return;
    }
  };

  while (at < words.length) {
    const word = words[at++]!;
    if (word === "--") {
      positional.push(...words.slice(at));
      break;
    }
    if (word.startsWith("--")) readLong(word);
    else if (word.startsWith("-") && word !== "-") readShort(word);
    else {
      positional.push(word);
      if (!stopAtFirst) continue;
      positional.push(...words.slice(at));
      break;
    }
  }
  return { values: values as Values<T>, given, positional };
};
