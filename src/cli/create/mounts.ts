/** `--mount` */
import type { Mount } from "../../api/types.ts";
import { parseBytes } from "../values/bytes.ts";
import { parseCsv } from "../values/csv.ts";
import { splitPair, withPair } from "../values/kinds.ts";
import { parseBoolean } from "../values/numbers.ts";
import { createError } from "./errors.ts";

/** Only what begins with a dot is meant from here on; every other name is the daemon's to judge. */
export const fromHere = (path: string): string =>
  // Loaded when it is needed, which is seldom: it takes half a millisecond.
  path.startsWith(".") ? process.getBuiltinModule("node:path").resolve(path) : path;

/** The fields, and the name under which each is looked for. */
const names: ReadonlyMap<string, string> = new Map([
  ["src", "source"],
  ["dst", "target"],
  ["destination", "target"],
  ["ro", "readonly"],
  ..."type source target readonly consistency bind-propagation bind-nonrecursive bind-recursive volume-nocopy volume-label volume-subpath volume-driver volume-opt image-subpath tmpfs-size tmpfs-mode"
    .split(" ")
    .map((name) => [name, name] as const),
]);

/** Fields that mean `true` when they stand alone. */
const alone = new Set(["readonly", "volume-nocopy", "bind-nonrecursive"]);

/** What was given for each field, in order. */
class Fields {
  readonly #values = new Map<string, string[]>();

  constructor(text: string) {
    for (const field of parseCsv(text)) {
      const [written, value] = splitPair(field);
      const key = written.toLowerCase();
      const name = names.get(key);
      if (value === undefined && !alone.has(name ?? "")) throw createError("mountField", { field });
      if (name === undefined) throw createError("unexpectedKey", { key, field });
      this.#values.set(name, [...this.all(name), value ?? "true"]);
    }
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  last(name: string): string {
    return this.all(name).at(-1) ?? "";
  }

  has(prefix: string): boolean {
    return [...this.#values.keys()].some((name) => name.startsWith(prefix));
  }

  /** The field's value through a parser of its own; nothing where it was not given. */
  parsed<T>(name: string, parse: (text: string) => T): T | undefined {
    const value = this.all(name).at(-1);
    if (value === undefined) return undefined;
    try {
      return parse(value);
    } catch (cause) {
      throw createError("mountValue", { key: name, value }, cause);
    }
  }
}

const parseOctal = (text: string): number => {
  if (!/^[0-7]{1,11}$/.test(text)) throw new RangeError(text);
  return Number.parseInt(text, 8);
};

/** `type=bind,src=/a,dst=/b,readonly` */
export const parseMount = (text: string): Mount => {
  const fields = new Fields(text);
  const mount = {
    Type: fields.has("type") ? fields.last("type").toLowerCase() : "volume",
    Source: fromHere(fields.last("source")),
    Target: fields.last("target"),
    ReadOnly: fields.parsed("readonly", parseBoolean),
    Consistency: fields.last("consistency").toLowerCase(),
    BindOptions: bindOptions(fields),
    VolumeOptions: volumeOptions(fields),
    ImageOptions: fields.has("image-") ? filled({ Subpath: fields.last("image-subpath") }) : undefined,
    TmpfsOptions: tmpfsOptions(fields),
  };
  if (mount.Type === "") throw createError("mountMissing", { what: "type" });
  if (mount.Target === "") throw createError("mountMissing", { what: "target" });
  for (const kind of ["volume", "image", "bind", "tmpfs"]) {
    if (fields.has(`${kind}-`) && mount.Type !== kind)
      throw createError("mountMixed", { prefix: kind, type: mount.Type });
  }
  checkRecursion(fields, mount.ReadOnly ?? false);
  return filled(mount);
};

const recursions = ["", "enabled", "disabled", "writable", "readonly"];

const checkRecursion = (fields: Fields, readOnly: boolean): void => {
  const value = fields.last("bind-recursive");
  const demand = (holds: boolean, option: string): void => {
    if (!holds) throw createError("mountRequires", { value, option });
  };
  if (value === "writable" || value === "readonly") demand(readOnly, "readonly");
  if (value === "readonly") demand(fields.last("bind-propagation") === "rprivate", "bind-propagation=rprivate");
};

const bindOptions = (fields: Fields): Mount["BindOptions"] | undefined => {
  const recursive = fields.last("bind-recursive");
  if (!recursions.includes(recursive)) throw createError("mountRecursive", { value: recursive });
  const options = filled({
    Propagation: fields.last("bind-propagation").toLowerCase(),
    NonRecursive: fields.parsed("bind-nonrecursive", parseBoolean) || recursive === "disabled",
    ReadOnlyNonRecursive: recursive === "writable",
    ReadOnlyForceRecursive: recursive === "readonly",
  });
  // What says no more than the default is not sent.
  const told = fields.has("bind-nonrecursive") || Object.keys(options).length > 0;
  return fields.has("bind-") && told ? options : undefined;
};

const volumeOptions = (fields: Fields): Mount["VolumeOptions"] | undefined => {
  if (!fields.has("volume-")) return undefined;
  const pairs = (name: string) => (fields.has(name) ? fields.all(name).reduce(withPair, {}) : undefined);
  return filled({
    NoCopy: fields.parsed("volume-nocopy", parseBoolean),
    Labels: pairs("volume-label"),
    Subpath: fields.last("volume-subpath"),
    DriverConfig: filled({ Name: fields.last("volume-driver"), Options: pairs("volume-opt") }),
  });
};

const tmpfsOptions = (fields: Fields): Mount["TmpfsOptions"] | undefined => {
  if (!fields.has("tmpfs-")) return undefined;
  return filled({ SizeBytes: fields.parsed("tmpfs-size", parseBytes), Mode: fields.parsed("tmpfs-mode", parseOctal) });
};

/** The object without its empty values, as Go writes it. */
const filled = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== undefined && item !== "" && item !== 0 && item !== false),
  ) as { [K in keyof T]: Exclude<T[K], undefined> };
