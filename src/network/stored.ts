/** Networks and endpoints as the database has them, also as the builds before 0.2 wrote them, which knew one network. */
import type { ContainerId } from "../base/ids.ts";
import { formatAddress, formatSubnet, parseAddress, type Subnet } from "./addresses.ts";
import type { Attachment, ConnectRequest, Endpoint } from "./endpoint.ts";
import { firstAddress } from "./pools.ts";
import type { NetworkRecord } from "./record.ts";
import { interfaceIndex } from "./steps.ts";

/** A container's places in its networks, and what it asked for. */
export interface Held {
  readonly container: ContainerId;
  readonly endpoints: readonly Endpoint[];
  readonly request: ConnectRequest;
}

export const blankAttachment: Attachment = {
  network: "",
  aliases: [],
  links: [],
  address: "",
  address6: "",
  linkLocal: [],
  macAddress: "",
  driverOptions: {},
  priority: 0,
};

/** What a network has that nobody asked anything of. */
export const blankNetwork = {
  internal: false,
  attachable: false,
  masquerade: true,
  icc: true,
  hostBinding: "0.0.0.0",
  labels: {},
  options: {},
  last: "",
  last6: "",
} as const satisfies Partial<NetworkRecord>;

interface EarlierNetwork {
  readonly name: string;
  readonly id: string;
  readonly created: number;
  readonly bridge: string;
  readonly subnet: { readonly network: number; readonly prefix: number };
  readonly mtu: number;
  readonly last: number;
}

export const decodeNetwork = (document: string): NetworkRecord => {
  const stored = JSON.parse(document) as NetworkRecord | EarlierNetwork;
  if (!("subnet" in stored)) return stored;
  const subnet: Subnet = { family: 4, network: BigInt(stored.subnet.network), prefix: stored.subnet.prefix };
  const gateway = firstAddress(subnet);
  return {
    ...blankNetwork,
    name: stored.name,
    id: stored.id,
    created: stored.created,
    driver: "bridge",
    interface: stored.bridge,
    index: interfaceIndex(gateway),
    ipv4: {
      subnet: formatSubnet(subnet),
      gateway: formatAddress(gateway),
      range: "",
      auxiliary: {},
      asked: false,
    },
    mtu: stored.mtu,
    last: formatAddress({ family: 4, value: BigInt(stored.last) }),
  };
};

type EarlierEndpoint = Pick<
  Endpoint,
  | "id"
  | "network"
  | "networkId"
  | "bridge"
  | "interface"
  | "hostInterface"
  | "address"
  | "prefix"
  | "gateway"
  | "mac"
  | "mtu"
  | "ports"
>;

/** An endpoint as it is today, whoever wrote it. */
export const decodeEndpoint = (stored: Endpoint | EarlierEndpoint): Endpoint =>
  "hostIndex" in stored
    ? stored
    : {
        ...stored,
        driver: "bridge",
        bridgeIndex: interfaceIndex(parseAddress(stored.gateway)!),
        index: 100,
        hostIndex: interfaceIndex(parseAddress(stored.address)!),
        address6: "",
        prefix6: 0,
        gateway6: "",
        linkLocal: [],
        isolated: false,
        defaultRoute: true,
        defaultRoute6: false,
        priority: 0,
        aliases: [],
        driverOptions: {},
      };

interface EarlierHeld {
  readonly container: ContainerId;
  readonly endpoint: EarlierEndpoint;
  readonly request: { readonly network: string; readonly macAddress: string; readonly ports: ConnectRequest["ports"] };
}

export const decodeHeld = (document: string): Held => {
  const stored = JSON.parse(document) as Held | EarlierHeld;
  if ("endpoints" in stored) return stored;
  const { network, macAddress, ports } = stored.request;
  return {
    container: stored.container,
    endpoints: [decodeEndpoint(stored.endpoint)],
    request: { attachments: [{ ...blankAttachment, network, macAddress }], ports },
  };
};
