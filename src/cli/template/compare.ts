/** The functions of templates that compare. */
import { CallError } from "./errors.ts";
import { format } from "./print.ts";
import { Dictionary, indirect, JsonNumber, Pointer, Slice, Time, typeName, type Value } from "./values.ts";

type Basic = "bool" | "number" | "string" | "none";

const basicOf = (
  given: Value,
): {
  readonly kind: Basic;
  readonly value: boolean | bigint | number | string | undefined;
  readonly float: boolean;
} => {
  const value = given instanceof JsonNumber ? given.text : given;
  if (typeof value === "boolean") return { kind: "bool", value, float: false };
  if (typeof value === "bigint") return { kind: "number", value, float: false };
  if (typeof value === "number") return { kind: "number", value, float: true };
  if (typeof value === "string") return { kind: "string", value, float: false };
  throw new CallError("invalid type for comparison");
};

/** Both, of one kind. */
const basicsOf = (a: Value, b: Value): readonly [ReturnType<typeof basicOf>, ReturnType<typeof basicOf>] => {
  const [first, second] = [basicOf(a), basicOf(b)];
  if (first.kind === second.kind && first.float === second.float) return [first, second];
  throw new CallError("incompatible types for comparison");
};

const isNil = (value: Value): boolean =>
  value === undefined || (value instanceof Pointer && value.target === undefined);

const isEqual = (a: Value, b: Value): boolean => {
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b);
  if (a instanceof Pointer || b instanceof Pointer) {
    if (a instanceof Pointer && b instanceof Pointer) return a === b;
    throw new CallError("incompatible types for comparison");
  }
  if (a instanceof Time && b instanceof Time) return a.text === b.text;
  for (const value of [a, b]) {
    const whole = value instanceof Slice || value instanceof Dictionary;
    if (whole) throw new CallError(`non-comparable type ${format(value)}: ${typeName(value)}`);
  }
  const [first, second] = basicsOf(a, b);
  return first.value === second.value;
};

const isLess = (a: Value, b: Value): boolean => {
  const [first, second] = basicsOf(a, b);
  if (first.kind === "bool") throw new CallError("invalid type for comparison");
  if (first.kind === "string")
    return Buffer.compare(Buffer.from(String(first.value)), Buffer.from(String(second.value))) < 0;
  return first.value! < second.value!;
};

export const comparisons = {
  eq: (first: Value, ...others: readonly Value[]): Value => {
    if (others.length === 0) throw new CallError("missing argument for comparison");
    return others.some((other) => isEqual(first, other));
  },
  ne: (a: Value, b: Value): Value => !isEqual(a, b),
  lt: (a: Value, b: Value): Value => isLess(a, b),
  le: (a: Value, b: Value): Value => isLess(a, b) || isEqual(a, b),
  gt: (a: Value, b: Value): Value => !isLess(a, b) && !isEqual(a, b),
  ge: (a: Value, b: Value): Value => !isLess(a, b),
};

/** What `if`, `and`, `or` and `not` ask. */
export const isTrue = (given: Value): boolean => {
  const value = given instanceof JsonNumber ? given.text : given;
  if (value === undefined) return false;
  if (typeof value !== "object") return Boolean(value);
  if ("items" in value) return (value.items?.length ?? 0) > 0;
  if ("entries" in value) return (value.entries?.size ?? 0) > 0;
  return indirect(value) !== undefined && !isNil(value);
};
