/** What of the host the networks depend on, read from /proc and /sys. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Subnet } from "./addresses.ts";
import type { Endpoint } from "./endpoint.ts";
import { type PortRange, parsePortRange } from "./ports.ts";
import { parseNameserverRoutes, parseRoutes, parseRoutes6 } from "./routes.ts";

/** What of the host the plans depend on. */
export interface NetworkHost {
  /** The nftables table, and what the names of all bridges and host interfaces begin with. */
  readonly name: string;
  /** The kernel speaks IPv6 too. */
  readonly ipv6: boolean;
  /** Packets of IPv4 are not passed on between these interfaces of the host. */
  readonly apart: readonly string[];
  /** The same of IPv6. */
  readonly apart6: readonly string[];
}

/** The file's text, or nothing where there is no such file. */
const readIfThere = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** The subnets that a network of ours must not overlap with, but for those at interfaces of our own. */
export const findForeignSubnets = (isOurs: (name: string) => boolean): Subnet[] => [
  ...[...parseRoutes(readIfThere("/proc/net/route")), ...parseRoutes6(readIfThere("/proc/net/ipv6_route"))]
    .filter((route) => !isOurs(route.interface) && route.subnet.prefix > 0)
    .map(({ subnet }) => subnet),
  ...parseNameserverRoutes(readIfThere("/etc/resolv.conf")),
];

/** The usual MTU, or that of the interface of the default route where it is smaller. */
export const findMtu = (): number => {
  const device = parseRoutes(readIfThere("/proc/net/route")).find(({ subnet }) => subnet.prefix === 0)?.interface;
  const mtu = Number(readIfThere(`/sys/class/net/${device}/mtu`));
  return mtu >= 576 && mtu < 1500 ? mtu : 1500;
};

export const findInterfaceIndex = (name: string): number | undefined => {
  const index = Number(readIfThere(`/sys/class/net/${name}/ifindex`));
  return index > 0 ? index : undefined;
};

/** The interfaces with such a mark, by it. */
export const findMarkedInterfaces = (prefix: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync("/sys/class/net")
      .map((name) => [readIfThere(`/sys/class/net/${name}/ifalias`).trim(), name] as const)
      .filter(([mark]) => mark.startsWith(prefix)),
  );

export const hasInterface = (name: string): boolean => existsSync(`/sys/class/net/${name}`);

/** The interfaces at a bridge; none where it is not there. */
export const findPorts = (bridge: string): readonly string[] => {
  try {
    return readdirSync(`/sys/class/net/${bridge}/brif`);
  } catch {
    return [];
  }
};

const isUpFlag = 1;
export const isUp = (name: string): boolean => (Number(readIfThere(`/sys/class/net/${name}/flags`)) & isUpFlag) !== 0;

/** The host's interface of an endpoint is there, but down, or at no bridge: nothing comes through. */
export const isAstray = ({ hostInterface, bridgeIndex }: Endpoint): boolean =>
  hostInterface !== "" &&
  hasInterface(hostInterface) &&
  !(isUp(hostInterface) && Number(readIfThere(`/sys/class/net/${hostInterface}/master/ifindex`)) === bridgeIndex);

export const hasIpv6 = (): boolean => existsSync("/proc/sys/net/ipv6");

const forwarding = { ip: "/proc/sys/net/ipv4/ip_forward", ip6: "/proc/sys/net/ipv6/conf/all/forwarding" } as const;
export const isForwarding = (family: keyof typeof forwarding): boolean =>
  readIfThere(forwarding[family]).trim() === "1";

/** The interfaces that have their addresses and routes from routers, and would lose them when the host becomes one. */
export const findAdvertised = (): string[] =>
  isForwarding("ip6")
    ? []
    : readdirSync("/sys/class/net").filter(
        (name) => readIfThere(`/proc/sys/net/ipv6/conf/${name}/accept_ra`).trim() === "1" && name !== "lo",
      );

/**
 * The machine's interfaces to the outside: those that belong to no bridge (they are other engines'), and are not ours: a
 * container's has no bridge either when somebody has taken that away.
 */
export const findOuterInterfaces = (prefix: string): string[] =>
  readdirSync("/sys/class/net").filter(
    (name) =>
      name !== "lo" &&
      !name.startsWith(prefix) &&
      !existsSync(`/sys/class/net/${name}/bridge`) &&
      !existsSync(`/sys/class/net/${name}/brport`),
  );

export const findBootId = (): string => readIfThere("/proc/sys/kernel/random/boot_id").trim();

export const findPortRange = (): PortRange => parsePortRange(readIfThere("/proc/sys/net/ipv4/ip_local_port_range"));
