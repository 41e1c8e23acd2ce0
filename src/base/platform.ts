/**
 * The one file that speaks to Bun itself: its own sockets, because `node:net` there takes a command 4 ms to load, more
 * than all else that it does before its first request; its collector; and when it compiles.
 */
import type { Inbox, SocketListener, StreamSocket } from "./socket.ts";

/** What is used of a socket of Bun's (https://bun.com/docs/runtime/networking/tcp). */
interface BunSocket {
  /** How many of the bytes the kernel took; -1 when the socket is closed. */
  write(data: Uint8Array): number;
  shutdown(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
}

interface BunHandlers {
  data(socket: BunSocket, chunk: Buffer): void;
  drain(): void;
  end(): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

declare const Bun:
  | {
      connect(options: { unix: string; allowHalfOpen: true; socket: BunHandlers }): Promise<BunSocket>;
      gc(now: boolean): void;
      unsafe: { setJITPolicy(scale: number): void };
    }
  | undefined;

const connectOnBun = async (path: string, inbox: Inbox): Promise<StreamSocket> => {
  // A piece may come before `connect` resolves.
  let opened: NativeSocket | undefined;
  const socket = await Bun!.connect({
    unix: path,
    allowHalfOpen: true,
    socket: {
      data: (_, chunk) => inbox.data(chunk),
      drain: () => opened?.flush(),
      end: () => inbox.end(),
      error: (_, error) => inbox.end(error),
      close: (_, error) => {
        opened?.close();
        inbox.end(error);
      },
    },
  });
  opened = new NativeSocket(socket, inbox);
  return opened;
};

/**
 * Memory that nobody needs any more is free afterwards, at the price of some milliseconds. Bun counts buffers that threads
 * have filled too late: a stream that is inflated quickly leaves hundreds of megabytes. Node counts them, and needs no word.
 */
export const collectGarbage = (): void => {
  if (typeof Bun !== "undefined") Bun.gc(true);
};

/**
 * What runs often is compiled to machine code from now on. The executable begins by putting that off (`scripts/setup`):
 * a command is over before it pays, and most of what compiles there is thrown away.
 */
export const compileWhatRunsOften = (): void => {
  if (typeof Bun !== "undefined") Bun.unsafe.setJITPolicy(1);
};

/** Undefined where the runtime has no sockets of its own. */
export const nativeConnect = typeof Bun === "undefined" ? undefined : connectOnBun;

class NativeSocket implements StreamSocket {
  readonly #socket: BunSocket;
  readonly #inbox: Inbox;
  #queue: Uint8Array[] = [];
  #drained: (() => void)[] = [];
  /** Of what is written. */
  #state: "open" | "ending" | "ended" = "open";

  constructor(socket: BunSocket, inbox: Inbox) {
    this.#socket = socket;
    this.#inbox = inbox;
  }

  get isOpen(): boolean {
    return this.#state === "open";
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
    if (this.#state !== "open") return true;
    this.#queue.push(typeof data === "string" ? Buffer.from(data) : data);
    this.flush();
    return this.#queue.length === 0;
  }

  /** Holds afterwards: the kernel has as much of what waits as it takes now. */
  flush(): void {
    for (let [first] = this.#queue; first !== undefined; [first] = this.#queue) {
      const count = Math.max(this.#socket.write(first), 0);
      if (count < first.length) {
        this.#queue[0] = first.subarray(count);
        return;
      }
      this.#queue.shift();
    }
    if (this.#state === "ending") {
      this.#state = "ended";
      this.#socket.shutdown();
    }
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  async drained(): Promise<void> {
    if (this.#queue.length > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.flush();
  }

  destroy(error?: Error): void {
    // First, for the runtime tells of the end that comes now too, and without the reason.
    this.#inbox.end(error);
    this.#socket.terminate();
    this.close();
  }

  /** The socket is gone, and what waits with it. */
  close(): void {
    this.#state = "ended";
    this.#queue = [];
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }
}
