/** What a client asks of a new network, checked: the body of `POST /networks/create`, in Docker's words. */
import { boolean, list, map, nullable, object, optional, string } from "../api/shape.ts";
import { formatAddress, formatSubnet, hasAddress, parseAddress, parseSubnet, type Subnet } from "./addresses.ts";
import { networkError } from "./errors.ts";
import { type NetworkOptions, parseNetworkOptions } from "./options.ts";
import type { NetworkDriver } from "./record.ts";

/** The addresses of one family, as far as somebody has said them; "" and empty: not asked for. */
export interface PoolRequest {
  readonly subnet: string;
  readonly gateway: string;
  readonly range: string;
  readonly auxiliary: Readonly<Record<string, string>>;
}

export interface NetworkRequest extends NetworkOptions {
  readonly name: string;
  readonly driver: NetworkDriver;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Kept and shown: pier's addresses have no options. */
  readonly ipamOptions: Readonly<Record<string, string>>;
  /** Absent: the family is not wanted. */
  readonly ipv4?: PoolRequest;
  readonly ipv6?: PoolRequest;
}

const texts = map(string);
const pool = object({ Subnet: string, IPRange: string, Gateway: string, AuxiliaryAddresses: nullable(texts) });
const createBody = object({
  Name: string,
  Driver: string,
  Scope: string,
  Internal: boolean,
  Attachable: boolean,
  Ingress: boolean,
  ConfigOnly: boolean,
  ConfigFrom: nullable(object({ Network: string })),
  IPAM: nullable(object({ Driver: string, Options: nullable(texts), Config: list(pool) })),
  EnableIPv4: optional(boolean),
  EnableIPv6: optional(boolean),
  Options: nullable(texts),
  Labels: nullable(texts),
});

export const parseCreateNetwork = (json: unknown): NetworkRequest => {
  const body = createBody(json ?? undefined, "");
  const name = parseName(body.Name);
  const driver = parseDriver(body.Driver);
  if (body.Ingress || body.Scope === "swarm") throw networkError("noSwarm", {});
  if (body.ConfigOnly || (body.ConfigFrom?.Network ?? "") !== "") throw networkError("noConfigNetworks", {});
  const ipam = body.IPAM?.Driver ?? "";
  if (ipam !== "" && ipam !== "default") throw networkError("noSuchIpam", { name: ipam });
  const pools = (body.IPAM?.Config ?? []).map(parsePool);
  const ofFamily = (family: 4 | 6): PoolRequest | undefined => {
    const found = pools.filter((one) => one.family === family);
    if (found.length > 1) throw networkError("oneSubnet", { driver, family });
    return found[0]?.pool;
  };
  const [ipv4, ipv6] = [ofFamily(4), ofFamily(6)];
  const [isIpv4, isIpv6] = [body.EnableIPv4 ?? true, body.EnableIPv6 ?? ipv6 !== undefined];
  if (!isIpv4 && !isIpv6) throw networkError("noFamily", {});
  if ((!isIpv4 && ipv4 !== undefined) || (!isIpv6 && ipv6 !== undefined)) throw networkError("familyOff", {});
  return {
    name,
    driver,
    internal: body.Internal,
    attachable: body.Attachable,
    labels: { ...body.Labels },
    ipamOptions: { ...body.IPAM?.Options },
    ...(isIpv4 ? { ipv4: ipv4 ?? blankPool } : {}),
    ...(isIpv6 ? { ipv6: ipv6 ?? blankPool } : {}),
    ...parseNetworkOptions(driver, body.Options ?? {}),
  };
};

const blankPool: PoolRequest = { subnet: "", gateway: "", range: "", auxiliary: {} };

/** The kernel's own networks, which are everywhere. */
const predefined = ["bridge", "host", "none", "default"];
export const isPredefined = (name: string): boolean => predefined.includes(name);

const parseName = (name: string): string => {
  if (isPredefined(name)) throw networkError("predefined", { name });
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) throw networkError("invalidName", { name: name.slice(0, 100) });
  return name;
};

const parseDriver = (name: string): NetworkDriver => {
  if (name === "" || name === "default" || name === "bridge") return "bridge";
  if (name === "macvlan") return name;
  if (name === "ipvlan" || name === "overlay") throw networkError("driverMissing", { name });
  if (name === "host" || name === "null") throw networkError("onlyOne", { name });
  throw networkError("noSuchDriver", { name: name.slice(0, 100) });
};

type PoolBody = ReturnType<typeof pool>;

/** Every address lies in the subnet, and the subnet is written as what it is. */
const parsePool = (body: PoolBody): { family: 4 | 6; pool: PoolRequest } => {
  const invalid = (problem: string) => networkError("invalidConfig", { problem });
  const subnet = parseSubnet(body.Subnet);
  if (body.Subnet === "") throw invalid("a range, gateway or address needs a subnet");
  if (subnet === undefined) throw invalid(`invalid subnet ${body.Subnet}`);
  const text = formatSubnet(subnet);
  if (!isExact(body.Subnet, subnet)) throw invalid(`invalid subnet ${body.Subnet}: it should be ${text}`);
  const range = parseRange(body.IPRange, subnet);
  const inside = (address: string, what: string): string => {
    // Some clients write the gateway with the subnet's prefix.
    const parsed = parseAddress(address.replace(/\/\d+$/, ""));
    if (parsed === undefined) throw invalid(`invalid ${what} ${address}`);
    if (!hasAddress(subnet, parsed)) throw invalid(`invalid ${what} ${address}: it is not in ${text}`);
    return formatAddress(parsed);
  };
  const auxiliary = Object.entries(body.AuxiliaryAddresses ?? {});
  return {
    family: subnet.family,
    pool: {
      subnet: text,
      gateway: body.Gateway === "" ? "" : inside(body.Gateway, "gateway"),
      range: range === undefined ? "" : formatSubnet(range),
      auxiliary: Object.fromEntries(auxiliary.map(([name, one]) => [name, inside(one, `auxiliary address ${name}:`)])),
    },
  };
};

const isExact = (text: string, subnet: Subnet): boolean =>
  parseAddress(text.slice(0, text.indexOf("/")))?.value === subnet.network;

const parseRange = (text: string, subnet: Subnet): Subnet | undefined => {
  if (text === "") return undefined;
  const range = parseSubnet(text);
  const first = range && { family: range.family, value: range.network };
  if (range === undefined || first === undefined || range.prefix < subnet.prefix || !hasAddress(subnet, first)) {
    throw networkError("invalidConfig", { problem: `invalid ip-range ${text}: it is not in ${formatSubnet(subnet)}` });
  }
  return range;
};
