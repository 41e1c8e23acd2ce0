/**
 * The nftables table `pier`: base chains made once, and sets and maps for what changes. Publishing a port is one element
 * of a map, a network one element of a few sets. Nothing in it names a single network or container but its elements.
 * There is one for IPv4, and one like it for IPv6.
 */
import {
  type AddressFamily,
  accept,
  back,
  ctState,
  ctStatus,
  destinationAddress,
  destinationNat,
  destinationPort,
  drop,
  type Expression,
  hasCt,
  interfaceName,
  isEqual,
  isLocalDestination,
  jump,
  lookup,
  masquerade,
  meta,
  sourceAddress,
} from "../kernel/netlink/expressions.ts";
import { be16, type Message } from "../kernel/netlink/message.ts";
import {
  addChain,
  addElements,
  addRule,
  addSet,
  addTable,
  concatenation,
  type DataType,
  flushChain,
  flushSet,
  type Hook,
  rangeElements,
  type SetElement,
  type SetShape,
  type Table,
} from "../kernel/netlink/nftables.ts";
import { addressBytes, bytesOf, parseSubnet, sizeOf } from "./addresses.ts";
import type { Endpoint, PublishedPort } from "./endpoint.ts";
import { familyOf, isAny, isLoopback, wayOf } from "./published.ts";
import type { NetworkRecord } from "./record.ts";

const setsFor = (address: DataType) =>
  ({
    /** The subnets of our networks. */
    subnets: { key: [address], interval: true },
    /** Those of them that the host's address stands for outside. */
    masqueraded: { key: [address], interval: true },
    /** Our bridges. */
    bridges: { key: ["interfaceName"] },
    /** The bridges of internal networks. */
    internal: { key: ["interfaceName"] },
    /** Pairs of bridges between which packets may pass: each network with itself, unless its containers are kept apart. */
    bridged: { key: ["interfaceName", "interfaceName"] },
    /** The host's interfaces that were there when pier turned forwarding on: nothing is passed on between them. */
    apart: { key: ["interfaceName"] },
    /** Ports of every address of the host. */
    published: { key: ["protocol", "port"], value: [address, "port"] },
    /** Ports of one address of the host. */
    publishedAt: { key: [address, "protocol", "port"], value: [address, "port"] },
    /** Ports of the loopback addresses, which no packet from outside may reach. */
    loopback: { key: [address, "protocol", "port"] },
  }) as const satisfies Record<string, SetShape>;
const sets = { ip: setsFor("ipv4Address"), ip6: setsFor("ipv6Address") };
type SetName = keyof (typeof sets)["ip"];
const setNames = Object.keys(sets.ip) as SetName[];

const set = (name: SetName, options: { from?: number; to?: number; isNot?: boolean } = {}): Expression =>
  lookup(name, options);
const isFromLoopback = [meta("iifname"), isEqual(interfaceName("lo"))];
const isFromOurs = [meta("iifname"), set("bridges")];
const isToOurs = [meta("oifname"), set("bridges")];

interface Chain {
  readonly hook?: Hook;
  readonly rules: readonly (readonly Expression[])[];
}

/** How many registers an address takes, and what loopback addresses begin with. */
const shapes = {
  ip: { registers: 1, loopback: Uint8Array.of(127) },
  ip6: { registers: 4, loopback: addressBytes("::1") },
} as const;

/** A chain stands above those that jump to it. One rule serves all networks: what they are is in the sets. */
const chainsFor = (family: AddressFamily): Readonly<Record<string, Chain>> => {
  const { registers, loopback } = shapes[family];
  const target = [destinationAddress(family), meta("l4proto", registers), destinationPort(registers + 1)];
  return {
    // Before anything is rewritten: what is published on a loopback address alone cannot be reached by a neighbour who sends
    // us packets for it, also where another program has set route_localnet (CVE-2020-8558).
    guard: {
      hook: { type: "filter", hook: "prerouting", priority: -300 },
      rules: [
        [...isFromLoopback, accept],
        [...target, set("loopback"), drop],
      ],
    },
    // Nor can a container's own address (moby#41872, moby#45610): from here on, only ports that were published lead to
    // containers. Behind the tracking of connections, for where no address of the host stands for them they have answers.
    entrance: {
      hook: { type: "filter", hook: "prerouting", priority: -150 },
      rules: [
        [...isFromLoopback, accept],
        [...isFromOurs, accept],
        [destinationAddress(family), set("subnets"), ...hasCt("state", ctState.established | ctState.related), accept],
        [destinationAddress(family), set("subnets"), drop],
      ],
    },
    // Loopback addresses are served by the keeper's relay: rewritten here, they would need route_localnet.
    publish: {
      rules: [
        [destinationAddress(family), isEqual(loopback), back],
        [...target, set("publishedAt", { to: 0 }), destinationNat(family)],
        [
          ...isLocalDestination(),
          meta("l4proto"),
          destinationPort(1),
          set("published", { to: 0 }),
          destinationNat(family),
        ],
      ],
    },
    prerouting: { hook: { type: "nat", hook: "prerouting", priority: -100 }, rules: [[jump("publish")]] },
    output: { hook: { type: "nat", hook: "output", priority: -100 }, rules: [[jump("publish")]] },
    // Inside a subnet only what came through a published port: the other container would answer past us.
    postrouting: {
      hook: { type: "nat", hook: "postrouting", priority: 100 },
      rules: [
        [sourceAddress(family), set("masqueraded"), meta("oifname"), set("bridges", { isNot: true }), masquerade],
        [
          sourceAddress(family),
          set("subnets"),
          destinationAddress(family),
          set("subnets"),
          ...hasCt("status", ctStatus.dnat),
          masquerade,
        ],
      ],
    },
    forward: {
      hook: { type: "filter", hook: "forward", priority: 0 },
      rules: [
        [...hasCt("state", ctState.established | ctState.related), accept],
        [meta("iifname", 0), meta("oifname", 4), set("bridged"), accept],
        [meta("iifname"), set("internal"), drop],
        [...isToOurs, ...hasCt("status", ctStatus.dnat), accept],
        [...isToOurs, drop],
        [meta("iifname"), set("apart"), meta("oifname"), set("apart"), drop],
      ],
    },
  };
};

