/** What templates may call: Go's own functions, and those that Docker adds. */
import { comparisons, isTrue } from "./compare.ts";
import { CallError } from "./errors.ts";
import { toJson } from "./json.ts";
import { format, sprint, sprintf } from "./print.ts";
import { Dictionary, indirect, JsonNumber, Slice, textsOf, typeName, type Value } from "./values.ts";

/** What a parameter takes; `any` is everything. */
export type Parameter = "any" | "string" | "int" | "[]string";

export interface TemplateFunction {
  readonly parameters: readonly Parameter[];
  /** Whether the last parameter takes any number of values. */
  readonly variadic?: true;
  readonly call: (...values: never[]) => Value;
}

const isInteger = (value: Value): value is bigint => typeof value === "bigint";

const lengthOf = (given: Value): Value => {
  const value = indirect(given);
  if (value === undefined) throw new CallError("len of nil pointer");
  if (typeof value === "string") return BigInt(Buffer.byteLength(value));
  if (value instanceof JsonNumber) return BigInt(value.text.length);
  if (value instanceof Slice) return BigInt(value.items?.length ?? 0);
  if (value instanceof Dictionary) return BigInt(value.entries?.size ?? 0);
  throw new CallError(`len of type ${typeName(value)}`);
};

const indexIn = (given: Value, key: Value): Value => {
  const value = indirect(given);
  if (value === undefined) throw new CallError("index of untyped nil");
  if (value instanceof Dictionary) return entryAt(value, key);
  const items =
    typeof value === "string"
      ? [...Buffer.from(value)].map(BigInt)
      : value instanceof Slice
        ? (value.items ?? [])
        : undefined;
  if (items === undefined) throw new CallError(`can't index item of type ${typeName(value)}`);
  return items[position(key, items.length - 1)];
};

const position = (key: Value, last: number): number => {
  if (key === undefined) throw new CallError("cannot index slice/array with nil");
  if (!isInteger(key)) throw new CallError(`cannot index slice/array with type ${typeName(key)}`);
  if (key < 0n || key > BigInt(last)) throw new CallError(`index out of range: ${key}`);
  return Number(key);
};

/** A key that is missing has the zero value of the map's elements. */
const entryAt = ({ type, entries }: Dictionary, key: Value): Value => {
  if (typeof key !== "string" || type.key?.name !== "string") {
    if (key === undefined) throw new CallError(`value is nil; should be of type ${type.key?.name}`);
    throw new CallError(`value has type ${typeName(key)}; should be ${type.key?.name}`);
  }
  const found = entries?.get(key);
  return found === undefined && type.element?.kind === "string" ? "" : found;
};

const sliceOf = (value: Value, ...bounds: readonly Value[]): Value => {
  const whole = indirect(value);
  const bytes = typeof whole === "string" ? Buffer.from(whole) : undefined;
  const items = whole instanceof Slice ? (whole.items ?? []) : undefined;
  const length = bytes?.length ?? items?.length;
  if (length === undefined)
    throw new CallError(whole === undefined ? "slice of untyped nil" : `can't slice item of type ${typeName(whole)}`);
  if (bounds.length > 2) throw new CallError("pier's templates slice with two bounds at most");
  const [from = 0, to = length] = bounds.map((bound) => position(bound, length));
  if (from > to) throw new CallError(`invalid slice index: ${from} > ${to}`);
  return bytes === undefined
    ? new Slice((whole as Slice).type, items!.slice(from, to))
    : bytes.subarray(from, to).toString();
};

/** Go maps each character to one other: those that would become several stay. */
const mapCharacters = (text: string, map: (character: string) => string): string =>
  Array.from(text, (character) => {
    const mapped = map(character);
    return [...mapped].length === 1 ? mapped : character;
  }).join("");

const upper = (text: string): string => mapCharacters(text, (character) => character.toUpperCase());
const lower = (text: string): string => mapCharacters(text, (character) => character.toLowerCase());
/** Every letter at the beginning of a word, as Go's strings.Title finds words. */
const title = (text: string): string => text.replace(/(?<![\p{L}\p{Nd}_'])\p{L}/gu, upper);

const pad = (text: string, before: bigint, after: bigint): string =>
  text === "" ? "" : " ".repeat(Number(before)) + text + " ".repeat(Number(after));

/** So many bytes. */
const truncate = (text: string, most: bigint): string => {
  if (most < 0n) throw new CallError("slice bounds out of range");
  return Buffer.from(text).subarray(0, Number(most)).toString();
};

const entities: Readonly<Record<string, string>> = {
  "\0": "\uFFFD",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

const escapeScript = (character: string): string =>
  "\\'\"".includes(character)
    ? `\\${character}`
    : `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

const escapeQuery = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");

const any = "any" as const;

export const functions: Readonly<Record<string, TemplateFunction>> = {
  not: { parameters: [any], call: (value: Value) => !isTrue(value) },
  eq: { parameters: [any, any], variadic: true, call: comparisons.eq },
  ne: { parameters: [any, any], call: comparisons.ne },
  lt: { parameters: [any, any], call: comparisons.lt },
  le: { parameters: [any, any], call: comparisons.le },
  gt: { parameters: [any, any], call: comparisons.gt },
  ge: { parameters: [any, any], call: comparisons.ge },
  len: { parameters: [any], call: lengthOf },
  index: {
    parameters: [any, any],
    variadic: true,
    call: (value: Value, ...keys: Value[]) => keys.reduce(indexIn, value),
  },
  slice: { parameters: [any, any], variadic: true, call: sliceOf },
  print: { parameters: [any], variadic: true, call: (...values: Value[]) => sprint(values) },
  printf: {
    parameters: ["string", any],
    variadic: true,
    call: (pattern: string, ...values: Value[]) => sprintf(pattern, values),
  },
  println: {
    parameters: [any],
    variadic: true,
    call: (...values: Value[]) => `${values.map(format).join(" ")}\n`,
  },
  html: {
    parameters: [any],
    variadic: true,
    call: (...values: Value[]) => sprint(values).replace(/[\0"'&<>]/g, (character) => entities[character]!),
  },
  js: {
    parameters: [any],
    variadic: true,
    call: (...values: Value[]) => sprint(values).replace(/[\\'"<>&=\x00-\x1f\x7f]/g, escapeScript),
  },
  urlquery: {
    parameters: [any],
    variadic: true,
    call: (...values: Value[]) => escapeQuery(sprint(values)),
  },
  json: { parameters: [any], call: (value: Value) => toJson(value) },
  split: { parameters: ["string", "string"], call: (text: string, by: string) => textsOf(text.split(by)) },
  join: {
    parameters: ["[]string", "string"],
    call: (values: Slice, by: string) => (values.items ?? []).map(format).join(by),
  },
  title: { parameters: ["string"], call: title },
  lower: { parameters: ["string"], call: lower },
  upper: { parameters: ["string"], call: upper },
  pad: { parameters: ["string", "int", "int"], call: pad },
  truncate: { parameters: ["string", "int"], call: truncate },
};

/** In the heading of a table, what would change a column's title leaves it as it is. */
export const headingFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...functions,
  json: { parameters: ["string"], call: (text: string) => text },
  title: { parameters: ["string"], call: (text: string) => text },
  lower: { parameters: ["string"], call: (text: string) => text },
  upper: { parameters: ["string"], call: (text: string) => text },
  truncate: { parameters: ["string", "int"], call: (text: string) => text },
};
