/** Addresses of both families as numbers, and subnets of them. */
import { isIPv4, isIPv6 } from "node:net";

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

export interface Subnet {
  readonly family: Family;
  /** Its first address. */
  readonly network: bigint;
  /** In bits. */
  readonly prefix: number;
}

const bitsOf = { 4: 32, 6: 128 } as const;

const fromGroups = (groups: readonly number[], bits: bigint): bigint =>
  groups.reduce((value, group) => (value << bits) | BigInt(group), 0n);

/** An address of eight groups; the last four bytes may be written like IPv4. */
const parseGroups = (text: string): bigint => {
  const groups = (part: string | undefined): number[] =>
    (part ?? "").split(":").flatMap((word) => {
      if (word === "") return [];
      if (!word.includes(".")) return [Number.parseInt(word, 16)];
      const [a = 0, b = 0, c = 0, d = 0] = word.split(".").map(Number);
      return [a * 256 + b, c * 256 + d];
    });
  const [before, after] = text.split("::");
  const [first, last] = [groups(before), groups(after)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return fromGroups([...first, ...zeros, ...last], 16n);
};

/** Undefined for anything but an address: no prefix, no zone. */
export const parseAddress = (text: string): Address | undefined => {
  if (isIPv4(text)) return { family: 4, value: fromGroups(text.split(".").map(Number), 8n) };
  if (isIPv6(text) && !text.includes("%")) return { family: 6, value: parseGroups(text) };
  return undefined;
};

/** The shortest form, as RFC 5952 has it. */
export const formatAddress = ({ family, value }: Address): string => {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
  const text = groups.join(":");
  const [longest] = [...text.matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  if (longest === undefined) return text;
  return `${text.slice(0, longest.index).replace(/:$/, "")}::${text.slice(longest.index + longest[0].length).replace(/^:/, "")}`;
};

/** In the network's order: 4 or 16. */
export const bytesOf = ({ family, value }: Address): Uint8Array => {
  const bytes = new Uint8Array(bitsOf[family] / 8);
  for (let index = bytes.length - 1, rest = value; index >= 0; index--, rest >>= 8n) bytes[index] = Number(rest & 255n);
  return bytes;
};

/** The bytes of an address that was parsed before. */
export const addressBytes = (text: string): Uint8Array => {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`not an address: ${text}`);
  return bytesOf(address);
};

export const sizeOf = ({ family, prefix }: Subnet): bigint => 1n << BigInt(bitsOf[family] - prefix);

export const hasAddress = (subnet: Subnet, { family, value }: Address): boolean =>
  family === subnet.family && value >= subnet.network && value < subnet.network + sizeOf(subnet);

const firstOf = ({ family, network }: Subnet): Address => ({ family, value: network });

export const overlaps = (a: Subnet, b: Subnet): boolean => hasAddress(a, firstOf(b)) || hasAddress(b, firstOf(a));

/** `172.18.0.0/16`; bits behind the prefix are cut off. */
export const parseSubnet = (text: string): Subnet | undefined => {
  const [, written = "", bits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseAddress(written);
  const prefix = Number(bits);
  if (address === undefined || bits === "" || prefix > bitsOf[address.family]) return undefined;
  const shift = BigInt(bitsOf[address.family] - prefix);
  return { family: address.family, network: (address.value >> shift) << shift, prefix };
};

export const formatSubnet = (subnet: Subnet): string => `${formatAddress(firstOf(subnet))}/${subnet.prefix}`;

/** A locally administered MAC that follows from the address: whoever knew the address's last owner need not ask again. */
export const macOf = (address: Address): Uint8Array => Uint8Array.of(0x02, 0x42, ...bytesOf(address).slice(-4));

export const formatMac = (mac: Uint8Array): string =>
  Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");

export const parseMac = (text: string): Uint8Array | undefined =>
  /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)
    ? Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16))
    : undefined;
