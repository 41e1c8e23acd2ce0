/**
 * firewalld rejects what passes through, but for what one of its zones or policies lets pass: an accept in pier's own table
 * does not undo that. Published ports it lets pass by itself. For the rest its own door is used, once per host: a zone in
 * which pier's bridges are, and a policy by which what comes from there may go on. What containers may ask of the host
 * itself is as before: nothing, unless the owner adds it to the zone (Docker's zone opens all of the host to them).
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { searchPath } from "./doors.ts";

const execute = promisify(execFile);

/** What firewalld answers; its words are for people, its exit code for programs. */
interface Answer {
  readonly code: number;
  readonly text: string;
}

/** firewall.errors.NOT_RUNNING. */
const notRunning = 252;
const noProgram = "ENOENT";

/** Undefined where it is not installed, or does not run. */
const ask = async (...words: readonly string[]): Promise<Answer | undefined> => {
  try {
    return { code: 0, text: (await execute("firewall-cmd", words, { env: { PATH: searchPath } })).stdout };
  } catch (error) {
    const { code, stderr = "" } = error as { readonly code?: number | string; readonly stderr?: string };
    if (code === noProgram || code === notRunning) return undefined;
    return { code: typeof code === "number" ? code : 1, text: stderr };
  }
};

const must = async (...words: readonly string[]): Promise<void> => {
  const answer = await ask(...words);
  if (answer !== undefined && answer.code !== 0) throw new Error(`firewall-cmd ${words.join(" ")}: ${answer.text}`);
};

const policyOf = (prefix: string): string => `${prefix}-out`;

/** Its bridges, whenever they are made; between those of one network too, where bridged packets are filtered. */
const zoneFile = (prefix: string): string => `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>${prefix}</short>
  <description>The bridges of containers, put in by pier. Its own table keeps networks apart.</description>
  <interface name="${prefix}+"/>
  <forward/>
</zone>
`;

const policyFile = (prefix: string): string => `<?xml version="1.0" encoding="utf-8"?>
<policy target="ACCEPT">
  <short>${policyOf(prefix)}</short>
  <description>What containers send to other machines, put in by pier.</description>
  <ingress-zone name="${prefix}"/>
  <egress-zone name="ANY"/>
</policy>
`;

export type FirewalldState =
  /** It is not installed, or does not run. */
  | "absent"
  | "open"
  /** Zone and policy are on its record, and come into force with its next reload. */
  | "recorded"
  | "shut";

export const findFirewalld = async (prefix: string): Promise<FirewalldState> => {
  const now = await ask(`--info-policy=${policyOf(prefix)}`);
  if (now === undefined) return "absent";
  if (now.code === 0) return "open";
  const recorded = await ask("--permanent", `--info-policy=${policyOf(prefix)}`);
  return recorded?.code === 0 ? "recorded" : "shut";
};

/** What a reload takes away and what it brings, but for interfaces, which stay where they are, and for what is ours. */
const listings = ["--list-all-zones", "--list-all-policies"] as const;
const isOfInterfaces = /^\s+interfaces:|\(.*active.*\)$/;
const comparable = (text: string, prefix: string): string =>
  text
    .split(/\n(?=\S)/)
    .map((part) => part.trimEnd().split("\n"))
    .filter(([title = ""]) => ![prefix, policyOf(prefix)].includes(title.split(" ")[0]!))
    .map((lines) =>
      lines.map((line) => (isOfInterfaces.test(line) ? line.replace(/\s*\(.*|:.*/, "") : line)).join("\n"),
    )
    .join("\n");

/** Nothing of the owner's would be lost: what is in force is what is on record. */
const canReload = async (prefix: string): Promise<boolean> => {
  const words = [...listings.map((one) => [one]), ["--direct", "--get-all-rules"]];
  const pairs = await Promise.all(words.map((one) => Promise.all([ask(...one), ask("--permanent", ...one)])));
  return pairs.every(
    ([now, recorded]) => comparable(now?.text ?? "", prefix) === comparable(recorded?.text ?? "", prefix),
  );
};

/** Holds afterwards: what containers send passes, now or (where a reload would take something away) from its next reload on. */
export const openFirewalld = async (prefix: string): Promise<void> => {
  const state = await findFirewalld(prefix);
  if (state === "absent" || state === "open") return;
  if (state === "shut") {
    const directory = mkdtempSync(join(tmpdir(), "pier-firewalld-"));
    try {
      const [zone, policy] = [join(directory, "zone.xml"), join(directory, "policy.xml")];
      writeFileSync(zone, zoneFile(prefix));
      writeFileSync(policy, policyFile(prefix));
      await must("--permanent", `--new-zone-from-file=${zone}`, `--name=${prefix}`);
      await must("--permanent", `--new-policy-from-file=${policy}`, `--name=${policyOf(prefix)}`);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  if (await canReload(prefix)) await must("--reload");
};

/** Holds afterwards: neither zone nor policy is on its record. */
export const closeFirewalld = async (prefix: string): Promise<void> => {
  const state = await findFirewalld(prefix);
  if (state === "absent" || state === "shut") return;
  await must("--permanent", `--delete-policy=${policyOf(prefix)}`);
  await must("--permanent", `--delete-zone=${prefix}`);
  if (await canReload(prefix)) await must("--reload");
};
