/** The front desk: HTTP on sockets, every request to its route, every error to an answer. */
import { readFileSync } from "node:fs";
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { type Route, routes } from "../api/routes.ts";
import { isLoopback } from "../registry/addresses.ts";
import { type Call, parseTarget, type Target } from "./call.ts";
import { daemonError } from "./errors.ts";
import { answerUpgrade, type Hijack, type Hijacker, isHijack, ResponseStream, runUpgraded } from "./hijack.ts";
import type { ListenAddress } from "./hosts.ts";
import { type Listener, listenAt, nameOf, readTls } from "./listen.ts";
import { handlers, hijackers } from "./routes/table.ts";
import type { Services } from "./services.ts";
import { openWebSocket } from "./websocket.ts";
import { type Answer, commonHeaders, encodeJson, type Failure, failureOf, sendAnswer, sendFailure } from "./wire.ts";

/** More than any client sends, little enough to be held for each of thousands of connections. */
const maxHeaderBytes = 64 * 1024;
const headersTimeoutMs = 30_000;

/** Of the descriptors that we may have, half are for clients; with the others what they ask for is done. */
const mostConnections = (): number => {
  const [, limit = ""] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
  return Math.max(1, Math.floor(Number(limit || Number.POSITIVE_INFINITY) / 2));
};

export class Server {
  readonly #services: Services;
  readonly #listeners: Listener[] = [];

  constructor(services: Services) {
    this.#services = services;
  }

  /** Holds afterwards: clients reach us at each of these. */
  async listen(addresses: readonly ListenAddress[]): Promise<void> {
    for (const address of addresses) {
      const http = this.#open(address, Math.ceil(mostConnections() / addresses.length));
      this.#listeners.push(await listenAt(address, http, this.#services.run));
      const isOpen = address.kind === "tcp" && address.tls?.clients === undefined;
      this.#services.log.info(`listening on ${nameOf(address)}${isOpen ? ": every user of this machine is root" : ""}`);
    }
  }

