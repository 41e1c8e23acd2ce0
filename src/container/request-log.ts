/** What a request says about its log: the options of Docker's json-file driver. */
import type { HostConfig } from "../api/types.ts";
import { containerError } from "./errors.ts";
import type { LogRequest } from "./request.ts";

/** Unlike Docker's, a log nobody thought of does not fill the disk. */
const defaultMaxSize = 20_000_000;
const defaultMaxFiles = 5;

export const parseLog = ({ LogConfig: config = {} }: HostConfig): LogRequest => {
  const driver = config.Type || "json-file";
  const options = { ...config.Config };
  if (driver === "none") return { driver, maxSize: -1, maxFiles: 1, options };
  if (driver !== "json-file") throw containerError("notSupported", { what: `the logging driver ${driver}` });
  for (const [name, value] of Object.entries(options)) checkOption(name, value);
  const size = options["max-size"];
  const files = options["max-file"];
  return {
    driver,
    maxSize: size === undefined ? defaultMaxSize : parseSize(size),
    // As Docker: a size alone keeps one file.
    maxFiles: files === undefined ? (size === undefined ? defaultMaxFiles : 1) : parseFiles(files),
    options,
  };
};

const invalid = (problem: string) => containerError("invalidLogOption", { problem });

const checkOption = (name: string, value: string): void => {
  if (name === "max-size" || name === "max-file") return;
  if (name === "compress") {
    if (["", "0", "f", "F", "false", "FALSE", "False"].includes(value)) return;
    throw containerError("notSupported", { what: "compressing logs" });
  }
  if (["labels", "labels-regex", "env", "env-regex", "tag"].includes(name)) {
    throw containerError("notSupported", { what: `the log option ${name}` });
  }
  throw invalid(`unknown log opt '${name}' for json-file log driver`);
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
