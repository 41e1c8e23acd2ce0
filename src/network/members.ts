/** The containers' places in the networks: with their addresses and ports they are taken here, in the database first. */
import type { ContainerId } from "../base/ids.ts";
import {
  type Attachment,
  type ConnectRequest,
  type Endpoint,
  mainEndpoint,
  type PortRequest,
  type PublishedPort,
  portsOf,
  publishingEndpoint,
} from "./endpoint.ts";
import { networkError } from "./errors.ts";
import { withDefaultRoutes } from "./gateways.ts";
import { findPortRange, hasInterface } from "./host.ts";
import type { EndpointChange } from "./live.ts";
import type { Places } from "./places.ts";
import { type Binding, Ports } from "./ports.ts";
import type { NetworkRecord } from "./record.ts";
import type { NetworkStore } from "./store.ts";
import type { Held } from "./stored.ts";

/** The addresses that were chosen: those that were asked for say nothing about where to go on. */
const lastOf = (network: NetworkRecord, asked: Attachment, place: Endpoint): Pick<NetworkRecord, "last" | "last6"> => ({
  last: asked.address === "" ? place.address : network.last,
  last6: asked.address6 === "" ? place.address6 : network.last6,
});

const isSamePort = (a: PublishedPort, b: PublishedPort): boolean =>
  a.protocol === b.protocol && a.hostAddress === b.hostAddress && a.hostPort === b.hostPort;

/** The same endpoints with their default routes; whoever has that has the ports, and nobody where nothing leads out. */
const routed = (endpoints: readonly Endpoint[]): readonly Endpoint[] => {
  const ports = portsOf(endpoints);
  const all = withDefaultRoutes(endpoints);
  const main = mainEndpoint(all);
  return all.map((endpoint) => ({ ...endpoint, ports: endpoint === main ? ports : [] }));
};

interface MemberContext {
  readonly store: NetworkStore;
  readonly places: Places;
  /** Whether the host speaks IPv6. */
  readonly ipv6: boolean;
  get(reference: string): NetworkRecord;
}

export class Members {
  readonly #context: MemberContext;
  readonly #store: NetworkStore;
  readonly #places: Places;
  readonly #ports = new Ports(findPortRange());

  /** Holds afterwards: what was connected before still is. */
  constructor(context: MemberContext) {
    this.#context = context;
    this.#store = context.store;
    this.#places = context.places;
    for (const { endpoints } of this.#store.allHeld()) {
      for (const endpoint of endpoints) this.#places.hold(endpoint);
      this.#ports.hold(portsOf(endpoints));
    }
  }

