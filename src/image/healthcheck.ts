import { parseExecForm } from "../format/dockerfile/words.ts";
import type { ImageConfig } from "./config.ts";
import { changeError } from "./errors.ts";

type Healthcheck = NonNullable<ImageConfig["Healthcheck"]>;

const instruction = "HEALTHCHECK";
const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `NONE`, or options and `CMD` with a command in shell or exec form. */
export const parseHealthcheck = (text: string): Healthcheck => {
  const [, flags, word, rest] = /^((?:--\S+\s+)*)(\S+)\s*([\s\S]*)$/.exec(text) ?? [];
  const type = word?.toUpperCase();
  const none = { Interval: undefined, Timeout: undefined, StartPeriod: undefined, StartInterval: undefined };
  if (type === "NONE") {
    if (rest !== "") throw changeError(instruction, "NONE takes no arguments");
    return { ...none, Retries: undefined, Test: ["NONE"] };
  }
  if (type !== "CMD") throw changeError(instruction, `has an unknown type ${JSON.stringify(word ?? "")} (try CMD)`);
  if (rest === undefined || rest === "") throw changeError(instruction, "is missing a command after CMD");
  const command = parseExecForm(rest, () => changeError(instruction, "takes a list of strings alone"));
  const test = command === undefined ? ["CMD-SHELL", rest] : ["CMD", ...command];
  return { ...none, Retries: undefined, ...parseFlags(flags ?? ""), Test: test };
};

const fields: Readonly<Record<string, keyof Healthcheck>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
  retries: "Retries",
};

const parseFlags = (text: string): Partial<Healthcheck> => {
  const flags = text.split(/\s+/).filter((flag) => flag !== "");
  const entries = flags.map((flag) => {
    const [, name = "", value = ""] = /^--([a-z-]+)=(.*)$/.exec(flag) ?? [];
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) throw changeError(instruction, `has an unknown flag: ${flag.slice(0, 100)}`);
    return [field, field === "Retries" ? parseRetries(value) : parseDuration(name, value)] as const;
  });
  return Object.fromEntries(entries);
};

const parseRetries = (text: string): number => {
  const retries = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (retries < 0) throw changeError(instruction, `has an invalid number of --retries: ${text.slice(0, 100)}`);
  return retries;
};

/** Go's durations: `1m30s`, `1.5h`. In nanoseconds; 0 means Docker's default, and below 1 ms there is none. */
const parseDuration = (name: string, text: string): number => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const isWhole = parts.map(([part]) => part).join("") === text && text !== "";
  const value =
    text === "0" ? 0 : parts.reduce((sum, [, number, unit]) => sum + Number(number) * nanoseconds[unit!]!, 0);
  if ((!isWhole && text !== "0") || !Number.isSafeInteger(Math.round(value))) {
    throw changeError(instruction, `has an invalid duration: ${text.slice(0, 100)}`);
  }
  if (value !== 0 && value < 1e6) throw changeError(instruction, `Interval "${name}" cannot be less than 1ms`);
  return Math.round(value);
};
