/** JSON text into values, by their Go types or without, and back into the text that Go's encoding/json writes. */
import {
  anyMapType,
  anysType,
  Dictionary,
  type Field,
  JsonNumber,
  Methods,
  Pointer,
  Slice,
  Struct,
  Time,
  type Type,
  type Value,
  zeroOf,
} from "./values.ts";

/** What JSON.parse gives, with numbers as they were written. */
export type Json = null | boolean | string | JsonNumber | readonly Json[] | { readonly [key: string]: Json };

export const readJson = (text: string): Json => {
  const keepNumber = (_: string, value: unknown, context: { readonly source?: string }): unknown =>
    typeof value === "number" ? new JsonNumber(context?.source ?? String(value)) : value;
  return JSON.parse(text, keepNumber as Parameters<typeof JSON.parse>[1]) as Json;
};

/** As Go decodes it into an `interface{}`. */
export const anyFromJson = (json: Json): Value => {
  if (json === null) return undefined;
  if (typeof json === "boolean" || typeof json === "string" || json instanceof JsonNumber) return json;
  if (Array.isArray(json)) return new Slice(anysType, json.map(anyFromJson));
  return new Dictionary(
    anyMapType,
    Object.entries(json).map(([key, value]) => [key, anyFromJson(value)] as const),
  );
};

/** As Go decodes it into a value of the type; what has another form than the type gives the zero value. */
export const fromJson = (type: Type, json: Json | undefined): Value => {
  if (json === undefined || json === null) return zeroOf(type);
  if (type.kind === "pointer") return new Pointer(type, fromJson(type.element!, json));
  if (type.kind === "any") return anyFromJson(json);
  if (json instanceof JsonNumber) {
    if (type.kind === "int" && /^-?\d+$/.test(json.text)) return BigInt(json.text);
    return type.kind === "float" ? Number(json.text) : zeroOf(type);
  }
  if (Array.isArray(json)) {
    return type.kind === "slice"
      ? new Slice(
          type,
          json.map((item: Json) => fromJson(type.element!, item)),
        )
      : zeroOf(type);
  }
  if (typeof json === "string")
    return type.kind === "string" ? json : type.kind === "time" ? new Time(withoutZeroes(json)) : zeroOf(type);
  if (typeof json === "boolean") return type.kind === "bool" ? json : zeroOf(type);
  const object = json as { readonly [key: string]: Json };
  if (type.kind === "map") {
    return new Dictionary(
      type,
      Object.entries(object).map(([key, value]) => [key, fromJson(type.element!, value)] as const),
    );
  }
  return type.kind === "struct" ? structFromJson(type, object) : zeroOf(type);
};

/** Go writes no more digits behind the second than there are. */
const withoutZeroes = (time: string): string =>
  time.replace(/\.?0+(?=Z$|[+-]\d\d:\d\d$)/, (zeroes) => (zeroes.startsWith(".") || time.includes(".") ? "" : zeroes));

const structFromJson = (type: Type, object: { readonly [key: string]: Json }): Struct =>
  new Struct(
    type,
    type.fields!().map((field) => {
      const json = field.embedded ? object : Object.hasOwn(object, field.json) ? object[field.json] : undefined;
      return fromJson(field.type, json);
    }),
  );

/** Text between quotes as Go's encoder writes it; `html` tells whether `<`, `>` and `&` are escaped too. */
const textJson = (text: string, html: boolean): string => {
  const escaped = JSON.stringify(text.toWellFormed()).replace(
    /[\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16)}`,
  );
  return html ? escaped.replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`) : escaped;
};

export const toJson = (value: Value, html = false): string => {
  if (value === undefined) return "null";
  if (typeof value === "string") return textJson(value, html);
  if (typeof value !== "object") return String(value);
  if (value instanceof JsonNumber) return value.text;
  if (value instanceof Time) return `"${value.text}"`;
  if (value instanceof Pointer) return toJson(value.target, html);
  if (value instanceof Slice)
    return value.items === undefined ? "null" : `[${value.items.map((item) => toJson(item, html)).join(",")}]`;
  if (value instanceof Methods) return methodsJson(value);
  if (value instanceof Struct) return `{${members(value, html).join(",")}}`;
  if (value.entries === undefined) return "null";
  return `{${[...value.entries].map(([key, item]) => `${textJson(key, html)}:${toJson(item, html)}`).join(",")}}`;
};

/** A row's methods, sorted by name. Docker marshals them on their own, with `<`, `>` and `&` escaped. */
const methodsJson = ({ methods }: Methods): string => {
  const names = Object.keys(methods).filter((name) => methods[name]!.length === 0);
  return `{${names
    .sort()
    .map((name) => `"${name}":${toJson(methods[name]!(), true)}`)
    .join(",")}}`;
};

const members = ({ type, values }: Struct, html: boolean): string[] =>
  type.fields!().flatMap((field, index) => {
    const value = values[index];
    if (field.embedded) {
      const inner = value instanceof Pointer ? value.target : value;
      return inner instanceof Struct ? members(inner, html) : [];
    }
    return isLeftOut(field, value) ? [] : [`"${field.json}":${toJson(value, html)}`];
  });

const isLeftOut = ({ json, omitEmpty }: Field, value: Value): boolean => {
  if (json === "-") return true;
  if (!omitEmpty) return false;
  if (value instanceof Slice) return !value.items?.length;
  if (value instanceof Dictionary) return !value.entries?.size;
  if (value instanceof Pointer) return value.target === undefined;
  return value === undefined || value === false || value === "" || value === 0n || value === 0;
};
