/**
 * The expressions of nftables rules (`linux/netfilter/nf_tables.h`). Values travel through registers of four bytes,
 * numbered from 0 here; a rule is a list of expressions, and the first one that does not match ends it.
 */
import { type Attribute, be16, be32, text, u32 } from "./message.ts";

export interface Expression {
  readonly name: string;
  readonly attributes: readonly Attribute[];
}

/** NFT_REG32_00: below are the verdict and the older registers of 16 bytes, which overlap with these. */
const firstRegister = 8;
const register = (number: number): Uint8Array => be32(firstRegister + number);
const verdictRegister = be32(0);
const dataValue = 1;
const dataVerdict = 2;

const metaKeys = { iifname: 6, oifname: 7, l4proto: 16 } as const;
const ctKeys = { state: 0, status: 2 } as const;
const networkHeader = 1;
const transportHeader = 2;
const verdicts = { drop: 0, accept: 1, jump: -3, return: -5 } as const;

/** `enum ip_conntrack_status` and nf_tables' masks of `enum ip_conntrack_info`. */
export const ctStatus = { dnat: 1 << 5 } as const;
export const ctState = { established: 1 << 1, related: 1 << 2 } as const;
/** `RTN_LOCAL`: the address is one of the host's. */
const localAddress = 2;

export const meta = (key: keyof typeof metaKeys, to = 0): Expression => ({
  name: "meta",
  attributes: [
    [1, register(to)],
    [2, be32(metaKeys[key])],
  ],
});

const payload = (base: number, offset: number, length: number, to: number): Expression => ({
  name: "payload",
  attributes: [
    [1, register(to)],
    [2, be32(base)],
    [3, be32(offset)],
    [4, be32(length)],
  ],
});

/** Where the addresses stand in a packet, and how long they are. */
const addressFields = { ip: { source: 12, destination: 16, size: 4 }, ip6: { source: 8, destination: 24, size: 16 } };
export type AddressFamily = keyof typeof addressFields;

export const sourceAddress = (family: AddressFamily, to = 0): Expression =>
  payload(networkHeader, addressFields[family].source, addressFields[family].size, to);
export const destinationAddress = (family: AddressFamily, to = 0): Expression =>
  payload(networkHeader, addressFields[family].destination, addressFields[family].size, to);
/** The same two bytes in TCP, UDP and SCTP. */
export const sourcePort = (to = 0): Expression => payload(transportHeader, 0, 2, to);
export const destinationPort = (to = 0): Expression => payload(transportHeader, 2, 2, to);

const portOffsets = { source: 0, destination: 2 } as const;
const checksumOffsets = { udp: 6, tcp: 16 } as const;
const internetChecksum = 1;

/** The port stands in the packet, whose checksum is as it must be then. */
export const setPort = (
  which: keyof typeof portOffsets,
  protocol: keyof typeof checksumOffsets,
  port: number,
): Expression[] => [
  {
    name: "immediate",
    attributes: [
      [1, register(0)],
      [2, [[dataValue, be16(port)]]],
    ],
  },
  {
    name: "payload",
    attributes: [
      [2, be32(transportHeader)],
      [3, be32(portOffsets[which])],
      [4, be32(2)],
      [5, register(0)],
      [6, be32(internetChecksum)],
      [7, be32(checksumOffsets[protocol])],
    ],
  },
];

export const isEqual = (value: Uint8Array, from = 0): Expression => compare(0, value, from);
export const isNotEqual = (value: Uint8Array, from = 0): Expression => compare(1, value, from);
const compare = (operator: number, value: Uint8Array, from: number): Expression => ({
  name: "cmp",
  attributes: [
    [1, register(from)],
    [2, be32(operator)],
    [3, [[dataValue, value]]],
  ],
});

/** A whole interface name, as it stands in a register. */
export const interfaceName = (name: string): Uint8Array => {
  const padded = new Uint8Array(16);
  padded.set(new TextEncoder().encode(name).subarray(0, 15));
  return padded;
};

export const and = (mask: Uint8Array, at = 0): Expression => ({
  name: "bitwise",
  attributes: [
    [1, register(at)],
    [2, register(at)],
    [3, be32(mask.length)],
    [4, [[dataValue, mask]]],
    [5, [[dataValue, new Uint8Array(mask.length)]]],
  ],
});

const ct = (key: keyof typeof ctKeys): Expression => ({
  name: "ct",
  attributes: [
    [1, register(0)],
    [2, be32(ctKeys[key])],
  ],
});

/** The connection has one of these bits. */
export const hasCt = (key: keyof typeof ctKeys, bits: number): Expression[] => [
  ct(key),
  and(u32(bits)),
  isNotEqual(u32(0)),
];

/** What lies from the register on is in the set (or is not); of a map, its value is put into the registers from `to` on. */
export const lookup = (set: string, options: { from?: number; to?: number; isNot?: boolean } = {}): Expression => ({
  name: "lookup",
  attributes: [
    [1, text(set)],
    [2, register(options.from ?? 0)],
    ...(options.to === undefined ? [] : ([[3, register(options.to)]] satisfies Attribute[])),
    ...(options.isNot === true ? ([[5, be32(1)]] satisfies Attribute[]) : []),
  ],
});

/** The destination is one of the host's own addresses. */
export const isLocalDestination = (): Expression[] => [
  {
    name: "fib",
    attributes: [
      [1, register(0)],
      [2, be32(3)],
      [3, be32(1 << 1)],
    ],
  },
  isEqual(u32(localAddress)),
];

const verdict = (code: number, chain?: string): Expression => ({
  name: "immediate",
  attributes: [
    [1, verdictRegister],
    [2, [[dataVerdict, [[1, be32(code)], ...(chain === undefined ? [] : ([[2, text(chain)]] satisfies Attribute[]))]]]],
  ],
});

export const accept = verdict(verdicts.accept);
export const drop = verdict(verdicts.drop);
export const back = verdict(verdicts.return);
export const jump = (chain: string): Expression => verdict(verdicts.jump, chain);

const familyNumbers = { ip: 2, ip6: 10 } as const;

/** The packet goes to the address and port in the registers from `from` on. */
export const destinationNat = (family: AddressFamily, from = 0): Expression => ({
  name: "nat",
  attributes: [
    [1, be32(1)],
    [2, be32(familyNumbers[family])],
    [3, register(from)],
    [5, register(from + addressFields[family].size / 4)],
  ],
});

/** The packet comes from the address of the interface that it leaves by. */
export const masquerade: Expression = { name: "masq", attributes: [] };
