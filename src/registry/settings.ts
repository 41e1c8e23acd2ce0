/** How registries are reached: what the daemon was told, and what its environment says. */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { registryError } from "./errors.ts";

export interface RegistrySettings {
  /** By registry as names have it (`docker.io`): where its images are looked for first. */
  readonly mirrors: ReadonlyMap<string, readonly URL[]>;
  /** `host`, `host:port` or ranges of addresses that may do without encryption, beside loopback. */
  readonly insecure: readonly string[];
  /** Directories with one directory for each `host[:port]`, the first that has it counts. */
  readonly certificates: readonly string[];
  readonly proxies: Proxies;
  /** At once, from and to one host. */
  readonly downloads: number;
  readonly uploads: number;
  /** How long a host may send nothing. */
  readonly stallMs: number;
  /** How often something is tried before it has failed, and the first pause between; it doubles. */
  readonly attempts: number;
  readonly pauseMs: number;
  /** The addresses of a host. */
  readonly resolve: (host: string) => Promise<readonly LookupAddress[]>;
}

export interface Proxies {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** Hosts, domains and ranges that are reached directly. */
  readonly direct: readonly string[];
}

export const noProxies: Proxies = { http: undefined, https: undefined, direct: [] };

export const defaultSettings: RegistrySettings = {
  mirrors: new Map(),
  insecure: [],
  certificates: ["/etc/pier/certs.d", "/etc/docker/certs.d"],
  proxies: noProxies,
  downloads: 3,
  uploads: 5,
  stallMs: 30_000,
  attempts: 5,
  pauseMs: 250,
  resolve: (host) => lookup(host, { all: true, verbatim: true }),
};

/** `https://mirror` for Docker Hub, `ghcr.io=https://mirror/path` for another. */
export const parseMirror = (text: string): readonly [registry: string, mirror: URL] => {
  const equals = text.indexOf("=");
  const registry = equals < 0 ? "docker.io" : text.slice(0, equals);
  const address = text.slice(equals + 1);
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isUsable = url !== undefined && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
  if (!isUsable || url.username !== "" || registry === "") throw registryError("badMirror", { text });
  return [registry, url];
};

/** `host`, `host:port`, an address, or `10.0.0.0/8`. */
export const parseInsecure = (text: string): string => {
  const bare = text.replace(/^https?:\/\//, "").replace(/\/$/, "");
  if (!/^[A-Za-z0-9.:[\]-]+(\/\d{1,3})?$/.test(bare)) throw registryError("badInsecure", { text });
  return bare.toLowerCase();
};

/** The usual variables, in capitals or not (httpproxy in Go's x/net, whose rules everybody follows). */
export const proxiesFrom = (environment: Readonly<Record<string, string | undefined>>): Proxies => {
  const read = (name: string): string => environment[name] || environment[name.toLowerCase()] || "";
  const proxy = (variable: string): URL | undefined => {
    const text = read(variable);
    if (text === "") return undefined;
    const whole = /^[a-z0-9]+:\/\//i.test(text) ? text : `http://${text}`;
    const url = URL.canParse(whole) ? new URL(whole) : undefined;
    // The text may hold a password.
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw registryError("badProxy", { variable, text: "it must begin with http:// or https://" });
    }
    return url;
  };
  const direct = read("NO_PROXY").split(",");
  return {
    http: proxy("HTTP_PROXY"),
    https: proxy("HTTPS_PROXY"),
    direct: direct.map((entry) => entry.trim().toLowerCase()).filter((entry) => entry !== ""),
  };
};
