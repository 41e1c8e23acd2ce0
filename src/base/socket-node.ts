/** Stream sockets on Node. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Inbox, type SocketListener, type StreamSocket } from "./socket.ts";

export const connectOnNode = async (path: string): Promise<StreamSocket> => {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  return new NodeSocket(socket);
};

/** A socket of `node:net` or `node:tls` that is connected. */
export class NodeSocket implements StreamSocket {
  readonly #socket: Socket;
  readonly #inbox = new Inbox();
  readonly #drained: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#inbox.data(chunk));
    socket.on("error", (error) => this.#inbox.end(error));
    for (const event of ["end", "close"]) socket.on(event, () => this.#inbox.end());
    for (const event of ["drain", "close"]) {
      socket.on(event, () => {
        for (const resolve of this.#drained.splice(0)) resolve();
      });
    }
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  listen(listener: SocketListener | undefined): void {
    this.#inbox.listen(listener);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  write(data: string | Uint8Array): boolean {
    return this.#socket.write(data);
  }

  async drained(): Promise<void> {
    if (this.#socket.writableNeedDrain) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  end(): void {
    this.#socket.end();
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }
}
