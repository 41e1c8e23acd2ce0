/** The flags of a container's networks, and the endpoints that they ask for. */
import { type EndpointSettings, noEndpoint } from "../../api/types.ts";
import { isAddress, isHardwareAddress, shortestAddress } from "../values/addresses.ts";
import { parseCsv } from "../values/csv.ts";
import { splitPair } from "../values/kinds.ts";
import { quote } from "../values/quote.ts";
import { createError } from "./errors.ts";

export interface Attachment {
  readonly network: string;
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly linkLocal: readonly string[];
  readonly hardware: string;
  readonly priority: number;
}

const attachmentTo = (network: string): Attachment => ({
  network,
  aliases: [],
  links: [],
  driverOptions: {},
  ipv4: "",
  ipv6: "",
  linkLocal: [],
  hardware: "",
  priority: 0,
});

const parseDriverOption = (text: string): Readonly<Record<string, string>> => {
  const [key, value] = splitPair(text);
  if (key.trim() === "" || value === undefined) throw createError("networkDriverOption", {});
  return { [key.trim()]: value.trim() };
};

const withField = (before: Attachment, key: string, value: string): Attachment => {
  switch (key) {
    case "name":
      return { ...before, network: value };
    case "alias":
      return { ...before, aliases: [...before.aliases, value] };
    case "driver-opt":
      return { ...before, driverOptions: { ...before.driverOptions, ...parseDriverOption(value) } };
    case "ip":
      return { ...before, ipv4: value };
    case "ip6":
      return { ...before, ipv6: value };
    case "mac-address":
      return { ...before, hardware: value };
    case "link-local-ip":
      return { ...before, linkLocal: [...before.linkLocal, value] };
    case "gw-priority":
      if (!/^[+-]?\d{1,15}$/.test(value)) throw createError("networkPriority", { text: value });
      return { ...before, priority: Number(value) };
    default:
      throw createError("networkKey", { key });
  }
};

/** `web`, or `name=web,alias=a,ip=10.0.0.5` */
export const parseNetwork = (text: string): Attachment => {
  if (!/\w+=\w+/.test(text)) return attachmentTo(text);
  let attachment = attachmentTo("");
  for (const field of parseCsv(text)) {
    const [key, value] = splitPair(field.toLowerCase());
    if (value === undefined || key === "") throw createError("networkField", { field });
    attachment = withField(attachment, key.trim(), value.trim());
  }
  if (attachment.network === "") throw createError("networkName", {});
  return attachment;
};

/** The flags that speak of the first network. */
export interface NetworkFlags {
  readonly network: readonly Attachment[];
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly ip: string;
  readonly ip6: string;
  readonly linkLocal: readonly string[];
  readonly hardware: string;
}

const isUserDefined = (network: string): boolean =>
  !["default", "bridge", "host", "none"].includes(network) && !network.startsWith("container:");

/** What a network's own fields and the container's flags say together; the same thing said twice is refused. */
const joined = (own: Attachment, flags: NetworkFlags): Attachment => {
  const one = <T extends string | readonly string[]>(mine: T, theirs: T, flag: string, what: string): T => {
    if (mine.length > 0 && theirs.length > 0) throw createError("networkConflict", { flag, what });
    return theirs.length > 0 ? theirs : mine;
  };
  return {
    ...own,
    aliases: one(own.aliases, flags.aliases, "--network-alias", "alias").slice(),
    // On a network of one's own a link is an alias; on the default bridge it is the old kind, told in HostConfig.
    links: isUserDefined(own.network) ? flags.links : [],
    ipv4: one(own.ipv4, flags.ip, "--ip", "IPv4 address"),
    ipv6: one(own.ipv6, flags.ip6, "--ip6", "IPv6 address"),
    hardware: one(own.hardware, flags.hardware, "--mac-address", "MAC address"),
    linkLocal: one(own.linkLocal, flags.linkLocal, "--link-local-ip", "link-local IP addresses"),
  };
};

