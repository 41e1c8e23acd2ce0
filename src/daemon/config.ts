/** `daemon.json`: dockerd's keys, as far as they mean something here, as the words of `pier daemon`. Pure. */
import { boolean, integer, list, map, object, type Shape, string } from "../api/shape.ts";
import { insteadOf } from "./dockerd-options.ts";
import { daemonError } from "./errors.ts";
import { runtimeSettings } from "./runtimes.ts";

/** Where the file is looked for when nobody names one; it need not be there. */
export const defaultConfigFile = "/etc/pier/daemon.json";

const text: Shape<readonly string[]> = (value, path) => [string(value, path)];
const texts = list(string);
const flag: Shape<readonly string[]> = (value, path) => [String(boolean(value, path))];
const number: Shape<readonly string[]> = (value, path) => {
  if (!Number.isSafeInteger(value))
    throw daemonError("badConfigValue", { key: path, problem: "is not a whole number" });
  return [String(value)];
};
/** dockerd's `{"base": "10.0.0.0/8", "size": 24}`, as the words of the command have it. */
const pool = object({ base: string, size: integer() });
const pools: Shape<readonly string[]> = (value, path) =>
  list(pool)(value, path).map(({ base, size }) => `base=${base},size=${size}`);
/** dockerd's `{"max-size": "10m"}`, whose values are texts. */
const pairs: Shape<readonly string[]> = (value, path) =>
  Object.entries(map(string)(value, path)).map(([name, text]) => `${name}=${text}`);

/** dockerd's `{"crun": {"path": "/usr/bin/crun", "runtimeArgs": []}}`. */
const runtimes: Shape<readonly string[]> = (value, path) =>
  Object.entries(map(runtimeSettings)(value, path)).map(([name, settings]) => `${name}=${JSON.stringify(settings)}`);

/** Key by key: the option that says the same, and how its values are written. */
const keys: Readonly<Record<string, { readonly option: string; readonly values: Shape<readonly string[]> }>> = {
  "data-root": { option: "root", values: text },
  "exec-root": { option: "run", values: text },
  tls: { option: "tls", values: flag },
  tlsverify: { option: "tlsverify", values: flag },
  tlscacert: { option: "tlscacert", values: text },
  tlscert: { option: "tlscert", values: text },
  tlskey: { option: "tlskey", values: text },
  hosts: { option: "host", values: texts },
  debug: { option: "debug", values: flag },
  "log-level": { option: "log-level", values: text },
  "log-driver": { option: "log-driver", values: text },
  "log-opts": { option: "log-opt", values: pairs },
  "live-restore": { option: "live-restore", values: flag },
  pidfile: { option: "pidfile", values: text },
  runtimes: { option: "add-runtime", values: runtimes },
  "default-runtime": { option: "default-runtime", values: text },
  "layer-format": { option: "layer-format", values: text },
  "registry-mirrors": { option: "registry-mirror", values: texts },
  "insecure-registries": { option: "insecure-registry", values: texts },
  "max-concurrent-downloads": { option: "max-concurrent-downloads", values: number },
  "default-address-pools": { option: "default-address-pool", values: pools },
  "max-concurrent-uploads": { option: "max-concurrent-uploads", values: number },
};

/** By option, in the order of the file: what its keys say. Keys that nobody knows are refused: a misspelt one would be forgotten. */
export const parseConfig = (json: string, path: string): ReadonlyMap<string, readonly string[]> => {
  let document: unknown;
  try {
    document = JSON.parse(json.trim() === "" ? "{}" : json);
    object({})(document ?? undefined, "");
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw daemonError("badConfig", { path, problem }, cause);
  }
  const options = new Map<string, readonly string[]>();
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(document as Readonly<Record<string, unknown>>)) {
    const known = Object.hasOwn(keys, key) ? keys[key] : undefined;
    const instead = insteadOf(key);
    if (instead !== undefined) throw daemonError("dockerdOption", { option: key, instead });
    if (known === undefined) unknown.push(key.slice(0, 100));
    else options.set(known.option, [...(options.get(known.option) ?? []), ...known.values(value, key)]);
  }
  if (unknown.length > 0) throw daemonError("unknownConfigKeys", { path, keys: unknown.join(", ") });
  return options;
};
