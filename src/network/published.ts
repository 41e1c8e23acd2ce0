/** Where a published port is, and which way it leads to the container. */
import { isIPv6 } from "node:net";
import type { Endpoint, PublishedPort } from "./endpoint.ts";

/** Every address of the host, in each family. */
const anyAddresses: readonly string[] = ["0.0.0.0", "::"];

export const isAny = (address: string): boolean => anyAddresses.includes(address);

export const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";

export const familyOf = (address: string): "ip" | "ip6" => (isIPv6(address) ? "ip6" : "ip");

/** The addresses of the host that a request means: without one, the network's own, which by default is every one there is. */
export const hostAddresses = (asked: string, binding: string, host: { readonly ipv6: boolean }): readonly string[] => {
  if (asked !== "") return [asked];
  if (!isAny(binding)) return [binding];
  return host.ipv6 ? anyAddresses : ["0.0.0.0"];
};

export interface Way {
  /** By the kernel, with the source address kept; or by the keeper, where the families differ. */
  readonly by: "kernel" | "keeper";
  /** The container's. */
  readonly address: string;
}

/** Undefined where nothing leads there: relays pass on no SCTP. */
export const wayOf = (port: PublishedPort, { address, address6 }: Endpoint): Way | undefined => {
  const [own, other] = familyOf(port.hostAddress) === "ip" ? [address, address6] : [address6, address];
  if (own !== "") return { by: "kernel", address: own };
  return port.protocol === "sctp" || other === "" ? undefined : { by: "keeper", address: other };
};
