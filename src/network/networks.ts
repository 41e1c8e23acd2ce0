/** The networks: made, found, told of and removed; what the host needs for them is planned here. */
import { randomBytes } from "node:crypto";
import type { Database } from "../base/database.ts";
import type { ContainerId } from "../base/ids.ts";
import type { Plan } from "../kernel/steps.ts";
import { formatAddress, formatSubnet, overlaps, parseSubnet, type Subnet } from "./addresses.ts";
import { bridgeMark, planNetwork, planNetworkRemoval, planNetworks, planRemoval } from "./bridge.ts";
import type { NetworkRequest } from "./create.ts";
import { draftNetwork } from "./draft.ts";
import type { Endpoint } from "./endpoint.ts";
import { networkError } from "./errors.ts";
import { keepApart } from "./forwarding.ts";
import {
  findAdvertised,
  findForeignSubnets,
  findInterfaceIndex,
  findMarkedInterfaces,
  findMtu,
  findPorts,
  hasInterface,
  hasIpv6,
  isAstray,
  isUp,
  type NetworkHost,
} from "./host.ts";
import { Members } from "./members.ts";
import { bridgePorts, Places } from "./places.ts";
import { type NetworkSteps, planEndpoints } from "./plan.ts";
import { type AddressPool, defaultPools, findSubnet, firstAddress } from "./pools.ts";
import { defaultNetwork, type NetworkRecord } from "./record.ts";
import { interfaceIndex, isHostInterface } from "./steps.ts";
import { NetworkStore } from "./store.ts";
import { blankNetwork } from "./stored.ts";

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
  readonly #places: Places;
  /** The containers in them. */
  readonly members: Members;
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
    const [apart, apart6] = [keepApart(database, "ip", name), keepApart(database, "ip6", name)];
    this.host = { name, ipv6: hasIpv6(), apart, apart6 };
    for (const { index } of this.list()) if (index !== 0) this.#places.holdIndex(index);
    this.members = new Members({
      store: this.#store,
      places: this.#places,
      ipv6: this.host.ipv6,
      get: (reference) => this.get(reference),
    });
  }

  /**
   * What to run when the daemon starts, and again when connecting fails because somebody took a bridge or the table
   * away: afterwards all are there, with everything that is connected now, but for the containers that are leaving.
   */
  prepare(leaving: ReadonlySet<ContainerId> = new Set()): Plan {
    this.#settle();
    const staying = [...this.#store.allHeld()].filter(({ container }) => !leaving.has(container));
    const endpoints = staying.flatMap((held) => held.endpoints);
    const ours = new Set(this.list().map((network) => network.interface));
    const orphans = [...findMarkedInterfaces(bridgeMark(this.host, "")).values()].filter((name) => !ours.has(name));
    return planNetworks(this.list(), endpoints, this.host, {
      index: findInterfaceIndex,
      isAstray,
      orphans,
      advertised: findAdvertised(),
    });
  }

  /** What to run when a network is new on record, or has just gone from it: afterwards the host has it, or has it not. */
  change(network: NetworkRecord): Plan {
    const found = { index: findInterfaceIndex, advertised: findAdvertised() };
    const plan = this.find(network.id) === undefined ? planNetworkRemoval : planNetwork;
    return plan(network, this.host, found);
  }

  /** One of the interfaces is a bridge's, or that of somebody who is connected. */
  hasAnyOf(indexes: ReadonlySet<number>): boolean {
    return (
      [...indexes].some((index) => this.#places.isHeld(index)) || this.list().some(({ index }) => indexes.has(index))
    );
  }

  /** The bridges are there and up, and these containers are at them; of interfaces that are gone `members.lost()` tells. */
  isWhole(containers: readonly ContainerId[]): boolean {
    const bridges = this.list().filter(({ driver }) => driver === "bridge");
    const endpoints = containers.flatMap((id) => this.members.endpoints(id));
    return (
      bridges.every(({ interface: name, index }) => findInterfaceIndex(name) === index && isUp(name)) &&
      !endpoints.some(isAstray)
    );
  }

  /** What to run when the daemon leaves for good and nobody is connected: afterwards the host is as it was. */
  removal(): Plan {
    const bridges = this.list().filter(({ driver }) => driver === "bridge");
    return planRemoval(
      bridges.map((network) => network.interface),
      this.host,
    );
  }

  /** Holds afterwards: there is such a network on record; `change()` makes what it needs on the host. */
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

  /** Holds afterwards: the network is not on record; `change()` takes away what there was of it on the host. */
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

  /**
   * Our interfaces that are nobody's any more and in the endpoint's way: the one of its name, or any that take the last ports
   * of its bridge.
   */
  obstacles({ bridge, hostInterface }: Endpoint): readonly string[] {
    const named = hostInterface !== "" && hasInterface(hostInterface) ? [hostInterface] : [];
    const ports = findPorts(bridge);
    if (ports.length < bridgePorts) return named;
    const held = new Set(
      [...this.#store.allHeld()].flatMap(({ endpoints }) => endpoints.map((one) => one.hostInterface)),
    );
    const idle = ports.filter((name) => isHostInterface(this.host.name, name) && !held.has(name));
    return [...named, ...idle];
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
}
