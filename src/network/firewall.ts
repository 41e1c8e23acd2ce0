/**
 * The nftables table `pier`: base chains made once, and sets and maps for what changes. Publishing a port is one element
 * of a map. Nothing in it names a single network or container but its elements.
 */
import {
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
  isNotEqual,
  jump,
  lookup,
  masquerade,
  meta,
  namePrefix,
  sourceAddress,
} from "../kernel/netlink/expressions.ts";
import { be16, be32, type Message } from "../kernel/netlink/message.ts";
import {
  addChain,
  addElements,
  addRule,
  addSet,
  addTable,
  concatenation,
  flushChain,
  flushSet,
  type Hook,
  type SetElement,
  type SetShape,
  subnetElements,
} from "../kernel/netlink/nftables.ts";
import { parseAddress, type Subnet } from "./addresses.ts";
import type { PublishedPort } from "./endpoint.ts";

const sets = {
  /** The subnets of our networks. */
  subnets: { key: ["ipv4Address"], interval: true },
  /** Pairs of bridges between which packets may pass: each network with itself. */
  bridged: { key: ["interfaceName", "interfaceName"] },
  /** The host's interfaces that were there when pier turned forwarding on: nothing is passed on between them. */
  apart: { key: ["interfaceName"] },
  /** Ports of every address of the host. */
  published: { key: ["protocol", "port"], value: ["ipv4Address", "port"] },
  /** Ports of one address of the host. */
  publishedAt: { key: ["ipv4Address", "protocol", "port"], value: ["ipv4Address", "port"] },
  /** Ports of the loopback addresses, which no packet from outside may reach. */
  loopback: { key: ["ipv4Address", "protocol", "port"] },
} as const satisfies Record<string, SetShape>;
type SetName = keyof typeof sets;
const setNames = Object.keys(sets) as SetName[];

const set = (name: SetName, options: { from?: number; to?: number } = {}): Expression => lookup(name, options);
const isFromLoopback = [meta("iifname"), isEqual(interfaceName("lo"))];
const destination = [destinationAddress(0), meta("l4proto", 1), destinationPort(2)];

interface Chain {
  readonly hook?: Hook;
  readonly rules: readonly (readonly Expression[])[];
}

/** A chain stands above those that jump to it. The names of all our bridges begin alike: one rule serves all of them. */
const chainsFor = (isOurs: Expression, isNotOurs: Expression): Readonly<Record<string, Chain>> => ({
  // Before anything is rewritten: what is not published, or only on a loopback address, cannot be reached by a
  // neighbour who sends us packets for it (moby#41872, moby#45610, CVE-2020-8558), also where another program has set
  // route_localnet. From here on, only ports that were published lead to containers.
  guard: {
    hook: { type: "filter", hook: "prerouting", priority: -300 },
    rules: [
      [...isFromLoopback, accept],
      [...destination, set("loopback"), drop],
      [meta("iifname"), isOurs, accept],
      [destinationAddress(), set("subnets"), drop],
    ],
  },
  // Loopback addresses are served by the keeper's relay: rewritten here, they would need route_localnet.
  publish: {
    rules: [
      [destinationAddress(), isEqual(Uint8Array.of(127)), back],
      [...destination, set("publishedAt", { to: 0 }), destinationNat()],
      [...isLocalDestination(), meta("l4proto"), destinationPort(1), set("published", { to: 0 }), destinationNat()],
    ],
  },
  prerouting: { hook: { type: "nat", hook: "prerouting", priority: -100 }, rules: [[jump("publish")]] },
  output: { hook: { type: "nat", hook: "output", priority: -100 }, rules: [[jump("publish")]] },
  // Inside a subnet only what came through a published port: the other container would answer past us.
  postrouting: {
    hook: { type: "nat", hook: "postrouting", priority: 100 },
    rules: [
      [sourceAddress(), set("subnets"), meta("oifname"), isNotOurs, masquerade],
      [
        sourceAddress(),
        set("subnets"),
        destinationAddress(),
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
      [meta("oifname"), isOurs, ...hasCt("status", ctStatus.dnat), accept],
      [meta("oifname"), isOurs, drop],
      [meta("iifname"), set("apart"), meta("oifname"), set("apart"), drop],
    ],
  },
});

/** The table of this name with its chains and empty sets; whatever was in it before is gone. */
export const tableChanges = (table: string): Message[] => [
  addTable(table),
  ...setNames.flatMap((name, index) => [addSet(table, name, index + 1, sets[name]), flushSet(table, name)]),
  ...Object.entries(chainsFor(isEqual(namePrefix(table)), isNotEqual(namePrefix(table)))).flatMap(
    ([name, { hook, rules }]) => [
      addChain(table, name, hook),
      flushChain(table, name),
      ...rules.map((expressions) => addRule(table, name, expressions)),
    ],
  ),
];

/** A network's packets are passed on among its own, and masqueraded elsewhere. */
export const networkElements = (table: string, bridge: string, subnet: Subnet): Message[] => [
  addElements(table, "subnets", subnetElements(subnet.network, subnet.prefix)),
  addElements(table, "bridged", [{ key: concatenation(interfaceName(bridge), interfaceName(bridge)) }]),
];

/** Nothing is passed on between these interfaces. */
export const apartElements = (table: string, interfaces: readonly string[]): Message[] =>
  interfaces.length === 0
    ? []
    : [
        addElements(
          table,
          "apart",
          interfaces.map((name) => ({ key: interfaceName(name) })),
        ),
      ];

const protocolNumbers = { tcp: 6, udp: 17 } as const;
export const protocolNumber = (port: PublishedPort): number => protocolNumbers[port.protocol];

const isLoopback = (address: string): boolean => address.startsWith("127.");
const anyAddress = "0.0.0.0";

const elementOf = (address: string, port: PublishedPort): { set: SetName; element: SetElement } => {
  const local = [Uint8Array.of(protocolNumber(port)), be16(port.hostPort)] as const;
  const value = concatenation(be32(parseAddress(address)!), be16(port.containerPort));
  if (port.hostAddress === anyAddress) return { set: "published", element: { key: concatenation(...local), value } };
  const key = concatenation(be32(parseAddress(port.hostAddress)!), ...local);
  if (isLoopback(port.hostAddress)) return { set: "loopback", element: { key } };
  return { set: "publishedAt", element: { key, value } };
};

/** One message for each set that the container's ports touch; made with `addElements` or `deleteElements`. */
export const portElements = (
  table: string,
  address: string,
  ports: readonly PublishedPort[],
  change: (table: string, set: string, elements: readonly SetElement[]) => Message,
): Message[] => {
  const elements = ports.map((port) => elementOf(address, port));
  return [...Map.groupBy(elements, ({ set }) => set)].map(([name, group]) =>
    change(
      table,
      name,
      group.map(({ element }) => element),
    ),
  );
};
