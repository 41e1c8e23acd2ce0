/** `--mount`, `--volume` and `--tmpfs`. */
import { resolve } from "node:path";
import type { Mount } from "../../api/types.ts";
import { parseBytes } from "../values/bytes.ts";
import { parseCsv } from "../values/csv.ts";
import { splitPair, withPair } from "../values/kinds.ts";
import { parseBoolean } from "../values/numbers.ts";
import { createError } from "./errors.ts";

/** Only what begins with a dot is meant from here on; every other name is the daemon's to judge. */
const fromHere = (path: string): string => (path.startsWith(".") ? resolve(path) : path);

type Draft = { -readonly [K in keyof Mount]: Mount[K] };
type Writable<T> = { -readonly [K in keyof T]: T[K] };
interface Options {
  bind?: Writable<NonNullable<Mount["BindOptions"]>>;
  volume?: Writable<NonNullable<Mount["VolumeOptions"]>>;
  image?: Writable<NonNullable<Mount["ImageOptions"]>>;
  tmpfs?: Writable<NonNullable<Mount["TmpfsOptions"]>>;
}

interface Reading {
  readonly mount: Draft;
  readonly options: Options;
  recursive: string;
}

const truth = (key: string, value: string): boolean => {
  try {
    return parseBoolean(value);
  } catch (cause) {
    throw createError("mountValue", { key, value }, cause);
  }
};

const size = (key: string, value: string): number => {
  try {
    return parseBytes(value);
  } catch (cause) {
    throw createError("mountValue", { key, value }, cause);
  }
};

const octal = (key: string, value: string): number => {
  if (!/^[0-7]{1,11}$/.test(value)) throw createError("mountValue", { key, value });
  return Number.parseInt(value, 8);
};

type Field = (reading: Reading, value: string, key: string) => void;

const source: Field = ({ mount }, value) => {
  mount.Source = fromHere(value);
};
const target: Field = ({ mount }, value) => {
  mount.Target = value;
};
const readOnly: Field = ({ mount }, value, key) => {
  mount.ReadOnly = truth(key, value);
};

const volumeDriver = (
  options: Options,
  change: (config: { Name?: string; Options?: Readonly<Record<string, string>> }) => void,
): void => {
  options.volume ??= {};
  const config: { Name?: string; Options?: Readonly<Record<string, string>> } = {};
  Object.assign(config, options.volume.DriverConfig);
  change(config);
  options.volume.DriverConfig = config;
};

const fields: ReadonlyMap<string, Field> = new Map<string, Field>([
  ["type", ({ mount }, value) => void (mount.Type = value.toLowerCase())],
  ["source", source],
  ["src", source],
  ["target", target],
  ["dst", target],
  ["destination", target],
  ["readonly", readOnly],
  ["ro", readOnly],
  ["consistency", ({ mount }, value) => void (mount.Consistency = value.toLowerCase())],
  ["bind-propagation", ({ options }, value) => void ((options.bind ??= {}).Propagation = value.toLowerCase())],
  [
    "bind-nonrecursive",
    ({ options }, value, key) => {
      options.bind ??= {};
      options.bind.NonRecursive = truth(key, value);
    },
  ],
  [
    "bind-recursive",
    (reading, value) => {
      reading.recursive = value;
      reading.options.bind ??= {};
      if (value === "disabled") reading.options.bind.NonRecursive = true;
      else if (value === "writable") reading.options.bind.ReadOnlyNonRecursive = true;
      else if (value === "readonly") reading.options.bind.ReadOnlyForceRecursive = true;
      else if (value !== "enabled") throw createError("mountRecursive", { value });
    },
  ],
  [
    "volume-nocopy",
    ({ options }, value, key) => {
      options.volume ??= {};
      options.volume.NoCopy = truth(key, value);
    },
  ],
  [
    "volume-label",
    ({ options }, value) => {
      options.volume ??= {};
      options.volume.Labels = withPair(options.volume.Labels ?? {}, value);
    },
  ],
  ["volume-subpath", ({ options }, value) => void ((options.volume ??= {}).Subpath = value)],
  ["volume-driver", ({ options }, value) => volumeDriver(options, (config) => void (config.Name = value))],
  [
    "volume-opt",
    ({ options }, value) =>
      volumeDriver(options, (config) => {
        config.Options = withPair(config.Options ?? {}, value);
      }),
  ],
  ["image-subpath", ({ options }, value) => void ((options.image ??= {}).Subpath = value)],
  ["tmpfs-size", ({ options }, value, key) => void ((options.tmpfs ??= {}).SizeBytes = size(key, value))],
  ["tmpfs-mode", ({ options }, value, key) => void ((options.tmpfs ??= {}).Mode = octal(key, value))],
]);

