/** The networks and who is connected to them: addresses and ports are taken here, in the database first. */
import { randomBytes } from "node:crypto";
import type { Database } from "../base/database.ts";
import type { ContainerId } from "../base/ids.ts";
import type { Plan } from "../kernel/steps.ts";
import { formatAddress, formatSubnet, overlaps, parseSubnet, type Subnet } from "./addresses.ts";
import { bridgeMark, planNetworks, planRemoval } from "./bridge.ts";
import type { NetworkRequest } from "./create.ts";
import { draftNetwork } from "./draft.ts";
import {
  type Attachment,
  type ConnectRequest,
  type Endpoint,
  mainEndpoint,
  type PortRequest,
  type PublishedPort,
  portsOf,
} from "./endpoint.ts";
import { networkError } from "./errors.ts";
import { keepApart } from "./forwarding.ts";
import { withDefaultRoutes } from "./gateways.ts";
import {
  findAdvertised,
  findForeignSubnets,
  findInterfaceIndex,
  findMarkedInterfaces,
  findMtu,
  findPortRange,
  hasInterface,
  hasIpv6,
  type NetworkHost,
} from "./host.ts";
import type { EndpointChange } from "./live.ts";
import { Places } from "./places.ts";
import { type NetworkSteps, planEndpoints } from "./plan.ts";
import { type AddressPool, defaultPools, findSubnet, firstAddress } from "./pools.ts";
import { Ports } from "./ports.ts";
import { defaultNetwork, type NetworkRecord } from "./record.ts";
import { interfaceIndex } from "./steps.ts";
import { NetworkStore } from "./store.ts";
import { blankNetwork, type Held } from "./stored.ts";

/** The addresses that were chosen: those that were asked for say nothing about where to go on. */
const lastOf = (network: NetworkRecord, asked: Attachment, place: Endpoint): Pick<NetworkRecord, "last" | "last6"> => ({
  last: asked.address === "" ? place.address : network.last,
  last6: asked.address6 === "" ? place.address6 : network.last6,
});

const isSamePort = (a: PublishedPort, b: PublishedPort): boolean =>
  a.protocol === b.protocol && a.hostAddress === b.hostAddress && a.hostPort === b.hostPort;

const newId = (): string => randomBytes(32).toString("hex");

const findEndpoint = (endpoints: readonly Endpoint[], network: NetworkRecord): Endpoint | undefined =>
  endpoints.find(({ networkId }) => networkId === network.id);

