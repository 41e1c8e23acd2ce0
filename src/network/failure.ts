/** What it means when a step of the endpoints' plan fails. */
import type { PierError } from "../base/errors.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import type { Step } from "../kernel/steps.ts";
import type { Endpoint, PublishedPort } from "./endpoint.ts";
import { networkError } from "./errors.ts";
import { bridgePorts } from "./places.ts";
import { findPortOwner } from "./port-owner.ts";
import { slotOf } from "./publish.ts";

export type NetworkFailure =
  /** The bridge or the firewall's table is gone: `Networks.prepare()` brings them back, and then all can be tried again. */
  | { readonly kind: "unprepared" }
  /**
   * An interface of that name is there still, or those of others who left take the bridge's last ports: the kernel removes
   * those of namespaces that ended when it comes to it. `Networks.obstacles()` names them.
   */
  | { readonly kind: "lingering"; readonly error?: PierError }
  /** Somebody else holds the port: `Members.connectAround()` tries another one, where the request left a choice. */
  | { readonly kind: "taken"; readonly port: PublishedPort; readonly error: PierError }
  | { readonly kind: "final"; readonly error: PierError };

/** The failure of a step that belongs to the outside steps of the endpoints; undefined for one that does not. */
export const explainNetworkFailure = (
  endpoints: readonly Endpoint[],
  container: string,
  step: Step,
  errno: number,
  cause?: unknown,
): NetworkFailure | undefined => {
  if (step.step === "netlink") return explainNetlink(endpoints, errno, cause);
  if (step.step !== "bindPort") return undefined;
  const endpoint = endpoints.find(({ ports }) => ports.some((one) => slotOf(one) === step.slot));
  const port = endpoint?.ports.find((one) => slotOf(one) === step.slot);
  if (endpoint === undefined || port === undefined) return undefined;
  // Docker's words: scripts look for "address already in use".
  const reason = `failed to bind host port for ${port.hostAddress}:${port.hostPort}:${endpoint.address}:${port.containerPort}/${port.protocol}: ${errnoMessage(errno)}${ownerOf(port, errno)}`;
  const error = networkError("connectFailed", { name: container, id: endpoint.id, reason }, cause);
  return errno === errnos.EADDRINUSE.number ? { kind: "taken", port, error } : { kind: "final", error };
};

/** Whoever is in the way is named. */
const ownerOf = (port: PublishedPort, errno: number): string => {
  const owner = errno === errnos.EADDRINUSE.number ? findPortOwner(port) : undefined;
  return owner === undefined ? "" : ` (by ${owner.name}, pid ${owner.pid})`;
};

/** EINVAL is what the kernel says to a bridge's number that is nobody's. */
const missing: readonly number[] = [errnos.ENOENT.number, errnos.ENODEV.number, errnos.EINVAL.number];

const explainNetlink = (endpoints: readonly Endpoint[], errno: number, cause: unknown): NetworkFailure | undefined => {
  if (errno === errnos.EEXIST.number) return { kind: "lingering" };
  if (errno === errnos.EXFULL.number) {
    const name = endpoints.map(({ network }) => network).join(", ");
    return { kind: "lingering", error: networkError("networkFull", { name, ports: bridgePorts }, cause) };
  }
  return missing.includes(errno) ? { kind: "unprepared" } : undefined;
};
