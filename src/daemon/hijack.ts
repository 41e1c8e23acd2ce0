/**
 * Connections that turn into raw streams: attach and exec. With `Upgrade: tcp` the client gets the socket itself, each
 * direction closed by itself; without, the answer's body is the output, and there is no input.
 */
import { type ServerResponse, STATUS_CODES } from "node:http";
import { Duplex } from "node:stream";
import type { Call } from "./call.ts";
import { type Answer, jsonType } from "./wire.ts";

/** What becomes of the connection once everything that can be refused has been. */
export interface Hijack {
  /** The media type of the stream. */
  readonly type: string;
  /** Whether the client may send: not possible without an upgrade. */
  readonly input: boolean;
  /** The client speaks WebSocket, and whether the container has a terminal. */
  readonly webSocket?: { readonly terminal: boolean };
  /** Resolves when the stream is over. */
  readonly run: (client: Duplex) => Promise<void>;
}

/** A hijack, or an answer after all: a detached exec has no stream. */
export type Hijacker = (call: Call) => Hijack | Answer | Promise<Hijack | Answer>;

export const isHijack = (result: Hijack | Answer): result is Hijack => "run" in result;

/** How long a client may take to notice that the stream is over. */
const lingerMs = 10_000;

/** Holds afterwards: the client has had everything, and its socket is closed or about to be. */
export const runUpgraded = async (socket: Duplex, hijack: Hijack): Promise<void> => {
  // Docker's words: old clients look for them.
  socket.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${hijack.type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  try {
    await hijack.run(socket);
  } finally {
    linger(socket);
  }
};

/**
 * Input that nobody read makes a closed socket a reset one, and the client would lose the end of the output: so it is
 * read until the client goes.
 */
const linger = (socket: Duplex): void => {
  if (socket.destroyed) return;
  socket.unpipe();
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
};

/** A whole answer on a socket whose HTTP is over, and its end. */
export const answerUpgrade = (socket: Duplex, status: number, body: string): void => {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    `Content-Type: ${jsonType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  linger(socket);
};

/** An answer's body as the client's end of a stream: what is written goes out as it comes, reading ends at once. */
export class ResponseStream extends Duplex {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    super({ allowHalfOpen: true });
    this.#response = response;
    this.push(null);
    response.on("close", () => this.destroy());
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#response.write(chunk)) done();
    else this.#response.once("drain", () => done());
  }

  override _final(done: () => void): void {
    this.#response.end(() => done());
  }
}
