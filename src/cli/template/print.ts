/** How Go's fmt prints values. */
import { quote } from "../values/quote.ts";
import {
  Dictionary,
  indirect,
  JsonNumber,
  Methods,
  Pointer,
  Slice,
  Struct,
  Time,
  typeName,
  type Value,
} from "./values.ts";

/** What stands for addresses, which mean nothing to anybody. */
const ADDRESS = "0xc000000000";

/** A value as a template writes it: what a pointer points to, and `<no value>` for none. */
export const printed = (value: Value): string => {
  if (value === undefined) return "<no value>";
  return format(indirect(value));
};

/** A value as Go's %v writes it. */
export const format = (value: Value): string => {
  if (value === undefined) return "<nil>";
  if (typeof value === "number") return formatFloat(value);
  if (typeof value !== "object") return String(value);
  if (value instanceof JsonNumber) return value.text;
  if (value instanceof Time) return formatTime(value.text);
  if (value instanceof Slice) return `[${(value.items ?? []).map(format).join(" ")}]`;
  if (value instanceof Dictionary)
    return `map[${[...(value.entries ?? [])].map(([key, item]) => `${key}:${format(item)}`).join(" ")}]`;
  if (value instanceof Struct) return `{${value.values.map(format).join(" ")}}`;
  if (value instanceof Pointer) return value.target === undefined ? "<nil>" : ADDRESS;
  return ADDRESS;
};

/** As Go's time.Time prints itself: `2026-11-24 02:18:33.378 +0000 UTC`. */
const formatTime = (text: string): string => {
  const [, date, clock, zone] = /^(\S+)T([\d:.]+)(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (date === undefined) return text;
  return `${date} ${clock} ${zone === "Z" ? "+0000 UTC" : `${zone!.replace(":", "")} ${zone!.replace(":", "")}`}`;
};

/** Go's shortest form, with an exponent from 1e21 and below 1e-4 on. */
const formatFloat = (value: number): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
};

/** Go's fmt.Sprint: operands are parted by a space where neither is text. */
export const sprint = (values: readonly Value[]): string =>
  values.reduce<string>((text, value, at) => {
    const parted = at > 0 && typeof value !== "string" && typeof values[at - 1] !== "string";
    return text + (parted ? " " : "") + format(value);
  }, "");

/** Go's fmt.Sprintf, for the verbs that templates are written with. */
export const sprintf = (pattern: string, values: readonly Value[]): string => {
  let used = 0;
  const text = pattern.replace(
    /%([-+# 0]*)(\d*)(?:\.(\d*))?(.?)/gsu,
    (_, flags: string, width: string, digits: string | undefined, verb: string) => {
      if (verb === "") return "%!(NOVERB)";
      if (verb === "%") return "%";
      if (used >= values.length) return `%!${verb}(MISSING)`;
      const shown = formatVerb(values[used++], flags, digits === undefined ? undefined : Number(digits), verb);
      if (flags.includes("-")) return shown.padEnd(Number(width));
      if (!flags.includes("0")) return shown.padStart(Number(width));
      const [sign = ""] = /^[+-]/.exec(shown) ?? [];
      return sign + shown.slice(sign.length).padStart(Number(width) - sign.length, "0");
    },
  );
  const extra = values
    .slice(used)
    .map((value) => (value === undefined ? "<nil>" : `${typeName(value)}=${format(value)}`));
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
};

const formatVerb = (value: Value, flags: string, precision: number | undefined, verb: string): string => {
  const cut = (text: string): string => (precision === undefined ? text : [...text].slice(0, precision).join(""));
  if (verb === "T") return value === undefined ? "<nil>" : typeName(value);
  if (verb === "v") {
    if (flags.includes("#")) throw new Error("pier's templates have no %#v");
    if (flags.includes("+")) return formatWithNames(value);
    return typeof value === "string" ? cut(value) : format(value);
  }
  if (value instanceof Slice && "sqdxX".includes(verb)) {
    return `[${(value.items ?? []).map((item) => formatVerb(item, flags, precision, verb)).join(" ")}]`;
  }
  const formatted = verbs[verb]?.(value instanceof JsonNumber ? value.text : value, cut, precision);
  if (formatted !== undefined)
    return verb === "d" && flags.includes("+") && !formatted.startsWith("-") ? `+${formatted}` : formatted;
  return value === undefined ? `%!${verb}(<nil>)` : `%!${verb}(${typeName(value)}=${format(value)})`;
};

type Verb = (value: Value, cut: (text: string) => string, precision: number | undefined) => string | undefined;

const hexadecimal: Verb = (value) => {
  if (typeof value === "bigint") return value.toString(16);
  return typeof value === "string" ? Buffer.from(value).toString("hex") : undefined;
};

const verbs: Readonly<Record<string, Verb>> = {
  s: (value, cut) => {
    if (typeof value === "string") return cut(value);
    return typeof value === "object" && !(value instanceof Methods) ? format(value) : undefined;
  },
  q: (value, cut) => (typeof value === "string" ? quote(cut(value)) : undefined),
  d: (value) => (typeof value === "bigint" ? String(value) : undefined),
  b: (value) => (typeof value === "bigint" ? value.toString(2) : undefined),
  o: (value) => (typeof value === "bigint" ? value.toString(8) : undefined),
  t: (value) => (typeof value === "boolean" ? String(value) : undefined),
  c: (value) => (typeof value === "bigint" ? String.fromCodePoint(Number(value)) : undefined),
  x: hexadecimal,
  X: (value, cut, precision) => hexadecimal(value, cut, precision)?.toUpperCase(),
  f: (value, _, precision = 6) => (typeof value === "number" ? value.toFixed(precision) : undefined),
  e: (value, _, precision = 6) =>
    typeof value === "number" ? value.toExponential(precision).replace(/e([+-])(\d)$/, "e$10$2") : undefined,
  g: (value) => (typeof value === "number" ? formatFloat(value) : undefined),
};

/** As %+v: the fields of structs with their names. */
const formatWithNames = (value: Value): string => {
  if (value instanceof Pointer && value.target instanceof Struct) return `&${formatWithNames(value.target)}`;
  if (value instanceof Slice) return `[${(value.items ?? []).map(nestedWithNames).join(" ")}]`;
  if (value instanceof Dictionary) {
    return `map[${[...(value.entries ?? [])].map(([key, item]) => `${key}:${nestedWithNames(item)}`).join(" ")}]`;
  }
  if (!(value instanceof Struct)) return format(value);
  return `{${value.type.fields!()
    .map(({ name }, at) => `${name}:${nestedWithNames(value.values[at])}`)
    .join(" ")}}`;
};

const nestedWithNames = (value: Value): string => (value instanceof Pointer ? format(value) : formatWithNames(value));
