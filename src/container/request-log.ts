/** What a request says about its log: the options of Docker's drivers that keep files. */
import type { HostConfig } from "../api/types.ts";
import { containerError } from "./errors.ts";
import { checkTag, parseLogPattern } from "./log-attributes.ts";
import type { LogRequest } from "./request.ts";

/** Unlike Docker's, a log nobody thought of does not fill the disk. */
const defaultMaxSize = 20_000_000;
const defaultMaxFiles = 5;

export const parseLog = ({ LogConfig: config = {} }: HostConfig): LogRequest => {
  const driver = config.Type || "json-file";
  const options = { ...config.Config };
  if (driver === "none") return { driver, maxSize: -1, maxFiles: 1, options };
  if (driver !== "json-file" && driver !== "local") {
    throw containerError("notSupported", { what: `the logging driver ${driver}` });
  }
  for (const [name, value] of Object.entries(options)) checkOption(driver, name, value);
  const size = options["max-size"];
  const files = options["max-file"];
  // As Docker: a size alone keeps one file, but of the driver that rotates by itself five.
  const alone = size === undefined || driver === "local" ? defaultMaxFiles : 1;
  return {
    driver,
    maxSize: size === undefined ? defaultMaxSize : parseSize(size),
    maxFiles: files === undefined ? alone : parseFiles(files),
    options,
  };
};

const invalid = (problem: string) => containerError("invalidLogOption", { problem });

const attributeOptions: Readonly<Record<string, (value: string) => unknown>> = {
  labels: () => {},
  "labels-regex": (value) => parseLogPattern("labels-regex", value),
  env: () => {},
  "env-regex": (value) => parseLogPattern("env-regex", value),
  tag: checkTag,
};

const checkOption = (driver: "json-file" | "local", name: string, value: string): void => {
  if (name === "max-size" || name === "max-file") return;
  if (name === "compress") {
    if (["", "0", "f", "F", "false", "FALSE", "False"].includes(value)) return;
    throw containerError("notSupported", { what: "compressing logs" });
  }
  const check = Object.hasOwn(attributeOptions, name) ? attributeOptions[name] : undefined;
  if (check === undefined) throw invalid(`unknown log opt '${name}' for ${driver} log driver`);
  check(value);
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
