/** What of the build cache is meant: by Docker's filters, by those of BuildKit's clients, and by what may stay. */
import type { CacheEntry, CacheUse } from "../build/builds.ts";
import { daemonError } from "./errors.ts";
import { Filters } from "./filters.ts";

export interface CacheChoice {
  readonly matches: (entry: CacheEntry) => boolean;
  /** Also what an image has anyway. */
  readonly all: boolean;
  /** Milliseconds since 1970: what was used later stays. */
  readonly until: number | undefined;
  readonly bounds: CacheBounds;
}

/** In bytes; 0: not said. */
export interface CacheBounds {
  /** Stays, whatever the others say. */
  readonly reserved: number;
  readonly maxUsed: number;
  /** Of the disk. */
  readonly minFree: number;
}

/** Bytes that may stay, of what was used last; without bounds none. */
const keptBytes = ({ reserved, maxUsed, minFree }: CacheBounds, { total, free }: CacheUse): number => {
  const most = maxUsed > 0 || minFree === 0 ? maxUsed : total;
  const excess = Math.max(0, minFree - free);
  return Math.max(reserved, excess === 0 ? most : Math.min(most, total - excess));
};

/** Whether an entry is to go; to be asked once for each, those first that were used last. */
export const chooser = (
  { matches, all, until, bounds }: CacheChoice,
  use: CacheUse,
): ((entry: CacheEntry) => boolean) => {
  const keep = keptBytes(bounds, use);
  let kept = 0;
  return (entry) => {
    if (until !== undefined && entry.lastUsed > until) return false;
    // Without --all, what an image has anyway takes no room of its own.
    if (!matches(entry) || (!all && entry.isShared)) return false;
    kept += entry.size;
    return keep === 0 || kept > keep;
  };
};

const durations: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `24h`, or a moment in seconds: what was not used since then. */
const parseUntil = (text: string): number => {
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  if (parts.length > 0)
    return Date.now() - parts.reduce((sum, [, count, unit]) => sum + Number(count) * durations[unit!]!, 0);
  const moment = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(moment)) throw daemonError("invalidFilterValue", { name: "until", value: text.slice(0, 100) });
  return moment;
};

/** What clients may ask of an entry, as text. */
const fields: Readonly<Record<string, (entry: CacheEntry) => string>> = {
  id: ({ id }) => id,
  type: ({ kind }) => kind,
  inuse: ({ inUse }) => String(inUse),
  mutable: ({ kind }) => String(kind === "exec.cachemount"),
  immutable: ({ kind }) => String(kind !== "exec.cachemount"),
  shared: ({ isShared }) => String(isShared),
  private: ({ isShared }) => String(!isShared),
  description: ({ description }) => description,
};
const flags = ["inuse", "mutable", "immutable", "shared", "private"];
const times = ["until", "unused-for"];

/** `{"type":["exec.cachemount"],"until":["24h"]}` */
export const parseDockerFilters = (text: string): Pick<CacheChoice, "matches" | "until"> => {
  const filters = Filters.parse(text, [...Object.keys(fields), ...times]);
  const until = times.flatMap((name) => filters.get(name)).map(parseUntil)[0];
  const matches = (entry: CacheEntry): boolean =>
    Object.entries(fields).every(([name, read]) => {
      const value = read(entry);
      return filters.some(name, (asked) => {
        if (flags.includes(name)) return value === String(["", "1", "true"].includes(asked.toLowerCase()));
        return name === "description"
          ? value.includes(asked)
          : name === "id"
            ? value.startsWith(asked)
            : value === asked;
      });
    });
  return { matches, until };
};

/** containerd's: each text a list of conditions that must all hold (`type==regular,shared`; "": none); one of the texts must. */
export const parseFilterTexts = (texts: readonly string[]): CacheChoice["matches"] => {
  const tests = texts.map((text) => (text === "" ? [] : text.split(",").map(parseCondition)));
  return (entry) => tests.length === 0 || tests.some((all) => all.every((holds) => holds(entry)));
};

const parseCondition = (text: string): ((entry: CacheEntry) => boolean) => {
  const [, name = "", operator = "", value = ""] = /^(\w+)(?:(==|!=|~=)"?([^"]*)"?)?$/.exec(text.trim()) ?? [];
  const read = fields[name];
  if (read === undefined) throw daemonError("invalidFilter", { name: text.slice(0, 100) });
  if (operator === "") return (entry) => read(entry) === "true";
  if (operator === "!=") return (entry) => read(entry) !== value;
  if (operator === "~=") return (entry) => read(entry).includes(value);
  return (entry) => (name === "id" ? read(entry).startsWith(value) : read(entry) === value);
};
