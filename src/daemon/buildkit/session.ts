/** A client's session: the connection on which the daemon asks the client, for files above all. */
import { randomUUID } from "node:crypto";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { Duplex } from "node:stream";
import { codes, decodeFrames, decodeText, encodeFrame, GrpcError } from "../../format/buildkit/grpc.ts";
import type { Fields, Message } from "../../format/protobuf.ts";

export class Session {
  readonly #http: ClientHttp2Session;
  /** Settles when the client has gone. */
  readonly closed: Promise<void>;

  /** Whose directories it has: sessions with the same one are of the same client in the same place; "": it does not say. */
  readonly sharedKey: string;

  constructor(socket: Duplex, sharedKey = "") {
    this.sharedKey = sharedKey;
    this.#http = connect("http://session", { createConnection: () => socket });
    this.#http.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.#http.once("close", () => resolve());
      socket.once("close", () => resolve());
    });
  }

  /** A call whose messages go both ways. */
  open(path: string, headers: Readonly<Record<string, string | readonly string[]>> = {}): ClientHttp2Stream {
    const stream = this.#http.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...(headers as Record<string, string | string[]>),
    });
    stream.on("error", () => {});
    return stream;
  }

  /** A call from its opening to its end; rejects with the client's words, where it had any. */
  async run(
    path: string,
    headers: Readonly<Record<string, string>>,
    work: (stream: ClientHttp2Stream, ended: Promise<void>) => Promise<void>,
  ): Promise<void> {
    const stream = this.open(path, headers);
    const ended = endOf(stream);
    try {
      await work(stream, ended);
      await ended;
    } catch (error) {
      // A call that is still open has failed here: the client waits for more, and would never end it.
      if (stream.destroyed) await ended;
      throw error;
    } finally {
      stream.close();
    }
  }

  /** One request, one answer; rejects with the client's words. */
  async ask<Q extends Fields, A extends Fields>(
    path: string,
    [request, value]: readonly [Q, Partial<Message<Q>>],
    answer: A,
  ): Promise<Message<A>> {
    const stream = this.open(path);
    const ended = endOf(stream);
    stream.end(encodeFrame(request, value));
    for await (const found of decodeFrames(answer, stream)) return found;
    await ended;
    throw new GrpcError(codes.unknown, `${path} was not answered`);
  }
}

/** Rejects when a call ended with an error; to be asked before its end. */
export const endOf = (stream: ClientHttp2Stream): Promise<void> => {
  const ended = new Promise<void>((resolve, reject) => {
    const judge = (headers: { readonly "grpc-status"?: string; readonly "grpc-message"?: string }): void => {
      const status = headers["grpc-status"];
      if (status === undefined) return;
      if (status === "0") resolve();
      else reject(new GrpcError(Number(status), decodeText(headers["grpc-message"] ?? "")));
    };
    stream.on("trailers", judge);
    stream.on("response", judge);
    stream.once("close", () => reject(new GrpcError(codes.cancelled, "the client has gone")));
  });
  ended.catch(() => {});
  return ended;
};

export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #waiting = new Map<string, ((session: Session) => void)[]>();
  readonly #patience: number;

  /** Milliseconds that a build waits for its session. */
  constructor(patience = 30_000) {
    this.#patience = patience;
  }

  /** Resolves when the client has gone. */
  async serve(id: string, socket: Duplex, sharedKey = ""): Promise<void> {
    const session = new Session(socket, sharedKey);
    const key = id === "" ? randomUUID() : id;
    this.#sessions.set(key, session);
    for (const tell of this.#waiting.get(key) ?? []) tell(session);
    this.#waiting.delete(key);
    await session.closed;
    if (this.#sessions.get(key) === session) this.#sessions.delete(key);
  }

  /** The client's, which may come a moment after the build that names it. */
  find(id: string, signal: AbortSignal): Promise<Session> {
    const known = this.#sessions.get(id);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const end = AbortSignal.any([signal, AbortSignal.timeout(this.#patience)]);
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve]);
      const leave = (): void => {
        const others = (this.#waiting.get(id) ?? []).filter((other) => other !== resolve);
        if (others.length === 0) this.#waiting.delete(id);
        else this.#waiting.set(id, others);
        reject(new GrpcError(codes.cancelled, `there is no session ${id.slice(0, 100)}`));
      };
      end.addEventListener("abort", leave, { once: true });
    });
  }
}
