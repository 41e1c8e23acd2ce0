/** Networks, and containers' places in them, as Docker shows them. */
import { createHash } from "node:crypto";
import type { NetworkAnswer, NetworkSettings, PortSummary } from "../../api/answers.ts";
import type { EndpointSettings, PortBinding } from "../../api/types.ts";
import { noEndpoint } from "../../api/types.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { formatAddress, gatewayOf } from "../../network/addresses.ts";
import type { Endpoint } from "../../network/endpoint.ts";
import type { NetworkRecord } from "../../network/networks.ts";
import type { NetworkService } from "../services.ts";
import { exposedPorts } from "./config.ts";
import { formatTime } from "./time.ts";

/** The networks that are the kernel's doing: no bridge, no subnet, and the same everywhere, so their ids are too. */
const builtIn = { host: "host", none: "null" } as const;
type BuiltIn = keyof typeof builtIn;

const isBuiltIn = (name: string): name is BuiltIn => Object.hasOwn(builtIn, name);
const builtInId = (name: BuiltIn): string => createHash("sha256").update(`pier network ${name}`).digest("hex");

export const networkAnswers = (networks: NetworkService, containers: readonly ContainerRecord[]): NetworkAnswer[] => [
  ...networks.list().map((network) => bridgeAnswer(network, containers)),
  builtInAnswer("host"),
  builtInAnswer("none"),
];

const bridgeAnswer = (network: NetworkRecord, containers: readonly ContainerRecord[]): NetworkAnswer => ({
  ...blankNetwork,
  Name: network.name,
  Id: network.id,
  Created: formatTime(network.created),
  Driver: "bridge",
  IPAM: {
    Driver: "default",
    Options: null,
    Config: [
      {
        Subnet: `${formatAddress(network.subnet.network)}/${network.subnet.prefix}`,
        Gateway: formatAddress(gatewayOf(network.subnet)),
      },
    ],
  },
  Containers: Object.fromEntries(containers.flatMap((record) => connectedAnswer(record, network))),
  Options: {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.bridge.name": network.bridge,
    "com.docker.network.driver.mtu": String(network.mtu),
  },
});

const connectedAnswer = ({ id, name, endpoint }: ContainerRecord, network: NetworkRecord) => {
  if (endpoint?.networkId !== network.id) return [];
  const answer = {
    Name: name,
    EndpointID: endpoint.id,
    MacAddress: endpoint.mac,
    IPv4Address: `${endpoint.address}/${endpoint.prefix}`,
    IPv6Address: "",
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

/** The network that a container asks for, and its place there while it has one. */
export const endpointAnswers = (
  { request, endpoint, state }: ContainerRecord,
  networks: NetworkService,
): Record<string, EndpointSettings> => {
  const name = request.network.mode;
  const known = isBuiltIn(name) ? builtInId(name) : (networks.find(name)?.id ?? "");
  const networkId = state.status === "created" ? "" : known;
  return {
    [name]: { ...noEndpoint, NetworkID: networkId, ...(endpoint === undefined ? {} : placeAnswer(endpoint)) },
  };
};

const placeAnswer = (endpoint: Endpoint) => ({
  NetworkID: endpoint.networkId,
  EndpointID: endpoint.id,
  Gateway: endpoint.gateway,
  IPAddress: endpoint.address,
  IPPrefixLen: endpoint.prefix,
  MacAddress: endpoint.mac,
});

export const networkSettingsAnswer = (record: ContainerRecord, networks: NetworkService): NetworkSettings => {
  const { endpoint, state } = record;
  const running = state.status === "running";
  const isDefault = endpoint?.network === "bridge";
  const { Gateway, IPAddress, IPPrefixLen, MacAddress, EndpointID } = isDefault ? placeAnswer(endpoint) : noEndpoint;
  return {
    Bridge: "",
    SandboxID: running ? record.id : "",
    // The namespace as long as it lives, by the only name it has.
    SandboxKey: running ? `/proc/${state.pid}/ns/net` : "",
    Ports: running ? portsAnswer(record) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID,
    Gateway,
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress,
    IPPrefixLen,
    IPv6Gateway: "",
    MacAddress,
    Networks: endpointAnswers(record, networks),
  };
};

const portsAnswer = ({ request, endpoint }: ContainerRecord): Record<string, PortBinding[] | null> => {
  if (request.network.mode !== "bridge") return {};
  const ports: Record<string, PortBinding[] | null> = Object.fromEntries(
    exposedPorts(request).map((port) => [port, null]),
  );
  for (const { containerPort, protocol, hostAddress, hostPort } of endpoint?.ports ?? []) {
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
