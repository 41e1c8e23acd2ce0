/** Servers at their addresses: sockets of our own, ports, and what systemd has opened for us. */
import { readFileSync, readlinkSync } from "node:fs";
import type { Server as HttpServer } from "node:http";
import { connect, createServer, isIPv6, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";
import { daemonError } from "./errors.ts";
import type { ListenAddress, TlsFiles } from "./hosts.ts";
import { findPrograms } from "./programs.ts";
import { widenQueue } from "./queue.ts";
import { claimSocket, releaseSocket } from "./socket.ts";

export interface Listener {
  /** Holds afterwards: nobody comes in any more, and who was in is out. */
  close(): Promise<void>;
}

/** As logs have it. */
export const nameOf = (address: ListenAddress): string => {
  if (address.kind === "unix") return `unix://${address.path}`;
  if (address.kind === "systemd") return "the sockets of systemd";
  const { host, port, tls } = address;
  const how = tls === undefined ? "without TLS" : tls.clients === undefined ? "with TLS" : "with mutual TLS";
  return `tcp://${isIPv6(host) ? `[${host}]` : host}:${port} ${how}`;
};

/** What nobody names: systemd's sockets where it has handed over some, our own elsewhere. */
export const usualAddress = (path: string, environment: NodeJS.ProcessEnv): ListenAddress =>
  socketsOfSystemd(environment).length > 0 ? { kind: "systemd" } : { kind: "unix", path };

/** The certificates themselves, and what is asked of clients. */
export const readTls = ({ clients, certificate, key }: TlsFiles): TlsOptions => {
  try {
    return {
      cert: readFileSync(certificate),
      key: readFileSync(key),
      ...(clients === undefined ? {} : { ca: readFileSync(clients), requestCert: true, rejectUnauthorized: true }),
      minVersion: "TLSv1.2",
    };
  } catch (cause) {
    throw daemonError("badTlsFile", { reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
};

/** Holds afterwards: the server has whoever comes to the address. A socket of its own lies in `run`. */
export const listenAt = async (address: ListenAddress, http: HttpServer, run: string): Promise<Listener> => {
  if (address.kind === "systemd") return inherit(http, join(run, "passed-on.sock"), process.env);
  if (address.kind === "unix") await claimOwn(address.path, http);
  else await claimPort(address, http);
  return { close: () => closeHttp(http, address.kind === "unix" ? address.path : undefined) };
};

const claimOwn = async (path: string, http: HttpServer): Promise<void> => {
  await claimSocket(path, http);
  await widenQueue(path, join(findPrograms(), "keeper"));
};

const claimPort = (address: Extract<ListenAddress, { kind: "tcp" }>, http: HttpServer): Promise<void> =>
  new Promise((resolve, reject) => {
    const { host, port } = address;
    const refuse = (cause: Error) =>
      reject(daemonError("portNotListened", { host: nameOf(address), reason: cause.message }, cause));
    http.once("error", refuse);
    http.listen(port, host, () => {
      http.off("error", refuse);
      resolve();
    });
  });

/** sd_listen_fds(3): descriptors from 3 on, if they are meant for this process. */
const socketsOfSystemd = ({ LISTEN_PID, LISTEN_FDS }: NodeJS.ProcessEnv): readonly number[] =>
  Number(LISTEN_PID) === process.pid ? Array.from({ length: Number(LISTEN_FDS) || 0 }, (_, index) => 3 + index) : [];

/**
 * They stay where they are when we go: who connects meanwhile waits for the next daemon. Bun's HTTP servers listen on no
 * descriptor that was there before, so that each connection is passed on to a socket of our own.
 */
const inherit = async (http: HttpServer, own: string, environment: NodeJS.ProcessEnv): Promise<Listener> => {
  const descriptors = socketsOfSystemd(environment);
  if (descriptors.length === 0) throw daemonError("noSystemdSockets", {});
  for (const number of descriptors) if (!isUnixSocket(number)) throw daemonError("systemdSocketOpen", { number });
  await claimOwn(own, http);
  const servers: Server[] = [];
  for (const fd of descriptors) {
    const server = createServer({ allowHalfOpen: true }, (client) => passOn(client, own));
    server.maxConnections = http.maxConnections;
    servers.push(server);
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen({ fd }, resolve));
  }
  return {
    close: async () => {
      for (const server of servers) server.close();
      await closeHttp(http, own);
    },
  };
};

/** Each direction ends by itself; what breaks breaks both. */
const passOn = (client: Socket, path: string): void => {
  const desk = connect({ path, allowHalfOpen: true });
  for (const [from, to] of [
    [client, desk],
    [desk, client],
  ] as const) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroySoon());
  }
};

const closeHttp = async (http: HttpServer, path: string | undefined): Promise<void> => {
  if (path !== undefined) await releaseSocket(path);
  http.close();
  http.closeAllConnections();
};

/** A port of systemd's would be open to all. */
const isUnixSocket = (descriptor: number): boolean => {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
  return inode !== undefined && new RegExp(` ${inode}( |$)`, "m").test(readFileSync("/proc/net/unix", "latin1"));
};
