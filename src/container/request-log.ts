/** What a request says about its log: which of Docker's drivers, and how its files rotate. */
import type { HostConfig } from "../api/types.ts";
import { containerError } from "./errors.ts";
import { checkLogOptions, isLogDriver } from "./log-options.ts";
import type { LogRequest } from "./request.ts";

/** Unlike Docker's, a log nobody thought of does not fill the disk. */
const defaultMaxSize = 20_000_000;
const defaultMaxFiles = 5;

/** What the daemon was told of containers that say nothing of their log. */
export interface LogDefaults {
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
}

export const parseLog = (
  { LogConfig: config = {} }: HostConfig,
  defaults: LogDefaults = { driver: "json-file", options: {} },
): LogRequest => {
  const driver = config.Type || defaults.driver;
  // As Docker: options are the default driver's, whoever names it.
  const options = { ...(driver === defaults.driver ? defaults.options : {}), ...config.Config };
  if (driver === "none") return { driver, ...noFile, options };
  if (!isLogDriver(driver)) throw containerError("notSupported", { what: `the logging driver ${driver}` });
  checkLogOptions(driver, options);
  const isSent = driver === "syslog" || driver === "journald";
  // What Docker calls a cache is the same file: `logs` reads it, whoever else gets the lines.
  const option = (name: string) => options[isSent ? `cache-${name}` : name];
  if (isSent && isTrue(option("disabled") ?? "")) return { driver, ...noFile, options };
  const size = option("max-size");
  const files = option("max-file");
  // As Docker: a size alone keeps one file, but of the driver that rotates by itself five.
  const alone = size === undefined || driver !== "json-file" ? defaultMaxFiles : 1;
  const maxSize = size === undefined ? defaultMaxSize : parseSize(size);
  const maxFiles = files === undefined ? alone : parseFiles(files);
  const rotates = maxSize !== -1 && maxFiles > 1;
  // As Docker: files that are nobody else's to read are compressed unless told otherwise.
  const asked = option("compress");
  const compress = asked === undefined ? driver !== "json-file" && rotates : isTrue(asked);
  if (compress && !rotates) {
    throw invalid("compress cannot be true when max-file is less than 2 or max-size is not set");
  }
  return { driver, maxSize, maxFiles, compress, options };
};

const noFile = { maxSize: -1, maxFiles: 0, compress: false } as const;

const invalid = (problem: string) => containerError("invalidLogOption", { problem });

/** What Go takes for a boolean; nothing at all is none. */
const isTrue = (text: string): boolean => {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["", "0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
};

const units: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 };

/** `10m` are ten million bytes (go-units, FromHumanSize); -1 is no limit. */
const parseSize = (text: string): number => {
  if (text === "-1") return -1;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) throw invalid(`invalid size: '${text}'`);
  const size = Math.trunc(Number(match[1]) * units[match[2]!.toLowerCase()]!);
  if (!(size > 0)) throw invalid("max-size must be a positive number");
  return Math.min(size, Number.MAX_SAFE_INTEGER);
};

const parseFiles = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) throw invalid(`invalid max-file: '${text}'`);
  const files = Number(text);
  if (files < 1) throw invalid("max-file cannot be less than 1");
  return files;
};
