/**
 * A connection to a registry: through a proxy or not, encrypted or not. On sockets, because the runtimes' own HTTP
 * clients go through no proxy (Bun's takes no socket of ours), and tell nobody which address they went to.
 */

import type { LookupAddress } from "node:dns";
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ResponseReader } from "../api/response.ts";
import { PierError } from "../base/errors.ts";
import { NodeSocket } from "../base/socket-node.ts";
import { bareHost, isLoopback, isOwnAddress, matchesHost } from "./addresses.ts";
import { trustFor } from "./certificates.ts";
import { basicHeader } from "./credentials.ts";
import { registryError } from "./errors.ts";
import { Passing } from "./retry.ts";
import type { RegistrySettings } from "./settings.ts";

/** Where a request goes, and what that host may be. */
export interface Target {
  readonly url: URL;
  /** A certificate that nobody vouches for is taken. */
  readonly isUnverified: boolean;
  /** May be on this machine: the registry is, or is this very host. */
  readonly mayBeOwn: boolean;
}

export interface Connection {
  readonly socket: NodeSocket;
  readonly reader: ResponseReader;
  /** Requests name the whole address, for a proxy passes them on. */
  readonly isProxied: boolean;
}

const connectMs = 15_000;

/** The proxy for an address, if it is not reached directly. */
export const proxyFor = (url: URL, { proxies }: Pick<RegistrySettings, "proxies">): URL | undefined => {
  const port = url.port || (url.protocol === "http:" ? "80" : "443");
  if (isLoopback(url.hostname)) return undefined;
  if (proxies.direct.some((entry) => matchesHost(entry, url.hostname, port))) return undefined;
  return url.protocol === "http:" ? proxies.http : proxies.https;
};

export const openConnection = async (
  target: Target,
  settings: RegistrySettings,
  signal: AbortSignal | undefined,
): Promise<Connection> => {
  const { url } = target;
  const proxy = proxyFor(url, settings);
  try {
    if (proxy === undefined) {
      return wrap(await connectDirectly(target, settings, signal), false);
    }
    const socket = await connectToProxy(proxy, settings, signal);
    if (url.protocol === "http:") return wrap(socket, true);
    await tunnel(socket, url, proxy, signal);
    return wrap(await encrypt(socket, target, settings, signal), false);
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(error, url.host);
  }
};

const wrap = (socket: Socket, isProxied: boolean): Connection => {
  const stream = new NodeSocket(socket);
  return { socket: stream, reader: new ResponseReader(stream), isProxied };
};

/** Every address of the host, none of them one where the host may not be. */
const addressesOf = async (
  { url, mayBeOwn }: Target,
  { resolve }: RegistrySettings,
): Promise<readonly LookupAddress[]> => {
  const host = bareHost(url.hostname);
  const family = isIP(host);
  const addresses = family !== 0 ? [{ address: host, family }] : await resolve(host);
  // What a registry says may not lead to the services of this machine, nor to its cloud's metadata (CVE-2020-15157).
  const own = mayBeOwn ? undefined : addresses.find(({ address }) => isOwnAddress(address));
  if (own !== undefined)
    throw registryError("hostForbidden", { what: "what was named", host: url.host, address: own.address });
  return addresses;
};

const connectTo = async (
  url: URL,
  addresses: readonly LookupAddress[],
  signal: AbortSignal | undefined,
): Promise<Socket> => {
  let failure: unknown = new Error("the host has no address");
  for (const { address } of addresses) {
    const socket = connect({
      host: address,
      port: Number(url.port || (url.protocol === "http:" ? 80 : 443)),
      noDelay: true,
    });
    try {
      await settle(socket, "connect", signal);
      return socket;
    } catch (error) {
      signal?.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
};

/** Resolves at the event; destroys the socket when it does not come. */
const settle = async (socket: Socket, event: string, signal: AbortSignal | undefined): Promise<void> => {
  const timer = setTimeout(() => socket.destroy(new Error("no answer within 15 seconds")), connectMs);
  const abort = (): void => void socket.destroy(signal!.reason as Error);
  const closed = new AbortController();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([
      once(socket, event, { signal: closed.signal }),
      once(socket, "close", { signal: closed.signal }).then(() => {
        throw new Error("the connection was closed");
      }),
    ]);
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    throw error;
  } finally {
    closed.abort();
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
};

/** Encrypted where the address says so. */
const connectDirectly = async (
  target: Target,
  settings: RegistrySettings,
  signal: AbortSignal | undefined,
): Promise<Socket> => {
  const socket = await connectTo(target.url, await addressesOf(target, settings), signal);
  return target.url.protocol === "https:" ? await encrypt(socket, target, settings, signal) : socket;
};

/** Wherever it is: it was named by who started the daemon. */
const connectToProxy = async (
  url: URL,
  settings: RegistrySettings,
  signal: AbortSignal | undefined,
): Promise<Socket> => {
  try {
    return await connectDirectly({ url, isUnverified: false, mayBeOwn: true }, settings, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(error, url.host);
  }
};

const encrypt = async (
  socket: Socket,
  { url, isUnverified }: Target,
  settings: RegistrySettings,
  signal: AbortSignal | undefined,
): Promise<Socket> => {
  const { ca, identity } = trustFor(url.host, settings.certificates);
  const host = bareHost(url.hostname);
  const secure = connectTls({
    socket,
    ...(isIP(host) === 0 ? { servername: host } : { host }),
    ca: [...ca],
    ...identity,
    rejectUnauthorized: !isUnverified,
    ALPNProtocols: ["http/1.1"],
  });
  await settle(secure, "secureConnect", signal);
  return secure;
};

const tunnel = async (socket: Socket, url: URL, proxy: URL, signal: AbortSignal | undefined): Promise<void> => {
  const authority = `${url.hostname}:${url.port || 443}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...proxyHeaders(proxy)];
  const stream = new NodeSocket(socket);
  const reader = new ResponseReader(stream);
  const abort = (): void => stream.destroy(signal!.reason as Error);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    stream.write(`${lines.join("\r\n")}\r\n\r\n`);
    const { status } = await reader.head();
    if (status !== 200) throw registryError("proxyRefused", { proxy: proxy.host, status, host: url.host });
    reader.release();
    for (const event of ["data", "error", "end", "close"]) socket.removeAllListeners(event);
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
};

/** Who we are at the proxy. */
export const proxyHeaders = ({ username, password }: URL): readonly string[] =>
  username === ""
    ? []
    : [
        `Proxy-Authorization: ${basicHeader({ username: decodeURIComponent(username), password: decodeURIComponent(password) })}`,
      ];

const certificateCodes =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** What is wrong with the connection, and whether it may be another time. */
const failureOf = (error: unknown, host: string): unknown => {
  if (error instanceof PierError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason = error instanceof Error ? error.message : String(error);
  if (certificateCodes.test(code)) return registryError("certificateInvalid", { host, reason }, error);
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH/i.test(`${code} ${reason}`)) {
    return registryError("notEncrypted", { host }, error);
  }
  const failure = registryError("hostUnreachable", { host, reason }, error);
  // A name that nobody knows and an alert of the other side stay what they are.
  return code === "ENOTFOUND" || /SSL|TLS/.test(code) ? failure : new Passing(failure);
};
