/** Lengths of time: `1m30s` into nanoseconds, and ages as Docker's lists show them. */
import { cliError } from "../errors.ts";
import { quote } from "./quote.ts";

const unitNanoseconds: ReadonlyMap<string, number> = new Map([
  ["ns", 1],
  ["us", 1e3],
  ["µs", 1e3],
  ["μs", 1e3],
  ["ms", 1e6],
  ["s", 1e9],
  ["m", 60e9],
  ["h", 3600e9],
]);
/** 2^63 - 1 ns: the longest time that Go can hold. */
const LONGEST = 9_223_372_036_854_775_807n;

/** Nanoseconds of `1h2m3.5s`, with Go's rules and wording. */
export const parseDuration = (text: string): number => {
  const invalid = () => cliError("durationInvalid", { text: quote(text) });
  const unsigned = text.replace(/^[+-]/, "");
  if (unsigned === "0") return 0;
  if (unsigned === "") throw invalid();
  let total = 0n;
  let rest = unsigned;
  while (rest !== "") {
    const part = /^(\d*)(?:\.(\d*))?([^\d.]*)/.exec(rest)!;
    const [whole, digits = "", fraction = "", unit = ""] = part;
    if (digits === "" && fraction === "") throw invalid();
    if (unit === "") throw cliError("durationUnitMissing", { text: quote(text) });
    const size = unitNanoseconds.get(unit);
    if (size === undefined) throw cliError("durationUnitUnknown", { unit: quote(unit), text: quote(text) });
    total += BigInt(digits || "0") * BigInt(size) + BigInt(Math.trunc(Number(`0.${fraction || "0"}`) * size));
    rest = rest.slice(whole.length);
  }
  if (total > LONGEST) throw invalid();
  return total === 0n ? 0 : Number(text.startsWith("-") ? -total : total);
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `About a minute`, `3 hours`, `2 weeks`: Docker's words for a number of seconds. */
export const formatAge = (seconds: number): string => {
  const count = (size: number): number => Math.trunc(seconds / size);
  if (seconds < 1) return "Less than a second";
  if (seconds < 2) return "1 second";
  if (seconds < MINUTE) return `${count(1)} seconds`;
  if (count(MINUTE) === 1) return "About a minute";
  if (seconds < HOUR) return `${count(MINUTE)} minutes`;
  const hours = Math.round(seconds / HOUR);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${count(DAY * 365)} years`;
};
