/** What the database keeps of a network. */
import type { Pool } from "./pools.ts";

/** `bridge`: a bridge of ours; `macvlan`: addresses of their own at an interface of the host. */
export type NetworkDriver = "bridge" | "macvlan";

export interface NetworkRecord {
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly driver: NetworkDriver;
  /** The host's interface: the bridge, or what macvlan interfaces hang on. */
  readonly interface: string;
  /** The number of a bridge's interface, chosen by us. */
  readonly index: number;
  readonly ipv4?: Pool;
  readonly ipv6?: Pool;
  readonly mtu: number;
  /** Nothing outside is reached, nor reaches it. */
  readonly internal: boolean;
  /** Kept and shown: it means something to swarms alone. */
  readonly attachable: boolean;
  /** What leaves comes from the host's address. */
  readonly masquerade: boolean;
  /** Its containers reach each other. */
  readonly icc: boolean;
  /** Where ports are published when a container does not say. */
  readonly hostBinding: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As written. */
  readonly options: Readonly<Record<string, string>>;
  /** As written; they mean nothing to pier. Absent: made by a build that did not keep them. */
  readonly ipamOptions?: Readonly<Record<string, string>>;
  /** The addresses given out last. */
  readonly last: string;
  readonly last6: string;
}

/** The network that every container is in which asks for nothing. */
export const defaultNetwork = "bridge";
