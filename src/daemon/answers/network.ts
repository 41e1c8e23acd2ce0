/** Networks, and containers' places in them, as Docker shows them. */
import { createHash } from "node:crypto";
import type { NetworkSettings, PortSummary } from "../../api/answers/containers.ts";
import type { NetworkAnswer } from "../../api/answers/networks.ts";
import type { EndpointSettings, PortBinding } from "../../api/types.ts";
import { noEndpoint } from "../../api/types.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { hostnameOf } from "../../container/spec.ts";
import { type Attachment, type Endpoint, portsOf } from "../../network/endpoint.ts";
import { namesOf } from "../../network/names.ts";
import type { Pool } from "../../network/pools.ts";
import { defaultNetwork, type NetworkRecord } from "../../network/record.ts";
import type { NetworkService } from "../services.ts";
import { exposedPorts } from "./config.ts";
import { formatTime } from "./time.ts";

/** The networks that are the kernel's doing: no bridge, no subnet, and the same everywhere, so their ids are too. */
const builtIn = { host: "host", none: "null" } as const;
type BuiltIn = keyof typeof builtIn;

export const isBuiltIn = (name: string): name is BuiltIn => Object.hasOwn(builtIn, name);
const builtInId = (name: BuiltIn): string => createHash("sha256").update(`pier network ${name}`).digest("hex");

export const networkAnswers = (networks: NetworkService, containers: readonly ContainerRecord[]): NetworkAnswer[] => [
  ...networks.list().map((network) => networkAnswer(network, containers)),
  builtInAnswer("host"),
  builtInAnswer("none"),
];

const networkAnswer = (network: NetworkRecord, containers: readonly ContainerRecord[]): NetworkAnswer => ({
  ...blankNetwork,
  Name: network.name,
  Id: network.id,
  Created: formatTime(network.created),
  Driver: network.driver,
  EnableIPv4: network.ipv4 !== undefined,
  EnableIPv6: network.ipv6 !== undefined,
  IPAM: {
    Driver: "default",
    Options: network.name === defaultNetwork ? null : (network.ipamOptions ?? {}),
    Config: [network.ipv4, network.ipv6].filter((pool) => pool !== undefined).map(poolAnswer),
  },
  Internal: network.internal,
  Attachable: network.attachable,
  Containers: Object.fromEntries(containers.flatMap((record) => connectedAnswer(record, network))),
  Options: network.name === defaultNetwork ? defaultOptions(network) : network.options,
  Labels: network.labels,
});

const poolAnswer = ({ subnet, gateway, range, auxiliary }: Pool) => ({
  Subnet: subnet,
  ...(range === "" ? {} : { IPRange: range }),
  ...(gateway === "" ? {} : { Gateway: gateway }),
  ...(Object.keys(auxiliary).length === 0 ? {} : { AuxiliaryAddresses: auxiliary }),
});

const defaultOptions = (network: NetworkRecord) => ({
  "com.docker.network.bridge.default_bridge": "true",
  "com.docker.network.bridge.enable_icc": String(network.icc),
  "com.docker.network.bridge.enable_ip_masquerade": String(network.masquerade),
  "com.docker.network.bridge.host_binding_ipv4": network.hostBinding,
  "com.docker.network.bridge.name": network.interface,
  "com.docker.network.driver.mtu": String(network.mtu),
});

const connectedAnswer = ({ id, name, endpoints }: ContainerRecord, network: NetworkRecord) => {
  const endpoint = endpoints.find(({ networkId }) => networkId === network.id);
  if (endpoint === undefined) return [];
  const { address, prefix, address6, prefix6 } = endpoint;
  const answer = {
    Name: name,
    EndpointID: endpoint.id,
    MacAddress: endpoint.mac,
    IPv4Address: address === "" ? "" : `${address}/${prefix}`,
    IPv6Address: address6 === "" ? "" : `${address6}/${prefix6}`,
  };
  return [[id, answer] as const];
};

const builtInAnswer = (name: BuiltIn): NetworkAnswer => ({
  ...blankNetwork,
  Name: name,
  Id: builtInId(name),
  Created: formatTime(undefined),
  Driver: builtIn[name],
  IPAM: { Driver: "default", Options: null, Config: null },
  Containers: {},
  Options: {},
});

const blankNetwork = {
  Scope: "local",
  EnableIPv4: true,
  EnableIPv6: false,
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigFrom: { Network: "" },
  ConfigOnly: false,
  Labels: {},
} as const;

