/** What the drivers of networks can be told: `com.docker.network.…`, and macvlan's own. */
import { isIPv4 } from "node:net";
import { networkError } from "./errors.ts";
import type { NetworkDriver } from "./record.ts";

export interface NetworkOptions {
  /** "": pier chooses the bridge's name; of macvlan, the parent. */
  readonly interface: string;
  readonly masquerade: boolean;
  readonly icc: boolean;
  readonly hostBinding: string;
  /** The host has no address in the network. */
  readonly noGateway: boolean;
  /** 0: what the host's way out can carry. */
  readonly mtu: number;
  /** As written. */
  readonly options: Readonly<Record<string, string>>;
}

const names = {
  bridge: "com.docker.network.bridge.name",
  masquerade: "com.docker.network.bridge.enable_ip_masquerade",
  icc: "com.docker.network.bridge.enable_icc",
  hostBinding: "com.docker.network.bridge.host_binding_ipv4",
  inhibit: "com.docker.network.bridge.inhibit_ipv4",
  mode4: "com.docker.network.bridge.gateway_mode_ipv4",
  mode6: "com.docker.network.bridge.gateway_mode_ipv6",
  mtu: "com.docker.network.driver.mtu",
  parent: "parent",
  mode: "macvlan_mode",
} as const;

/** What would be lost if it were passed over, and is not there yet. */
const refused = [
  "com.docker.network.host_ipv4",
  "com.docker.network.host_ipv6",
  "com.docker.network.container_iface_prefix",
  "com.docker.network.bridge.trusted_host_interfaces",
];

type Options = Readonly<Record<string, string>>;

/** Other options are kept and shown, as in Docker. */
export const parseNetworkOptions = (driver: NetworkDriver, options: Options): NetworkOptions => {
  const missing = refused.find((name) => Object.hasOwn(options, name));
  if (missing !== undefined) throw networkError("noSuchOption", { name: missing });
  for (const name of [names.mode4, names.mode6]) {
    if (!["", "nat"].includes(options[name] ?? ""))
      throw networkError("noSuchOption", { name: `${name}=${options[name]}` });
  }
  if (driver === "macvlan") checkMode(options[names.mode] ?? "");
  const hostBinding = options[names.hostBinding] || "0.0.0.0";
  if (!isIPv4(hostBinding)) throw invalid(names.hostBinding, hostBinding);
  return {
    interface: parseInterface(driver, options),
    masquerade: parseBoolean(options, names.masquerade, true),
    icc: parseBoolean(options, names.icc, true),
    hostBinding,
    noGateway: parseBoolean(options, names.inhibit, false),
    mtu: parseMtu(options[names.mtu] ?? ""),
    options: { ...options },
  };
};

const invalid = (name: string, value: string) => networkError("invalidOption", { name, value: value.slice(0, 100) });

const checkMode = (mode: string): void => {
  if (mode !== "" && mode !== "bridge") throw networkError("noSuchOption", { name: `${names.mode}=${mode}` });
};

/** dev_valid_name() of the kernel. */
const isInterfaceName = (name: string): boolean =>
  /^[^\s/:]{1,15}$/.test(name) && name !== "." && name !== ".." && !/[\0-\x1f\x7f]/.test(name);

const parseInterface = (driver: NetworkDriver, options: Options): string => {
  const option = driver === "macvlan" ? names.parent : names.bridge;
  const name = options[option] ?? "";
  if (driver === "macvlan" && name === "") throw networkError("noParent", {});
  if (name !== "" && (!isInterfaceName(name) || name === "lo")) throw invalid(option, name);
  return name;
};

/** The words of Go's ParseBool. */
const parseBoolean = (options: Options, name: string, otherwise: boolean): boolean => {
  const value = options[name] ?? "";
  if (value === "") return otherwise;
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw invalid(name, value);
};

/** The least that IPv4 works with, and the most that a bridge takes. */
const parseMtu = (value: string): number => {
  if (value === "" || value === "0") return 0;
  const mtu = Number(value);
  if (!/^\d{1,5}$/.test(value) || mtu < 68 || mtu > 65_535) throw invalid(names.mtu, value);
  return mtu;
};
