/** How ports of the host come to lead to a container and cease to, as steps. */
import { encodeForget } from "../kernel/netlink/conntrack.ts";
import { addElements, deleteElements, encodeIsTable, type Table } from "../kernel/netlink/nftables.ts";
import type { Step } from "../kernel/steps.ts";
import { addressBytes } from "./addresses.ts";
import type { Endpoint, PublishedPort } from "./endpoint.ts";
import { portElements, protocolNumber } from "./firewall.ts";
import type { NetworkHost } from "./host.ts";
import { wayOf } from "./published.ts";
import { firewallStep, netfilterStep, tolerated } from "./steps.ts";

const nameOf = ({ hostAddress, hostPort, protocol }: PublishedPort): string =>
  `${hostAddress.includes(":") ? `[${hostAddress}]` : hostAddress}:${hostPort}/${protocol}`;
const namesOf = (ports: readonly PublishedPort[]): string => ports.map(nameOf).join(", ");

/** Which slot of the plan holds the port's socket. */
export const slotOf = (port: PublishedPort): string => `port ${nameOf(port)}`;

const tablesOf = ({ name, ipv6 }: NetworkHost): Table[] =>
  (ipv6 ? (["ip", "ip6"] as const) : (["ip"] as const)).map((family) => ({ family, name }));

/** Holds afterwards: the ports are ours, or (an error) one of them is somebody else's. */
export const bindSteps = (ports: readonly PublishedPort[]): Step[] =>
  ports.map((port) => ({
    step: "bindPort",
    slot: slotOf(port),
    protocol: protocolNumber(port),
    address: addressBytes(port.hostAddress),
    port: port.hostPort,
    // A kernel without SCTP has nobody either who could take the port away.
    ...(port.protocol === "sctp" ? { tolerate: tolerated(["EPROTONOSUPPORT", "ESOCKTNOSUPPORT"]) } : {}),
    why: `${nameOf(port)} is ours: a clash is seen here, and nobody gets it while the container runs`,
  }));

/** Holds afterwards: the kernel leads the ports to the container. Without ports, that its table is there. */
export const publishSteps = (endpoint: Endpoint, ports: readonly PublishedPort[], host: NetworkHost): Step[] => {
  const changes = tablesOf(host).flatMap((table) => portElements(table, endpoint, ports, addElements));
  if (changes.length > 0) return [firewallStep(`${namesOf(ports)} lead to the container`, changes)];
  // Rules are flushed by hand and by other programs' reloads; without them the container would reach nobody.
  const [table] = tablesOf(host);
  return table === undefined ? [] : [netfilterStep(`the firewall's table ${host.name} is there`, encodeIsTable(table))];
};

/** Holds afterwards: what no rule leads to the container, the loopback addresses above all, the keeper passes on. */
export const relaySteps = (endpoint: Endpoint, ports: readonly PublishedPort[]): Step[] =>
  ports.flatMap((port): Step[] => {
    const way = wayOf(port, endpoint);
    if (way === undefined || port.protocol === "sctp") return [];
    return [
      {
        step: "relay",
        slot: slotOf(port),
        protocol: protocolNumber(port),
        address: addressBytes(way.address),
        port: port.containerPort,
        why:
          way.by === "kernel"
            ? `${nameOf(port)} works from the host's loopback addresses too, without route_localnet`
            : `${nameOf(port)} is of another family than ${way.address}`,
      },
    ];
  });

/** Holds afterwards: what the keeper passed on to another of the container's addresses, it passes on to this endpoint's. */
export const moveSteps = (endpoint: Endpoint): Step[] =>
  endpoint.ports.flatMap((port): Step[] => {
    const way = wayOf(port, endpoint);
    if (way === undefined || port.protocol === "sctp") return [];
    return [
      {
        step: "moveRelay",
        protocol: protocolNumber(port),
        address: addressBytes(port.hostAddress),
        port: port.hostPort,
        target: addressBytes(way.address),
        targetPort: port.containerPort,
        why: `what the keeper passes on from ${nameOf(port)} goes to ${way.address} now`,
      },
    ];
  });

/** One step for each: that one is gone already must not keep the others. */
export const withdrawSteps = (endpoint: Endpoint, ports: readonly PublishedPort[], host: NetworkHost): Step[] =>
  ports.flatMap((port) => {
    const changes = tablesOf(host).flatMap((table) => portElements(table, endpoint, [port], deleteElements));
    return changes.length === 0 ? [] : [firewallStep(`${nameOf(port)} leads nowhere`, changes, "ENOENT")];
  });

/** Holds afterwards: whoever wants the ports can have them. */
export const closeSteps = (ports: readonly PublishedPort[]): Step[] =>
  ports.map((port) => ({
    step: "closePort",
    protocol: protocolNumber(port),
    address: addressBytes(port.hostAddress),
    port: port.hostPort,
    // Where SCTP is unknown there is none.
    tolerate: tolerated(["ENOENT"]),
    why: `${nameOf(port)} is ours no longer`,
  }));

/** A client that goes on sending would be led to this address for ever, also when the port is published anew. */
export const forgetSteps = (endpoint: Endpoint, ports: readonly PublishedPort[]): Step[] => {
  const udp = ports.find(({ protocol }) => protocol === "udp");
  if (udp === undefined) return [];
  return [endpoint.address, endpoint.address6]
    .filter((address) => address !== "")
    .map((address) =>
      netfilterStep(
        "the kernel forgets whose datagrams it led to the container",
        encodeForget(addressBytes(address), protocolNumber(udp)),
        "ENOENT",
        "EINVAL",
        "EOPNOTSUPP",
      ),
    );
};
