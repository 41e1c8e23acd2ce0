/** How a container is connected, as steps. */
import type { Message } from "../kernel/netlink/message.ts";
import {
  addAddress,
  addDefaultRoute,
  addMacvlan,
  addVeth,
  isolate,
  raiseLink,
  setHairpin,
  setUp,
} from "../kernel/netlink/rtnetlink.ts";
import type { Step } from "../kernel/steps.ts";
import { addressBytes, parseAddress, parseMac } from "./addresses.ts";
import { type Endpoint, publishingEndpoint } from "./endpoint.ts";
import type { NetworkHost } from "./host.ts";
import { bindSteps, forgetSteps, publishSteps, relaySteps, withdrawSteps } from "./publish.ts";
import { hostMac, routeStep, tolerated } from "./steps.ts";

/** What a container's plan has about its network. */
export interface NetworkSteps {
  /** Inside, before the outside lane makes any interface. */
  readonly early: readonly Step[];
  /** After the clone, before the child goes past `points.network`. */
  readonly outside: readonly Step[];
  /** After `points.network`. */
  readonly inside: readonly Step[];
  /** The pair of interfaces is not in it: it goes with the container's namespace, and deleting it costs 20 ms and more. */
  readonly after: readonly Step[];
}

/** Holds afterwards: the container has its interfaces, addresses and routes, and the host's ports lead to it. */
export const planEndpoints = (endpoints: readonly Endpoint[], host: NetworkHost): NetworkSteps => {
  const main = publishingEndpoint(endpoints) ?? endpoints[0];
  if (main === undefined) return planLoopback();
  const { ports } = main;
  return {
    early: host.ipv6 ? earlySettings(endpoints) : [],
    outside: [
      ...bindSteps(ports),
      connectStep(endpoints, host),
      ...publishSteps(main, ports, host),
      ...relaySteps(main, ports),
    ],
    inside: [...(host.ipv6 ? laterSettings(endpoints) : []), addressStep(endpoints)],
    after: [...withdrawSteps(main, ports, host), ...forgetSteps(main, ports)],
  };
};

/** Holds afterwards: the container's loopback interface is up, and it has no other. */
export const planLoopback = (): NetworkSteps => ({
  early: [],
  outside: [],
  inside: [routeStep("the loopback interface is up", [setUp(loopbackIndex)])],
  after: [],
});

const loopbackIndex = 1;

/** `pid`: the process in whose namespace they go, if it is not the one that the plan makes. */
export const connectStep = (endpoints: readonly Endpoint[], host: NetworkHost, pid?: number): Step =>
  routeStep(
    endpoints
      .map(({ hostInterface, bridge, interface: own }) =>
        hostInterface === ""
          ? `an interface of its own at ${bridge}: ${own} in the container`
          : `a pair of interfaces: ${hostInterface} at ${bridge}, ${own} in the container`,
      )
      .join("; "),
    endpoints.flatMap((endpoint) => pairMessages(endpoint, host, pid)),
  );

const pairMessages = (endpoint: Endpoint, host: NetworkHost, pid: number | undefined): Message[] => {
  const { driver, hostInterface, hostIndex, bridgeIndex, interface: own, index, mtu, isolated } = endpoint;
  const mac = parseMac(endpoint.mac)!;
  if (driver === "macvlan") {
    return [addMacvlan({ name: own, index, mac, parent: bridgeIndex, pid, ...(mtu === 0 ? {} : { mtu }) })];
  }
  const address = parseAddress(endpoint.address || endpoint.address6)!;
  return [
    addVeth(
      { name: hostInterface, index: hostIndex, mac: hostMac(address), mtu, master: bridgeIndex },
      { name: own, index, mac, mtu, pid },
    ),
    // A kernel without IPv6 refuses to hear of it.
    host.ipv6 ? raiseLink(hostIndex) : setUp(hostIndex),
    setHairpin(hostIndex),
    ...(isolated ? [isolate(hostIndex)] : []),
  ];
};

/**
 * What interfaces are born with. An interface's own setting can be written too, but only with the lock of all
 * networking, which that write waits for by trying again and again: eight starts at once spent 10 to 100 ms of processor
 * each on it. So that is done only for whoever has networks with IPv6 beside others without.
 */
const settingStep = (interfaces: string, name: string, value: string, why: string): Step => ({
  step: "sysctl",
  name: `net.ipv6.conf.${interfaces}.${name}`,
  value,
  tolerate: tolerated(["ENOENT"]),
  why,
});

const hasIpv6 = ({ address6 }: Endpoint): boolean => address6 !== "";

const earlySettings = (endpoints: readonly Endpoint[]): Step[] => [
  endpoints.every(hasIpv6)
    ? settingStep("default", "disable_ipv6", "0", "every network has IPv6")
    : settingStep("default", "disable_ipv6", "1", "a network without IPv6 gives its interfaces none"),
  ...(endpoints.some(hasIpv6)
    ? [settingStep("default", "accept_ra", "0", "no neighbour tells the container about routes")]
    : []),
];

const laterSettings = (endpoints: readonly Endpoint[]): Step[] => {
  if (endpoints.every(hasIpv6)) return [];
  return [
    settingStep("default", "disable_ipv6", "0", "interfaces that the container makes itself are its own affair"),
    ...endpoints
      .filter(hasIpv6)
      .map((endpoint) => settingStep(endpoint.interface, "disable_ipv6", "0", `${endpoint.network} has IPv6`)),
  ];
};

const addressStep = (endpoints: readonly Endpoint[]): Step =>
  routeStep(`lo is up; ${endpoints.map(describeAddress).join("; ")}`, [
    setUp(loopbackIndex),
    ...endpoints.flatMap(addressMessages),
  ]);

const describeAddress = (endpoint: Endpoint): string => {
  const { address, prefix, gateway, address6, prefix6, gateway6 } = endpoint;
  const own = [address === "" ? "" : `${address}/${prefix}`, address6 === "" ? "" : `${address6}/${prefix6}`];
  const ways = [endpoint.defaultRoute ? gateway : "", endpoint.defaultRoute6 ? gateway6 : ""].filter(
    (way) => way !== "",
  );
  const text = `${endpoint.interface} is ${own.filter((one) => one !== "").join(" and ")}`;
  return ways.length === 0 ? text : `${text}, and the way out is ${ways.join(" and ")}`;
};

/** The interface is up before its routes: without it, they lead nowhere. */
export const addressMessages = (endpoint: Endpoint): Message[] => {
  const { index, address, prefix, address6, prefix6, linkLocal } = endpoint;
  return [
    setUp(index),
    ...(address === "" ? [] : [addAddress(index, addressBytes(address), prefix)]),
    ...(address6 === "" ? [] : [addAddress(index, addressBytes(address6), prefix6)]),
    ...linkLocal.map((one) => addAddress(index, addressBytes(one), one.includes(":") ? 64 : 16)),
    ...(endpoint.defaultRoute ? [addDefaultRoute(index, addressBytes(endpoint.gateway))] : []),
    ...(endpoint.defaultRoute6 ? [addDefaultRoute(index, addressBytes(endpoint.gateway6))] : []),
  ];
};
