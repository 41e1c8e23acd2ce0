/** The subnets that the host uses already: where not to put ours. */
import { parseAddress, type Subnet } from "./addresses.ts";

export interface Route {
  readonly interface: string;
  /** Of prefix 0: the default route. */
  readonly subnet: Subnet;
}

const bitsOf = (mask: number): number => 32 - Math.round(Math.log2(2 ** 32 - mask));

/** Numbers in this file are in the machine's byte order, whereas the bytes are in the network's. */
const swapped = (hex: string): number => Number.parseInt(hex.replace(/(..)(..)(..)(..)/, "$4$3$2$1"), 16);

/** `/proc/net/route`. */
export const parseRoutes = (text: string): Route[] =>
  text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 8)
    .map((fields) => ({
      interface: fields[0]!,
      subnet: { family: 4, network: BigInt(swapped(fields[1]!)), prefix: bitsOf(swapped(fields[7]!)) },
    }));

/** `/proc/net/ipv6_route`, without what every host has: its loopback, link-local addresses and multicast. */
export const parseRoutes6 = (text: string): Route[] =>
  text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 10 && fields[9] !== "lo" && !/^(fe8|ff)/.test(fields[0]!))
    .map((fields) => ({
      interface: fields[9]!,
      subnet: { family: 6, network: BigInt(`0x${fields[0]}`), prefix: Number.parseInt(fields[1]!, 16) },
    }));

/** The nameservers of a `resolv.conf` as subnets of one address. */
export const parseNameserverRoutes = (resolvConf: string): Subnet[] =>
  [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map((match) => parseAddress(match[1]!))
    .filter((address) => address !== undefined)
    .map(({ family, value }) => ({ family, network: value, prefix: family === 4 ? 32 : 128 }));
