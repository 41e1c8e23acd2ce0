/** The files that tell a container who it is and whom to ask: written at every start, bound into its root. */
import { readFileSync } from "node:fs";
import type { ConnectRequest, Endpoint } from "../network/endpoint.ts";
import { findHostResolv, hostnameFile, hostsFile, resolvFile } from "../network/files.ts";
import type { LinkedContainer } from "./links.ts";
import { asksPier } from "./listings.ts";
import { networkFileNames } from "./mounts.ts";
import type { OciSpec } from "./oci/spec.ts";
import type { ContainerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { NetworkRequest, PortRequest } from "./request.ts";
import { hostnameOf } from "./spec.ts";

const readOrEmpty = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** Contents by path; a file over which something else is mounted is left out. */
export const networkFiles = (
  record: ContainerRecord,
  spec: OciSpec,
  paths: ContainerPaths,
  endpoints: readonly Endpoint[],
  host: {
    readonly hostname: string;
    readonly hostGateway: string;
    readonly ipv6: boolean;
    readonly linked: readonly LinkedContainer[];
  },
): readonly { readonly path: string; readonly content: string }[] => {
  const { network, domainname } = record.request;
  const { mode, dns, dnsSearch, dnsOptions } = network;
  const hostname = hostnameOf(record.request, record.id, host);
  const contents: Record<(typeof networkFileNames)[number], string> = {
    "resolv.conf": resolvFile({
      mode,
      dns,
      dnsSearch,
      dnsOptions,
      asksPier: asksPier(endpoints),
      // Whom pier asks may be at the host's loopback.
      host: findHostResolv(asksPier(endpoints) ? "host" : mode, readOrEmpty),
    }),
    hostname: hostnameFile(hostname),
    hosts: hostsFile({
      mode,
      hostname,
      domainname,
      addresses: endpoints.flatMap(({ address, address6 }) => [address, address6]).filter((address) => address !== ""),
      extraHosts: network.extraHosts,
      linked: host.linked,
      hostGateway: host.hostGateway,
      hostFile: mode === "host" ? readOrEmpty("/etc/hosts") : "",
      ipv6: host.ipv6,
    }),
  };
  return networkFileNames
    .map((name) => ({ path: `${paths.directory}/${name}`, content: contents[name] }))
    .filter(({ path }) => spec.mounts.some(({ source }) => source === path));
};

/** What the container asks of its network, as that room takes it: with -P, every exposed port that has no other. */
export const connectRequest = ({ attachments, ports, exposedPorts, publishAll }: NetworkRequest): ConnectRequest => ({
  attachments,
  ports: [...ports, ...(publishAll ? exposedPorts.flatMap((port) => anyPort(port, ports)) : [])],
});

const anyPort = (exposed: string, asked: readonly PortRequest[]): readonly PortRequest[] => {
  const [port = "", protocol = "tcp"] = exposed.split("/");
  const containerPort = Number(port);
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") return [];
  if (asked.some((other) => other.containerPort === containerPort && other.protocol === protocol)) return [];
  return [{ containerPort, protocol, hostAddress: "", hostPortFirst: 0, hostPortLast: 0 }];
};
