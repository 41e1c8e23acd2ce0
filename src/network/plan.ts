/** How a container is connected, as steps. */
import { encodeForget } from "../kernel/netlink/conntrack.ts";
import { be32 } from "../kernel/netlink/message.ts";
import { addElements, deleteElements, encodeIsTable } from "../kernel/netlink/nftables.ts";
import { addAddress, addDefaultRoute, addVeth, raiseLink, setHairpin, setUp } from "../kernel/netlink/rtnetlink.ts";
import type { Step } from "../kernel/steps.ts";
import { parseAddress, parseMac } from "./addresses.ts";
import type { Endpoint, PublishedPort } from "./endpoint.ts";
import { portElements, protocolNumber } from "./firewall.ts";
import type { NetworkHost } from "./host.ts";
import { firewallStep, hostMac, interfaceIndex, netfilterStep, routeStep, tolerated } from "./steps.ts";

/** What a container's plan has about its network. */
export interface NetworkSteps {
  /** Inside, before the outside lane makes any interface. */
  readonly early: readonly Step[];
  /** After the clone, before the child goes past `points.network`. */
  readonly outside: readonly Step[];
  /** After `points.network`. */
  readonly inside: readonly Step[];
  /** The pair of interfaces is not in it: it goes with the container's namespace, and deleting it costs 20 ms and more. */
  readonly after: readonly Step[];
}

/** Holds afterwards: the container has its interface, address and routes, and the host's ports lead to it. */
export const planEndpoint = (endpoint: Endpoint, host: NetworkHost): NetworkSteps => {
  const { ports } = endpoint;
  return {
    early: host.ipv6 ? [ipv6Step("1", "a network without IPv6 gives its interfaces none")] : [],
    outside: [
      ...ports.map(bindStep),
      connectStep(endpoint, host),
      ports.length === 0 ? checkStep(host) : publishStep(endpoint, host),
      ...ports.map((port) => relayStep(endpoint, port)),
    ],
    inside: [
      ...(host.ipv6 ? [ipv6Step("0", "interfaces that the container makes itself are its own affair")] : []),
      addressStep(endpoint),
    ],
    after: [
      ...(ports.length === 0 ? [] : [withdrawStep(endpoint, host)]),
      ...ports
        .filter(({ protocol }) => protocol === "udp")
        .slice(0, 1)
        .map((port) => forgetStep(endpoint, port)),
    ],
  };
};

/** Holds afterwards: the container's loopback interface is up, and it has no other. */
export const planLoopback = (): NetworkSteps => ({
  early: [],
  outside: [],
  inside: [routeStep("the loopback interface is up", [setUp(loopbackIndex)])],
  after: [],
});

const loopbackIndex = 1;
/** The number of `eth0` in the container; the kernel's tunnel modules may have taken the lowest ones. */
const containerIndex = (name: string): number => 100 + Number(/\d+$/.exec(name)?.[0] ?? 0);

const addressOf = (text: string): number => parseAddress(text)!;
const nameOf = (port: PublishedPort): string => `${port.hostAddress}:${port.hostPort}/${port.protocol}`;
const namesOf = ({ ports }: Endpoint): string => ports.map(nameOf).join(", ");

/** Which slot of the plan holds the port's socket. */
export const slotOf = (port: PublishedPort): string => `port ${nameOf(port)}`;

const bindStep = (port: PublishedPort): Step => ({
  step: "bindPort",
  slot: slotOf(port),
  protocol: protocolNumber(port),
  address: be32(addressOf(port.hostAddress)),
  port: port.hostPort,
  why: `${nameOf(port)} is ours: a clash is seen here, and nobody gets it while the container runs`,
});

const connectStep = (endpoint: Endpoint, host: NetworkHost): Step => {
  const { bridge, hostInterface, interface: own, mtu } = endpoint;
  const address = addressOf(endpoint.address);
  const index = interfaceIndex(address);
  const master = interfaceIndex(addressOf(endpoint.gateway));
  return routeStep(`a pair of interfaces: ${hostInterface} at ${bridge}, ${own} in the container`, [
    addVeth(
      { name: hostInterface, index, mac: hostMac(address), mtu, master },
      { name: own, index: containerIndex(own), mac: parseMac(endpoint.mac)!, mtu },
    ),
    // A kernel without IPv6 refuses to hear of it.
    host.ipv6 ? raiseLink(index) : setUp(index),
    setHairpin(index),
  ]);
};

const publishStep = (endpoint: Endpoint, host: NetworkHost): Step =>
  firewallStep(
    `${namesOf(endpoint)} lead to ${endpoint.address}`,
    portElements(host.name, endpoint.address, endpoint.ports, addElements),
  );

/** Rules are flushed by hand and by other programs' reloads; without them the container would reach nobody. */
const checkStep = (host: NetworkHost): Step =>
  netfilterStep(`the firewall's table ${host.name} is there`, encodeIsTable(host.name));

const relayStep = (endpoint: Endpoint, port: PublishedPort): Step => ({
  step: "relay",
  slot: slotOf(port),
  protocol: protocolNumber(port),
  address: be32(addressOf(endpoint.address)),
  port: port.containerPort,
  why: `${nameOf(port)} works from the host's loopback addresses too, without route_localnet`,
});

/**
 * What interfaces are born with. An interface's own setting can be written too, but only with the lock of all
 * networking, which that write waits for by trying again and again: eight starts at once spent 10 to 100 ms of processor
 * each on it.
 */
const ipv6Step = (disabled: "0" | "1", why: string): Step => ({
  step: "sysctl",
  name: "net.ipv6.conf.default.disable_ipv6",
  value: disabled,
  tolerate: tolerated(["ENOENT"]),
  why,
});

const addressStep = (endpoint: Endpoint): Step => {
  const { address, prefix, gateway } = endpoint;
  const index = containerIndex(endpoint.interface);
  return routeStep(`lo is up; ${endpoint.interface} is ${address}/${prefix}, and the way out is ${gateway}`, [
    setUp(loopbackIndex),
    setUp(index),
    addAddress(index, addressOf(address), prefix),
    addDefaultRoute(index, addressOf(gateway)),
  ]);
};

const withdrawStep = (endpoint: Endpoint, host: NetworkHost): Step =>
  firewallStep(
    `${namesOf(endpoint)} lead nowhere`,
    portElements(host.name, endpoint.address, endpoint.ports, deleteElements),
    "ENOENT",
  );

/** A client that goes on sending would be led to this address for ever, also when the port is published anew. */
const forgetStep = (endpoint: Endpoint, port: PublishedPort): Step =>
  netfilterStep(
    "the kernel forgets whose datagrams it led to the container",
    encodeForget(addressOf(endpoint.address), protocolNumber(port)),
    "ENOENT",
    "EINVAL",
    "EOPNOTSUPP",
  );
