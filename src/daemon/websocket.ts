/** `attach` over WebSocket: what a container says goes out as binary messages, what comes in is its standard input. */
import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { FrameDecoder } from "../format/raw-stream.ts";

/** A message is what somebody types, or a piece of what he pastes. */
const maxMessageBytes = 1024 * 1024;
/** The connection is closed because all is said. */
const normalClosure = 1000;

const handshakes = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: maxMessageBytes });

/** Holds afterwards: the client speaks WebSocket; the stream is its messages. */
export const openWebSocket = (request: IncomingMessage, socket: Duplex, isTerminal: boolean): Promise<Duplex> =>
  new Promise((resolve) => {
    handshakes.handleUpgrade(request, socket, Buffer.alloc(0), (client) =>
      resolve(new WebSocketStream(client, isTerminal)),
    );
  });

/** Standard output and error are one here, as in Docker: a message does not say which it is. */
class WebSocketStream extends Duplex {
  readonly #client: WebSocket;
  readonly #decoder: FrameDecoder | undefined;

  constructor(client: WebSocket, isTerminal: boolean) {
    super({ allowHalfOpen: true });
    this.#client = client;
    this.#decoder = isTerminal ? undefined : new FrameDecoder();
    client.on("message", (message: Buffer) => {
      if (!this.push(Buffer.from(message))) client.pause();
    });
    client.on("error", () => client.terminate());
    client.on("close", () => {
      this.push(null);
      this.destroy();
    });
  }

  override _read(): void {
    this.#client.resume();
  }

  /** The next piece is asked for when this one is on its way: a client that does not read slows the container down. */
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const parts = this.#decoder === undefined ? [chunk] : this.#decoder.push(chunk).map(({ data }) => data);
    const bytes = Buffer.concat(parts);
    if (bytes.length === 0) done();
    else this.#client.send(bytes, { binary: true }, (error) => done(error));
  }

  override _final(done: () => void): void {
    this.#client.close(normalClosure);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#client.terminate();
    done(error);
  }
}
