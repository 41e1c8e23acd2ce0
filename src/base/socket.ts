/** Stream sockets as clients need them: the runtime's own where it has some, `node:net`'s elsewhere. */
import { nativeConnect } from "./platform.ts";

/** Whoever takes what comes in on a socket. */
export interface SocketListener {
  /** Called for each piece, which is the listener's to keep. */
  data(chunk: Buffer): void;
  /** Called once, when nothing more will come: the other side has ended, or the error has ended it. */
  end(error?: Error): void;
}

/** A connected stream socket; it closes when both sides have ended. */
export interface StreamSocket {
  /** Whether it can still be written to. */
  readonly isOpen: boolean;
  /** What comes goes to this listener, with what came while nobody listened, and the end that was there already. */
  listen(listener: SocketListener | undefined): void;
  pause(): void;
  resume(): void;
  /** False: more waits than the other side takes, so hold back until `drained`. The bytes must not change afterwards. */
  write(data: string | Uint8Array): boolean;
  /** Resolves when nothing waits to be written, or nothing ever will be. */
  drained(): Promise<void>;
  /** Nothing more will be written; what waits still is. */
  end(): void;
  /** Both directions end at once, what waits is dropped, and the listener hears of it. */
  destroy(error?: Error): void;
  /** Whether the process lives on for this socket. */
  hold(held: boolean): void;
}

/** Holds afterwards: the socket at the path is connected; rejects with ENOENT or ECONNREFUSED where nobody listens. */
export const connectSocket = async (path: string): Promise<StreamSocket> =>
  nativeConnect === undefined
    ? await (await import("./socket-node.ts")).connectOnNode(path)
    : await nativeConnect(path, new Inbox());

/** Keeps what comes until somebody listens. */
export class Inbox {
  #listener: SocketListener | undefined;
  #waiting: Buffer[] = [];
  #end: { readonly error: Error | undefined } | undefined;

  listen(listener: SocketListener | undefined): void {
    this.#listener = listener;
    if (listener === undefined) return;
    for (const chunk of this.#waiting.splice(0)) listener.data(chunk);
    if (this.#end !== undefined) listener.end(this.#end.error);
  }

  data(chunk: Buffer): void {
    if (this.#listener === undefined) this.#waiting.push(chunk);
    else this.#listener.data(chunk);
  }

  end(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#listener?.end(error);
  }
}
