/**
 * Firewalls of others that drop what they have no rule for: an accept in pier's own table does not undo their drop. Where
 * iptables' FORWARD does so (Docker's, ufw's, or by hand; in its nft and its legacy form), pier's bridges get two rules at
 * its end: whatever the owner's own rules say comes first, and what is left is for pier's table to decide.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { errnoOf } from "../base/errors.ts";

/** The rules of a chain, and what pier would do about them. */
export interface Door {
  /** It drops what no rule lets pass. */
  readonly drops: boolean;
  /** The words of the rules that are missing at its end; none where they would be of no use. */
  readonly missing: readonly (readonly string[])[];
  /** Those of pier's that are there. */
  readonly present: readonly (readonly string[])[];
  /** Its last rule stops everything: rules behind it are of no use, and putting some before it is its owner's affair. */
  readonly isShut: boolean;
}

const ruleWords = (prefix: string): readonly (readonly string[])[] =>
  ["-i", "-o"].map((side) => [side, `${prefix}+`, "-j", "ACCEPT"]);

/** What `iptables -S FORWARD` says. */
export const parseDoor = (text: string, prefix: string): Door => {
  const lines = text.split("\n").map((line) => line.trim());
  const drops = lines.some((line) => /^-P FORWARD (DROP|REJECT)$/.test(line));
  const rules = lines.filter((line) => line.startsWith("-A FORWARD ")).map((line) => line.slice("-A FORWARD ".length));
  const ours = ruleWords(prefix);
  const present = ours.filter((words) => rules.includes(words.join(" ")));
  const isShut = rules.some((rule) => /^-j (DROP|REJECT)\b/.test(rule));
  const missing = drops && !isShut ? ours.filter((words) => !present.includes(words)) : [];
  return { drops, missing, present, isShut };
};

const execute = promisify(execFile);
/** Where the programs of firewalls lie, also for a daemon that was told of no such place. */
export const searchPath = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

interface Backend {
  readonly program: string;
  /** Where the kernel lists its tables: asking it where it is not used would load it. */
  readonly tables?: string;
}

const backends: readonly Backend[] = [
  { program: "iptables-nft" },
  { program: "iptables-legacy", tables: "/proc/net/ip_tables_names" },
  { program: "ip6tables-nft" },
  { program: "ip6tables-legacy", tables: "/proc/net/ip6_tables_names" },
];

const isUsed = ({ tables }: Backend): boolean => {
  if (tables === undefined) return true;
  try {
    return readFileSync(tables, "utf8").split("\n").includes("filter");
  } catch {
    return false;
  }
};

const lockWait = ["-w", "5"];

const ask = async (program: string, words: readonly string[]): Promise<string> =>
  (await execute(program, [...lockWait, ...words], { env: { PATH: searchPath } })).stdout;

/** The door of each firewall of this kind that the host has. */
const findDoors = async (prefix: string): Promise<readonly { readonly program: string; readonly door: Door }[]> => {
  const found = await Promise.all(
    backends.filter(isUsed).map(async ({ program }) => {
      try {
        return { program, door: parseDoor(await ask(program, ["-S", "FORWARD"]), prefix) };
      } catch (error) {
        // Not installed, or not in this kernel.
        if (errnoOf(error) === "ENOENT" || error instanceof Error) return undefined;
        throw error;
      }
    }),
  );
  return found.filter((one) => one !== undefined);
};

/** Holds afterwards: they let the bridges pass whose names begin so, as far as that is possible without moving a rule. */
export const openIptables = async (prefix: string): Promise<void> => {
  for (const { program, door } of await findDoors(prefix)) {
    for (const words of door.missing) await ask(program, ["-A", "FORWARD", ...words]);
  }
};

/** Holds afterwards: nothing of it is left. */
export const closeIptables = async (prefix: string): Promise<void> => {
  for (const { program, door } of await findDoors(prefix)) {
    for (const words of door.present) await ask(program, ["-D", "FORWARD", ...words]);
  }
};
