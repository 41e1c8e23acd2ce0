/** The values that templates work on. They are Go's, because what a template prints and refuses follows Go's types. */

export type Kind = "any" | "bool" | "int" | "float" | "string" | "time" | "slice" | "map" | "struct" | "pointer";

export interface Type {
  readonly kind: Kind;
  /** As Go prints it: `[]string`, `container.State`. */
  readonly name: string;
  readonly key?: Type;
  readonly element?: Type;
  /** Read late, because types may hold one another. */
  readonly fields?: () => readonly Field[];
}

export interface Field {
  readonly name: string;
  readonly json: string;
  readonly omitEmpty: boolean;
  /** Its own fields count as the outer type's. */
  readonly embedded: boolean;
  readonly type: Type;
}

/** Integers are bigint, floating-point numbers are number; undefined is a nil interface. */
export type Value =
  | undefined
  | boolean
  | bigint
  | number
  | string
  | JsonNumber
  | Slice
  | Dictionary
  | Struct
  | Pointer
  | Time
  | Methods;

/** A number whose Go type is not known: json.Number, which is a string. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export class Slice {
  readonly type: Type;
  /** Undefined for nil. */
  readonly items: readonly Value[] | undefined;
  constructor(type: Type, items: readonly Value[] | undefined) {
    this.type = type;
    this.items = items;
  }
}

/** A map whose keys are strings. */
export class Dictionary {
  readonly type: Type;
  /** Sorted by key, as Go prints and ranges over them; undefined for nil. */
  readonly entries: ReadonlyMap<string, Value> | undefined;
  /** What can be called on it beside its entries. */
  readonly methods: Methods | undefined;
  constructor(type: Type, entries: Iterable<readonly [string, Value]> | undefined, methods?: Methods) {
    this.type = type;
    this.methods = methods;
    this.entries = entries && new Map([...entries].sort(([a], [b]) => compareText(a, b)));
  }
}

export class Struct {
  readonly type: Type;
  /** In the order of the type's fields. */
  readonly values: readonly Value[];
  constructor(type: Type, values: readonly Value[]) {
    this.type = type;
    this.values = values;
  }
}

export class Pointer {
  readonly type: Type;
  /** Undefined for nil. */
  readonly target: Value;
  constructor(type: Type, target: Value) {
    this.type = type;
    this.target = target;
  }
}

/** A time.Time in UTC. */
export class Time {
  /** RFC 3339, with as many digits behind the second as are needed. */
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A row of a list: what it has are methods. */
export class Methods {
  /** As errors name it: `*formatter.ContainerContext`. */
  readonly typeName: string;
  readonly methods: Readonly<Record<string, (...args: string[]) => Value>>;
  constructor(typeName: string, methods: Readonly<Record<string, (...args: string[]) => Value>>) {
    this.typeName = typeName;
    this.methods = methods;
  }
}

const basic = (kind: Kind, name: string): Type => ({ kind, name });
export const anyType = basic("any", "interface {}");
export const stringType = basic("string", "string");
export const stringsType: Type = { kind: "slice", name: "[]string", element: stringType };
export const anysType: Type = { kind: "slice", name: "[]interface {}", element: anyType };
export const anyMapType: Type = { kind: "map", name: "map[string]interface {}", key: stringType, element: anyType };

export const textsOf = (items: readonly string[]): Slice => new Slice(stringsType, items);

/** Go's order of strings: by bytes of UTF-8. */
export const compareText = (a: string, b: string): number =>
  /^[\x00-\x7f]*$/.test(a + b) ? (a < b ? -1 : a > b ? 1 : 0) : Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The name of a value's type, as Go's errors have it. */
export const typeName = (value: Value): string => {
  if (value === undefined) return "interface {}";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float64";
  if (typeof value === "string") return "string";
  if (value instanceof JsonNumber) return "json.Number";
  if (value instanceof Time) return "time.Time";
  if (value instanceof Methods) return value.typeName;
  return value.type.name;
};

/** What a pointer points to, through several; a nil pointer stays one. */
export const indirect = (value: Value): Value => {
  let target = value;
  while (target instanceof Pointer && target.target !== undefined) target = target.target;
  return target;
};

/** Go's zero value of a type. */
export const zeroOf = (type: Type): Value => {
  switch (type.kind) {
    case "any":
      return undefined;
    case "bool":
      return false;
    case "int":
      return 0n;
    case "float":
      return 0;
    case "string":
      return "";
    case "time":
      return new Time("0001-01-01T00:00:00Z");
    case "slice":
      return new Slice(type, undefined);
    case "map":
      return new Dictionary(type, undefined);
    case "pointer":
      return new Pointer(type, undefined);
    case "struct":
      return new Struct(
        type,
        type.fields!().map((field) => zeroOf(field.type)),
      );
  }
};