/** What happened to a network. */
export interface NetworkEvent {
  readonly action: "create" | "connect" | "disconnect" | "destroy";
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export class Networks {
  readonly #store: NetworkStore;
  readonly #ports = new Ports(findPortRange());
  readonly #places: Places;
  /** Where subnets are chosen from. */
  readonly #pools: readonly AddressPool[];
  readonly #listeners = new Set<(event: NetworkEvent) => void>();
  /** What the plans need to know of the host. */
  readonly host: NetworkHost;

  /**
   * Holds afterwards: what was connected before still is. `name` is that of the firewall's table, and the beginning of
   * every interface's name; two daemons on one host need two.
   */
  static open(database: Database, name = "pier", pools: readonly AddressPool[] = defaultPools): Networks {
    return new Networks(database, name, pools);
  }

  private constructor(database: Database, name: string, pools: readonly AddressPool[]) {
    this.#store = new NetworkStore(database);
    this.#pools = pools;
    this.#places = new Places(name);
    this.host = { name, ipv6: hasIpv6(), apart: keepApart(database, "ip"), apart6: keepApart(database, "ip6") };
    for (const { index } of this.list()) if (index !== 0) this.#places.holdIndex(index);
    for (const { endpoints } of this.#store.allHeld()) {
      for (const endpoint of endpoints) this.#places.hold(endpoint);
      this.#ports.hold(portsOf(endpoints));
    }
  }

  /**
   * What to run when the daemon starts, and again when connecting fails because somebody took a bridge or the table
   * away: afterwards all are there, with everything that is connected now.
   */
  prepare(): Plan {
    this.#settle();
    const endpoints = Array.from(this.#store.allHeld(), (held) => held.endpoints).flat();
    const ours = new Set(this.list().map((network) => network.interface));
    const orphans = [...findMarkedInterfaces(bridgeMark(this.host, "")).values()].filter((name) => !ours.has(name));
    return planNetworks(this.list(), endpoints, this.host, {
      index: findInterfaceIndex,
      orphans,
      advertised: findAdvertised(),
    });
  }

  /** What to run when the daemon leaves for good and nobody is connected: afterwards the host is as it was. */
  removal(): Plan {
    const bridges = this.list().filter(({ driver }) => driver === "bridge");
    return planRemoval(
      bridges.map((network) => network.interface),
      this.host,
    );
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
    if (held === undefined || main === undefined) throw networkError("noSuchNetwork", { name: container });
    const { hostBinding } = this.get(main.networkId);
    const added = this.#ports.take(requests, avoid, { address: hostBinding, ipv6: this.host.ipv6 });
    return { endpoints: this.#holdPorts(held, main, [...main.ports, ...added]), added };
  }

  /** Holds afterwards: the container has these ports no longer. */
  withdraw(container: ContainerId, ports: readonly PublishedPort[]): void {
    const held = this.#store.held(container);
    const main = mainEndpoint(held?.endpoints ?? []);
    if (held === undefined || main === undefined) return;
    const kept = main.ports.filter((port) => !ports.some((one) => isSamePort(one, port)));
    this.#holdPorts(held, main, kept);
    this.#ports.release(ports);
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

  /** Holds afterwards: there is such a network on record; `prepare()` makes what it needs on the host. */
  create(request: NetworkRequest): NetworkRecord {
    const { name, driver, ipv6 } = request;
    if (this.list().some((network) => network.name === name)) throw networkError("nameTaken", { name });
    if (ipv6 !== undefined && !this.host.ipv6) throw networkError("noIpv6", {});
    const isThere = findInterfaceIndex(request.interface) !== undefined;
    if (driver === "macvlan" && !isThere) throw networkError("noSuchInterface", { name: request.interface });
    if (driver === "bridge" && request.interface !== "" && isThere) {
      throw networkError("bridgeTaken", { name: request.interface });
    }
    const network = draftNetwork(request, {
      id: newId(),
      now: Date.now(),
      prefix: this.host.name,
      ours: this.#subnets(undefined),
      foreign: this.#hostSubnets(),
      pools: this.#pools,
      random: randomBytes(8).readBigUInt64LE(),
      mtu: findMtu(),
      isTaken: (index) => this.#places.isHeld(index),
    });
    this.#store.save(network);
    if (network.index !== 0) this.#places.holdIndex(network.index);
    return network;
  }

  /** Holds afterwards: the network is not on record; `prepare()` takes away what there was of it on the host. */
  remove(network: NetworkRecord, nameOf: (container: ContainerId) => string): void {
    if (network.name === defaultNetwork) throw networkError("notRemovable", { name: network.name });
    const users = [...this.#store.allHeld()].filter(({ endpoints }) => findEndpoint(endpoints, network) !== undefined);
    if (users.length > 0) {
      const endpoints = users.map(
        (held) => `name:"${nameOf(held.container)}" id:"${findEndpoint(held.endpoints, network)!.id.slice(0, 12)}"`,
      );
      throw networkError("inUse", { name: network.name, endpoints: endpoints.join(", ") });
    }
    this.#store.remove(network);
    this.#places.releaseIndex(network.index);
  }

  /** Holds afterwards: the running container has one endpoint more on record; `planJoin` makes it. */
  join(container: ContainerId, attachment: Attachment): { readonly joined: Endpoint } & EndpointChange {
    const network = this.get(attachment.network);
    const held = this.#store.held(container) ?? { container, endpoints: [], request: { attachments: [], ports: [] } };
    const before = held.endpoints;
    const place = this.#places.find(network, attachment, before);
    this.#places.hold(place);
    const after = this.#routed([...before, place]);
    const attachments = [...held.request.attachments, attachment];
    const changed = { ...network, ...lastOf(network, attachment, place) };
    try {
      this.#store.hold({ container, endpoints: after, request: { ...held.request, attachments } }, [changed]);
    } catch (error) {
      this.#places.release(place);
      throw error;
    }
    return { joined: after.at(-1)!, before, after };
  }

  /** The endpoints as they are without this one; nothing changes yet. */
  without(container: ContainerId, left: Endpoint): EndpointChange {
    const before = this.endpoints(container);
    const others = before.filter(({ id }) => id !== left.id).map((endpoint) => ({ ...endpoint }));
    const first = others[0];
    // Its ports are those of whoever has the default route now.
    const heirs = first === undefined ? [] : [{ ...first, ports: [...first.ports, ...left.ports] }, ...others.slice(1)];
    return { before, after: this.#routed(heirs) };
  }

  /** Holds afterwards: the endpoint is not on record, and what it had can be given to others. */
  leave(container: ContainerId, left: Endpoint, { after }: EndpointChange): void {
    const held = this.#store.held(container);
    if (held === undefined) return;
    const attachments = held.request.attachments.filter(({ network }) => this.find(network)?.id !== left.networkId);
    this.#store.hold({ ...held, endpoints: after, request: { ...held.request, attachments } }, []);
    this.#places.release(left);
    if (after.length === 0) this.#ports.release(left.ports);
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

  /** Calls the listener for what happens to networks. */
  onEvent(listener: (event: NetworkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(
    action: NetworkEvent["action"],
    network: Pick<NetworkRecord, "id" | "name" | "driver">,
    container?: string,
  ): void {
    const { id, name, driver } = network;
    const attributes = { ...(container === undefined ? {} : { container }), name, type: driver };
    for (const listener of this.#listeners) listener({ action, id, attributes });
  }

  /** The containers that hold an endpoint: after a crash, some may have ended long ago. */
  containers(): ContainerId[] {
    return Array.from(this.#store.allHeld(), ({ container }) => container);
  }

  /** The container's places in its networks, as long as it has any. */
  endpoints(container: ContainerId): readonly Endpoint[] {
    return this.#store.held(container)?.endpoints ?? [];
  }

  find(reference: string): NetworkRecord | undefined {
    return this.#store.find(reference);
  }

  get(reference: string): NetworkRecord {
    const network = this.find(reference);
    if (network === undefined) throw networkError("noSuchNetwork", { name: reference });
    return network;
  }

  list(): readonly NetworkRecord[] {
    return this.#store.list();
  }

  /** What `host-gateway` stands for, in whatever network a container is. */
  hostGateway(): string {
    return this.get(defaultNetwork).ipv4?.gateway ?? "";
  }

  plan(endpoints: readonly Endpoint[]): NetworkSteps {
    return planEndpoints(endpoints, this.host);
  }

  /** The default network with a subnet of its own: as long as nobody is connected, it gives way to the host's routes. */
  #settle(): void {
    const known = this.find(defaultNetwork);
    if (known !== undefined && this.#places.count(known.id) > 0) return;
    const foreign = [...this.#hostSubnets(), ...this.#subnets(known)];
    const isFree = (subnet: Subnet): boolean => !foreign.some((other) => overlaps(subnet, other));
    if (known?.ipv4 !== undefined && isFree(parseSubnet(known.ipv4.subnet)!)) return;
    const subnet = findSubnet(this.#pools, 4, foreign);
    if (subnet === undefined) throw networkError("noSubnetLeft", {});
    const gateway = firstAddress(subnet);
    this.#store.save({
      ...blankNetwork,
      name: defaultNetwork,
      id: known?.id ?? newId(),
      created: known?.created ?? Date.now(),
      driver: "bridge",
      interface: `${this.host.name}0`,
      index: interfaceIndex(gateway),
      ipv4: { subnet: formatSubnet(subnet), gateway: formatAddress(gateway), range: "", auxiliary: {}, asked: false },
      mtu: findMtu(),
      last: formatAddress(gateway),
    });
  }

  /** The subnets of our networks but for `own`. */
  #subnets(own: NetworkRecord | undefined): Subnet[] {
    return this.list()
      .filter(({ id }) => id !== own?.id)
      .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
      .filter((pool) => pool !== undefined)
      .map(({ subnet }) => parseSubnet(subnet)!);
  }

  /** The subnets that the host uses without us. */
  #hostSubnets(): Subnet[] {
    const ours = new Set([`${this.host.name}0`, ...this.list().map((network) => network.interface)]);
    return findForeignSubnets((name) => ours.has(name));
  }

  /** The same endpoints with their default routes; whoever has that has the ports. */
  #routed(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    const ports = portsOf(endpoints);
    const routed = withDefaultRoutes(endpoints);
    const main = mainEndpoint(routed);
    return routed.map((endpoint) => ({ ...endpoint, ports: endpoint === main ? ports : [] }));
  }

  #connect(container: ContainerId, request: ConnectRequest, avoid: readonly PublishedPort[]): readonly Endpoint[] {
    const networks: NetworkRecord[] = [];
    const places: Endpoint[] = [];
    let ports: readonly PublishedPort[] = [];
    try {
      for (const attachment of request.attachments) {
        const network = this.get(attachment.network);
        const place = this.#places.find(network, attachment, places);
        this.#places.hold(place);
        places.push(place);
        networks.push({ ...network, ...lastOf(network, attachment, place) });
      }
      const main = mainEndpoint(withDefaultRoutes(places));
      const binding = main === undefined ? undefined : this.get(main.networkId).hostBinding;
      ports = this.#ports.take(request.ports, avoid, { address: binding ?? "0.0.0.0", ipv6: this.host.ipv6 });
      const [first, ...others] = places;
      const endpoints = first === undefined ? [] : this.#routed([{ ...first, ports }, ...others]);
      this.#store.hold({ container, endpoints, request }, networks);
      return endpoints;
    } catch (error) {
      for (const place of places) this.#places.release(place);
      this.#ports.release(ports);
      throw error;
    }
  }
}
