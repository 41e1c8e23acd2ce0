/** Which subnets networks are given, and which of their addresses containers are. */
import { type Address, type Family, hasAddress, overlaps, parseSubnet, type Subnet, sizeOf } from "./addresses.ts";

/** Docker's `default-address-pools`: subnets of this size are cut out of the base. */
export interface AddressPool {
  readonly base: Subnet;
  /** The prefix of each subnet. */
  readonly size: number;
}

const pool = (base: string, size: number): AddressPool => ({ base: parseSubnet(base)!, size });

/** Docker's own: 172.17 to 172.31, and then sixteen parts of 192.168. */
export const defaultPools: readonly AddressPool[] = [
  ...Array.from({ length: 15 }, (_, index) => pool(`172.${17 + index}.0.0/16`, 16)),
  pool("192.168.0.0/16", 20),
];

/** `base=10.10.0.0/16,size=24`; undefined for anything else. A family has at most 2^20 subnets in a pool. */
export const parseAddressPool = (text: string): AddressPool | undefined => {
  const [, written = "", size = ""] = /^base=([^,]+),size=(\d{1,3})$/.exec(text) ?? [];
  const base = parseSubnet(written);
  const bits = Number(size) - (base?.prefix ?? 0);
  const isPool = base !== undefined && bits >= 0 && bits <= 20 && Number(size) <= (base.family === 4 ? 32 : 128);
  return isPool ? { base, size: Number(size) } : undefined;
};

function* subnetsOf({ base, size }: AddressPool): Generator<Subnet> {
  const step = 1n << BigInt((base.family === 4 ? 32 : 128) - size);
  const end = base.network + sizeOf(base);
  for (let network = base.network; network < end; network += step) {
    yield { family: base.family, network, prefix: size };
  }
}

/** The first subnet of the pools, in their order, that overlaps with nobody's; undefined when there is none. */
export const findSubnet = (
  pools: readonly AddressPool[],
  family: Family,
  foreign: readonly Subnet[],
): Subnet | undefined => {
  for (const one of pools.filter(({ base }) => base.family === family)) {
    for (const subnet of subnetsOf(one)) if (!foreign.some((other) => overlaps(subnet, other))) return subnet;
  }
  return undefined;
};

/** A prefix of our own (RFC 4193), made from 40 bits that nobody else is likely to have, and the number of the network. */
export const uniqueLocalSubnet = (random: bigint, number: bigint): Subnet => ({
  family: 6,
  network: (((0xfdn << 40n) | (random & 0xff_ffff_ffffn)) << 80n) | ((number & 0xffffn) << 64n),
  prefix: 64,
});

/** One family's addresses in a network, as text. */
export interface Pool {
  readonly subnet: string;
  /** "": nobody has it. */
  readonly gateway: string;
  /** Where addresses are chosen from; "": the whole subnet. */
  readonly range: string;
  /** Addresses that somebody else has, by his name. */
  readonly auxiliary: Readonly<Record<string, string>>;
  /** The subnet was asked for: only then can an address be. */
  readonly asked: boolean;
}

/**
 * The first address after the last one given out that is free, round and round, so that an address comes back as late
 * as possible; undefined when all are taken. Never the network's own, nor the broadcast address.
 */
export const findAddress = (
  { subnet: subnetText, range: rangeText }: Pick<Pool, "subnet" | "range">,
  last: Address | undefined,
  isTaken: (address: Address) => boolean,
): Address | undefined => {
  const subnet = parseSubnet(subnetText)!;
  const range = rangeText === "" ? subnet : parseSubnet(rangeText)!;
  const { first, end } = usable(subnet, range);
  const count = end - first;
  const start = last !== undefined && hasAddress(range, last) && last.value >= first ? last.value + 1n - first : 0n;
  for (let step = 0n; step < count; step++) {
    const address = { family: subnet.family, value: first + ((start + step) % count) };
    if (!isTaken(address)) return address;
  }
  return undefined;
};

/** From the first on, and before the end. A subnet of one or two addresses has neither a name of its own nor a broadcast. */
const usable = (subnet: Subnet, range: Subnet): { first: bigint; end: bigint } => {
  const end = range.network + sizeOf(range);
  const isTiny = sizeOf(subnet) <= 2n;
  const isFirst = range.network === subnet.network && !isTiny;
  const isLast = end === subnet.network + sizeOf(subnet) && subnet.family === 4 && !isTiny;
  return { first: range.network + (isFirst ? 1n : 0n), end: isLast ? end - 1n : end };
};

/** The gateway that a network has where none was asked for: its first address. */
export const firstAddress = (subnet: Subnet): Address => ({
  family: subnet.family,
  value: subnet.network + (sizeOf(subnet) <= 2n ? 0n : 1n),
});
