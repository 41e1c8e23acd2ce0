/** What is at a path of a container, as Docker's header tells it. */
import type { PathStat } from "../../container/copies.ts";

/** Go's bits for what is no plain file (io/fs.FileMode), and for the three bits above the permissions. */
const kinds: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
  [0o020000, 2 ** 26 + 2 ** 21],
]);
const special: readonly (readonly [number, number])[] = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
];

const goMode = (mode: number): number =>
  (mode & 0o777) +
  (kinds.get(mode & 0o170000) ?? 0) +
  special.reduce((sum, [bit, value]) => ((mode & bit) === 0 ? sum : sum + value), 0);

/** RFC 3339 with nanoseconds, zeroes at the end left out. */
const goTime = ({ seconds, nanoseconds }: PathStat["mtime"]): string => {
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const rest = String(nanoseconds).padStart(9, "0").replace(/0+$/, "");
  return `${whole}${rest === "" ? "" : `.${rest}`}Z`;
};

export const pathStatHeader = ({ name, size, mode, mtime, linkTarget }: PathStat): Readonly<Record<string, string>> => {
  const json = JSON.stringify({ name, size, mode: goMode(mode), mtime: goTime(mtime), linkTarget });
  return { "X-Docker-Container-Path-Stat": Buffer.from(json).toString("base64") };
};
