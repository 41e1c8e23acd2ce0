/** What the plans of bridges and endpoints are made of. */
import type { EncodedMessages, Message } from "../kernel/netlink/message.ts";
import { encodeBatch, netfilterProtocol } from "../kernel/netlink/nftables.ts";
import { encodeRoute, routeProtocol } from "../kernel/netlink/rtnetlink.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import type { Step } from "../kernel/steps.ts";
import { type Address, macOf } from "./addresses.ts";

export type ErrorName = keyof typeof errnos;

export const tolerated = (names: readonly ErrorName[]): number[] => names.map((name) => errnos[name].number);

const netlinkStep = (
  why: string,
  protocol: number,
  encoded: EncodedMessages,
  tolerate: readonly ErrorName[],
): Step => ({
  step: "netlink",
  protocol,
  ...encoded,
  ...(tolerate.length === 0 ? {} : { tolerate: tolerated(tolerate) }),
  why,
});

/** Changes of links, addresses and routes, sent together. */
export const routeStep = (why: string, messages: readonly Message[], ...tolerate: ErrorName[]): Step =>
  netlinkStep(why, routeProtocol, encodeRoute(messages), tolerate);

export const netfilterStep = (why: string, encoded: EncodedMessages, ...tolerate: ErrorName[]): Step =>
  netlinkStep(why, netfilterProtocol, encoded, tolerate);

/** Changes of the firewall: all of them or none. */
export const firewallStep = (why: string, changes: readonly Message[], ...tolerate: ErrorName[]): Step =>
  netfilterStep(why, encodeBatch(changes), ...tolerate);

export const settingStep = (name: string, value: string, why: string, ...tolerate: ErrorName[]): Step => ({
  step: "write",
  path: `/proc/sys/net/${name}`,
  content: new TextEncoder().encode(value),
  ...(tolerate.length === 0 ? {} : { tolerate: tolerated(tolerate) }),
  why,
});

/** Begins where no IPv4 address that anybody can have does. */
const otherKeys = 0xf000_0000;

/** What names an endpoint's host interface, in 32 bits: its IPv4 address, or a number made of its IPv6 address. */
export const interfaceKey = ({ family, value }: Address): number =>
  family === 4 ? Number(value) : otherKeys + Number(BigInt.asUintN(28, (value >> 64n) * 2_654_435_761n + value));

/**
 * The number of a host interface follows from its key, so that all messages about it can be written before it exists and
 * sent at once. Numbers that the kernel gives count up from 1 and do not get here.
 */
export const interfaceIndex = (address: Address): number => 0x4000_0000 + (interfaceKey(address) & 0x3fff_ffff);

/** Told from the container's MAC by one bit; given by us, because udev would replace one that the kernel made up. */
export const hostMac = (address: Address): Uint8Array => macOf(address).with(0, 0x06);

export const hostInterfaceName = (name: string, address: Address): string =>
  `${name}${interfaceKey(address).toString(16).padStart(8, "0")}`;

/** Whether it is named as an endpoint's interface. */
export const isHostInterface = (name: string, candidate: string): boolean =>
  candidate.startsWith(name) && /^[0-9a-f]{8}$/.test(candidate.slice(name.length));
