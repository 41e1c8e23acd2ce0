/** What must be there before any container is connected: the bridge, the firewall's table, forwarding. */
import { addElements, deleteTable } from "../kernel/netlink/nftables.ts";
import { addAddress, addBridge, deleteLink, setHairpin, setMaster, setUp } from "../kernel/netlink/rtnetlink.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { macOf, parseAddress, type Subnet } from "./addresses.ts";
import type { Endpoint } from "./endpoint.ts";
import { apartElements, networkElements, portElements, tableChanges } from "./firewall.ts";
import type { NetworkHost } from "./host.ts";
import { firewallStep, interfaceIndex, routeStep, tolerated } from "./steps.ts";

export interface Bridge {
  readonly name: string;
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly mtu: number;
}

/** Holds afterwards: neither the bridge nor the table is there. Forwarding stays on: others may have come to need it. */
export const planRemoval = (bridge: string, host: NetworkHost): Plan => ({
  outside: [
    routeStep(`the bridge ${bridge} is gone`, [deleteLink(bridge)], "ENODEV"),
    { ...firewallStep("the firewall's table is gone", [deleteTable(host.name)]), tolerate: tolerated(["ENOENT"]) },
  ],
  inside: [],
  after: [],
});

/**
 * Holds afterwards: the bridge is up with its address, the table is as it shall be, with the ports of `endpoints` in
 * it, and the host passes packets on. `found` is the number of an interface of the bridge's name that is there already.
 */
export const planBridge = (
  bridge: Bridge,
  endpoints: readonly Endpoint[],
  host: NetworkHost,
  found: number | undefined,
): Plan => {
  const index = interfaceIndex(bridge.gateway);
  const isOurs = found === index;
  return {
    outside: [
      ...(found === undefined || isOurs
        ? []
        : [routeStep(`${bridge.name} is not the bridge that pier made`, [deleteLink(bridge.name)])]),
      routeStep(
        `the bridge ${bridge.name} exists`,
        [addBridge({ name: bridge.name, index, mac: macOf(bridge.gateway), mtu: bridge.mtu })],
        "EEXIST",
      ),
      ...bridgeSettings(bridge.name),
      routeStep(
        "the bridge is up and has the gateway's address",
        [setUp(index), addAddress(index, bridge.gateway, bridge.subnet.prefix)],
        "EEXIST",
      ),
      ...(isOurs ? [] : endpoints.map((endpoint) => attachStep(endpoint, index))),
      firewallStep("the firewall's table is as it shall be", [
        ...tableChanges(host.name),
        ...networkElements(host.name, bridge.name, bridge.subnet),
        ...apartElements(host.name, host.apart),
        ...endpoints.flatMap((endpoint) => portElements(host.name, endpoint.address, endpoint.ports, addElements)),
      ]),
      settingStep("ipv4/ip_forward", "1", "the host passes packets on between its networks and the containers"),
    ],
    inside: [],
    after: [],
  };
};

const settingStep = (name: string, value: string, why: string): Step => ({
  step: "write",
  path: `/proc/sys/net/${name}`,
  content: new TextEncoder().encode(value),
  why,
});

/**
 * Set before the bridge has an address. With IPv6 off on it, no container's router advertisement reaches the host
 * (CVE-2020-13401); route_localnet would let containers reach what listens on the host's loopback (CVE-2020-8558).
 */
const bridgeSettings = (bridge: string): Step[] => [
  // Without IPv6 in the kernel there is no such setting.
  {
    ...settingStep(`ipv6/conf/${bridge}/accept_ra`, "0", "the host believes no container about routes"),
    tolerate: tolerated(["ENOENT"]),
  },
  {
    ...settingStep(`ipv6/conf/${bridge}/disable_ipv6`, "1", "the bridge has no IPv6"),
    tolerate: tolerated(["ENOENT"]),
  },
  settingStep(`ipv4/conf/${bridge}/route_localnet`, "0", "containers do not reach the host's loopback"),
];

const attachStep = (endpoint: Endpoint, bridge: number): Step => {
  const index = interfaceIndex(parseAddress(endpoint.address)!);
  return routeStep(
    `the running container at ${endpoint.address} is at the bridge again`,
    [setMaster(index, bridge), setHairpin(index)],
    "ENODEV",
  );
};
