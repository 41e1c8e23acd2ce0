/** How a container that runs already comes into a network, and leaves one: small plans for a keeper that runs and leaves. */
import type { Message } from "../kernel/netlink/message.ts";
import { deleteLink, replaceDefaultRoute } from "../kernel/netlink/rtnetlink.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { addressBytes } from "./addresses.ts";
import { type Endpoint, publishingEndpoint } from "./endpoint.ts";
import type { NetworkHost } from "./host.ts";
import { addressMessages, connectStep } from "./plan.ts";
import { bindSteps, closeSteps, forgetSteps, moveSteps, publishSteps, relaySteps, withdrawSteps } from "./publish.ts";
import { routeStep, settingStep } from "./steps.ts";

/** The container's first process, in whose network namespace the interfaces are. */
export interface Target {
  readonly pid: number;
  /** Clock ticks since boot: with it, the pid means one process for ever. */
  readonly startTime: number;
}

/** A container's endpoints before and after one of them came or went. */
export interface EndpointChange {
  readonly before: readonly Endpoint[];
  readonly after: readonly Endpoint[];
}

const container = "the container";
const plan = (outside: readonly Step[]): Plan => ({ outside, inside: [], after: [] });

const enterSteps = ({ pid, startTime }: Target): Step[] => [
  { step: "openProcess", slot: container, pid, startTime },
  { step: "joinProcess", slot: container, kinds: namespaces.network.flag, why: "the container's interfaces are there" },
];

/** Holds afterwards: the container has an interface in the network, and goes out by where it should. */
export const planJoin = (joined: Endpoint, change: EndpointChange, target: Target, host: NetworkHost): Plan =>
  plan([
    // Looked at before anything is made for it: a pid may be somebody else's by now.
    { step: "openProcess", slot: "who is meant", ...target },
    connectStep([joined], host, target.pid),
    ...enterSteps(target),
    ...(host.ipv6 ? interfaceSettings(joined) : []),
    routeStep(`${joined.interface} has its addresses`, addressMessages({ ...joined, ...noDefault })),
    ...defaultSteps(change),
  ]);

/** The routes that the others had are replaced, not added to. */
const noDefault = { defaultRoute: false, defaultRoute6: false } as const;

const interfaceSettings = ({ interface: own, address6 }: Endpoint): Step[] => [
  settingStep(`ipv6/conf/${own}/accept_ra`, "0", "no neighbour tells the container about routes", "ENOENT"),
  settingStep(`ipv6/conf/${own}/disable_ipv6`, address6 === "" ? "1" : "0", "as its network has it", "ENOENT"),
];

/** Holds afterwards: the container has no interface in the network any more; also when it never had one. */
export const planLeave = (left: Endpoint, change: EndpointChange, target: Target): Plan =>
  plan([
    ...(left.hostInterface === ""
      ? []
      : [
          routeStep(`${left.hostInterface} and ${left.interface} are gone`, [deleteLink(left.hostInterface)], "ENODEV"),
        ]),
    ...enterSteps(target),
    ...(left.hostInterface === ""
      ? [routeStep(`${left.interface} is gone`, [deleteLink(left.interface)], "ENODEV")]
      : []),
    ...defaultSteps(change),
  ]);

/** Holds afterwards: the host has no interfaces of these names any more. */
export const planClearing = (names: readonly string[]): Plan =>
  plan(names.map((name) => routeStep(`${name} of an earlier start is gone`, [deleteLink(name)], "ENODEV")));

/** The endpoint with the default route may be another one now. */
const defaultSteps = ({ after }: EndpointChange): Step[] => {
  const messages: Message[] = after.flatMap(({ index, defaultRoute, defaultRoute6, gateway, gateway6 }) => [
    ...(defaultRoute ? [replaceDefaultRoute(index, addressBytes(gateway))] : []),
    ...(defaultRoute6 ? [replaceDefaultRoute(index, addressBytes(gateway6))] : []),
  ]);
  return messages.length === 0 ? [] : [routeStep("the way out is by the network that has it now", messages)];
};

/**
 * Published ports lead to the endpoint with the default route: answers go out there. Holds afterwards: they lead to the
 * one that has it now; nobody holds them when there is none any more, and they are held again when there is one again.
 */
export const movePorts = ({ before, after }: EndpointChange, host: NetworkHost): readonly Step[] => {
  const [from, to] = [before, after].map(publishingEndpoint);
  if (from?.id === to?.id) return [];
  return [
    ...(from === undefined ? [] : [...withdrawSteps(from, from.ports, host), ...forgetSteps(from, from.ports)]),
    ...(from !== undefined && to === undefined ? closeSteps(from.ports) : []),
    ...(from === undefined && to !== undefined ? bindSteps(to.ports) : []),
    ...(to === undefined ? [] : publishSteps(to, to.ports, host)),
    ...(to === undefined ? [] : from === undefined ? relaySteps(to, to.ports) : moveSteps(to)),
  ];
};
