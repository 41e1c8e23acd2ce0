/** What must be there before any container is connected: the bridges, the firewall's tables, forwarding. */
import { addElements, deleteElements, deleteTable, type Table } from "../kernel/netlink/nftables.ts";
import {
  addAddress,
  addBridge,
  deleteLink,
  isolate,
  setAlias,
  setHairpin,
  setMaster,
  setUp,
} from "../kernel/netlink/rtnetlink.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { addressBytes, macOf, parseAddress, parseSubnet } from "./addresses.ts";
import type { Endpoint } from "./endpoint.ts";
import { apartElements, networkElements, portElements, tableChanges } from "./firewall.ts";
import type { NetworkHost } from "./host.ts";
import type { Pool } from "./pools.ts";
import type { NetworkRecord } from "./record.ts";
import { firewallStep, routeStep, settingStep, tolerated } from "./steps.ts";

const plan = (outside: readonly Step[]): Plan => ({ outside, inside: [], after: [] });
const families = ["ip", "ip6"] as const;

/** Holds afterwards: neither bridges nor tables are there. Forwarding stays on: others may have come to need it. */
export const planRemoval = (bridges: readonly string[], host: NetworkHost): Plan =>
  plan([...bridges.map(removeStep), ...families.map((family) => deleteTableStep({ family, name: host.name }))]);

const removeStep = (bridge: string): Step => routeStep(`the bridge ${bridge} is gone`, [deleteLink(bridge)], "ENODEV");

const deleteTableStep = (table: Table): Step =>
  firewallStep(`there is no table ${table.family} ${table.name} in the firewall`, [deleteTable(table)], "ENOENT");

/** A kernel whose firewall knows nothing of IPv6 is good enough for networks without it. */
const unsupported = tolerated(["ENOENT", "EOPNOTSUPP", "EAFNOSUPPORT"]);

/** What is on the host already. */
export interface FoundLinks {
  /** The number of the interface of this name. */
  index(name: string): number | undefined;
  /** The endpoint's interface is there, and nothing comes through it. */
  isAstray(endpoint: Endpoint): boolean;
  /** Bridges of ours, whose networks are no more. */
  readonly orphans: readonly string[];
  /** Interfaces of the host that listen to routers as long as it is none itself. */
  readonly advertised: readonly string[];
}

/**
 * Holds afterwards: the bridges of these networks, and no others, are up with their addresses; the tables are as they
 * shall be, with the ports of `endpoints` in them; and the host passes packets on.
 */
export const planNetworks = (
  networks: readonly NetworkRecord[],
  endpoints: readonly Endpoint[],
  host: NetworkHost,
  found: FoundLinks,
): Plan => {
  const bridged = networks.filter(({ driver }) => driver === "bridge");
  const hasIpv6 = host.ipv6 && bridged.some(({ ipv6 }) => ipv6 !== undefined);
  const tableStep = (family: Table["family"]): Step => {
    const table = { family, name: host.name };
    return firewallStep(`the firewall's table ${family} ${host.name} is as it shall be`, [
      ...tableChanges(table),
      ...bridged.flatMap((network) => networkElements(table, network, addElements)),
      ...apartElements(table, family === "ip" ? host.apart : host.apart6),
      ...endpoints.flatMap((endpoint) => portElements(table, endpoint, endpoint.ports, addElements)),
    ]);
  };
  return plan([
    ...found.orphans.map(removeStep),
    ...bridged.flatMap((network) => [
      ...bridgeSteps(network, host, found.index(network.interface)),
      ...endpoints
        .filter(({ networkId }) => networkId === network.id)
        .filter((endpoint) => found.index(network.interface) !== network.index || found.isAstray(endpoint))
        .map(attachStep),
    ]),
    tableStep("ip"),
    // Ports may be published on IPv6 addresses also where no network has it.
    ...(host.ipv6 ? [hasIpv6 ? tableStep("ip6") : { ...tableStep("ip6"), tolerate: unsupported }] : []),
    ...forwardingSteps(hasIpv6, found.advertised),
  ]);
};

/**
 * Holds afterwards: what is new of one network is there, beside all others as they are. Fails where the tables are not as
 * they shall be: then `planNetworks` makes all of it.
 */
export const planNetwork = (
  network: NetworkRecord,
  host: NetworkHost,
  found: Pick<FoundLinks, "index" | "advertised">,
): Plan =>
  plan([
    ...bridgeSteps(network, host, found.index(network.interface)),
    ...elementsSteps(network, host, addElements),
    ...forwardingSteps(host.ipv6 && network.ipv6 !== undefined, found.advertised),
  ]);

