/** How a container's network comes to have a resolver at 127.0.0.11, as steps. */
import {
  destinationAddress,
  destinationPort,
  type Expression,
  isEqual,
  meta,
  setPort,
  sourceAddress,
  sourcePort,
} from "../../kernel/netlink/expressions.ts";
import { be16, type Message } from "../../kernel/netlink/message.ts";
import { addChain, addRule, addTable, flushChain, type Table } from "../../kernel/netlink/nftables.ts";
import type { Step } from "../../kernel/steps.ts";
import { firewallStep, tolerated } from "../steps.ts";

/** Where containers of user networks ask, as in Docker. */
export const resolverAddress = "127.0.0.11";
const resolver = Uint8Array.of(127, 0, 0, 11);
const domainPort = 53;
const ports = { first: 32_768, count: 28_232 } as const;

/** The port of 127.0.0.11 that a container is answered at: any, but the same for the same container. */
export const resolverPort = (container: string): number =>
  ports.first + (Number.parseInt(container.slice(0, 8), 16) % ports.count);

export interface NameSteps {
  readonly outside: readonly Step[];
  readonly inside: readonly Step[];
}

/** Holds afterwards: who asks 127.0.0.11 in the container is answered from the table; who serves port 53 keeps it. */
export const planNames = (port: number, table: string): NameSteps => ({
  outside: [
    {
      step: "answerNames",
      datagrams: "names by datagrams",
      streams: "names by streams",
      port,
      table,
      // One that was in such a network before is answered already.
      tolerate: tolerated(["EADDRINUSE"]),
      why: "whoever asks for names in the container is answered here, also while no daemon runs",
    },
  ],
  inside: [
    firewallStep(
      `port ${domainPort} of ${resolverAddress} is ${port}, and a server of the container's own keeps port ${domainPort}`,
      redirection(port),
    ),
  ],
});

const chain = "names";
const protocols = { udp: 17, tcp: 6 } as const;

/**
 * Rewritten in the packet, there and back, and tracked by nobody: a connection for each question would fill the kernel's
 * table of them.
 */
const redirection = (port: number): Message[] => {
  // Not a name that a container would give to a table of its own.
  const table: Table = { family: "ip", name: "pier-names" };
  return [
    addTable(table),
    addChain(table, chain, { type: "filter", hook: "output", priority: -300 }),
    flushChain(table, chain),
    ...(["udp", "tcp"] as const).flatMap((protocol) =>
      rulesFor(protocol, port).map((rule) => addRule(table, chain, rule)),
    ),
  ];
};

const rulesFor = (protocol: keyof typeof protocols, port: number): Expression[][] => {
  const isProtocol = [meta("l4proto"), isEqual(Uint8Array.of(protocols[protocol]))];
  return [
    [
      ...isProtocol,
      destinationAddress("ip"),
      isEqual(resolver),
      destinationPort(),
      isEqual(be16(domainPort)),
      ...setPort("destination", protocol, port),
    ],
    [
      ...isProtocol,
      sourceAddress("ip"),
      isEqual(resolver),
      sourcePort(),
      isEqual(be16(port)),
      ...setPort("source", protocol, domainPort),
    ],
  ];
};