const filled = <T>(values: readonly T[]): readonly T[] | null => (values.length === 0 ? null : values);

/** What the API is told of one network; a wrong value throws Docker's words. */
export const planEndpoint = (attachment: Attachment): EndpointSettings => {
  const { network, ipv4, ipv6, linkLocal, hardware, driverOptions } = attachment;
  if (network.trim() === "") throw createError("networkUnnamed", {});
  if (!isUserDefined(network) && attachment.aliases.length > 0) throw createError("networkAliases", {});
  if (hardware !== "" && !isHardwareAddress(hardware)) throw createError("hardwareAddress", { text: hardware });
  const addressed = ipv4 !== "" || ipv6 !== "" || linkLocal.length > 0;
  return {
    ...noEndpoint,
    Aliases: filled(attachment.aliases),
    Links: filled(attachment.links),
    DriverOpts: Object.keys(driverOptions).length === 0 ? null : driverOptions,
    MacAddress: hardware,
    GwPriority: attachment.priority,
    IPAMConfig: addressed
      ? {
          ...(ipv4 === "" ? {} : { IPv4Address: ipv4 }),
          ...(ipv6 === "" ? {} : { IPv6Address: ipv6 }),
          ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }),
        }
      : null,
  };
};

const isPlain = (endpoint: EndpointSettings): boolean =>
  Object.entries(endpoint).every(([key, value]) => value === noEndpoint[key as keyof EndpointSettings]);

export interface PlannedNetworks {
  readonly mode: string;
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
}

/** The network mode and the endpoints; a single network without wishes needs no endpoint told. */
export const planNetworks = (flags: NetworkFlags): PlannedNetworks => {
  const [first = attachmentTo("default"), ...more] = flags.network;
  const wished = [joined(first, flags), ...more];
  const endpoints: Record<string, EndpointSettings> = Object.create(null);
  for (const attachment of wished) {
    const endpoint = planEndpoint(attachment);
    if (attachment.network in endpoints) throw createError("networkTwice", { name: quote(attachment.network) });
    endpoints[attachment.network] = endpoint;
  }
  const kinds = new Set(wished.map(({ network }) => isUserDefined(network)));
  if (kinds.size > 1) throw createError("networkMixed", {});
  const single = flags.network.length === 1 && isPlain(endpoints[first.network]!);
  return { mode: first.network, endpoints: single ? {} : endpoints };
};

/** `name:address`, `name=address`, `name:[address]`, `name:host-gateway` */
export const parseExtraHost = (text: string): string => {
  const [key, value] = splitPair(text);
  const colon = text.indexOf(":");
  const [name, written] =
    value !== undefined ? [key, value] : colon < 0 ? ["", ""] : [text.slice(0, colon), text.slice(colon + 1)];
  if (name === "") throw createError("hostFormat", { text: quote(text) });
  const address = /^\[.+\]$/.test(written) ? written.slice(1, -1) : written;
  if (address !== "host-gateway" && !isAddress(address.trim()))
    throw createError("hostAddress", { text: quote(address) });
  return `${name}:${address}`;
};

export const parseDnsServer = (text: string): string => {
  const address = text.trim();
  if (!isAddress(address)) throw createError("dnsAddress", { text });
  return shortestAddress(address);
};

const domainName = /^([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)\.?$/;

export const parseDnsSearch = (text: string): string => {
  const trimmed = text.trim();
  if (trimmed === ".") return trimmed;
  const name = domainName.exec(trimmed)?.[1];
  if (name === undefined || !/[a-zA-Z]/.test(name) || name.length >= 255)
    throw createError("dnsDomain", { text: trimmed });
  return name;
};

export const checkLink = (text: string): string => {
  if (text === "") throw createError("linkEmpty", {});
  if (text.split(":").length > 2) throw createError("linkFormat", { text });
  return text;
};
