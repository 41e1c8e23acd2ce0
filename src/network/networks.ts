/** The networks and who is connected to them: addresses and ports are taken here, in the database first. */
import { randomBytes } from "node:crypto";
import type { Database } from "../base/database.ts";
import type { ContainerId } from "../base/ids.ts";
import type { Plan } from "../kernel/steps.ts";
import {
  defaultSubnets,
  findAddress,
  formatAddress,
  formatMac,
  gatewayOf,
  macOf,
  overlaps,
  parseAddress,
  type Subnet,
} from "./addresses.ts";
import { type Bridge, planBridge, planRemoval } from "./bridge.ts";
import type { ConnectRequest, Endpoint, PublishedPort } from "./endpoint.ts";
import { networkError } from "./errors.ts";
import { keepApart } from "./forwarding.ts";
import {
  findForeignSubnets,
  findInterfaceIndex,
  findMtu,
  findPortRange,
  hasInterface,
  hasIpv6,
  type NetworkHost,
} from "./host.ts";
import { type NetworkSteps, planEndpoint } from "./plan.ts";
import { Ports } from "./ports.ts";
import { hostInterfaceName } from "./steps.ts";

const defaultNetwork = "bridge";

export interface NetworkRecord {
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly bridge: string;
  readonly subnet: Subnet;
  readonly mtu: number;
  /** The address given out last. */
  readonly last: number;
}

interface Held {
  readonly container: ContainerId;
  readonly endpoint: Endpoint;
  readonly request: ConnectRequest;
}

const newId = (): string => randomBytes(32).toString("hex");

export class Networks {
  readonly #database: Database;
  readonly #ports: Ports;
  /** What the plans need to know of the host. */
  readonly host: NetworkHost;
  readonly #networks = new Map<string, NetworkRecord>();
  readonly #held = new Map<ContainerId, Held>();
  readonly #addresses = new Set<number>();

  /**
   * Holds afterwards: what was connected before still is. `name` is that of the firewall's table, and the beginning of
   * every interface's name; two daemons on one host need two.
   */
  static open(database: Database, name = "pier"): Networks {
    database.exec(`
      CREATE TABLE IF NOT EXISTS networks (name TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS endpoints (container TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
    `);
    return new Networks(database, name);
  }

  private constructor(database: Database, name: string) {
    this.#database = database;
    this.#ports = new Ports(findPortRange());
    this.host = { name, ipv6: hasIpv6(), apart: keepApart(database) };
    for (const { document } of database.all<{ document: string }>("SELECT document FROM networks")) {
      const network = JSON.parse(document) as NetworkRecord;
      this.#networks.set(network.name, network);
    }
    for (const { document } of database.all<{ document: string }>("SELECT document FROM endpoints")) {
      this.#hold(JSON.parse(document) as Held);
    }
  }

