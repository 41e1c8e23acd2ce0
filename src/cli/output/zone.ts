/** What the time zone that we are in is called: `CET`. JavaScript knows that for few zones; their files know it for all. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const DIRECTORY = "/usr/share/zoneinfo";

/** The rule in force today, as the last line of a zone's file has it: `CET-1CEST,M3.5.0,M10.5.0/3` (RFC 9636, 3.3). */
const readRule = (zone: string | undefined): string => {
  if (zone === "") return "UTC0";
  const path = zone === undefined ? "/etc/localtime" : resolve(DIRECTORY, zone.replace(/^:/, ""));
  try {
    return readFileSync(path, "latin1").trimEnd().split("\n").at(-1) ?? "";
  } catch {
    return "UTC0";
  }
};

/** The name that goes with so many minutes east of Greenwich, of a rule's one or two. */
export const zoneName = (minutes: number, rule: string): string | undefined => {
  const [, standard, sign, hours = "0", rest = "0", summer] =
    /^(<[^>]+>|[A-Za-z]+)([+-]?)(\d+)(?::(\d+))?(?::\d+)?(<[^>]+>|[A-Za-z]+)?/.exec(rule) ?? [];
  const west = (Number(hours) * 60 + Number(rest)) * (sign === "-" ? -1 : 1);
  const name = -west === minutes ? standard : summer;
  return name?.replace(/[<>]/g, "");
};

let rule: string | undefined;

/** The name of our zone while it is so many minutes east of Greenwich; undefined where it is not known. */
export const findZoneName = (minutes: number): string | undefined => {
  rule ??= readRule(process.env.TZ);
  return zoneName(minutes, rule);
};
