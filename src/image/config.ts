/** The configuration of an image (OCI image-spec config.md, Docker's image JSON) as a typed value. */
import {
  boolean,
  integer,
  keys,
  list,
  map,
  nullable,
  object,
  optional,
  refuse,
  type Shape,
  type ShapeOf,
  string,
  stringOrList,
} from "../api/shape.ts";
import { type DiffId, isDigest } from "../base/ids.ts";
import { parseDocument } from "./document.ts";
import { imageError } from "./errors.ts";

/** What containers of the image start with. It names paths, users and variables as it likes. */
export type ImageConfig = ShapeOf<typeof imageConfig>;
export type HistoryEntry = ShapeOf<typeof historyEntry>;

export interface ImageDescription {
  readonly config: ImageConfig;
  /** The lowest first. */
  readonly layers: readonly DiffId[];
  readonly history: readonly HistoryEntry[];
  /** RFC 3339; empty where the image does not say. */
  readonly created: string;
  readonly architecture: string;
  readonly variant: string;
  readonly os: string;
  readonly osVersion: string;
  readonly author: string;
  readonly comment: string;
  readonly dockerVersion: string;
}

/** As in Docker's overlay2: the kernel takes a stack of some hundred layers, and a page of their names. */
export const maxLayers = 128;

const time: Shape<string> = (value, path) => {
  const text = string(value, path);
  const isTime = text === "" || (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text) && !Number.isNaN(Date.parse(text)));
  return isTime ? text : refuse(path, "a time of RFC 3339", value);
};

const diffId: Shape<DiffId> = (value, path) => {
  const text = string(value, path);
  return isDigest(text) ? (text as DiffId) : refuse(path, "a sha256 digest", value);
};

/** A set of names, in the form that the API has for it: names to empty objects. */
const names: Shape<Readonly<Record<string, Readonly<Record<string, never>>>> | null> = (value, path) => {
  if (value === undefined) return null;
  const result: Record<string, Record<string, never>> = Object.create(null);
  for (const name of keys(value, path)) result[name] = {};
  return result;
};

const healthcheck = object({
  Test: nullable(list(string)),
  Interval: optional(integer()),
  Timeout: optional(integer()),
  StartPeriod: optional(integer()),
  StartInterval: optional(integer()),
  Retries: optional(integer()),
});

const imageConfig = object({
  User: string,
  ExposedPorts: names,
  Env: nullable(list(string)),
  Entrypoint: nullable(stringOrList),
  Cmd: nullable(stringOrList),
  Volumes: names,
  WorkingDir: string,
  Labels: nullable(map(string)),
  StopSignal: optional(string),
  StopTimeout: optional(integer()),
  Healthcheck: optional(healthcheck),
  Shell: nullable(stringOrList),
  OnBuild: nullable(list(string)),
  ArgsEscaped: optional(boolean),
});

const historyEntry = object({
  created: time,
  created_by: string,
  author: string,
  comment: string,
  empty_layer: boolean,
});

const description = object({
  created: time,
  author: string,
  architecture: string,
  variant: string,
  os: string,
  "os.version": string,
  comment: string,
  docker_version: string,
  config: imageConfig,
  rootfs: optional(object({ type: string, diff_ids: list(diffId) })),
  history: list(historyEntry),
});

export const emptyConfig: ImageConfig = imageConfig(undefined, "");

/** The configuration that the bytes say; throws when they say none, or one that pier cannot have. */
export const parseConfig = (bytes: Uint8Array): ImageDescription => {
  const parsed = parseDocument("image configuration", bytes, description);
  const { rootfs, history, config, created, architecture, variant, author, comment } = parsed;
  const wrong = (reason: string): Error => imageError("invalidDocument", { document: "image configuration", reason });
  if (rootfs === undefined) throw wrong("it has no rootfs");
  if (rootfs.type !== "layers") throw wrong(`rootfs.type must be "layers", not ${JSON.stringify(rootfs.type)}`);
  const layers = rootfs.diff_ids;
  if (layers.length > maxLayers) throw imageError("tooManyLayers", { count: layers.length, limit: maxLayers });
  const os = parsed.os.toLowerCase() || "linux";
  if (os !== "linux") throw imageError("otherSystem", { os: os.slice(0, 64) });
  return {
    config,
    layers,
    history,
    created,
    architecture,
    variant,
    os,
    osVersion: parsed["os.version"],
    author,
    comment,
    dockerVersion: parsed.docker_version,
  };
};
