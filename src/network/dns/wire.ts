/** Names and addresses as they stand in DNS messages. */
import { isIPv4, isIPv6 } from "node:net";

/** The numbers of the types that pier itself has something to say about, or looks at. */
export const recordTypes = { a: 1, soa: 6, ptr: 12, aaaa: 28, opt: 41 } as const;

const labelLimit = 63;
const nameLimit = 255;

/** In lower case, for names are looked up so; undefined for a text that is no name. */
export const encodeName = (name: string): Uint8Array | undefined => {
  const labels = name
    .toLowerCase()
    .replace(/\.$/, "")
    .split(".")
    .map((label) => Buffer.from(label, "utf8"));
  if (labels.some(({ length }) => length === 0 || length > labelLimit)) return undefined;
  const wire = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
  return wire.length > nameLimit ? undefined : wire;
};

/** The last four bytes may be written as those of IPv4. */
const withoutDots = (address: string): string =>
  address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a, b, c, d] = parts.slice(0, 4).map(Number) as [number, number, number, number];
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });

const bytesOfIpv6 = (address: string): Uint8Array => {
  const [head = "", tail] = withoutDots(address.replace(/%.*$/, "")).split("::");
  const groupsOf = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const groups = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 255]));
};

/** Four or sixteen bytes; undefined for a text that is no address. */
export const encodeAddress = (address: string): Uint8Array | undefined => {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  return isIPv6(address) ? bytesOfIpv6(address) : undefined;
};

/** The name under which an address is asked for. */
export const reverseName = (address: Uint8Array): string => {
  const bytes = [...address].reverse();
  return address.length === 4
    ? `${bytes.join(".")}.in-addr.arpa`
    : `${bytes.flatMap((byte) => [(byte & 15).toString(16), (byte >>> 4).toString(16)]).join(".")}.ip6.arpa`;
};
