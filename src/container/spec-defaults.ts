/** What every container gets of limits and kernel settings, and how a request changes it. */
import type { OciRlimit } from "./oci/spec.ts";
import type { CreateRequest, Ulimit } from "./request.ts";

/** Never inherited from the daemon; the default is what systemd gives (v240), as far as we may. */
const defaultUlimits = (max: number): readonly Ulimit[] => [
  { name: "nofile", soft: Math.min(1024, max), hard: Math.min(524_288, max) },
];
const unlimited = 2n ** 64n - 1n;

/** The limits asked for, over the default. */
export const planRlimits = (asked: readonly Ulimit[], maxFiles: number): readonly OciRlimit[] => {
  const limits = new Map([...defaultUlimits(maxFiles), ...asked].map((limit) => [limit.name, limit]));
  const value = (limit: number) => (limit < 0 ? unlimited : BigInt(limit));
  return [...limits.values()].map(({ name, soft, hard }) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft: value(soft),
    hard: value(hard),
  }));
};

/** Harmless in a network namespace of one's own, and saves most programs from needing NET_RAW and NET_BIND_SERVICE. */
const networkSysctls = { "net.ipv4.ping_group_range": "0 2147483647", "net.ipv4.ip_unprivileged_port_start": "0" };

export const planSysctls = (request: CreateRequest): Readonly<Record<string, string>> => ({
  ...(request.network.mode === "host" ? {} : networkSysctls),
  ...request.sysctls,
});
