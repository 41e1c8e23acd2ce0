/** Subnets, ranges, gateways and further addresses of a new network, put together as Docker's command does. */
import { BlockList, isIP } from "node:net";
import { cliError } from "../errors.ts";

interface PoolFlags {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  readonly auxiliary: Readonly<Record<string, string>>;
}

interface PoolConfig {
  readonly Subnet: string;
  readonly IPRange: string;
  readonly Gateway: string;
  readonly AuxiliaryAddresses: Readonly<Record<string, string>>;
}

const split = (text: string): { readonly address: string; readonly prefix: number; readonly family: number } => {
  const [address = "", prefix = ""] = text.split("/");
  const family = isIP(address);
  if (family === 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) {
    throw cliError("subnetInvalid", { text });
  }
  return { address, prefix: Number(prefix), family };
};

const holds = (subnet: string, other: string): boolean => {
  const { address, prefix, family } = split(subnet);
  const own = other.includes("/") ? split(other).address : other;
  if (isIP(own) !== family) return false;
  const list = new BlockList();
  const kind = family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(address, prefix, kind);
  return list.check(own, kind);
};

/** Every range, gateway and address belongs to the subnet that holds it; one that belongs to none is refused. */
export const poolsOf = ({ subnets, ranges, gateways, auxiliary }: PoolFlags): readonly PoolConfig[] => {
  if (subnets.length < ranges.length || subnets.length < gateways.length) throw cliError("subnetMissing", {});
  const names = Object.keys(auxiliary);
  const homeless = (kind: string, all: readonly string[]): void => {
    const lost = all.find((one) => !subnets.some((subnet) => holds(subnet, one)));
    if (lost !== undefined) throw cliError("subnetForeign", { kind, text: lost });
  };
  homeless("range", ranges);
  homeless("gateway", gateways);
  homeless("aux-address", Object.values(auxiliary));
  const one = (subnet: string, kind: string, all: readonly string[]): string => {
    const found = all.filter((text) => holds(subnet, text));
    if (found.length > 1) throw cliError("subnetTwice", { kind, subnet });
    return found[0] ?? "";
  };
  return subnets.map((subnet) => ({
    Subnet: subnet,
    IPRange: one(subnet, "ranges", ranges),
    Gateway: one(subnet, "gateways", gateways),
    AuxiliaryAddresses: Object.fromEntries(
      names.filter((name) => holds(subnet, auxiliary[name]!)).map((name) => [name, auxiliary[name]!]),
    ),
  }));
};
