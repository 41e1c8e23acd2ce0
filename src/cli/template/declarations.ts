/**
 * Reads declarations of Go's structs, one field after the other: `Id=ID string` is the field ID that JSON calls Id, a
 * `?` leaves it out where it is empty, and `~` embeds a struct.
 */
import { anyType, type Field, type Type } from "./values.ts";

export type Declarations = Readonly<Record<string, string>>;

const basics: Readonly<Record<string, Type>> = {
  any: anyType,
  bool: { kind: "bool", name: "bool" },
  int: { kind: "int", name: "int" },
  int64: { kind: "int", name: "int64" },
  uint: { kind: "int", name: "uint" },
  uint16: { kind: "int", name: "uint16" },
  uint64: { kind: "int", name: "uint64" },
  float64: { kind: "float", name: "float64" },
  string: { kind: "string", name: "string" },
  "nat.Port": { kind: "string", name: "nat.Port" },
  "time.Time": { kind: "time", name: "time.Time" },
};

/** Finds types by their Go names among declarations: `typesOf(table)("*container.State")`. */
export const typesOf = (declarations: Declarations): ((name: string) => Type) => {
  const known = new Map<string, Type>(Object.entries(basics));
  const find = (name: string): Type => {
    const type = known.get(name) ?? build(name);
    known.set(name, type);
    return type;
  };
  const build = (name: string): Type => {
    if (name.startsWith("*")) return { kind: "pointer", name, element: find(name.slice(1)) };
    const array = /^\[\d*\](.+)$/.exec(name);
    if (array !== null) return { kind: "slice", name, element: find(array[1]!) };
    const map = /^map\[([\w.]+)\](.+)$/.exec(name);
    if (map !== null) return { kind: "map", name, key: find(map[1]!), element: find(map[2]!) };
    let fields: readonly Field[] | undefined;
    const declaration = declarations[name] ?? "";
    const read = (): readonly Field[] => {
      fields ??= declaration
        .split(";")
        .flatMap((field) => (field.trim() === "" ? [] : [parseField(field.trim(), find)]));
      return fields;
    };
    return { kind: "struct", name, fields: read };
  };
  return find;
};

const parseField = (text: string, find: (name: string) => Type): Field => {
  if (text.startsWith("~")) {
    const name = text.slice(text.lastIndexOf(".") + 1).replace(/^[~*]+/, "");
    return { name, json: "", omitEmpty: false, embedded: true, type: find(text.slice(1)) };
  }
  const [, json = "", name = json, optional, type = ""] = /^([\w-]+)(?:=(\w+))?(\??) (.+)$/.exec(text)!;
  return { name, json, omitEmpty: optional === "?", embedded: false, type: find(type) };
};
