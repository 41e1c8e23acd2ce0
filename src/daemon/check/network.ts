/** What the default network needs: of the kernel, tried in a network namespace of its own, and of the host's settings. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import { addBridge, addPairHere } from "../../kernel/netlink/rtnetlink.ts";
import type { Step } from "../../kernel/steps.ts";
import { tableChanges } from "../../network/firewall.ts";
import { firewallStep, routeStep } from "../../network/steps.ts";
import { type Check, type Finding, fails, works } from "./check.ts";
import { findForeignRules } from "./foreign-rules.ts";
import { moduleRemedy } from "./modules.ts";

/** Bits that no number given by the kernel has. */
const index = 0x4000_0001;
const name = "pier-check";
const serves = "the default network (containers with --network none or host run)";

/** Whether the kernel does this in a network namespace that nobody else sees. */
const trial = (about: { name: string; found: string; module: string; option: string }, step: Step): Check => ({
  name: about.name,
  serves,
  needed: false,
  look: async (ground) => {
    const refusal = await ground.try({ namespaces: ["network"], inside: [step] });
    if (refusal === undefined) return works(about.found);
    return fails(refusal.text, moduleRemedy(about.module, about.option));
  },
});

const forwarding = "/proc/sys/net/ipv4/ip_forward";

/** A daemon turns it on; whether it may is found by writing what is there. */
const findForwarding: Check["look"] = async () => {
  try {
    const value = readFileSync(forwarding, "utf8").trim();
    if (value === "1") return works("on");
    writeFileSync(forwarding, value);
    return works("off; the daemon will turn it on");
  } catch (error) {
    return fails(`off, and cannot be turned on: ${errnoOf(error)}`, "sysctl -w net.ipv4.ip_forward=1");
  }
};

const neighbours = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";

/**
 * A container and its gateway know each other's addresses: two entries of a table that all network namespaces share, and
 * that holds 1,024 where nobody has said otherwise. Who comes when it is full reaches nobody.
 */
export const judgeNeighbours = (limit: number, containers: number): Finding => {
  const room = Math.floor(limit / 2);
  if (containers <= room) return works(`room for ${room} containers at bridges, of which there are ${containers}`);
  const enough = 2 ** Math.ceil(Math.log2(4 * containers));
  const remedy = `sysctl -w net.ipv4.neigh.default.gc_thresh3=${enough}`;
  return fails(`room for ${room} containers at bridges, of which there are ${containers}`, remedy);
};

/** Whoever made them: an interface at a bridge is a container, or a virtual machine. */
const findNeighbours: Check["look"] = async () => {
  if (!existsSync(neighbours)) return works("the first network namespace's affair");
  const names = readdirSync("/sys/class/net");
  const ports = names.filter((name) => existsSync(`/sys/class/net/${name}/brport`));
  return judgeNeighbours(Number(readFileSync(neighbours, "utf8")), ports.length);
};

export const networkChecks: readonly Check[] = [
  trial(
    { name: "bridges", found: "can be made", module: "bridge", option: "CONFIG_BRIDGE" },
    routeStep("a bridge", [addBridge({ name, index })]),
  ),
  trial(
    { name: "pairs", found: "can be made", module: "veth", option: "CONFIG_VETH" },
    routeStep("a pair of interfaces", [addPairHere({ name, index })]),
  ),
  trial(
    {
      name: "packet filter",
      found: "takes pier's table",
      module: "nf_tables",
      option: "CONFIG_NF_TABLES_IPV4, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_CT, CONFIG_NFT_FIB_IPV4",
    },
    firewallStep("pier's table", tableChanges({ family: "ip", name })),
  ),
  { name: "forwarding", serves, needed: false, look: findForwarding },
  { name: "neighbours", serves: "containers that reach others", needed: false, look: findNeighbours },
  {
    name: "other firewalls",
    serves: "packets to and from containers on the default network",
    needed: false,
    look: findForeignRules,
  },
];
