/** IPv4 addresses as numbers of 32 bits, and subnets of them. */
import { isIPv4 } from "node:net";

export interface Subnet {
  readonly network: number;
  /** In bits. */
  readonly prefix: number;
}

/** Undefined for anything but dotted IPv4. */
export const parseAddress = (text: string): number | undefined =>
  isIPv4(text) ? text.split(".").reduce((address, byte) => address * 256 + Number(byte), 0) : undefined;

export const formatAddress = (address: number): string =>
  [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join(".");

const sizeOf = (subnet: Subnet): number => 2 ** (32 - subnet.prefix);

const hasAddress = (subnet: Subnet, address: number): boolean =>
  address >= subnet.network && address < subnet.network + sizeOf(subnet);

export const overlaps = (a: Subnet, b: Subnet): boolean => hasAddress(a, b.network) || hasAddress(b, a.network);

export const gatewayOf = (subnet: Subnet): number => subnet.network + 1;

/** The first subnet of each pool, the number of them, and their prefix: Docker's `default-address-pools`. */
const pools = [
  { first: "172.17.0.0", count: 15, prefix: 16 },
  { first: "192.168.0.0", count: 16, prefix: 20 },
] as const;

/** The subnets that a network may be given, in the order in which they are tried. */
export const defaultSubnets: readonly Subnet[] = pools.flatMap(({ first, count, prefix }) =>
  Array.from({ length: count }, (_, index) => ({
    network: parseAddress(first)! + index * 2 ** (32 - prefix),
    prefix,
  })),
);

/**
 * The first address after the last one given out that is free, round and round, so that an address comes back as late
 * as possible; undefined when all are taken. Never the network's own, the gateway's or the broadcast address.
 */
export const findAddress = (
  subnet: Subnet,
  last: number,
  isTaken: (address: number) => boolean,
): number | undefined => {
  const first = gatewayOf(subnet) + 1;
  const count = sizeOf(subnet) - 3;
  const start = last >= first && last < first + count ? last + 1 - first : 0;
  for (let step = 0; step < count; step++) {
    const address = first + ((start + step) % count);
    if (!isTaken(address)) return address;
  }
  return undefined;
};

/** A locally administered MAC that follows from the address: whoever knew the address's last owner need not ask again. */
export const macOf = (address: number): Uint8Array =>
  Uint8Array.of(0x02, 0x42, address >>> 24, address >>> 16, address >>> 8, address);

export const formatMac = (mac: Uint8Array): string =>
  Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");

export const parseMac = (text: string): Uint8Array | undefined =>
  /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)
    ? Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16))
    : undefined;
