/** The files about names that a container gets from outside: `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`. */
import { isIPv4 } from "node:net";
import { resolverAddress } from "./dns/plan.ts";

export type NetworkMode = "none" | "host" | "bridge" | "container";

export interface HostsRequest {
  readonly mode: NetworkMode;
  readonly hostname: string;
  readonly domainname: string;
  /** The container's own addresses; none where it has none of its own. */
  readonly addresses: readonly string[];
  /** `name:address` or `name:host-gateway`. */
  readonly extraHosts: readonly string[];
  /** Others that it has names for. */
  readonly linked: readonly { readonly address: string; readonly names: readonly string[] }[];
  /** What `host-gateway` stands for. */
  readonly hostGateway: string;
  /** The host's own file: what a container in the host's network sees. */
  readonly hostFile: string;
  /** The container's loopback interface has ::1. */
  readonly ipv6: boolean;
}

const loopbackHosts = "127.0.0.1\tlocalhost\n";
const loopbackHosts6 = [
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
  "",
].join("\n");

/** `/etc/hosts`: the well-known names, those asked for, and the container's own. */
export const hostsFile = (request: HostsRequest): string => {
  const { hostFile } = request;
  const known =
    request.mode === "host"
      ? hostFile + (hostFile === "" || hostFile.endsWith("\n") ? "" : "\n")
      : loopbackHosts + (request.ipv6 ? loopbackHosts6 : "");
  const extra = request.extraHosts.map((entry) => extraHostLine(entry, request.hostGateway));
  const linked = request.linked.map(({ address, names }) => `${address}\t${names.join(" ")}\n`);
  const own = request.addresses.map((address) => `${address}\t${ownNames(request)}\n`);
  return [known, ...extra, ...linked, ...own].join("");
};

const extraHostLine = (entry: string, hostGateway: string): string => {
  const colon = entry.indexOf(":");
  const address = entry.slice(colon + 1);
  return `${address === "host-gateway" ? hostGateway : address}\t${entry.slice(0, colon)}\n`;
};

/** The full name, and its first part where it has more. */
export const ownNames = ({ hostname, domainname }: Pick<HostsRequest, "hostname" | "domainname">): string => {
  const full = domainname === "" ? hostname : `${hostname}.${domainname}`;
  return full.includes(".") ? `${full} ${full.slice(0, full.indexOf("."))}` : full;
};

/** `/etc/hostname`. */
export const hostnameFile = (hostname: string): string => `${hostname}\n`;

export interface ResolvRequest {
  readonly mode: NetworkMode;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** The host's own file, and where it was read: see `findHostResolv`. */
  readonly host: HostResolv;
  /** The container asks pier: whatever servers there are, they are asked by it. */
  readonly asksPier: boolean;
}

export interface HostResolv {
  readonly path: string;
  readonly text: string;
}

interface Resolver {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** Lines with other words, as they are. */
  readonly others: readonly string[];
}

const parseResolv = (text: string): Resolver => {
  const lines = text
    .split("\n")
    .map((line) => ({ line, words: line.trim().split(/\s+/) }))
    .filter(({ words: [word = ""] }) => word !== "" && !word.startsWith("#") && !word.startsWith(";"));
  const after = (...names: readonly string[]): (readonly string[])[] =>
    lines.filter(({ words }) => names.includes(words[0]!) && words.length > 1).map(({ words }) => words.slice(1));
  return {
    nameservers: after("nameserver").map(([address]) => address!),
    search: after("search", "domain").at(-1) ?? [],
    options: after("options").flat(),
    others: lines
      .filter(({ words }) => !["nameserver", "search", "domain", "options"].includes(words[0]!))
      .map(({ line }) => line),
  };
};

/** Where the host has no server that a container could reach. */
const publicNameservers = ["8.8.8.8", "8.8.4.4"] as const;

/**
 * `/etc/resolv.conf`: what was asked for, else the host's. The host's own loopback is out of a container's reach, and
 * so is IPv6 on a network without it; in the host's network everything is reachable.
 */
