/** A container's place in a network, as a value: everything a plan needs, nothing the kernel makes up. */
import type { NetworkDriver } from "./record.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** A port of the host that leads to a port of the container. */
export interface PublishedPort {
  readonly protocol: Protocol;
  /** `0.0.0.0` and `::` are every address of the host, each of its family. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

/** What a container asks of its networks, checked. */
export interface ConnectRequest {
  /** In the order of its interfaces. */
  readonly attachments: readonly Attachment[];
  readonly ports: readonly PortRequest[];
}

/** What a container asks of one network; texts that are "" and lists that are empty are not asked for. */
export interface Attachment {
  /** As written: a name, or (the beginning of) an id. */
  readonly network: string;
  /** Further names by which others of the network find it. */
  readonly aliases: readonly string[];
  /** `container:alias`: names by which it finds others. */
  readonly links: readonly string[];
  readonly address: string;
  readonly address6: string;
  readonly linkLocal: readonly string[];
  readonly macAddress: string;
  readonly driverOptions: Readonly<Record<string, string>>;
  /** The network with the highest one has the default route. */
  readonly priority: number;
}

export interface PortRequest {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** "": what the network says, by default every address of the host. */
  readonly hostAddress: string;
  /** 0 to 0: any free port; otherwise the first free one of the range. */
  readonly hostPortFirst: number;
  readonly hostPortLast: number;
}

export interface Endpoint {
  /** 64 hexadecimal digits: the `EndpointID` of the API. */
  readonly id: string;
  /** The network's name: `bridge` is the default one. */
  readonly network: string;
  /** 64 hexadecimal digits: the `NetworkID` of the API. */
  readonly networkId: string;
  readonly driver: NetworkDriver;
  /** The host's bridge, or macvlan's parent. */
  readonly bridge: string;
  /** The number of the bridge's interface. */
  readonly bridgeIndex: number;
  /** The name inside the container: `eth0`. */
  readonly interface: string;
  /** Its number there. */
  readonly index: number;
  /** "": there is none on the host. */
  readonly hostInterface: string;
  /** The number of that one. */
  readonly hostIndex: number;
  /** "": it has none of IPv4. */
  readonly address: string;
  /** The length of the subnet's prefix, in bits. */
  readonly prefix: number;
  /** "": nothing leads out by IPv4. */
  readonly gateway: string;
  /** The same of IPv6. */
  readonly address6: string;
  readonly prefix6: number;
  readonly gateway6: string;
  /** Further addresses of its interface. */
  readonly linkLocal: readonly string[];
  readonly mac: string;
  readonly mtu: number;
  /** The network's containers do not reach each other. */
  readonly isolated: boolean;
  /** The default routes of both families: of all endpoints of a container, one each has them at most. */
  readonly defaultRoute: boolean;
  readonly defaultRoute6: boolean;
  readonly priority: number;
  readonly aliases: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  /** Published by way of this endpoint: the one with the default route. */
  readonly ports: readonly PublishedPort[];
}

/**
 * The endpoint to whose address published ports lead: the one with the default route, of a bridge. Undefined where nothing
 * leads out, so that nothing leads in (internal networks), and where it is not this host that leads (macvlan); Docker
 * publishes nothing there either (libnetwork's ProgramExternalConnectivity).
 */
export const mainEndpoint = (endpoints: readonly Endpoint[]): Endpoint | undefined => {
  const atBridges = endpoints.filter(({ driver }) => driver === "bridge");
  return atBridges.find(({ defaultRoute }) => defaultRoute) ?? atBridges.find(({ defaultRoute6 }) => defaultRoute6);
};

/** The endpoint by way of which the container's ports are published now, if they are. */
export const publishingEndpoint = (endpoints: readonly Endpoint[]): Endpoint | undefined =>
  endpoints.find(({ ports }) => ports.length > 0);

export const portsOf = (endpoints: readonly Endpoint[]): readonly PublishedPort[] =>
  endpoints.flatMap(({ ports }) => ports);
