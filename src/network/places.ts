/** Which addresses and interfaces are whose: a place in a network is found here, held, and let go. */
import { randomBytes } from "node:crypto";
import { type Address, formatAddress, formatMac, hasAddress, macOf, parseAddress, parseSubnet } from "./addresses.ts";
import type { Attachment, Endpoint } from "./endpoint.ts";
import { networkError } from "./errors.ts";
import { findInterfaceIndex, findPorts, hasInterface } from "./host.ts";
import { findAddress, type Pool } from "./pools.ts";
import { defaultNetwork, type NetworkRecord } from "./record.ts";
import { hostInterfaceName, interfaceIndex, isHostInterface } from "./steps.ts";

/** A bridge of Linux has 1,024 of them, and does not use number 0 (linux/net/bridge/br_private.h: BR_MAX_PORTS). */
export const bridgePorts = 1023;

/** The first interface inside; the kernel's tunnel modules may have taken the lowest numbers. */
const firstIndex = 100;
const nameOption = "com.docker.network.endpoint.ifname";

export class Places {
  /** What the names of host interfaces begin with. */
  readonly #prefix: string;
  /** Of all networks: no two of them overlap. */
  readonly #addresses = new Set<string>();
  /** The numbers of the host's interfaces. */
  readonly #indexes = new Set<number>();
  /** How many endpoints a network has, by its id. */
  readonly #counts = new Map<string, number>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** How many endpoints the network has. */
  count(networkId: string): number {
    return this.#counts.get(networkId) ?? 0;
  }

  /** A place that is nobody's, beside those that the container has already. */
  find(network: NetworkRecord, asked: Attachment, others: readonly Endpoint[]): Endpoint {
    if (network.driver === "bridge" && this.#portsTaken(network) >= bridgePorts) {
      throw networkError("networkFull", { name: network.name, ports: bridgePorts });
    }
    const address = this.#find(network, network.ipv4, asked.address, network.last, 4);
    const address6 = this.#find(network, network.ipv6, asked.address6, network.last6, 6);
    const own = address ?? address6;
    if (own === undefined) throw networkError("noAddressLeft", { name: network.name });
    const number = freeNumber(others);
    const isBridge = network.driver === "bridge";
    const leadsOut = (pool: Pool | undefined): string => (network.internal ? "" : (pool?.gateway ?? ""));
    return {
      id: randomBytes(32).toString("hex"),
      network: network.name,
      networkId: network.id,
      driver: network.driver,
      bridge: network.interface,
      bridgeIndex: isBridge ? network.index : (findInterfaceIndex(network.interface) ?? 0),
      interface: asked.driverOptions[nameOption] ?? `eth${number}`,
      index: firstIndex + number,
      hostInterface: isBridge ? hostInterfaceName(this.#prefix, own) : "",
      hostIndex: isBridge ? interfaceIndex(own) : 0,
      address: address === undefined ? "" : formatAddress(address),
      prefix: prefixOf(network.ipv4),
      gateway: leadsOut(network.ipv4),
      address6: address6 === undefined ? "" : formatAddress(address6),
      prefix6: prefixOf(network.ipv6),
      gateway6: leadsOut(network.ipv6),
      linkLocal: asked.linkLocal,
      mac: asked.macAddress === "" ? formatMac(macOf(own)) : asked.macAddress,
      mtu: network.mtu,
      isolated: isBridge && !network.icc,
      defaultRoute: false,
      defaultRoute6: false,
      priority: asked.priority,
      aliases: asked.aliases,
      driverOptions: asked.driverOptions,
      ports: [],
    };
  }

  /** Holds afterwards: no endpoint is given this number of an interface. */
  holdIndex(index: number): void {
    this.#indexes.add(index);
  }

  releaseIndex(index: number): void {
    this.#indexes.delete(index);
  }

  isHeld(index: number): boolean {
    return this.#indexes.has(index);
  }

  hold(endpoint: Endpoint): void {
    for (const address of addressesOf(endpoint)) this.#addresses.add(address);
    if (endpoint.hostIndex !== 0) this.#indexes.add(endpoint.hostIndex);
    this.#counts.set(endpoint.networkId, this.count(endpoint.networkId) + 1);
  }

  release(endpoint: Endpoint): void {
    for (const address of addressesOf(endpoint)) this.#addresses.delete(address);
    this.#indexes.delete(endpoint.hostIndex);
    this.#counts.set(endpoint.networkId, this.count(endpoint.networkId) - 1);
  }

  /** By our endpoints, those too whose interfaces are still to come, and by what others have put there. */
  #portsTaken({ id, interface: bridge }: NetworkRecord): number {
    return this.count(id) + findPorts(bridge).filter((name) => !isHostInterface(this.#prefix, name)).length;
  }

  #find(
    network: NetworkRecord,
    pool: Pool | undefined,
    asked: string,
    last: string,
    family: 4 | 6,
  ): Address | undefined {
    if (pool === undefined) {
      if (asked !== "") throw networkError("addressOutside", { address: asked });
      return undefined;
    }
    if (asked !== "") return this.#checkAsked(network, pool, asked);
    const isName = family === 4 || network.ipv4 === undefined;
    const kept = new Set([pool.gateway, ...Object.values(pool.auxiliary)]);
    const isTaken = (address: Address): boolean => {
      const text = formatAddress(address);
      return kept.has(text) || this.#addresses.has(text) || (isName && this.#indexes.has(interfaceIndex(address)));
    };
    // One whose last owner's interface is not gone yet is only taken where no other is left: the kernel removes the
    // interfaces of namespaces that ended when it comes to it, and whoever waits for nothing has no need to do it himself.
    const after = parseAddress(last);
    const found =
      findAddress(pool, after, (address) => isTaken(address) || (isName && this.#lingers(address))) ??
      findAddress(pool, after, isTaken);
    if (found === undefined) throw networkError("noAddressLeft", { name: network.name });
    return found;
  }

  #checkAsked(network: NetworkRecord, pool: Pool, asked: string): Address {
    if (network.name === defaultNetwork) throw networkError("addressOnDefault", {});
    if (!pool.asked) throw networkError("addressNotConfigured", {});
    const address = parseAddress(asked);
    if (address === undefined || !hasAddress(parseSubnet(pool.subnet)!, address)) {
      throw networkError("addressOutside", { address: asked });
    }
    const text = formatAddress(address);
    if (text === pool.gateway || this.#addresses.has(text)) throw networkError("addressTaken", {});
    return address;
  }

  #lingers(address: Address): boolean {
    return hasInterface(hostInterfaceName(this.#prefix, address));
  }
}

const prefixOf = (pool: Pool | undefined): number => (pool === undefined ? 0 : parseSubnet(pool.subnet)!.prefix);

const addressesOf = ({ address, address6 }: Endpoint): readonly string[] =>
  [address, address6].filter((one) => one !== "");

const freeNumber = (others: readonly Endpoint[]): number => {
  const taken = new Set(others.map(({ index }) => index - firstIndex));
  let number = 0;
  while (taken.has(number)) number++;
  return number;
};
