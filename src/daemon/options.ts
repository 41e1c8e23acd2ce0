/** The words of `pier daemon`. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { isLayerFormat, layerFormats } from "../container/layer-format.ts";
import { type LogDefaults, parseLog } from "../container/request-log.ts";
import type { RuntimeSettings } from "../container/runtimes.ts";
import type { LayerFormat } from "../kernel/facts.ts";
import { type AddressPool, parseAddressPool } from "../network/pools.ts";
import { parseInsecure, parseMirror, type RegistrySettings } from "../registry/settings.ts";
import { defaultConfigFile, parseConfig } from "./config.ts";
import { insteadOf } from "./dockerd-options.ts";
import { daemonError } from "./errors.ts";
import { type ListenAddress, parseListenAddress } from "./hosts.ts";
import { isLogLevel, type LogLevel } from "./log.ts";
import { parseRuntimes } from "./runtimes.ts";

export const usage = `Usage: pier daemon [OPTIONS]

Serve the Docker Engine API. Containers do not depend on it: it may be stopped and started at any time.

Options:
      --root, --data-root DIR
                          what survives the machine (default "/var/lib/pier")
      --run, --exec-root DIR
                          what does not (default "/run/pier")
  -H, --host ADDRESS      where clients connect: unix://PATH, tcp://ADDRESS:PORT, or fd:// for the sockets of systemd;
                          may be repeated (default: systemd's, or else "unix://RUN/pier.sock")
      --tlsverify         clients over tcp:// must show a certificate; needed but for 127.0.0.1 and ::1
      --tlscacert FILE    who signs the certificates of clients (default "/etc/pier/ca.pem")
      --tlscert FILE      our certificate (default "/etc/pier/cert.pem")
      --tlskey FILE       its key (default "/etc/pier/key.pem")
      --tls               encrypt tcp:// also where clients need no certificate
      --config-file FILE  dockerd's daemon.json, as far as it means something here (default "${defaultConfigFile}")
      --layer-format WAY  how layers are mounted: ${layerFormats.join(", ")} (default: the first that works)
      --registry-mirror [REGISTRY=]URL
                          where images of a registry (default docker.io) are looked for first; may be repeated
      --insecure-registry HOST[:PORT]|RANGE
                          may do without encryption, beside this machine itself; may be repeated
      --max-concurrent-downloads COUNT
                          layers at once from one registry (default 3)
      --max-concurrent-uploads COUNT
                          layers at once to one registry (default 5)
      --default-address-pool base=SUBNET,size=PREFIX
                          where networks get their subnets from; may be repeated
      --add-runtime NAME=PATH
                          a program with the commands of runc, for docker run --runtime; may be repeated
      --default-runtime NAME
                          of containers that name none (default "pier": no program, but pier itself)
      --log-driver DRIVER, --log-opt NAME=VALUE
                          of containers that name none; options may be repeated
  -l, --log-level LEVEL   debug, info, warn or error (default "info")
  -D, --debug             the same as --log-level debug
  -p, --pidfile FILE      where our number stands while we serve
      --validate          look at all of this, say what is wrong, and serve nothing
      --help              print this
`;

export interface DaemonOptions {
  readonly root: string;
  readonly run: string;
  /** Empty: the usual one. */
  readonly addresses: readonly ListenAddress[];
  readonly logLevel: LogLevel;
  /** Undefined: what works best here. */
  readonly layerFormat: LayerFormat | undefined;
  readonly registries: Partial<RegistrySettings>;
  /** Where networks get their subnets from; undefined: Docker's. */
  readonly addressPools: readonly AddressPool[] | undefined;
  /** Read again at SIGHUP; undefined where there is none. */
  readonly configFile: string | undefined;
  readonly logDefaults: LogDefaults;
  readonly runtimes: RuntimeSettings;
  readonly pidFile: string | undefined;
  /** Nothing is served. */
  readonly validate: boolean;
}

const names: Readonly<Record<string, string>> = {
  "--root": "root",
  "--data-root": "root",
  "--run": "run",
  "--exec-root": "run",
  "-H": "host",
  "--host": "host",
  "--tls": "tls",
  "--tlsverify": "tlsverify",
  "--tlscacert": "tlscacert",
  "--tlscert": "tlscert",
  "--tlskey": "tlskey",
  "-l": "log-level",
  "--log-level": "log-level",
  "-D": "debug",
  "--debug": "debug",
  "-p": "pidfile",
  "--pidfile": "pidfile",
  "--log-driver": "log-driver",
  "--log-opt": "log-opt",
  "--add-runtime": "add-runtime",
  "--default-runtime": "default-runtime",
  "--live-restore": "live-restore",
  "--validate": "validate",
  "--layer-format": "layer-format",
  "--default-address-pool": "default-address-pool",
  "--config-file": "config-file",
  "--registry-mirror": "registry-mirror",
  "--insecure-registry": "insecure-registry",
  "--max-concurrent-downloads": "max-concurrent-downloads",
  "--max-concurrent-uploads": "max-concurrent-uploads",
};

