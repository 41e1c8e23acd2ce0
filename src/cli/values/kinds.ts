/** The kinds of values that flags of every command have. */
import type { Kind } from "../flags.ts";
import { parseBytes } from "./bytes.ts";
import { parseDuration } from "./duration.ts";
import { parseBoolean, parseInteger, parseUnsigned } from "./numbers.ts";
import { quote } from "./quote.ts";

export const boolean = (initial = false): Kind<boolean> => ({
  placeholder: "",
  initial,
  alone: "true",
  ...(initial ? { shown: "true" } : {}),
  read: parseBoolean,
});

/** The text as it is; the last one given holds. */
export const text = (initial = "", placeholder = "string"): Kind<string> => ({
  placeholder,
  initial,
  ...(initial === "" ? {} : { shown: quote(initial) }),
  read: (given) => given,
});

export const integer = (initial = 0): Kind<number> => ({
  placeholder: "int",
  initial,
  ...(initial === 0 ? {} : { shown: String(initial) }),
  read: parseInteger,
});

export const unsigned = (bits: 16 | 64, placeholder: string, shown?: string): Kind<number> => ({
  placeholder,
  initial: 0,
  ...(shown === undefined ? {} : { shown }),
  read: (given) => parseUnsigned(given, bits),
});

export const bytes: Kind<number> = { placeholder: "bytes", initial: 0, read: parseBytes };

/** Nanoseconds. */
export const duration: Kind<number> = { placeholder: "duration", initial: 0, shown: "0s", read: parseDuration };

/** Every value given, in order; each is checked, and may be rewritten, by `check`. */
export const list = <T = string>(
  check: (given: string) => T,
  { placeholder = "list", shown }: { readonly placeholder?: string; readonly shown?: string } = {},
): Kind<readonly T[]> => ({
  placeholder,
  initial: [],
  ...(shown === undefined ? {} : { shown }),
  read: (given, before) => [...before, check(given)],
});

export const anything = (given: string): string => given;
export const texts: Kind<readonly string[]> = list(anything);

/** As `texts`; what is given twice counts once, where it was first. */
export const distinct = (check: (given: string) => string, placeholder = "list"): Kind<readonly string[]> => ({
  placeholder,
  initial: [],
  read: (given, before) => {
    const value = check(given);
    return before.includes(value) ? before : [...before, value];
  },
});

/** `key=value` pairs; the last value of a key holds, and no `=` means an empty value. */
export const pairs = (
  placeholder: string,
  check: (given: string) => string = anything,
): Kind<Readonly<Record<string, string>>> => ({
  placeholder,
  initial: Object.freeze(Object.create(null) as Record<string, string>),
  ...(placeholder === "map" ? { shown: "map[]" } : {}),
  read: (given, before) => withPair(before, check(given)),
});

/** A copy of the pairs with one more, written `key=value`; without a prototype, so that `__proto__` is a key like any other. */
export const withPair = (before: Readonly<Record<string, string>>, pair: string): Readonly<Record<string, string>> => {
  const [key, value] = splitPair(pair);
  const next: Record<string, string> = Object.assign(Object.create(null), before);
  next[key] = value ?? "";
  return next;
};

/** What stands before and after the first `=`; no `=`, no value. */
export const splitPair = (pair: string): readonly [key: string, value: string | undefined] => {
  const equals = pair.indexOf("=");
  return equals < 0 ? [pair, undefined] : [pair.slice(0, equals), pair.slice(equals + 1)];
};
