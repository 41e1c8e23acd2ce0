/** What `GET /info` says of what the daemon was told: registries, proxies, pools of addresses. */
import type { InfoAnswer } from "../../api/answers/system.ts";
import { formatSubnet } from "../../network/addresses.ts";
import type { AddressPool } from "../../network/pools.ts";
import type { RegistrySettings } from "../../registry/settings.ts";

const hub = "docker.io";

type Told = Pick<InfoAnswer, "RegistryConfig" | "HttpProxy" | "HttpsProxy" | "NoProxy" | "DefaultAddressPools">;

export const toldAnswer = (
  { mirrors, insecure, proxies }: Pick<RegistrySettings, "mirrors" | "insecure" | "proxies">,
  pools: readonly AddressPool[],
): Told => {
  const ofHub = (mirrors.get(hub) ?? []).map(String);
  const hosts = insecure.filter((entry) => !entry.includes("/"));
  return {
    RegistryConfig: {
      InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8", ...insecure.filter((entry) => entry.includes("/"))],
      IndexConfigs: {
        [hub]: { Name: hub, Mirrors: ofHub, Secure: true, Official: true },
        ...Object.fromEntries(hosts.map((Name) => [Name, { Name, Mirrors: [], Secure: false, Official: false }])),
      },
      Mirrors: ofHub,
    },
    HttpProxy: withoutSecret(proxies.http),
    HttpsProxy: withoutSecret(proxies.https),
    NoProxy: proxies.direct.join(","),
    ...(pools.length === 0
      ? {}
      : { DefaultAddressPools: pools.map(({ base, size }) => ({ Base: formatSubnet(base), Size: size })) }),
  };
};

/** As Docker hides it. */
const withoutSecret = (proxy: URL | undefined): string => {
  if (proxy === undefined) return "";
  const shown = new URL(proxy);
  if (shown.username !== "" || shown.password !== "") [shown.username, shown.password] = ["xxxxx", "xxxxx"];
  return shown.href.replace(/\/$/, "");
};
