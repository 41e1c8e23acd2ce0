/** What the kernel is told about bridges and endpoints, as steps. */
import { encodeForget } from "../kernel/netlink/conntrack.ts";
import { be32, type EncodedMessages } from "../kernel/netlink/message.ts";
import {
  addElements,
  deleteElements,
  encodeBatch,
  encodeIsTable,
  netfilterProtocol,
} from "../kernel/netlink/nftables.ts";
import {
  addAddress,
  addBridge,
  addDefaultRoute,
  addVeth,
  deleteLink,
  encodeRoute,
  raiseLink,
  routeProtocol,
  setHairpin,
  setMaster,
  setUp,
} from "../kernel/netlink/rtnetlink.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { macOf, parseAddress, parseMac, type Subnet } from "./addresses.ts";
import type { Endpoint, PublishedPort } from "./endpoint.ts";
import { apartElements, networkElements, portElements, protocolNumber, tableChanges } from "./firewall.ts";

/** What of the host the plans depend on. */
export interface NetworkHost {
  /** The nftables table, and what the names of all bridges and host interfaces begin with. */
  readonly name: string;
  /** The kernel speaks IPv6 too. */
  readonly ipv6: boolean;
  /** Packets are not passed on between these interfaces of the host. */
  readonly apart: readonly string[];
}

export interface Bridge {
  readonly name: string;
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly mtu: number;
}

const tolerated = (...names: (keyof typeof errnos)[]): number[] => names.map((name) => errnos[name].number);
const route = (messages: EncodedMessages) => ({ step: "netlink", protocol: routeProtocol, ...messages }) as const;
const netfilter = (messages: EncodedMessages) =>
  ({ step: "netlink", protocol: netfilterProtocol, ...messages }) as const;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const addressOf = (text: string): number => parseAddress(text)!;

/**
 * The number of a host interface follows from its address, so that all messages about it can be written before it
 * exists and sent at once. Numbers that the kernel gives count up from 1 and do not get here.
 */
export const interfaceIndex = (address: number): number => 0x4000_0000 + (address & 0x3fff_ffff);

/** The number of `eth0` in the container; the kernel's tunnel modules may have taken the lowest ones. */
const containerIndex = (name: string): number => 100 + Number(/\d+$/.exec(name)?.[0] ?? 0);

const loopbackIndex = 1;
/** Told from the container's MAC by one bit; given by us, because udev would replace one that the kernel made up. */
const hostMac = (address: number): Uint8Array => macOf(address).with(0, 0x06);

export const hostInterfaceName = (name: string, address: number): string =>
  `${name}${address.toString(16).padStart(8, "0")}`;

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
  const firewall = [
    ...tableChanges(host.name),
    ...networkElements(host.name, bridge.name, bridge.subnet),
    ...apartElements(host.name, host.apart),
    ...endpoints.flatMap((endpoint) => portElements(host.name, endpoint.address, endpoint.ports, addElements)),
  ];
  return {
    outside: [
      ...(found === undefined || found === index ? [] : removeStranger(bridge.name)),
      {
        ...route(encodeRoute([addBridge({ name: bridge.name, index, mac: macOf(bridge.gateway), mtu: bridge.mtu })])),
        tolerate: tolerated("EEXIST"),
        why: `the bridge ${bridge.name} exists`,
      },
      ...bridgeSettings(bridge.name),
      {
        ...route(encodeRoute([setUp(index), addAddress(index, bridge.gateway, bridge.subnet.prefix)])),
        tolerate: tolerated("EEXIST"),
        why: "the bridge is up and has the gateway's address",
      },
      ...(found === index ? [] : endpoints.map((endpoint) => reattach(endpoint, index))),
      { ...netfilter(encodeBatch(firewall)), why: "the firewall's table is as it shall be" },
      {
        step: "write",
        path: "/proc/sys/net/ipv4/ip_forward",
        content: bytesOf("1"),
        why: "the host passes packets on between its networks and the containers",
      },
    ],
    inside: [],
    after: [],
  };
};

const removeStranger = (name: string): Step[] => [
  { ...route(encodeRoute([deleteLink(name)])), why: `${name} is not the bridge that pier made` },
];

/** Written before the bridge has an address. With IPv6 off on it, no container's router advertisement reaches the host (CVE-2020-13401); route_localnet would let containers reach what listens on the host's loopback (CVE-2020-8558). */
const bridgeSettings = (bridge: string): Step[] =>
  [
    { path: `ipv6/conf/${bridge}/accept_ra`, value: "0", why: "the host believes no container about routes" },
    { path: `ipv6/conf/${bridge}/disable_ipv6`, value: "1", why: "the bridge has no IPv6" },
    { path: `ipv4/conf/${bridge}/route_localnet`, value: "0", why: "containers do not reach the host's loopback" },
  ].map(({ path, value, why }) => ({
    step: "write",
    path: `/proc/sys/net/${path}`,
    content: bytesOf(value),
    tolerate: tolerated("ENOENT"),
    why,
  }));

const reattach = (endpoint: Endpoint, master: number): Step => ({
  ...route(
    encodeRoute([
      setMaster(interfaceIndex(addressOf(endpoint.address)), master),
      setHairpin(interfaceIndex(addressOf(endpoint.address))),
    ]),
  ),
  tolerate: tolerated("ENODEV"),
  why: `the running container at ${endpoint.address} is at the bridge again`,
});

