/** The rules of others: where packets of containers end that pier's own table lets pass. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { errnoOf } from "../../base/errors.ts";
import { searchPath } from "../../network/doors.ts";
import { type FirewalldState, findFirewalld } from "../../network/firewalld.ts";
import { type Check, type Finding, fails, works } from "./check.ts";

const execute = promisify(execFile);
const nft = async (...words: readonly string[]): Promise<string> =>
  (await execute("nft", words, { env: { PATH: searchPath }, maxBuffer: 1 << 26 })).stdout;

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/** The chains in what `nft -j list chains` prints. */
export const parseChains = (text: string): readonly Chain[] => {
  const { nftables } = JSON.parse(text) as { nftables: readonly { readonly chain?: Chain }[] };
  return nftables.flatMap(({ chain }) => chain ?? []);
};

const isOurs = ({ table }: Chain): boolean => /^(pier$|pr[0-9a-f]{5}$)/.test(table);

/** Docker and ufw keep a chain for rules of the host's owner, which they do not write anew. */
const ownersChains = ["DOCKER-USER", "ufw-user-forward"];

/** iptables' own chain for what passes through: the daemon adds rules of its own at its end. */
const isIptables = ({ table, name }: Chain): boolean => table === "filter" && name === "FORWARD";

/** It rejects by a rule and not by its policy, and writes its table anew: only its own command lasts. */
const judgeFirewalld = (state: FirewalldState): Finding => {
  const door = "zone pier and policy pier-out";
  const own = "what containers may ask of this host is yours to say: firewall-cmd --zone=pier --add-service=NAME";
  if (state === "open") return works(`firewalld has ${door} of the daemon's; ${own}`);
  if (state === "shut") return works(`firewalld rejects what passes through; the daemon's start brings ${door}`);
  if (state === "absent")
    return fails("firewalld's table is there, and firewalld does not answer", "systemctl restart firewalld");
  return fails(
    `firewalld has ${door} on record, and beside them rules in force that its reload would take away`,
    "firewall-cmd --reload",
  );
};

/** A chain that drops what no rule of it lets pass, and what lets our interfaces pass there. */
export const judgeChains = (chains: readonly Chain[], firewalld: FirewalldState = "absent"): Finding => {
  const foreign = chains.filter((chain) => !isOurs(chain));
  const dropping = foreign.filter(({ hook, policy }) => hook === "forward" && policy === "drop");
  const tables = [...new Set(foreign.map(({ family, table }) => `${family} ${table}`))];
  if (foreign.some(({ table }) => table === "firewalld")) {
    return judgeFirewalld(firewalld);
  }
  const shut = dropping.filter((chain) => !isIptables(chain));
  if (dropping.length === 0) return works(tables.length === 0 ? "none" : `${tables.join(", ")}: none drops by default`);
  const names = (some: readonly Chain[]): string =>
    some.map(({ family, table, name }) => `${family} ${table} ${name}`).join(", ");
  if (shut.length === 0)
    return works(`${names(dropping)} drops by default: the daemon's bridges are let pass at its end`);
  const remedies = shut.flatMap(({ family, table, name }) => {
    const door = foreign.find((chain) => chain.table === table && ownersChains.includes(chain.name))?.name ?? name;
    return ["iifname", "oifname"].map((side) => `nft insert rule ${family} ${table} ${door} ${side} 'pier*' accept`);
  });
  return fails(`${names(shut)} drops what it has no rule for`, remedies.join(" && "));
};

/** What ufw does with DEFAULT_FORWARD_POLICY="REJECT": it is done before the end of iptables' own chain. */
const isRejecting = async (chains: readonly Chain[]): Promise<boolean> => {
  if (!chains.some(({ name }) => name === "ufw-reject-forward")) return false;
  const [rejecting, owners] = await Promise.all(
    ["ufw-reject-forward", "ufw-user-forward"].map((name) => nft("list", "chain", "ip", "filter", name)),
  );
  return /\breject\b/.test(rejecting!) && !owners!.includes('"pier*"');
};

/** Tables of the older packet filter, which nft does not show. */
const legacyTables = (): readonly string[] => {
  try {
    return readFileSync("/proc/net/ip_tables_names", "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return [];
  }
};

export const findForeignRules: Check["look"] = async () => {
  const legacy = legacyTables();
  try {
    const chains = parseChains(await nft("-j", "list", "chains"));
    if (await isRejecting(chains)) {
      return fails("ufw rejects what passes through", "ufw route allow in on pier+ && ufw route allow out on pier+");
    }
    const hasFirewalld = chains.some(({ table }) => table === "firewalld");
    const finding = judgeChains(chains, hasFirewalld ? await findFirewalld("pier") : "absent");
    if (!finding.works || !legacy.includes("filter")) return finding;
    return works(`${finding.found}; also iptables-legacy: see iptables-legacy -S FORWARD`);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return works("not to be seen: nft is not installed");
    return works(`not to be seen: ${(error as Error).message.trim().split("\n").at(-1)}`);
  }
};
