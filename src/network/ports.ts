/** Which ports of the host our own containers hold. Whether somebody else holds one, only binding it can tell. */
import type { PortRequest, PublishedPort } from "./endpoint.ts";
import { networkError } from "./errors.ts";
import { familyOf, hostAddresses, isAny } from "./published.ts";

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What a request that names no address means. */
export interface Binding {
  /** The network's default. */
  readonly address: string;
  /** The host speaks IPv6 too. */
  readonly ipv6: boolean;
}

const ipv4Everywhere: Binding = { address: "0.0.0.0", ipv6: false };

export class Ports {
  /** The addresses at which a port is held. */
  readonly #held = new Map<string, Set<string>>();
  readonly #ephemeral: PortRange;
  #lastEphemeral: number;

  /** `ephemeral` is the range of the ports that nobody asked for by number. */
  constructor(ephemeral: PortRange) {
    this.#ephemeral = ephemeral;
    this.#lastEphemeral = ephemeral.last;
  }

  /** Holds afterwards: the ports are held, all of them or (on an error) none. `avoid` are known to be somebody else's. */
  take(
    requests: readonly PortRequest[],
    avoid: readonly PublishedPort[] = [],
    binding: Binding = ipv4Everywhere,
  ): PublishedPort[] {
    const taken: PublishedPort[] = [];
    try {
      for (const request of requests) {
        const ports = this.#choose(request, avoid, binding);
        this.hold(ports);
        taken.push(...ports);
      }
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return taken;
  }

  hold(ports: readonly PublishedPort[]): void {
    for (const port of ports) {
      const key = keyOf(port);
      this.#held.set(key, (this.#held.get(key) ?? new Set()).add(port.hostAddress));
    }
  }

  release(ports: readonly PublishedPort[]): void {
    for (const port of ports) {
      const addresses = this.#held.get(keyOf(port));
      addresses?.delete(port.hostAddress);
      if (addresses?.size === 0) this.#held.delete(keyOf(port));
    }
  }

  /** The same port at every address that is meant. */
  #choose(request: PortRequest, avoid: readonly PublishedPort[], binding: Binding): PublishedPort[] {
    const isEphemeral = request.hostPortFirst === 0;
    const { first, last } = isEphemeral
      ? this.#ephemeral
      : { first: request.hostPortFirst, last: request.hostPortLast };
    const start = isEphemeral ? this.#lastEphemeral + 1 - first : 0;
    const count = last - first + 1;
    const addresses = hostAddresses(request.hostAddress, binding.address, binding);
    const isFree = (port: PublishedPort): boolean =>
      !this.#isHeld(port) && !avoid.some((other) => clashes(other, port));
    for (let step = 0; step < count; step++) {
      const hostPort = first + ((start + step) % count);
      const { protocol, containerPort } = request;
      const ports = addresses.map((hostAddress) => ({ protocol, hostAddress, hostPort, containerPort }));
      if (!ports.every(isFree)) continue;
      if (isEphemeral) this.#lastEphemeral = hostPort;
      return ports;
    }
    if (isEphemeral) throw networkError("noPortLeft", {});
    const address = addresses[0] ?? "";
    if (first === last) throw networkError("portTaken", { address, port: first });
    throw networkError("noPortOfRange", { address, first, last });
  }

  #isHeld(port: PublishedPort): boolean {
    const addresses = [...(this.#held.get(keyOf(port)) ?? [])];
    return addresses.some((hostAddress) => clashes({ ...port, hostAddress }, port));
  }
}

const keyOf = (port: PublishedPort): string => `${port.hostPort}/${port.protocol}`;

/** Sockets of one family do not clash with those of the other. */
const clashes = (a: PublishedPort, b: PublishedPort): boolean =>
  keyOf(a) === keyOf(b) &&
  familyOf(a.hostAddress) === familyOf(b.hostAddress) &&
  (a.hostAddress === b.hostAddress || isAny(a.hostAddress) || isAny(b.hostAddress));

/** `/proc/sys/net/ipv4/ip_local_port_range`, or the kernel's default. */
export const parsePortRange = (text: string): PortRange => {
  const [first = Number.NaN, last = Number.NaN] = text.trim().split(/\s+/).map(Number);
  return first > 0 && last >= first && last < 65_536 ? { first, last } : { first: 32_768, last: 60_999 };
};