/** What a container's plan has about its network. */
export interface NetworkSteps {
  /** After the clone, before the child goes past `points.network`. */
  readonly outside: readonly Step[];
  /** After `points.network`. */
  readonly inside: readonly Step[];
  /** The pair of interfaces is not in it: it goes with the container's namespace, and deleting it costs 20 ms and more. */
  readonly after: readonly Step[];
}

/** Holds afterwards: the container has its interface, address and routes, and the host's ports lead to it. */
export const planEndpoint = (endpoint: Endpoint, host: NetworkHost): NetworkSteps => {
  const { ports } = endpoint;
  return {
    outside: [
      ...ports.map(bindPort),
      connectStep(endpoint, host),
      ports.length === 0 ? checkStep(host) : publishStep(endpoint, host),
      ...ports.map((port) => relayStep(endpoint, port)),
    ],
    inside: insideSteps(endpoint, host),
    after: ports.length === 0 ? [] : withdrawSteps(endpoint, host),
  };
};

/** Holds afterwards: the container's loopback interface is up, and it has no other. */
export const planLoopback = (): NetworkSteps => ({
  outside: [],
  inside: [{ ...route(encodeRoute([setUp(loopbackIndex)])), why: "the loopback interface is up" }],
  after: [],
});

const nameOf = (port: PublishedPort): string => `${port.hostAddress}:${port.hostPort}/${port.protocol}`;
/** Which slot of the plan holds the port's socket. */
export const slotOf = (port: PublishedPort): string => `port ${nameOf(port)}`;

const bindPort = (port: PublishedPort): Step => ({
  step: "bindPort",
  slot: slotOf(port),
  protocol: protocolNumber(port),
  address: be32(addressOf(port.hostAddress)),
  port: port.hostPort,
  why: `${nameOf(port)} is ours: a clash is seen here, and nobody gets it while the container runs`,
});

const connectStep = (endpoint: Endpoint, host: NetworkHost): Step => {
  const address = addressOf(endpoint.address);
  const index = interfaceIndex(address);
  const messages = [
    addVeth(
      {
        name: endpoint.hostInterface,
        index,
        mac: hostMac(address),
        mtu: endpoint.mtu,
        master: interfaceIndex(addressOf(endpoint.gateway)),
      },
      {
        name: endpoint.interface,
        index: containerIndex(endpoint.interface),
        mac: parseMac(endpoint.mac)!,
        mtu: endpoint.mtu,
      },
    ),
    // On a kernel without IPv6 the first is refused as unknown.
    host.ipv6 ? raiseLink(index) : setUp(index),
    setHairpin(index),
  ];
  return {
    ...route(encodeRoute(messages)),
    why: `a pair of interfaces: ${endpoint.hostInterface} at ${endpoint.bridge}, ${endpoint.interface} in the container`,
  };
};

const publishStep = (endpoint: Endpoint, host: NetworkHost): Step => ({
  ...netfilter(encodeBatch(portElements(host.name, endpoint.address, endpoint.ports, addElements))),
  why: `${endpoint.ports.map(nameOf).join(", ")} lead to ${endpoint.address}`,
});

/** Rules are flushed by hand and by other programs' reloads; without them the container would reach nobody. */
const checkStep = (host: NetworkHost): Step => ({
  ...netfilter(encodeIsTable(host.name)),
  why: `the firewall's table ${host.name} is there`,
});

const relayStep = (endpoint: Endpoint, port: PublishedPort): Step => ({
  step: "relay",
  slot: slotOf(port),
  protocol: protocolNumber(port),
  address: be32(addressOf(endpoint.address)),
  port: port.containerPort,
  why: `${nameOf(port)} works from the host's loopback addresses too, without route_localnet`,
});

const insideSteps = (endpoint: Endpoint, host: NetworkHost): Step[] => {
  const index = containerIndex(endpoint.interface);
  const address = addressOf(endpoint.address);
  const ipv6: Step[] = host.ipv6
    ? [
        {
          step: "sysctl",
          name: `net.ipv6.conf.${endpoint.interface}.disable_ipv6`,
          value: "1",
          tolerate: tolerated("ENOENT"),
          why: "a network without IPv6 gives its interfaces none",
        },
      ]
    : [];
  const messages = [
    setUp(loopbackIndex),
    setUp(index),
    addAddress(index, address, endpoint.prefix),
    addDefaultRoute(index, addressOf(endpoint.gateway)),
  ];
  return [
    ...ipv6,
    {
      ...route(encodeRoute(messages)),
      why: `lo is up; ${endpoint.interface} is up as ${endpoint.address}/${endpoint.prefix}, the default route is ${endpoint.gateway}`,
    },
  ];
};

/** A client that goes on sending datagrams would be led to this address for ever, also when the port is published anew. */
const withdrawSteps = (endpoint: Endpoint, host: NetworkHost): Step[] => {
  const udp = endpoint.ports.find(({ protocol }) => protocol === "udp");
  return [
    {
      ...netfilter(encodeBatch(portElements(host.name, endpoint.address, endpoint.ports, deleteElements))),
      tolerate: tolerated("ENOENT"),
      why: `${endpoint.ports.map(nameOf).join(", ")} lead nowhere`,
    },
    ...(udp === undefined
      ? []
      : [
          {
            ...netfilter(encodeForget(addressOf(endpoint.address), protocolNumber(udp))),
            tolerate: tolerated("ENOENT", "EINVAL", "EOPNOTSUPP"),
            why: "the kernel forgets the datagram senders that it led to the container",
          },
        ]),
  ];
};
