/** What the host's own network looks like, read from /proc: where not to put ours. */
import { readFileSync } from "node:fs";
import { parseAddress, type Subnet } from "./addresses.ts";

export interface HostRoutes {
  /** Every subnet that the host has a route to, but not the default route. */
  readonly subnets: readonly Subnet[];
  /** The interfaces that routes lead out of. */
  readonly interfaces: readonly string[];
  /** The one of the default route. */
  readonly defaultInterface: string | undefined;
}

const bitsOf = (mask: number): number => 32 - Math.round(Math.log2(2 ** 32 - mask));

/** Numbers in this file are in the machine's byte order, whereas the bytes are in the network's. */
const swapped = (hex: string): number => Number.parseInt(hex.replace(/(..)(..)(..)(..)/, "$4$3$2$1"), 16);

/** `/proc/net/route`. */
export const parseRoutes = (text: string): HostRoutes => {
  const rows = text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 8)
    .map((fields) => ({
      device: fields[0]!,
      subnet: { network: swapped(fields[1]!), prefix: bitsOf(swapped(fields[7]!)) },
    }));
  return {
    subnets: rows.map(({ subnet }) => subnet).filter(({ prefix }) => prefix > 0),
    interfaces: [...new Set(rows.map(({ device }) => device))],
    defaultInterface: rows.find(({ subnet }) => subnet.prefix === 0)?.device,
  };
};

/** The nameservers of a `resolv.conf` as subnets of one address. */
export const parseNameserverRoutes = (resolvConf: string): Subnet[] =>
  [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map((match) => parseAddress(match[1]!))
    .filter((address) => address !== undefined)
    .map((network) => ({ network, prefix: 32 }));

/** The file's text, or nothing where there is no such file. */
export const readIfThere = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};