  /** Holds afterwards: nobody reaches us, and no client is held up. Containers are not touched. */
  async close(): Promise<void> {
    for (const listener of this.#listeners.splice(0)) await listener.close();
  }

  #open(address: ListenAddress, most: number): HttpServer {
    const tls = address.kind === "tcp" && address.tls !== undefined ? readTls(address.tls) : undefined;
    const check = address.kind === "tcp" && tls === undefined ? refuseNames : refuseOrigin;
    const options = {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      // Loading an image, following a log and waiting take as long as they take; bodies of JSON have a limit of their own.
      requestTimeout: 0,
      // Closing an idle connection just when a client sends its next request would fail that request.
      keepAliveTimeout: 0,
      shouldUpgradeCallback: (request: IncomingMessage) => isHijacked(request),
    };
    // A client that has said everything still listens: Node takes that for granted only without TLS.
    const http =
      tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls, allowHalfOpen: true });
    http.maxConnections = most;
    http.on("request", (request, response) => void this.#answer(request, response, check));
    http.on("upgrade", (request, socket, head) => void this.#upgrade(request, socket, head, check));
    http.on("clientError", (error, socket) => {
      this.#services.log.debug(`a connection ended: ${error.message}`);
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      else socket.destroy();
    });
    return http;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, check: Check): Promise<void> {
    const gone = new AbortController();
    // An abort costs as much as a small answer does: who has got the whole of it has not gone.
    response.on("close", () => void (response.writableFinished || gone.abort()));
    response.on("error", () => {});
    request.on("error", () => {});
    for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
    try {
      check(request);
      const target = parseTarget(request.method ?? "", request.url ?? "");
      refuseLater(routes[target.route]);
      const call = this.#call(target, request, gone.signal);
      const hijacker = hijackers[target.route];
      if (hijacker !== undefined) await this.#stream(hijacker, call, response);
      else await sendAnswer(response, await handlers[target.route]!(call));
    } catch (error) {
      this.#fail(request, response, error, gone.signal);
    }
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown, gone: AbortSignal): void {
    // Whoever has gone needs no answer, and what then fails is not worth a line.
    if (gone.aborted) return;
    const failure = failureOf(error, this.#services.log, `${request.method} ${pathOnly(request)}`);
    if (response.headersSent) {
      // The answer has begun: that it is not whole is all that can still be said.
      response.destroy();
      return;
    }
    void this.#refuse(request, response, failure);
  }

  async #refuse(request: IncomingMessage, response: ServerResponse, failure: Failure): Promise<void> {
    await drain(request);
    // Of a body that is too long the rest is not read.
    if (!request.complete) response.setHeader("Connection", "close");
    sendFailure(response, failure);
  }

  /** The same without an upgrade: output only. */
  async #stream(hijacker: Hijacker, call: Call, response: ServerResponse): Promise<void> {
    const result = await hijacker(call);
    if (!isHijack(result)) return sendAnswer(response, result);
    if (result.webSocket !== undefined) throw daemonError("noWebSocket", {});
    if (result.input) throw daemonError("noUpgrade", {});
    if (call.signal.aborted) return;
    response.writeHead(200, { "Content-Type": result.type });
    response.flushHeaders();
    const client = new ResponseStream(response);
    client.on("error", () => client.destroy());
    await result.run(client);
    client.end();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, check: Check): Promise<void> {
    const gone = new AbortController();
    socket.on("error", () => socket.destroy());
    socket.once("close", () => gone.abort());
    if (head.length > 0) socket.unshift(head);
    const what = `${request.method} ${pathOnly(request)}`;
    let result: Answer | Hijack;
    try {
      check(request);
      const target = parseTarget(request.method ?? "", request.url ?? "");
      result = await hijackers[target.route]!(this.#call(target, request, gone.signal));
    } catch (error) {
      const { status, body } = failureOf(error, this.#services.log, what);
      answerUpgrade(socket, status, encodeJson(body));
      return;
    }
    if (!isHijack(result)) {
      answerUpgrade(socket, 200, result.kind === "json" ? encodeJson(result.body) : "");
      return;
    }
    // Who went while the body was read must not be attached: nothing would ever take it off again.
    if (socket.destroyed) return;
    // From here on the bytes are the container's: what fails can only be logged.
    const { webSocket } = result;
    if (webSocket !== undefined) {
      const client = await openWebSocket(request, socket, webSocket.terminal);
      await result.run(client).catch((error: unknown) => failureOf(error, this.#services.log, what));
      client.end();
      return;
    }
    await runUpgraded(socket, result).catch((error: unknown) => failureOf(error, this.#services.log, what));
  }

  #call(target: Target, request: IncomingMessage, signal: AbortSignal): Call {
    const { values, query, version } = target;
    return { services: this.#services, request, values, query, version, signal };
  }
}

/** Whether the request is one that gets the socket; every other one is answered as if it had not asked for an upgrade. */
const isHijacked = (request: IncomingMessage): boolean => {
  try {
    const route: Route = routes[parseTarget(request.method ?? "", request.url ?? "").route];
    return route.hijack === true;
  } catch {
    return false;
  }
};

type Check = (request: IncomingMessage) => void;

/** A page in somebody's browser has no business here, whatever it gets the browser to send (DNS rebinding). */
const refuseOrigin = ({ headers }: IncomingMessage): void => {
  if (headers.origin !== undefined) throw daemonError("origin", {});
};

/** The same without TLS on a port: there the page's own name may lead to us, and its reads say no origin. */
const refuseNames: Check = (request) => {
  refuseOrigin(request);
  const host = request.headers.host ?? "";
  const name = host.replace(/:\d*$/, "").replace(/^\[|\]$/g, "");
  if (isIP(name) === 0 && !isLoopback(name)) throw daemonError("hostName", { host });
};

const refuseLater = (route: Route): void => {
  if (route.later !== undefined) throw daemonError("notYet", { sentence: route.later });
};

const drainBytes = 64 * 1024 * 1024;
const drainMs = 1_000;

/** Resolves when the body is over, or longer than anybody need wait: whoever still sends would not see the answer. */
const drain = (request: IncomingMessage): Promise<void> =>
  new Promise((resolve) => {
    if (request.complete || request.destroyed) return resolve();
    let left = drainBytes;
    const timer = setTimeout(resolve, drainMs);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) stop();
    });
    request.once("end", stop);
    request.once("close", stop);
    request.resume();
  });

/** Queries may hold what nobody should read in a log. */
const pathOnly = ({ url }: IncomingMessage): string => (url ?? "").split("?", 1)[0]!;