/** Holds afterwards: there is nothing of the network, which is on no record any more; fails as `planNetwork` does. */
export const planNetworkRemoval = (network: NetworkRecord, host: NetworkHost, found: Pick<FoundLinks, "index">): Plan =>
  plan([
    ...(found.index(network.interface) === network.index ? [removeStep(network.interface)] : []),
    ...elementsSteps(network, host, deleteElements),
  ]);

const elementsSteps = (
  network: NetworkRecord,
  host: NetworkHost,
  change: typeof addElements | typeof deleteElements,
): Step[] =>
  families
    .filter((family) => family === "ip" || host.ipv6)
    .map((family) => {
      const table = { family, name: host.name };
      return firewallStep(
        `the firewall's table ${family} ${host.name} ${change === addElements ? "knows" : "forgets"} ${network.interface}`,
        networkElements(table, network, change),
      );
    });

const forwardingSteps = (hasIpv6: boolean, advertised: readonly string[]): Step[] => [
  settingStep("ipv4/ip_forward", "1", "the host passes packets on between its networks and the containers"),
  ...(hasIpv6 ? forwardingSteps6(advertised) : []),
];

/** A host that passes packets on heeds no router any more, unless it is told to: it would lose its own way out. */
const forwardingSteps6 = (advertised: readonly string[]): Step[] => [
  ...advertised.map((name) =>
    settingStep(`ipv6/conf/${name}/accept_ra`, "2", `the host goes on listening to routers at ${name}`, "ENOENT"),
  ),
  settingStep("ipv6/conf/all/forwarding", "1", "the host passes packets of IPv6 on too"),
];

/** By this the bridges of a daemon are found again, whatever they are called. */
export const bridgeMark = (host: Pick<NetworkHost, "name">, networkId: string): string =>
  `${host.name} network ${networkId}`;

const bridgeSteps = (network: NetworkRecord, host: NetworkHost, found: number | undefined): Step[] => {
  const { interface: name, index, mtu, ipv4, ipv6 } = network;
  const own = parseAddress(ipv4?.gateway || ipv6?.gateway || "") ?? { family: 4, value: BigInt(index) };
  const addresses = [ipv4, ipv6].filter((pool) => pool !== undefined && pool.gateway !== "");
  return [
    ...(found === undefined || found === index
      ? []
      : [routeStep(`${name} is not the bridge that pier made`, [deleteLink(name)])]),
    routeStep(`the bridge ${name} exists`, [addBridge({ name, index, mac: macOf(own), mtu })], "EEXIST"),
    ...bridgeSettings(name, ipv6 !== undefined),
    routeStep(`the bridge ${name} is up, and marked as ours`, [
      setUp(index),
      setAlias(index, bridgeMark(host, network.id)),
    ]),
    ...addresses.map((pool) => gatewayStep(index, pool!)),
  ];
};

const gatewayStep = (index: number, { gateway, subnet }: Pool): Step =>
  routeStep(
    `the bridge has the gateway's address ${gateway}`,
    [addAddress(index, addressBytes(gateway), parseSubnet(subnet)!.prefix)],
    "EEXIST",
  );

/**
 * Set before the bridge has an address. No container's router advertisement changes the host's routes (CVE-2020-13401);
 * route_localnet would let containers reach what listens on the host's loopback (CVE-2020-8558).
 */
const bridgeSettings = (bridge: string, ipv6: boolean): Step[] => [
  // Without IPv6 in the kernel there is no such setting.
  settingStep(`ipv6/conf/${bridge}/accept_ra`, "0", "the host believes no container about routes", "ENOENT"),
  settingStep(
    `ipv6/conf/${bridge}/disable_ipv6`,
    ipv6 ? "0" : "1",
    ipv6 ? "the bridge has IPv6" : "the bridge has no IPv6",
    "ENOENT",
  ),
  settingStep(`ipv4/conf/${bridge}/route_localnet`, "0", "containers do not reach the host's loopback"),
];

const attachStep = ({ address, address6, hostIndex, bridgeIndex, isolated }: Endpoint): Step =>
  routeStep(
    `the running container at ${address || address6} is at the bridge again`,
    [
      setMaster(hostIndex, bridgeIndex),
      setUp(hostIndex),
      setHairpin(hostIndex),
      ...(isolated ? [isolate(hostIndex)] : []),
    ],
    "ENODEV",
  );