/** The networks that a container asks for, and its places there while it has any. */
export const endpointAnswers = (
  record: ContainerRecord,
  networks: NetworkService,
): Record<string, EndpointSettings> => {
  const { mode, attachments } = record.request.network;
  if (isBuiltIn(mode)) {
    const networkId = record.state.status === "created" ? "" : builtInId(mode);
    return { [mode]: { ...noEndpoint, NetworkID: networkId } };
  }
  return Object.fromEntries(attachments.map((attachment) => attachmentAnswer(record, attachment, networks)));
};

const attachmentAnswer = (
  record: ContainerRecord,
  attachment: Attachment,
  networks: NetworkService,
): readonly [string, EndpointSettings] => {
  const network = networks.find(attachment.network);
  const endpoint = record.endpoints.find(({ networkId }) => networkId === network?.id);
  const { aliases, links, driverOptions, priority } = attachment;
  const isDefault = network === undefined || network.name === defaultNetwork;
  const answer = {
    ...noEndpoint,
    IPAMConfig: addressAnswer(attachment, isDefault),
    Links: orNull(links),
    Aliases: orNull(aliases),
    MacAddress: attachment.macAddress,
    DriverOpts: Object.keys(driverOptions).length === 0 ? null : driverOptions,
    GwPriority: priority,
    NetworkID: record.state.status === "created" ? "" : (network?.id ?? ""),
    ...(endpoint === undefined ? {} : placeAnswer(endpoint)),
    DNSNames: endpoint === undefined || isDefault ? null : namesOf(memberOf(record), endpoint),
  };
  return [network?.name ?? attachment.network, answer];
};

/** A container as the others in its networks know it. */
const memberOf = ({ id, name, request }: ContainerRecord) => ({
  id,
  name,
  hostname: hostnameOf(request, id, { hostname: "" }),
});

const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);

const addressAnswer = ({ address, address6, linkLocal }: Attachment, isDefault: boolean) => {
  if (address === "" && address6 === "" && linkLocal.length === 0) return isDefault ? null : {};
  return {
    ...(address === "" ? {} : { IPv4Address: address }),
    ...(address6 === "" ? {} : { IPv6Address: address6 }),
    ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }),
  };
};

const placeAnswer = (endpoint: Endpoint) => ({
  NetworkID: endpoint.networkId,
  EndpointID: endpoint.id,
  Gateway: endpoint.gateway,
  IPAddress: endpoint.address,
  IPPrefixLen: endpoint.prefix,
  IPv6Gateway: endpoint.gateway6,
  GlobalIPv6Address: endpoint.address6,
  GlobalIPv6PrefixLen: endpoint.prefix6,
  MacAddress: endpoint.mac,
});

export const networkSettingsAnswer = (record: ContainerRecord, networks: NetworkService): NetworkSettings => {
  const { endpoints, request, state } = record;
  const hasSandbox = state.status === "running" && request.network.mode !== "container";
  const own = endpoints.find(({ network }) => network === defaultNetwork);
  const place = own === undefined ? noEndpoint : placeAnswer(own);
  return {
    Bridge: "",
    SandboxID: hasSandbox ? record.id : "",
    // The namespace as long as it lives, by the only name it has.
    SandboxKey: hasSandbox ? `/proc/${state.pid}/ns/net` : "",
    Ports: state.status === "running" ? portsAnswer(record) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: place.EndpointID,
    Gateway: place.Gateway,
    GlobalIPv6Address: place.GlobalIPv6Address,
    GlobalIPv6PrefixLen: place.GlobalIPv6PrefixLen,
    IPAddress: place.IPAddress,
    IPPrefixLen: place.IPPrefixLen,
    IPv6Gateway: place.IPv6Gateway,
    MacAddress: place.MacAddress,
    Networks: endpointAnswers(record, networks),
  };
};

const portsAnswer = ({ request, endpoints }: ContainerRecord): Record<string, PortBinding[] | null> => {
  if (request.network.mode !== "bridge") return {};
  const ports: Record<string, PortBinding[] | null> = Object.fromEntries(
    exposedPorts(request).map((port) => [port, null]),
  );
  for (const { containerPort, protocol, hostAddress, hostPort } of portsOf(endpoints)) {
    const name = `${containerPort}/${protocol}`;
    ports[name] = [...(ports[name] ?? []), { HostIp: hostAddress, HostPort: String(hostPort) }];
  }
  return ports;
};

/** The same as a flat list, as `docker ps` prints it. */
export const portSummaries = (record: ContainerRecord): readonly PortSummary[] => {
  if (record.state.status !== "running") return [];
  return Object.entries(portsAnswer(record)).flatMap(([name, bindings]) => {
    const [port, protocol = "tcp"] = name.split("/");
    const inside = { PrivatePort: Number(port), Type: protocol };
    if (bindings === null) return [inside];
    return bindings.map(({ HostIp = "", HostPort }) => ({ IP: HostIp, ...inside, PublicPort: Number(HostPort) }));
  });
};
