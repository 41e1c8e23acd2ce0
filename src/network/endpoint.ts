/** A container's place in a network, as a value: everything a plan needs, nothing the kernel makes up. */

export type Protocol = "tcp" | "udp";

/** A port of the host that leads to a port of the container. */
export interface PublishedPort {
  readonly protocol: Protocol;
  /** Dotted IPv4; `0.0.0.0` is every address of the host. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

/** What a container asks of a network, checked. */
export interface ConnectRequest {
  readonly network: string;
  readonly ports: readonly PortRequest[];
  /** "": pier chooses. */
  readonly macAddress: string;
}

export interface PortRequest {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** "": every address of the host. */
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
  /** The host's bridge. */
  readonly bridge: string;
  /** The name inside the container: `eth0`. */
  readonly interface: string;
  readonly hostInterface: string;
  readonly address: string;
  /** The length of the subnet's prefix, in bits. */
  readonly prefix: number;
  readonly gateway: string;
  readonly mac: string;
  readonly mtu: number;
  readonly ports: readonly PublishedPort[];
}
