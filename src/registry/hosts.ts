/** From the registry in an image's name to the hosts that are asked for it. Pure. */
import { bareHost, isLoopback, matchesHost } from "./addresses.ts";
import type { RegistrySettings } from "./settings.ts";

/** One way to one server that speaks the distribution protocol. */
export interface Endpoint {
  /** Where its `/v2/` begins, without a slash at the end. */
  readonly url: URL;
  /** As certs.d and messages name it: `localhost:5000`. */
  readonly host: string;
  readonly isMirror: boolean;
  /** A certificate that nobody vouches for is taken. */
  readonly isUnverified: boolean;
  /** Somebody whom we know sent us there: it may be on this machine. */
  readonly mayBeOwn: boolean;
}

const hub = "docker.io";
const hubRegistry = "registry-1.docker.io";

/** Whether a host may do without a certificate, or without encryption at all. */
export const isInsecure = (url: URL, { insecure }: RegistrySettings): boolean => {
  const port = url.port || (url.protocol === "http:" ? "80" : "443");
  return isLoopback(url.hostname) || insecure.some((entry) => equalsHost(entry, url.hostname, port));
};

/** Of domains only the very host: `--insecure-registry example.com` says nothing about what is below it. */
const equalsHost = (entry: string, host: string, port: string): boolean =>
  matchesHost(entry, host, port) && (!/[a-z]/.test(entry) || bareHost(entry.replace(/:\d+$/, "")) === bareHost(host));

/** All ways to a registry's images in the order in which they are tried: its mirrors first. */
export const endpointsOf = (registry: string, settings: RegistrySettings): readonly Endpoint[] => {
  const mirrors = (settings.mirrors.get(registry) ?? []).flatMap((url) => waysTo(url, true, settings));
  return [...mirrors, ...ownEndpointsOf(registry, settings)];
};

/** Only the registry itself: what is pushed, and where one logs in. */
export const ownEndpointsOf = (registry: string, settings: RegistrySettings): readonly Endpoint[] =>
  waysTo(new URL(`https://${registry === hub ? hubRegistry : registry}`), false, settings);

const waysTo = (url: URL, isMirror: boolean, settings: RegistrySettings): readonly Endpoint[] => {
  const endpoint = (protocol: string, isUnverified: boolean): Endpoint => {
    // A port that is the scheme's own would be lost with the scheme.
    const own = new URL(`${protocol}//${url.host}${url.pathname.replace(/\/$/, "")}`);
    return { url: own, host: url.host, isMirror, isUnverified, mayBeOwn: true };
  };
  const insecure = isInsecure(url, settings);
  // A mirror that is said to be without encryption is meant so; never is one tried without that was meant to have it.
  if (url.protocol === "http:") return [endpoint("http:", false)];
  return insecure ? [endpoint("https:", true), endpoint("http:", false)] : [endpoint("https:", false)];
};
