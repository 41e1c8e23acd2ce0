/** HEALTHCHECK as BuildKit's history tells it: Go's way to print its structure. */
import type { ImageConfig } from "../image/config.ts";

const hour = 3_600_000_000_000;
const units: readonly (readonly [name: string, nanoseconds: number])[] = [
  ["s", 1_000_000_000],
  ["ms", 1_000_000],
  ["µs", 1_000],
  ["ns", 1],
];

/** `1h0m5s`, `1m30s`, `500ms`. */
const durationText = (nanoseconds: number): string => {
  if (nanoseconds === 0) return "0s";
  const [name, unit] = units.find(([, size]) => nanoseconds >= size) ?? (["ns", 1] as const);
  if (name !== "s") return `${nanoseconds / unit}${name}`;
  const hours = Math.floor(nanoseconds / hour);
  const minutes = Math.floor((nanoseconds % hour) / (60 * unit));
  const seconds = `${(nanoseconds % (60 * unit)) / unit}s`;
  return hours > 0 ? `${hours}h${minutes}m${seconds}` : minutes > 0 ? `${minutes}m${seconds}` : seconds;
};

const escapes = new Map([..."abtnvfr"].map((letter, index) => [7 + index, `\\${letter}`]));

/** A number as the character that it would be. */
const runeText = (code: number): string => {
  const escaped = escapes.get(code);
  if (escaped !== undefined) return `'${escaped}'`;
  if (code === 0x27 || code === 0x5c) return `'\\${String.fromCodePoint(code)}'`;
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, "0")}'`;
  return `'${code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd"}'`;
};

export const toldHealthcheck = (check: NonNullable<ImageConfig["Healthcheck"]>): string => {
  const { Test, Interval, Timeout, StartPeriod, StartInterval, Retries } = check;
  const test = `[${(Test ?? []).map((word) => JSON.stringify(word)).join(" ")}]`;
  const times = [Interval, Timeout, StartPeriod, StartInterval].map((time) => `"${durationText(time ?? 0)}"`);
  return `&{${[test, ...times, runeText(Retries ?? 0)].join(" ")}}`;
};
