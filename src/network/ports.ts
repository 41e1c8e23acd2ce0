/** Which ports of the host our own containers hold. Whether somebody else holds one, only binding it can tell. */
import type { PortRequest, PublishedPort } from "./endpoint.ts";
import { networkError } from "./errors.ts";

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

const anyAddress = "0.0.0.0";

export class Ports {
  readonly #held = new Map<string, Set<string>>();
  readonly #ephemeral: PortRange;
  #lastEphemeral: number;

  /** `ephemeral` is the range of the ports that nobody asked for by number. */
  constructor(ephemeral: PortRange) {
    this.#ephemeral = ephemeral;
    this.#lastEphemeral = ephemeral.last;
  }

  /** Holds afterwards: the ports are held, all of them or (on an error) none. `avoid` are known to be somebody else's. */
  take(requests: readonly PortRequest[], avoid: readonly PublishedPort[] = []): PublishedPort[] {
    const taken: PublishedPort[] = [];
    try {
      for (const request of requests) {
        const port = this.#choose(request, avoid);
        this.hold([port]);
        taken.push(port);
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

  #choose(request: PortRequest, avoid: readonly PublishedPort[]): PublishedPort {
    const isEphemeral = request.hostPortFirst === 0;
    const { first, last } = isEphemeral
      ? this.#ephemeral
      : { first: request.hostPortFirst, last: request.hostPortLast };
    const start = isEphemeral ? this.#lastEphemeral + 1 - first : 0;
    const count = last - first + 1;
    for (let step = 0; step < count; step++) {
      const port = portFrom(request, first + ((start + step) % count));
      if (this.#isHeld(port) || avoid.some((other) => clashes(other, port))) continue;
      if (isEphemeral) this.#lastEphemeral = port.hostPort;
      return port;
    }
    if (isEphemeral) throw networkError("noPortLeft", {});
    const { hostAddress: address } = portFrom(request, first);
    if (first === last) throw networkError("portTaken", { address, port: first });
    throw networkError("noPortOfRange", { address, first, last });
  }

  #isHeld(port: PublishedPort): boolean {
    const addresses = this.#held.get(keyOf(port));
    if (addresses === undefined) return false;
    return port.hostAddress === anyAddress || addresses.has(anyAddress) || addresses.has(port.hostAddress);
  }
}

const keyOf = (port: PublishedPort): string => `${port.hostPort}/${port.protocol}`;

const clashes = (a: PublishedPort, b: PublishedPort): boolean =>
  keyOf(a) === keyOf(b) && (a.hostAddress === b.hostAddress || [a, b].some((port) => port.hostAddress === anyAddress));

const portFrom = (request: PortRequest, hostPort: number): PublishedPort => ({
  protocol: request.protocol,
  hostAddress: request.hostAddress === "" ? anyAddress : request.hostAddress,
  hostPort,
  containerPort: request.containerPort,
});

/** `/proc/sys/net/ipv4/ip_local_port_range`, or the kernel's default. */
export const parsePortRange = (text: string): PortRange => {
  const [first = Number.NaN, last = Number.NaN] = text.trim().split(/\s+/).map(Number);
  return first > 0 && last >= first && last < 65_536 ? { first, last } : { first: 32_768, last: 60_999 };
};
