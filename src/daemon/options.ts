/** The words of `pier daemon`. */
import { join, resolve } from "node:path";
import { isLayerFormat, layerFormats } from "../container/layer-format.ts";
import type { LayerFormat } from "../kernel/facts.ts";
import { daemonError } from "./errors.ts";
import { isLogLevel, type LogLevel } from "./log.ts";

export const usage = `Usage: pier daemon [OPTIONS]

Serve the Docker Engine API. Containers do not depend on it: it may be stopped and started at any time.

Options:
      --root DIR          what survives the machine (default "/var/lib/pier")
      --run DIR           what does not (default "/run/pier")
  -H, --host SOCKET       where clients connect (default "unix://RUN/pier.sock")
      --layer-format WAY  how layers are mounted: ${layerFormats.join(", ")} (default: the first that works)
      --log-level LEVEL   debug, info, warn or error (default "info")
      --help              print this
`;

export interface DaemonOptions {
  readonly root: string;
  readonly run: string;
  /** The path of the socket. */
  readonly socket: string;
  readonly logLevel: LogLevel;
  /** Undefined: what works best here. */
  readonly layerFormat: LayerFormat | undefined;
}

const names: Readonly<Record<string, string>> = {
  "--root": "root",
  "--run": "run",
  "-H": "host",
  "--host": "host",
  "--log-level": "log-level",
  "--layer-format": "layer-format",
};

/** Undefined when the user asks for help. */
export const parseOptions = (args: readonly string[]): DaemonOptions | undefined => {
  const given: Record<string, string> = {};
  for (let index = 0; index < args.length; index++) {
    const [option = "", ...rest] = args[index]!.split("=");
    if (option === "--help" || option === "-h") return undefined;
    const name = names[option];
    if (name === undefined) throw daemonError("unknownOption", { option });
    const value = rest.length > 0 ? rest.join("=") : args[++index];
    if (value === undefined || value === "") throw daemonError("missingValue", { option });
    given[name] = value;
  }
  const run = resolve(given.run ?? "/run/pier");
  return {
    root: resolve(given.root ?? "/var/lib/pier"),
    run,
    socket: parseHost(given.host ?? `unix://${join(run, "pier.sock")}`),
    logLevel: parseLevel(given["log-level"] ?? "info"),
    layerFormat: given["layer-format"] === undefined ? undefined : parseLayerFormat(given["layer-format"]),
  };
};

const parseHost = (host: string): string => {
  const path = host.startsWith("unix://") ? host.slice("unix://".length) : "";
  if (!path.startsWith("/")) throw daemonError("badHost", { host });
  return path;
};

const parseLevel = (level: string): LogLevel => {
  if (!isLogLevel(level)) throw daemonError("badLogLevel", { level });
  return level;
};

const parseLayerFormat = (format: string): LayerFormat => {
  if (!isLayerFormat(format)) throw daemonError("badLayerFormat", { format, formats: layerFormats.join("|") });
  return format;
};