/** Said without a value. */
const booleans = new Set(["tls", "tlsverify", "debug", "live-restore", "validate"]);

/** Undefined when the user asks for help. */
export const parseOptions = (args: readonly string[]): DaemonOptions | undefined => {
  const given: Record<string, string> = {};
  const repeated = new Map<string, string[]>();
  for (let index = 0; index < args.length; index++) {
    const [option = "", ...rest] = args[index]!.split("=");
    if (option === "--help" || option === "-h") return undefined;
    const name = names[option];
    if (name === undefined) throw unknown(option);
    const value = rest.length > 0 ? rest.join("=") : booleans.has(name) ? "true" : args[++index];
    if (value === undefined || value === "") throw daemonError("missingValue", { option });
    given[name] = value;
    repeated.set(name, [...(repeated.get(name) ?? []), value]);
  }
  const configFile = addConfig(given, repeated);
  // Containers never need us: that they go with us is what cannot be had.
  if (given["live-restore"] === "false")
    throw daemonError("dockerdOption", {
      option: "live-restore=false",
      instead: "containers live on when the daemon ends",
    });
  const run = resolve(given.run ?? "/run/pier");
  return {
    root: resolve(given.root ?? "/var/lib/pier"),
    run,
    addresses: (repeated.get("host") ?? []).map((host) => parseListenAddress(host, given)),
    logLevel: parseLevel(given.debug === "true" ? "debug" : (given["log-level"] ?? "info")),
    layerFormat: given["layer-format"] === undefined ? undefined : parseLayerFormat(given["layer-format"]),
    registries: parseRegistries(repeated),
    addressPools: repeated.get("default-address-pool")?.map(parsePool),
    configFile,
    logDefaults: parseLogDefaults(given["log-driver"], repeated.get("log-opt") ?? []),
    runtimes: parseRuntimes(repeated.get("add-runtime") ?? [], given["default-runtime"]),
    pidFile: given.pidfile === undefined ? undefined : resolve(given.pidfile),
    validate: given.validate === "true",
  };
};

const unknown = (option: string): Error => {
  const instead = insteadOf(option.replace(/^--/, ""));
  return instead === undefined
    ? daemonError("unknownOption", { option })
    : daemonError("dockerdOption", { option, instead });
};

/** What containers get that say nothing of their log; checked as if one had said it. */
const parseLogDefaults = (driver: string | undefined, pairs: readonly string[]): LogDefaults => {
  const options = Object.fromEntries(
    pairs.map((pair) => {
      const [name = "", ...value] = pair.split("=");
      return [name, value.join("=")];
    }),
  );
  const defaults = { driver: driver ?? "json-file", options };
  parseLog({}, defaults);
  return defaults;
};

/** What the file says is added to what the words say; answers where it is, if there is one. */
const addConfig = (given: Record<string, string>, repeated: Map<string, readonly string[]>): string | undefined => {
  const named = given["config-file"];
  const path = resolve(named ?? defaultConfigFile);
  let json: string;
  try {
    json = readFileSync(path, "utf8");
  } catch (cause) {
    if (named === undefined && errnoOf(cause) === "ENOENT") return undefined;
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw daemonError("badConfig", { path, problem }, cause);
  }
  const config = parseConfig(json, path);
  const both = [...config.keys()].filter((option) => given[option] !== undefined);
  if (both.length > 0) throw daemonError("configTwice", { path, options: both.join(", ") });
  for (const [option, values] of config) {
    repeated.set(option, values);
    if (values.length > 0) given[option] = values.at(-1)!;
  }
  return path;
};

const parseRegistries = (given: ReadonlyMap<string, readonly string[]>): Partial<RegistrySettings> => {
  const mirrors = Map.groupBy((given.get("registry-mirror") ?? []).map(parseMirror), ([registry]) => registry);
  const count = (option: string): number | undefined => {
    const text = given.get(option)?.at(-1);
    if (text === undefined) return undefined;
    if (!/^[1-9]\d{0,2}$/.test(text)) throw daemonError("badCount", { option: `--${option}`, text });
    return Number(text);
  };
  const [downloads, uploads] = [count("max-concurrent-downloads"), count("max-concurrent-uploads")];
  return {
    mirrors: new Map([...mirrors].map(([registry, pairs]) => [registry, pairs.map(([, url]) => url)])),
    insecure: (given.get("insecure-registry") ?? []).map(parseInsecure),
    ...(downloads === undefined ? {} : { downloads }),
    ...(uploads === undefined ? {} : { uploads }),
  };
};

const parsePool = (text: string): AddressPool => {
  const pool = parseAddressPool(text);
  if (pool === undefined) throw daemonError("badAddressPool", { text });
  return pool;
};

const parseLevel = (level: string): LogLevel => {
  if (!isLogLevel(level)) throw daemonError("badLogLevel", { level });
  return level;
};

const parseLayerFormat = (format: string): LayerFormat => {
  if (!isLayerFormat(format)) throw daemonError("badLayerFormat", { format, formats: layerFormats.join("|") });
  return format;
};