/** Fields that mean `true` when they stand alone. */
const alone = new Set(["readonly", "ro", "volume-nocopy", "bind-nonrecursive"]);

/** `type=bind,src=/a,dst=/b,readonly` */
export const parseMount = (text: string): Mount => {
  const reading: Reading = { mount: { Type: "volume" }, options: {}, recursive: "" };
  for (const field of parseCsv(text)) {
    const [written, value] = splitPair(field);
    const key = written.toLowerCase();
    if (value === undefined && !alone.has(key)) throw createError("mountField", { field });
    const read = fields.get(key);
    if (read === undefined) throw createError("unexpectedKey", { key, field });
    read(reading, value ?? "true", key);
  }
  checkMount(reading);
  return finishMount(reading);
};

const checkMount = ({ mount, options, recursive }: Reading): void => {
  const type = mount.Type ?? "";
  if (type === "") throw createError("mountMissing", { what: "type" });
  if (!mount.Target) throw createError("mountMissing", { what: "target" });
  for (const kind of ["volume", "image", "bind", "tmpfs"] as const) {
    if (options[kind] !== undefined && type !== kind) throw createError("mountMixed", { prefix: kind, type });
  }
  const demand = (holds: boolean, option: string): void => {
    if (!holds) throw createError("mountRequires", { value: recursive, option });
  };
  if (recursive === "writable" || recursive === "readonly") demand(mount.ReadOnly === true, "readonly");
  if (recursive === "readonly") demand(options.bind?.Propagation === "rprivate", "bind-propagation=rprivate");
};

/** As Go writes it: without what is empty, and with a driver's config in every volume's options. */
const finishMount = ({ mount, options, recursive }: Reading): Mount => {
  const bind = recursive === "enabled" && Object.keys(options.bind ?? {}).length === 0 ? undefined : options.bind;
  const volume = options.volume === undefined ? undefined : { DriverConfig: {}, ...options.volume };
  return filled({
    ...mount,
    BindOptions: bind && filled(bind),
    VolumeOptions: volume && filled(volume),
    ImageOptions: options.image && filled(options.image),
    TmpfsOptions: options.tmpfs && filled(options.tmpfs),
  });
};

/** The object without its empty values. */
const filled = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== undefined && item !== "" && item !== 0 && item !== false),
  ) as { [K in keyof T]: Exclude<T[K], undefined> };

/** A volume that names a source is a bind; one without belongs to the image's own configuration. */
export interface ParsedVolume {
  readonly bind?: string;
  readonly anonymous?: string;
}

const isDrive = (before: string, character: string): boolean => character === ":" && /^[a-zA-Z]$/.test(before);

/** The parts between colons; the colon after a single letter belongs to a Windows drive. */
const splitVolume = (text: string): string[] => {
  const parts: string[] = [];
  let part = "";
  for (const character of text) {
    if (character === ":" && !isDrive(part, character)) {
      parts.push(part);
      part = "";
    } else part += character;
  }
  return [...parts, part];
};

/** `/host:/inside:ro`, `name:/inside`, `/inside` */
export const parseVolume = (text: string): ParsedVolume => {
  if (text === "") throw createError("volumeEmpty", {});
  if (text.length <= 2) return { anonymous: text };
  const parts = splitVolume(text);
  if (parts.length > 3) throw createError("volumeColons", { text });
  if (parts.includes("")) throw createError("volumeSection", { text });
  if (parts.length === 1) return { anonymous: text };
  return { bind: text.startsWith(".") ? `${fromHere(parts[0]!)}${text.slice(parts[0]!.length)}` : text };
};

/** `/path:options` */
export const parseTmpfs = (text: string): readonly [path: string, options: string] => {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
};
