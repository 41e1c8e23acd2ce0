/**
 * Small parsers for the JSON at the door, unknown → typed. They keep Go's rules, which Docker's clients rely on: field
 * names are compared without regard to case, unknown fields are ignored, and absent and null give the type's zero value
 * (use `nullable` or `optional` where the difference matters).
 */
import { apiError } from "./errors.ts";

/** Parses the value at a path (`HostConfig.Binds[0]`, for messages); absent and null both arrive as undefined. */
export type Shape<T> = (value: unknown, path: string) => T;
export type ShapeOf<S> = S extends Shape<infer T> ? T : never;

const kindOf = (value: unknown): string => {
  if (value === undefined || value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return "a string";
  return typeof value === "number" || typeof value === "boolean" ? String(value) : typeof value;
};

const wrong = (path: string, wanted: string, value: unknown): Error =>
  apiError("wrongShape", { path: path === "" ? "the body" : path, wanted, found: kindOf(value) });

/** For checks of one's own: throws the error that every shape throws. */
export const refuse = (path: string, wanted: string, value: unknown): never => {
  throw wrong(path, wanted, value);
};

export const string: Shape<string> = (value, path) => {
  if (value === undefined) return "";
  return typeof value === "string" ? value : refuse(path, "a string", value);
};

export const boolean: Shape<boolean> = (value, path) => {
  if (value === undefined) return false;
  return typeof value === "boolean" ? value : refuse(path, "true or false", value);
};

/**
 * A whole number in a range. Beyond 2^53 JSON numbers lose their last digits unnoticed in JavaScript: such a number is
 * refused rather than changed.
 */
export const integer = (min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Shape<number> => {
  const wanted =
    min === Number.MIN_SAFE_INTEGER && max === Number.MAX_SAFE_INTEGER
      ? "a whole number below 2^53"
      : `a whole number from ${min} to ${max}`;
  return (value, path) => {
    if (value === undefined) return 0;
    if (!Number.isSafeInteger(value)) return refuse(path, wanted, value);
    const number = value as number;
    // The sum turns -0 into 0.
    return number < min || number > max ? refuse(path, wanted, value) : number + 0;
  };
};

export const oneOf =
  <const T extends string>(...allowed: readonly T[]): Shape<T | ""> =>
  (value, path) => {
    const text = string(value, path);
    if (text === "") return "";
    return allowed.find((one) => one === text) ?? refuse(path, `one of ${allowed.join(", ")}`, value);
  };

/** Beyond this many entries a list or map is an attack, not a request. */
const maxEntries = 100_000;

export const list =
  <T>(item: Shape<T>): Shape<readonly T[]> =>
  (value, path) => {
    if (value === undefined) return [];
    if (!Array.isArray(value)) return refuse(path, "a list", value);
    if (value.length > maxEntries) return refuse(path, `a list of at most ${maxEntries} entries`, value);
    return value.map((one: unknown, index) => item(one ?? undefined, `${path}[${index}]`));
  };

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Any names to values of one type. It has no prototype, so that `__proto__` is a name like any other. */
export const map =
  <T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> =>
  (value, path) => {
    const result: Record<string, T> = Object.create(null);
    if (value === undefined) return result;
    if (!isObject(value)) return refuse(path, "an object", value);
    const names = Object.keys(value);
    if (names.length > maxEntries) return refuse(path, `an object of at most ${maxEntries} entries`, value);
    for (const name of names) result[name] = item(value[name] ?? undefined, `${path}[${JSON.stringify(name)}]`);
    return result;
  };

/** The keys of an object whose values say nothing (Go's `map[string]struct{}`). */
export const keys: Shape<readonly string[]> = (value, path) => Object.keys(map(anyObject)(value, path));

const anyObject: Shape<true> = (value, path) =>
  value === undefined || isObject(value) ? true : refuse(path, "an object", value);

/** A list of strings, which very old clients send as one string. */
export const stringOrList: Shape<readonly string[]> = (value, path) =>
  typeof value === "string" ? [value] : list(string)(value, path);

/** Absent and null give null, where that differs from the zero value. */
export const nullable =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, path) =>
    value === undefined ? null : shape(value, path);

/** Absent and null give undefined, where that differs from the zero value. */
export const optional =
  <T>(shape: Shape<T>): Shape<T | undefined> =>
  (value, path) =>
    value === undefined ? undefined : shape(value, path);

type Fields = Readonly<Record<string, Shape<unknown>>>;
type ObjectOf<F extends Fields> = { readonly [K in keyof F]: ShapeOf<F[K]> };

/** An object with these fields; every one of them is there afterwards. The last of several spellings of a field counts. */
export const object = <const F extends Fields>(fields: F): Shape<ObjectOf<F>> => {
  const canonical = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]));
  return (value, path) => {
    if (value !== undefined && !isObject(value)) return refuse(path, "an object", value);
    const given = new Map<string, unknown>();
    for (const [name, field] of Object.entries(value ?? {})) {
      const known = canonical.get(name.toLowerCase());
      // As in Go, null leaves alone what an earlier spelling said.
      if (known !== undefined && field !== null) given.set(known, field);
    }
    const prefix = path === "" ? "" : `${path}.`;
    const parsed = Object.entries(fields).map(
      ([name, shape]) => [name, shape(given.get(name), prefix + name)] as const,
    );
    return Object.fromEntries(parsed) as ObjectOf<F>;
  };
};

/** The one JSON value that a body is, null as undefined; throws 400 with the reason when it is none. */
export const decodeJson = (body: Uint8Array): unknown => {
  if (body.length === 0) throw apiError("invalidJson", { reason: "got EOF while reading request body" });
  try {
    return JSON.parse(new TextDecoder().decode(body)) ?? undefined;
  } catch (cause) {
    // An engine may also fail to recurse into hostile nesting; that is the client's fault too.
    throw apiError("invalidJson", { reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
};

/** Parses the bytes of a body; throws 400 when they are not of the shape. */
export const parseJson = <T>(shape: Shape<T>, body: Uint8Array): T => shape(decodeJson(body), "");