export const resolvFile = (request: ResolvRequest): string => {
  const { mode, dns, dnsSearch, dnsOptions, host } = request;
  if (mode === "host" && [dns, dnsSearch, dnsOptions].every((list) => list.length === 0)) return host.text;
  const found = parseResolv(host.text);
  if (request.asksPier) return pierFile(request, found);
  const reachable =
    mode === "host" ? found.nameservers : found.nameservers.filter((one) => isIPv4(one) && !one.startsWith("127."));
  const isLost = dns.length === 0 && reachable.length === 0 && mode !== "host";
  const nameservers = dns.length > 0 ? dns : isLost ? publicNameservers : reachable;
  const search = dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== ".") : found.search;
  const options = dnsOptions.length > 0 ? dnsOptions : found.options;
  return [
    "# Generated by pier.\n\n",
    ...nameservers.map((address) => `nameserver ${address}\n`),
    search.length > 0 ? `search ${search.join(" ")}\n` : "",
    options.length > 0 ? `options ${options.join(" ")}\n` : "",
    ...found.others.map((line) => `${line}\n`),
    `\n# Based on host file: '${host.path}'${mode === "host" ? "" : " (legacy)"}\n`,
    isLost ? "# Used default nameservers.\n" : "",
    `# Overrides: [${overrides(request).join(" ")}]\n`,
    ...ndotsComment(options, dnsOptions.length > 0),
  ].join("");
};

/** The host's servers are asked from the host, others from the container's network. */
const pierFile = (request: ResolvRequest, found: Resolver): string => {
  const { dns, dnsSearch, dnsOptions, host } = request;
  const search = dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== ".") : found.search;
  const asked = dnsOptions.length > 0 ? dnsOptions : found.options;
  const hasDots = asked.some(isDots);
  // A name without a dot may be a container's: it is asked for as it is first.
  const options = hasDots ? asked : [...asked, "ndots:0"];
  const servers = dns.length > 0 ? dns : found.nameservers.map((address) => `host(${address})`);
  return [
    "# Generated by pier.\n\n",
    `nameserver ${resolverAddress}\n`,
    search.length > 0 ? `search ${search.join(" ")}\n` : "",
    `options ${options.join(" ")}\n`,
    ...found.others.map((line) => `${line}\n`),
    `\n# Based on host file: '${host.path}' (internal resolver)\n`,
    `# ExtServers: [${servers.join(" ")}]\n`,
    `# Overrides: [${overrides(request).join(" ")}]\n`,
    ...(hasDots ? ndotsComment(options, dnsOptions.length > 0) : ["# Option ndots from: internal\n"]),
  ].join("");
};

const overrides = ({ dns, dnsSearch, dnsOptions }: ResolvRequest): string[] => [
  ...(dns.length > 0 ? ["nameservers"] : []),
  ...(dnsSearch.length > 0 ? ["search"] : []),
  ...(dnsOptions.length > 0 ? ["options"] : []),
];

const isDots = (option: string): boolean => /^ndots(:|$)/.test(option);

const ndotsComment = (options: readonly string[], isOverridden: boolean): string[] =>
  options.some(isDots) ? [`# Option ndots from: ${isOverridden ? "override" : "host"}\n`] : [];

const hostResolvPath = "/etc/resolv.conf";
const systemdResolvPath = "/run/systemd/resolve/resolv.conf";

/**
 * The host's resolver file. Where it only names systemd's stub on the loopback, which containers cannot reach, the file
 * with the servers behind it. `read` answers "" for a file that is not there.
 */
export const findHostResolv = (mode: NetworkMode, read: (path: string) => string): HostResolv => {
  const text = read(hostResolvPath);
  if (mode === "host" || parseResolv(text).nameservers.join() !== "127.0.0.53") return { path: hostResolvPath, text };
  const behind = read(systemdResolvPath);
  return behind === "" ? { path: hostResolvPath, text } : { path: systemdResolvPath, text: behind };
};