/** The table with its chains and empty sets; whatever was in it before is gone. */
export const tableChanges = (table: Table): Message[] => [
  addTable(table),
  ...setNames.flatMap((name, index) => [
    addSet(table, name, index + 1, sets[table.family][name]),
    flushSet(table, name),
  ]),
  ...Object.entries(chainsFor(table.family)).flatMap(([name, { hook, rules }]) => [
    addChain(table, name, hook),
    flushChain(table, name),
    ...rules.map((expressions) => addRule(table, name, expressions)),
  ]),
];

/** How elements are changed: with `addElements` or `deleteElements`. */
type Change = (table: Table, set: string, elements: readonly SetElement[]) => Message;

/** By them a network's packets are passed on among its own, and masqueraded elsewhere, as far as that is to be. */
export const networkElements = (table: Table, network: NetworkRecord, change: Change): Message[] => {
  const { interface: bridge, ipv4, ipv6, internal, icc, masquerade: isMasqueraded } = network;
  const pool = table.family === "ip" ? ipv4 : ipv6;
  const name = { key: interfaceName(bridge) };
  const range = pool === undefined ? [] : subnetElements(pool.subnet);
  return [
    change(table, "bridges", [name]),
    ...(internal ? [change(table, "internal", [name])] : []),
    ...(icc ? [change(table, "bridged", [{ key: concatenation(name.key, name.key) }])] : []),
    ...(range.length === 0 ? [] : [change(table, "subnets", range)]),
    ...(range.length === 0 || internal || !isMasqueraded ? [] : [change(table, "masqueraded", range)]),
  ];
};

const subnetElements = (text: string): SetElement[] => {
  const subnet = parseSubnet(text)!;
  const { family, network } = subnet;
  const end = network + sizeOf(subnet);
  const isLast = end >> (family === 4 ? 32n : 128n) > 0n;
  return rangeElements(bytesOf({ family, value: network }), isLast ? undefined : bytesOf({ family, value: end }));
};

/** Nothing is passed on between these interfaces. */
export const apartElements = (table: Table, interfaces: readonly string[]): Message[] =>
  interfaces.length === 0
    ? []
    : [
        addElements(
          table,
          "apart",
          interfaces.map((name) => ({ key: interfaceName(name) })),
        ),
      ];

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;
export const protocolNumber = (port: PublishedPort): number => protocolNumbers[port.protocol];

/** Undefined for a port that the kernel does not forward: its own socket serves it, wherever it is reached from. */
const elementOf = (port: PublishedPort, endpoint: Endpoint): { set: SetName; element: SetElement } | undefined => {
  const local = [Uint8Array.of(protocolNumber(port)), be16(port.hostPort)] as const;
  const at = concatenation(addressBytes(port.hostAddress), ...local);
  if (isLoopback(port.hostAddress)) {
    // What comes from outside for ::1 the kernel drops by itself.
    return familyOf(port.hostAddress) === "ip" ? { set: "loopback", element: { key: at } } : undefined;
  }
  const way = wayOf(port, endpoint);
  if (way?.by !== "kernel") return undefined;
  const value = concatenation(addressBytes(way.address), be16(port.containerPort));
  return isAny(port.hostAddress)
    ? { set: "published", element: { key: concatenation(...local), value } }
    : { set: "publishedAt", element: { key: at, value } };
};

/** One message for each set of the table that these ports of the container touch. */
export const portElements = (
  table: Table,
  endpoint: Endpoint,
  ports: readonly PublishedPort[],
  change: Change,
): Message[] => {
  const elements = ports
    .filter((port) => familyOf(port.hostAddress) === table.family)
    .map((port) => elementOf(port, endpoint))
    .filter((found) => found !== undefined);
  return [...Map.groupBy(elements, ({ set }) => set)].map(([name, group]) =>
    change(
      table,
      name,
      group.map(({ element }) => element),
    ),
  );
};