  /** The containers that hold an endpoint: after a crash, some may have ended long ago. */
  containers(): ContainerId[] {
    return Array.from(this.#store.allHeld(), ({ container }) => container);
  }

  /** The container's places in its networks, as long as it has any. */
  endpoints(container: ContainerId): readonly Endpoint[] {
    return this.#store.held(container)?.endpoints ?? [];
  }

  /** Holds afterwards: the container has addresses and its ports, also for a daemon that comes after a crash. */
  connect(container: ContainerId, request: ConnectRequest): readonly Endpoint[] {
    this.release(container);
    return this.#connect(container, request, []);
  }

  /**
   * What to do when a port turns out to be somebody else's: holds afterwards the same with another port, where the
   * request left a choice; else it is an error, and the container holds nothing.
   */
  connectAround(container: ContainerId, avoid: readonly PublishedPort[]): readonly Endpoint[] {
    const held = this.#store.held(container);
    if (held === undefined) throw networkError("noSuchNetwork", { name: container });
    this.release(container);
    return this.#connect(container, held.request, avoid);
  }

  /** Holds afterwards: the container has these ports too, on record; `avoid` are known to be somebody else's. */
  publish(
    container: ContainerId,
    requests: readonly PortRequest[],
    avoid: readonly PublishedPort[],
  ): { readonly endpoints: readonly Endpoint[]; readonly added: readonly PublishedPort[] } {
    const held = this.#store.held(container);
    const main = mainEndpoint(held?.endpoints ?? []);
    if (held === undefined || main === undefined) throw networkError("noWayIn", {});
    const added = this.#ports.take(requests, avoid, this.#bindingOf(this.#context.get(main.networkId)));
    return { endpoints: this.#holdPorts(held, main, [...main.ports, ...added]), added };
  }

  /** Holds afterwards: the container has these ports no longer. */
  withdraw(container: ContainerId, ports: readonly PublishedPort[]): void {
    const held = this.#store.held(container);
    const main = publishingEndpoint(held?.endpoints ?? []);
    if (held === undefined || main === undefined) return;
    const kept = main.ports.filter((port) => !ports.some((one) => isSamePort(one, port)));
    this.#holdPorts(held, main, kept);
    this.#ports.release(ports);
  }

  #bindingOf({ hostBinding }: NetworkRecord): Binding {
    return { address: hostBinding, ipv6: this.#context.ipv6 };
  }

  #holdPorts(held: Held, main: Endpoint, ports: readonly PublishedPort[]): readonly Endpoint[] {
    const endpoints = held.endpoints.map((one) => (one.id === main.id ? { ...one, ports } : one));
    this.#store.hold({ ...held, endpoints }, []);
    return endpoints;
  }

  /** Holds afterwards: what the container had can be given to others. Comes after its plan's after lane has run. */
  release(container: ContainerId): void {
    const held = this.#store.held(container);
    if (held === undefined) return;
    this.#store.release(container);
    for (const endpoint of held.endpoints) this.#places.release(endpoint);
    this.#ports.release(portsOf(held.endpoints));
  }

  /**
   * Holds afterwards: the running container has one endpoint more on record; `planJoin` makes it. The first one that
   * leads out has the ports that the container asks for.
   */
  join(
    container: ContainerId,
    attachment: Attachment,
    requests: readonly PortRequest[],
  ): { readonly joined: Endpoint } & EndpointChange {
    const network = this.#context.get(attachment.network);
    const held = this.#store.held(container) ?? { container, endpoints: [], request: { attachments: [], ports: [] } };
    const before = held.endpoints;
    const place = this.#places.find(network, attachment, before);
    this.#places.hold(place);
    let ports: readonly PublishedPort[] = [];
    let after: readonly Endpoint[];
    try {
      const leadsOut = mainEndpoint(withDefaultRoutes([...before, place])) !== undefined;
      if (leadsOut && (publishingEndpoint(before) ?? mainEndpoint(before)) === undefined) {
        ports = this.#ports.take(requests, [], this.#bindingOf(network));
      }
      after = routed([...before, { ...place, ports }]);
      const request = { attachments: [...held.request.attachments, attachment], ports: requests };
      const changed = { ...network, ...lastOf(network, attachment, place) };
      this.#store.hold({ container, endpoints: after, request }, [changed]);
    } catch (error) {
      this.#places.release(place);
      this.#ports.release(ports);
      throw error;
    }
    return { joined: after.at(-1)!, before, after };
  }

  /** The endpoints as they are without this one; nothing changes yet. */
  without(container: ContainerId, left: Endpoint): EndpointChange {
    const before = this.endpoints(container);
    const others = before.filter(({ id }) => id !== left.id).map((endpoint) => ({ ...endpoint }));
    const first = others[0];
    // Its ports are those of whoever has the default route now, if somebody has.
    const heirs = first === undefined ? [] : [{ ...first, ports: [...first.ports, ...left.ports] }, ...others.slice(1)];
    return { before, after: routed(heirs) };
  }

  /** Holds afterwards: the endpoint is not on record, and what it had can be given to others. */
  leave(container: ContainerId, left: Endpoint, { before, after }: EndpointChange): void {
    const held = this.#store.held(container);
    if (held === undefined) return;
    const attachments = held.request.attachments.filter(
      ({ network }) => this.#store.find(network)?.id !== left.networkId,
    );
    this.#store.hold({ ...held, endpoints: after, request: { ...held.request, attachments } }, []);
    this.#places.release(left);
    if (publishingEndpoint(after) === undefined) this.#ports.release(portsOf(before));
  }

  /** The container's endpoints whose interface somebody has taken away. */
  lost(container: ContainerId): readonly Endpoint[] {
    return this.endpoints(container).filter(
      ({ hostInterface }) => hostInterface !== "" && !hasInterface(hostInterface),
    );
  }

  /** What the container asked of its networks, since it was last connected. */
  attachments(container: ContainerId): readonly Attachment[] | undefined {
    return this.#store.held(container)?.request.attachments;
  }

  #connect(container: ContainerId, request: ConnectRequest, avoid: readonly PublishedPort[]): readonly Endpoint[] {
    const networks: NetworkRecord[] = [];
    const places: Endpoint[] = [];
    let ports: readonly PublishedPort[] = [];
    try {
      for (const attachment of request.attachments) {
        const network = this.#context.get(attachment.network);
        const place = this.#places.find(network, attachment, places);
        this.#places.hold(place);
        places.push(place);
        networks.push({ ...network, ...lastOf(network, attachment, place) });
      }
      const main = mainEndpoint(withDefaultRoutes(places));
      if (main !== undefined) {
        ports = this.#ports.take(request.ports, avoid, this.#bindingOf(this.#context.get(main.networkId)));
      }
      const [first, ...others] = places;
      const endpoints = first === undefined ? [] : routed([{ ...first, ports }, ...others]);
      this.#store.hold({ container, endpoints, request }, networks);
      return endpoints;
    } catch (error) {
      for (const place of places) this.#places.release(place);
      this.#ports.release(ports);
      throw error;
    }
  }
}
