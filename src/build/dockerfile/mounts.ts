/** `RUN --mount=type=…`: what a step sees beside its own files. */
import { expandWord } from "../../format/dockerfile/expand.ts";
import { parseError } from "./source.ts";

export type Sharing = "shared" | "private" | "locked";

/** As written: what its variables are is known in its stage alone. */
export interface MountText {
  readonly text: string;
  /** Without variables: which stages there are to build is known before. */
  readonly from: string;
}

export interface RunMount {
  readonly type: "bind" | "cache" | "tmpfs" | "secret" | "ssh";
  readonly target?: string;
  readonly source: string;
  /** A stage or an image; "": the context, or nothing for a cache. */
  readonly from: string;
  readonly readonly: boolean;
  /** Of a cache. */
  readonly id?: string;
  readonly sharing: Sharing;
  /** Of a secret: the variable that has it. */
  readonly env?: string;
  readonly required: boolean;
  readonly mode?: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a tmpfs; 0: as the kernel likes. */
  readonly size: number;
}

const types = new Set(["bind", "cache", "tmpfs", "secret", "ssh"]);
const sharings = new Set(["shared", "private", "locked"]);
const units: Readonly<Record<string, number>> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Which options each type takes. */
const optionsOf: Readonly<Record<string, readonly string[]>> = {
  bind: ["target", "source", "from", "readonly"],
  cache: ["target", "source", "from", "readonly", "id", "sharing", "mode", "uid", "gid"],
  tmpfs: ["target", "size"],
  secret: ["target", "id", "source", "env", "required", "mode", "uid", "gid"],
  ssh: ["target", "id", "required", "mode", "uid", "gid"],
};

const names: Readonly<Record<string, string>> = {
  ...{ target: "target", dst: "target", destination: "target", source: "source", src: "source", from: "from" },
  ...{ readonly: "readonly", ro: "readonly", readwrite: "readwrite", rw: "readwrite", id: "id", sharing: "sharing" },
  ...{ mode: "mode", uid: "uid", gid: "gid", size: "size", env: "env", required: "required" },
};

/** Throws what is wrong with it, as far as that can be told without its variables. */
export const parseMountText = (text: string, line: number, backslash: string): MountText => {
  const fields = text.split(",").map((field) => /^\s*from\s*=(.*)$/is.exec(field)?.[1]);
  const from = fields.findLast((value) => value !== undefined) ?? "";
  if (/\$./.test(from)) {
    const problem = "'from' doesn't support variable expansion, define alias stage instead";
    throw parseError(line, `--mount=${text}: ${problem}`);
  }
  const mount = { text, from };
  if (!text.includes("$")) parseMount(mount, line, (value) => expandWord(value, new Map(), { backslash }));
  return mount;
};

/** Unknown types and options are refused, never ignored: one that drops a protection must not pass for a typing error. */
export const parseMount = ({ text, from }: MountText, line: number, expand: (value: string) => string): RunMount => {
  const wrong = (problem: string): Error => parseError(line, `--mount=${text}: ${problem}`);
  const options = new Map<string, string>();
  let type = "bind";
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? undefined : expand(field.slice(equals + 1));
    if (key === "type") {
      type = (value ?? "").toLowerCase();
      continue;
    }
    const name = Object.hasOwn(names, key) ? names[key]! : undefined;
    if (name === undefined) throw wrong(`unexpected key '${key}' in '${field}'`);
    if (value === undefined && name !== "readonly" && name !== "readwrite" && name !== "required") {
      throw wrong(`invalid field '${field}' must be a key=value pair`);
    }
    options.set(name, value ?? "true");
  }
  if (!types.has(type)) throw wrong(`unsupported mount type "${type}"`);
  for (const name of options.keys()) {
    const isKnown = optionsOf[type]!.includes(name === "readwrite" ? "readonly" : name);
    if (!isKnown) throw wrong(`unexpected key '${name}' for mount type '${type}'`);
  }
  const flag = (name: string, otherwise: boolean): boolean => {
    const value = options.get(name);
    if (value === undefined) return otherwise;
    if (!/^(true|false|1|0)$/i.test(value)) throw wrong(`invalid value for ${name}: ${value}`);
    return /^(true|1)$/i.test(value);
  };
  const number = (name: string, base: 8 | 10): number | undefined => {
    const value = options.get(name);
    if (value === undefined) return undefined;
    if (!(base === 8 ? /^[0-7]{1,5}$/ : /^\d{1,10}$/).test(value)) throw wrong(`invalid value ${value} for ${name}`);
    const parsed = Number.parseInt(value, base);
    if (parsed >= 2 ** 31) throw wrong(`invalid value ${value} for ${name}`);
    return parsed;
  };
  const sharing = options.get("sharing")?.toLowerCase() ?? "shared";
  if (!sharings.has(sharing)) throw wrong(`unsupported sharing value "${sharing}"`);
  const size = /^(\d{1,15})([bkmgt]?)b?$/i.exec(options.get("size") ?? "0");
  if (size === null) throw wrong(`invalid value for size: ${options.get("size")}`);
  const [target, id, env, mode] = [options.get("target"), options.get("id"), options.get("env"), number("mode", 8)];
  if (target === undefined && type !== "secret" && type !== "ssh") throw wrong("target is required");
  return {
    type: type as RunMount["type"],
    source: options.get("source") ?? "",
    from,
    readonly: options.has("readwrite")
      ? !flag("readwrite", true)
      : flag("readonly", type === "bind" || type === "secret"),
    sharing: sharing as Sharing,
    required: flag("required", false),
    uid: number("uid", 10) ?? 0,
    gid: number("gid", 10) ?? 0,
    size: Number(size[1]) * units[size[2]!.toLowerCase()]!,
    ...(target === undefined ? {} : { target }),
    ...(id === undefined ? {} : { id }),
    ...(env === undefined ? {} : { env }),
    ...(mode === undefined ? {} : { mode }),
  };
};
