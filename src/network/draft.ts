/** A new network, made of what was asked for and what is free. Pure. */
import { formatAddress, formatSubnet, overlaps, parseAddress, parseSubnet, type Subnet } from "./addresses.ts";
import type { NetworkRequest, PoolRequest } from "./create.ts";
import { networkError } from "./errors.ts";
import { type AddressPool, findAddress, findSubnet, type Pool, uniqueLocalSubnet } from "./pools.ts";
import type { NetworkRecord } from "./record.ts";
import { interfaceIndex } from "./steps.ts";

/** What of the host and of the other networks a new one depends on. */
export interface Surroundings {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** What the names of our interfaces begin with. */
  readonly prefix: string;
  /** The subnets of our other networks, which no other may overlap with. */
  readonly ours: readonly Subnet[];
  /** Those that the host uses: no subnet is chosen there, unless it is asked for. */
  readonly foreign: readonly Subnet[];
  readonly pools: readonly AddressPool[];
  /** Forty bits. */
  readonly random: bigint;
  readonly mtu: number;
  isTaken(index: number): boolean;
}

const longestName = 15;

export const draftNetwork = (request: NetworkRequest, host: Surroundings): NetworkRecord => {
  const { name, driver, internal, attachable, labels, options, ipamOptions, masquerade, icc, hostBinding } = request;
  const ipv4 = request.ipv4 && draftPool(request.ipv4, 4, request, host);
  const ipv6 = request.ipv6 && draftPool(request.ipv6, 6, request, host);
  const own = `${host.prefix}-${host.id}`.slice(0, longestName);
  return {
    name,
    id: host.id,
    created: host.now,
    driver,
    interface: request.interface || own,
    index: driver === "bridge" ? freeIndex((ipv4 ?? ipv6)!, host) : 0,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    mtu: request.mtu || (driver === "bridge" ? host.mtu : 0),
    internal,
    attachable,
    masquerade,
    icc,
    hostBinding,
    labels,
    options,
    ipamOptions,
    last: ipv4?.gateway ?? "",
    last6: ipv6?.gateway ?? "",
  };
};

const draftPool = (asked: PoolRequest, family: 4 | 6, request: NetworkRequest, host: Surroundings): Pool => {
  const subnet = asked.subnet === "" ? chooseSubnet(family, host) : parseSubnet(asked.subnet)!;
  if (host.ours.some((other) => overlaps(subnet, other))) throw networkError("poolOverlaps", {});
  const text = formatSubnet(subnet);
  const taken = new Set(Object.values(asked.auxiliary));
  const first = findAddress({ subnet: text, range: asked.range }, undefined, (one) => taken.has(formatAddress(one)));
  const chosen = request.noGateway && family === 4 ? "" : first && formatAddress(first);
  if (chosen === undefined) throw networkError("noAddressLeft", { name: request.name });
  return {
    subnet: text,
    gateway: asked.gateway || chosen,
    range: asked.range,
    auxiliary: asked.auxiliary,
    asked: asked.subnet !== "",
  };
};

const chooseSubnet = (family: 4 | 6, host: Surroundings): Subnet => {
  const taken = [...host.ours, ...host.foreign];
  const found = findSubnet(host.pools, family, taken);
  if (found !== undefined) return found;
  if (family === 4) throw networkError("noSubnetLeft", {});
  return uniqueLocalSubnet(host.random, 0n);
};

/** The bridge's interface goes by its subnet, as those of its endpoints do by their addresses. */
const freeIndex = ({ subnet, gateway }: Pool, host: Surroundings): number => {
  const { family, network } = parseSubnet(subnet)!;
  let index = interfaceIndex(parseAddress(gateway) ?? { family, value: network });
  while (host.isTaken(index)) index++;
  return index;
};
