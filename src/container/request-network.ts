/** What a request says about the network, in Docker's words. */
import { isIP } from "node:net";
import type { ContainerCreateBody, HostConfig } from "../api/types.ts";
import { isLoopback } from "../network/published.ts";
import { containerError } from "./errors.ts";
import { parseLink } from "./links.ts";
import type { NetworkRequest, PortRequest } from "./request.ts";
import { isDefault, parseAttachments, parseMode } from "./request-attachments.ts";

export const parseNetwork = (body: ContainerCreateBody, host: HostConfig): NetworkRequest => {
  const mode = parseMode(body, host);
  if (mode.mode === "container") checkShared(body, host);
  if ((body.MacAddress ?? "") !== "" && mode.mode === "host") throw conflict("mac-address and the network mode");
  const attachments = parseAttachments(body, mode);
  const links = (host.Links ?? []).map(parseLink);
  if (links.length > 0 && mode.mode === "host") throw containerError("linkToHost", {});
  // On a network of one's own they stand with the network too, and mean something only there.
  const isLinked = attachments[0] !== undefined && isDefault(attachments[0].network);
  return {
    ...mode,
    attachments,
    exposedPorts: Object.keys(body.ExposedPorts ?? {}).flatMap(parseExposed),
    ports: parsePorts(host),
    publishAll: host.PublishAllPorts ?? false,
    links: isLinked ? links : [],
    extraHosts: (host.ExtraHosts ?? []).map(checkExtraHost),
    dns: (host.Dns ?? []).map(checkAddress),
    dnsOptions: (host.DnsOptions ?? []).map(checkResolverWord),
    dnsSearch: (host.DnsSearch ?? []).map(checkResolverWord),
  };
};

const conflict = (options: string) => containerError("conflict", { options });

/** What another container's network namespace has been given already. */
const checkShared = (body: ContainerCreateBody, host: HostConfig): void => {
  const refused: readonly (readonly [boolean, string])[] = [
    [(body.Hostname ?? "") !== "", "hostname and the network mode"],
    [(host.Dns ?? []).length > 0, "dns and the network mode"],
    [(host.ExtraHosts ?? []).length > 0, "custom host-to-IP mapping and the network mode"],
    [(body.MacAddress ?? "") !== "", "mac-address and the network mode"],
    [
      (host.Links ?? []).length > 0,
      "container type network can't be used with links. This would result in undefined behavior",
    ],
    [
      Object.keys(host.PortBindings ?? {}).length > 0 || (host.PublishAllPorts ?? false),
      "port publishing and the container type network mode",
    ],
    [Object.keys(body.ExposedPorts ?? {}).length > 0, "port exposing and the container type network mode"],
  ];
  for (const [isAsked, options] of refused) if (isAsked) throw conflict(options);
};

const protocols = ["tcp", "udp", "sctp"] as const;

/** `80`, `80/udp`, `80-90/tcp` as its ports and protocol. */
export const parsePort = (text: string) => {
  const [range = "", protocol = "tcp", ...rest] = text.split("/");
  const ports = parseRange(range);
  const known = protocols.find((name) => name === protocol.toLowerCase());
  if (ports === undefined || ports.first === 0 || known === undefined || rest.length > 0) {
    throw containerError("invalidPort", { port: text });
  }
  return { ...ports, protocol: known };
};

const parseRange = (text: string): { readonly first: number; readonly last: number } | undefined => {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return last < first || last > 65_535 ? undefined : { first, last };
};

const parseExposed = (text: string): readonly string[] => {
  const { first, last, protocol } = parsePort(text);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
};

export const parsePorts = (host: Pick<HostConfig, "PortBindings">): readonly PortRequest[] =>
  Object.entries(host.PortBindings ?? {}).flatMap(([port, bindings]) =>
    // A port without a binding is published at any free port.
    (bindings === null || bindings.length === 0 ? [{}] : bindings).flatMap(({ HostIp = "", HostPort = "" }) => {
      // The protocol may stand here too.
      const [hostRange = "", protocol = parsePort(port).protocol] = HostPort.split("/");
      const range = hostRange === "" ? { first: 0, last: 0 } : parseRange(hostRange);
      if (range === undefined || protocol !== parsePort(port).protocol) {
        throw containerError("invalidPort", { port: HostPort });
      }
      return portsOf(port, range, checkHostAddress(HostIp));
    }),
  );

const portsOf = (
  port: string,
  hostRange: { readonly first: number; readonly last: number },
  hostAddress: string,
): readonly PortRequest[] => {
  const { first, last, protocol } = parsePort(port);
  if (first !== last) throw containerError("invalidPort", { port });
  if (protocol === "sctp" && isLoopback(hostAddress)) throw containerError("sctpOnLoopback", { address: hostAddress });
  return [
    {
      containerPort: first,
      protocol,
      hostAddress,
      hostPortFirst: hostRange.first,
      hostPortLast: hostRange.last,
    },
  ];
};

export const checkHostAddress = (address: string): string => {
  const bare = address.replace(/^\[(.*)\]$/, "$1");
  if (bare !== "" && (isIP(bare) === 0 || bare.includes("%"))) throw containerError("invalidPort", { port: address });
  return bare;
};

/** These become lines of the container's /etc/hosts and /etc/resolv.conf: one word each. */
const isWord = (text: string): boolean => /^[^\s#;\u0000-\u001f\u007f]+$/.test(text);

const checkExtraHost = (entry: string): string => {
  const colon = entry.indexOf(":");
  const name = entry.slice(0, Math.max(colon, 0));
  const address = entry.slice(colon + 1);
  if (!isWord(name) || address === "") throw containerError("invalidExtraHost", { entry });
  if (address !== "host-gateway" && isIP(address) === 0) throw containerError("invalidExtraHostAddress", { address });
  return entry;
};

const checkAddress = (address: string): string => {
  if (isIP(address) === 0) throw containerError("invalidDns", { address });
  return address;
};

const checkResolverWord = (entry: string): string => {
  // "." alone is how one asks for no search domains.
  if (!isWord(entry)) throw containerError("invalidDnsOption", { entry });
  return entry;
};
