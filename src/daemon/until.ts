/** The moment before which something must have been made to be pruned: `24h`, seconds since 1970, or a date. */
import { daemonError } from "./errors.ts";
import type { Filters } from "./filters.ts";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations, in milliseconds; undefined for what is none. */
const parseDuration = (text: string): number | undefined => {
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)/g)];
  if (text === "" || parts.map(([part]) => part).join("") !== text) return undefined;
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * units[unit!]!, 0);
};

/** Milliseconds since 1970. */
export const parseUntil = (value: string, now: number): number => {
  const ago = parseDuration(value);
  if (ago !== undefined) return now - ago;
  const time = /^\d{1,12}(\.\d{1,9})?$/.test(value) ? Number(value) * 1000 : Date.parse(value);
  if (Number.isNaN(time)) throw daemonError("invalidFilterValue", { name: "until", value: value.slice(0, 100) });
  return time;
};

/** The moment of the filter `until`; undefined where none is asked for. Throws when there are two. */
export const untilOf = (filters: Filters, now: number): number | undefined => {
  const [until, second] = filters.get("until").map((value) => parseUntil(value, now));
  if (second !== undefined) throw daemonError("severalUntil", {});
  return until;
};
