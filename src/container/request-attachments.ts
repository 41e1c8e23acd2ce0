/** What a request says about each of the container's networks, in Docker's words. */
import { isIPv4, isIPv6 } from "node:net";
import type { ContainerCreateBody, EndpointSettings, HostConfig } from "../api/types.ts";
import type { Attachment } from "../network/endpoint.ts";
import { containerError } from "./errors.ts";
import type { NetworkRequest } from "./request.ts";

type Mode = Pick<NetworkRequest, "mode" | "name" | "container">;

const containerPrefix = "container:";

/** `NetworkMode`: "" and "default" are the default bridge, every other name is a network of its own. */
export const parseMode = (body: ContainerCreateBody, host: HostConfig): Mode => {
  const name = host.NetworkMode ?? "";
  if (body.NetworkDisabled) return { mode: "none", name, container: "" };
  if (name === "none" || name === "host") return { mode: name, name, container: "" };
  if (!name.startsWith(containerPrefix)) return { mode: "bridge", name, container: "" };
  const container = name.slice(containerPrefix.length);
  if (container === "") throw containerError("invalidMode", { namespace: "network", mode: name });
  return { mode: "container", name, container };
};

const defaultName = "bridge";
export const isDefault = (name: string): boolean => ["", "default", defaultName].includes(name);

/** In the order of the interfaces: the network of `NetworkMode` first, whether it has wishes of its own or not. */
export const parseAttachments = (body: ContainerCreateBody, { mode, name }: Mode): readonly Attachment[] => {
  const endpoints = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  const first = isDefault(name) ? defaultName : name;
  const named = endpoints.map(([network, endpoint]) => [isDefault(network) ? defaultName : network, endpoint] as const);
  if (mode !== "bridge") {
    if (named.some(([network]) => network !== name && mode !== "none")) throw containerError("sharedNetwork", {});
    if (named.some(([network]) => network !== "none" && mode === "none" && !body.NetworkDisabled)) {
      throw containerError("privateNetwork", {});
    }
    // There is nobody to give what it asks for.
    for (const [, endpoint] of named) parseAttachment(defaultName, endpoint);
    return [];
  }
  for (const [network] of named) {
    if (network === "host" || network.startsWith(containerPrefix)) throw containerError("sharedNetwork", {});
    if (network === "none") throw containerError("privateNetwork", {});
  }
  const own = named.find(([network]) => network === first)?.[1] ?? null;
  const others = named.filter(([network]) => network !== first);
  const mac = body.MacAddress ?? "";
  return [
    parseAttachment(first, mac === "" || own?.MacAddress ? own : { ...own, MacAddress: mac }),
    ...others.map(([network, endpoint]) => parseAttachment(network, endpoint)),
  ];
};

/** Throws a 400 with Docker's sentence for what no network can give. */
export const parseAttachment = (network: string, endpoint: EndpointSettings | null): Attachment => {
  const { IPv4Address: address = "", IPv6Address: address6 = "", LinkLocalIPs } = endpoint?.IPAMConfig ?? {};
  const linkLocal = LinkLocalIPs ?? [];
  const aliases = endpoint?.Aliases ?? [];
  const links = endpoint?.Links ?? [];
  if (isDefault(network)) {
    if (address !== "" || address6 !== "" || linkLocal.length > 0) throw containerError("addressNotSupported", {});
    if (aliases.length > 0) throw containerError("aliasNotSupported", {});
    if (links.length > 0) throw containerError("notSupported", { what: "a link on the default network" });
  }
  if (address !== "" && !isIPv4(address)) throw containerError("invalidAddress", { family: "IPv4", address });
  if (address6 !== "" && !isIPv6(address6))
    throw containerError("invalidAddress", { family: "IPv6", address: address6 });
  for (const one of linkLocal) {
    if (!isLinkLocal(one)) throw containerError("invalidAddress", { family: "link-local IP", address: one });
  }
  return {
    network,
    aliases,
    links,
    address,
    address6,
    linkLocal,
    macAddress: checkMac(endpoint?.MacAddress ?? ""),
    driverOptions: checkOptions(endpoint?.DriverOpts ?? {}),
    priority: endpoint?.GwPriority ?? 0,
  };
};

const isLinkLocal = (address: string): boolean =>
  isIPv4(address) ? address.startsWith("169.254.") : isIPv6(address) && /^fe[89ab]/i.test(address);

const checkMac = (address: string): string => {
  if (address !== "" && !/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(address)) {
    throw containerError("invalidMac", { address });
  }
  return address.toLowerCase().replaceAll("-", ":");
};

const nameOption = "com.docker.network.endpoint.ifname";
const sysctlsOption = "com.docker.network.endpoint.sysctls";

/** What no driver of ours knows is kept and shown, as in Docker. */
const checkOptions = (options: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  const name = options[nameOption];
  // dev_valid_name() of the kernel, and what would be taken for another interface.
  if (name !== undefined && (!/^[^\s/:]{1,15}$/.test(name) || ["lo", ".", "..", "all", "default"].includes(name))) {
    throw containerError("invalidInterface", { name });
  }
  if (options[sysctlsOption] !== undefined) {
    throw containerError("notSupported", { what: `the network driver option ${sysctlsOption}` });
  }
  return { ...options };
};