  /**
   * What to run when the daemon starts, and again when connecting fails because somebody took the bridge or the table
   * away: afterwards both are there, with everything that is connected now.
   */
  prepare(): Plan {
    const network = this.#settle();
    const bridge: Bridge = {
      name: network.bridge,
      subnet: network.subnet,
      gateway: gatewayOf(network.subnet),
      mtu: network.mtu,
    };
    const endpoints = Array.from(this.#held.values(), ({ endpoint }) => endpoint);
    return planBridge(bridge, endpoints, this.host, findInterfaceIndex(bridge.name));
  }

  /** What to run when the daemon leaves for good and nobody is connected: afterwards the host is as it was. */
  removal(): Plan {
    return planRemoval(this.get(defaultNetwork).bridge, this.host);
  }

  /** Holds afterwards: the container has an address and its ports, also for a daemon that comes after a crash. */
  connect(container: ContainerId, request: ConnectRequest): Endpoint {
    this.release(container);
    return this.#connect(container, request, []);
  }

  /**
   * What to do when a port turns out to be somebody else's: holds afterwards the same with another port, where the
   * request left a choice; else it is an error, and the container holds nothing.
   */
  connectAround(container: ContainerId, avoid: readonly PublishedPort[]): Endpoint {
    const held = this.#held.get(container);
    if (held === undefined) throw networkError("noSuchNetwork", { name: container });
    this.release(container);
    return this.#connect(container, held.request, avoid);
  }

  /** Holds afterwards: what the container had can be given to others. Comes after its plan's after lane has run. */
  release(container: ContainerId): void {
    const held = this.#held.get(container);
    if (held === undefined) return;
    this.#database.run("DELETE FROM endpoints WHERE container = ?", container);
    this.#held.delete(container);
    this.#addresses.delete(parseAddress(held.endpoint.address)!);
    this.#ports.release(held.endpoint.ports);
  }

  /** The containers that hold an endpoint: after a crash, some may have ended long ago. */
  containers(): ContainerId[] {
    return [...this.#held.keys()];
  }

  /** The container's place in its network, as long as it has one. */
  endpoint(container: ContainerId): Endpoint | undefined {
    return this.#held.get(container)?.endpoint;
  }

  find(name: string): NetworkRecord | undefined {
    return this.#networks.get(name === "default" ? defaultNetwork : name);
  }

  get(name: string): NetworkRecord {
    const network = this.find(name);
    if (network === undefined) throw networkError("noSuchNetwork", { name });
    return network;
  }

  list(): readonly NetworkRecord[] {
    return [...this.#networks.values()];
  }

  /** What `host-gateway` stands for, in whatever network a container is. */
  hostGateway(): string {
    return formatAddress(gatewayOf(this.get(defaultNetwork).subnet));
  }

  plan(endpoint: Endpoint): NetworkSteps {
    return planEndpoint(endpoint, this.host);
  }

  /** The default network with a subnet of its own: as long as nobody is connected, it gives way to the host's routes. */
  #settle(): NetworkRecord {
    const bridge = `${this.host.name}0`;
    const known = this.#networks.get(defaultNetwork);
    if (known !== undefined && this.#held.size > 0) return known;
    const foreign = findForeignSubnets(bridge);
    const isFree = (subnet: Subnet): boolean => !foreign.some((other) => overlaps(subnet, other));
    if (known !== undefined && isFree(known.subnet)) return known;
    const subnet = defaultSubnets.find(isFree);
    if (subnet === undefined) throw networkError("noSubnetLeft", {});
    const network: NetworkRecord = {
      name: defaultNetwork,
      id: known?.id ?? newId(),
      created: known?.created ?? Date.now(),
      bridge,
      subnet,
      mtu: findMtu(),
      last: gatewayOf(subnet),
    };
    this.#save(network);
    return network;
  }

  #connect(container: ContainerId, request: ConnectRequest, avoid: readonly PublishedPort[]): Endpoint {
    const network = this.get(request.network);
    const address = this.#findAddress(network);
    const ports = this.#ports.take(request.ports, avoid);
    const endpoint: Endpoint = {
      id: newId(),
      network: network.name,
      networkId: network.id,
      bridge: network.bridge,
      interface: "eth0",
      hostInterface: hostInterfaceName(this.host.name, address),
      address: formatAddress(address),
      prefix: network.subnet.prefix,
      gateway: formatAddress(gatewayOf(network.subnet)),
      mac: request.macAddress === "" ? formatMac(macOf(address)) : request.macAddress,
      mtu: network.mtu,
      ports,
    };
    const held: Held = { container, endpoint, request };
    try {
      this.#database.transaction(() => {
        this.#database.run("INSERT INTO endpoints VALUES (?, ?)", container, JSON.stringify(held));
        this.#save({ ...network, last: address });
      });
    } catch (error) {
      this.#ports.release(ports);
      throw error;
    }
    this.#hold(held, { portsToo: false });
    return endpoint;
  }

  /** An address whose last owner's interface is not gone yet (or whose namespace somebody holds on to) is taken too. */
  #findAddress(network: NetworkRecord): number {
    const isTaken = (address: number): boolean =>
      this.#addresses.has(address) || hasInterface(hostInterfaceName(this.host.name, address));
    const address = findAddress(network.subnet, network.last, isTaken);
    if (address === undefined) throw networkError("noAddressLeft", { name: network.name });
    return address;
  }

  #hold(held: Held, { portsToo } = { portsToo: true }): void {
    this.#held.set(held.container, held);
    this.#addresses.add(parseAddress(held.endpoint.address)!);
    if (portsToo) this.#ports.hold(held.endpoint.ports);
  }

  #save(network: NetworkRecord): void {
    this.#database.run("INSERT OR REPLACE INTO networks VALUES (?, ?)", network.name, JSON.stringify(network));
    this.#networks.set(network.name, network);
  }
}
