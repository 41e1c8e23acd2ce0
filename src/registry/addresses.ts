/** Addresses and names of hosts, as far as what may be sent to them depends on it. */
import { BlockList, isIP } from "node:net";

/** A host without the brackets of an IPv6 address. */
export const bareHost = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

const listOf = (...ranges: readonly (readonly [net: string, prefix: number])[]): BlockList => {
  const list = new BlockList();
  for (const [net, prefix] of ranges) list.addSubnet(net, prefix, isIP(net) === 6 ? "ipv6" : "ipv4");
  return list;
};

const loopback = listOf(["127.0.0.0", 8], ["::1", 128]);
/** Where a machine finds only itself, or its cloud's metadata and the keys in it: loopback, unspecified, link-local. */
const own = listOf(["127.0.0.0", 8], ["0.0.0.0", 8], ["169.254.0.0", 16], ["::", 127], ["fe80::", 10]);

const contains = (list: BlockList, address: string): boolean => {
  // An IPv4 address in IPv6's clothes leads to the same place.
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1] ?? address;
  const version = isIP(mapped);
  return version !== 0 && list.check(mapped, version === 6 ? "ipv6" : "ipv4");
};

export const isLoopback = (host: string): boolean => {
  const bare = bareHost(host);
  return bare === "localhost" || bare.endsWith(".localhost") || contains(loopback, bare);
};

/** Whether an address leads to this machine's own services. */
export const isOwnAddress = (address: string): boolean => contains(own, bareHost(address));

/** Whether `host` is the one of the entry, below the domain of the entry, or in its range of addresses. */
export const matchesHost = (entry: string, host: string, port: string): boolean => {
  const bare = bareHost(host).toLowerCase();
  if (entry === "*") return true;
  const range = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/.exec(entry);
  if (range !== null) {
    const version = isIP(range[1]!);
    const prefix = Number(range[2]);
    if (version === 0 || prefix > (version === 6 ? 128 : 32)) return false;
    return contains(listOf([range[1]!, prefix]), bare);
  }
  const withPort = /^(.*[^:]):(\d+)$/.exec(entry);
  const isAddress = isIP(bareHost(entry)) !== 0;
  const [name, wanted] = withPort === null || isAddress ? [entry, undefined] : [withPort[1]!, withPort[2]];
  if (wanted !== undefined && wanted !== port) return false;
  const domain = bareHost(name).replace(/^\*?\./, "");
  return bare === domain || (!isAddress && bare.endsWith(`.${domain}`));
};
