/** One request, one answer, over connections that are kept for the next. Knows nothing of registries. */
import type { Head } from "../api/response.ts";
import { PierError } from "../base/errors.ts";
import { type Connection, openConnection, proxyFor, proxyHeaders, type Target } from "./connection.ts";
import { registryError } from "./errors.ts";
import { Passing } from "./retry.ts";
import type { RegistrySettings } from "./settings.ts";

export interface WireRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for every time that the request is sent. */
  readonly body?: { readonly size: number; open(): AsyncIterable<Uint8Array> };
  readonly signal?: AbortSignal | undefined;
}

export interface WireAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body, where they are told beforehand. */
  readonly length: number | undefined;
  /** To be read to its end, or left. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The body is of no interest. */
  discard(): Promise<void>;
}

const maxIdle = 4;
const idleMs = 5_000;
/** Less than this in the time of a stall is one: somebody keeps us waiting on purpose. */
const leastBytes = 1024;
const smallBody = 64 * 1024;

interface Kept {
  readonly connection: Connection;
  readonly timer: NodeJS.Timeout;
}

export class Transport {
  readonly #settings: RegistrySettings;
  readonly #idle = new Map<string, Kept[]>();

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
  }

  /** The head of the answer, the body to follow. Throws `Passing` for what breaks on the way. */
  async send(target: Target, request: WireRequest): Promise<WireAnswer> {
    request.signal?.throwIfAborted();
    const kept = this.#take(keyOf(target));
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept, target, request);
      } catch (error) {
        request.signal?.throwIfAborted();
        // It may have been closed while nobody looked: a request that was not begun to be answered is sent anew.
        if (kept.reader.started || isStall(error)) throw error;
      }
    }
    const connection = await openConnection(target, this.#settings, request.signal);
    return await this.#exchange(connection, target, request);
  }

  async #exchange(connection: Connection, target: Target, request: WireRequest): Promise<WireAnswer> {
    const { socket, reader } = connection;
    const { signal } = request;
    const { host } = target.url;
    const abort = (): void => socket.destroy(signal!.reason as Error);
    signal?.addEventListener("abort", abort, { once: true });
    const release = (): void => signal?.removeEventListener("abort", abort);
    try {
      reader.started = false;
      const upload = this.#write(connection, target, request);
      const answered = reader.head();
      answered.catch(() => {});
      // A server may refuse an upload in its midst; only when all is sent does its silence count.
      const sent = upload.then(() => this.#unlessStalled(connection, host, answered));
      sent.catch(() => {});
      const head = await Promise.race([answered, sent]);
      const isWhole = await Promise.race([upload.then(() => true), Promise.resolve(false)]);
      if (!isWhole) upload.catch(() => {});
      return this.#answer(connection, target, request, head, isWhole, release);
    } catch (error) {
      release();
      socket.destroy();
      signal?.throwIfAborted();
      throw brokenBy(error, host);
    }
  }

  async #write({ socket, isProxied }: Connection, { url }: Target, request: WireRequest): Promise<void> {
    const { method, headers = {}, body } = request;
    const path = `${url.pathname}${url.search}`;
    const proxy = isProxied ? proxyFor(url, this.#settings) : undefined;
    const lines = [
      `${method} ${isProxied ? `${url.origin}${path}` : path} HTTP/1.1`,
      `Host: ${url.host}`,
      "User-Agent: pier",
      "Accept-Encoding: identity",
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ...(proxy === undefined ? [] : proxyHeaders(proxy)),
      ...(body !== undefined || method.startsWith("P") ? [`Content-Length: ${body?.size ?? 0}`] : []),
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    if (body === undefined) return;
    for await (const bytes of body.open()) {
      if (!socket.isOpen) throw registryError("answerCut", { host: url.host });
      if (socket.write(bytes)) continue;
      const timer = setTimeout(
        () => socket.destroy(registryError("stalled", { host: url.host })),
        this.#settings.stallMs,
      );
      await socket.drained();
      clearTimeout(timer);
    }
  }

  #answer(
    connection: Connection,
    target: Target,
    request: WireRequest,
    head: Head,
    isWhole: boolean,
    release: () => void,
  ): WireAnswer {
    const { socket } = connection;
    const isEmpty = request.method === "HEAD" || head.length === 0 || head.status === 204 || head.status === 304;
    let isOver = false;
    const end = (mayKeep: boolean): void => {
      if (isOver) return;
      isOver = true;
      release();
      if (mayKeep && isWhole && head.keepAlive && !request.signal?.aborted) this.#keep(keyOf(target), connection);
      else socket.destroy();
    };
    if (isEmpty) end(true);
    const pieces = isEmpty ? none() : this.#body(connection, target, head, request.signal);
    const body = (async function* (): AsyncGenerator<Uint8Array> {
      let isRead = false;
      try {
        yield* pieces;
        isRead = true;
      } finally {
        end(isRead);
      }
    })();
    return {
      status: head.status,
      headers: head.headers,
      length: head.length,
      body,
      discard: async () => {
        if (isOver) return;
        if (head.length === undefined || head.length > smallBody) return end(false);
        try {
          for await (const _ of body);
        } catch {
          // Nobody wanted it.
        }
      },
    };
  }

  async *#body(
    connection: Connection,
    { url }: Target,
    head: Head,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const { reader } = connection;
    const chunks = reader.body(head);
    const { stallMs } = this.#settings;
    let [since, bytes] = [performance.now(), 0];
    try {
      for (;;) {
        const { done, value } = await this.#unlessStalled(connection, url.host, chunks.next());
        if (done === true) return;
        bytes += value.length;
        if (performance.now() - since > stallMs) {
          if (bytes < leastBytes) throw registryError("stalled", { host: url.host });
          [since, bytes] = [performance.now(), 0];
        }
        yield value;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw brokenBy(error, url.host);
    }
  }

  async #unlessStalled<T>({ socket }: Connection, host: string, promise: Promise<T>): Promise<T> {
    const timer = setTimeout(() => socket.destroy(registryError("stalled", { host })), this.#settings.stallMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #take(key: string): Connection | undefined {
    const kept = this.#idle.get(key) ?? [];
    for (let one = kept.pop(); one !== undefined; one = kept.pop()) {
      clearTimeout(one.timer);
      if (one.connection.socket.isOpen) return one.connection;
    }
    return undefined;
  }

  #keep(key: string, connection: Connection): void {
    const kept = this.#idle.get(key) ?? [];
    this.#idle.set(key, kept);
    if (kept.length >= maxIdle) {
      connection.socket.destroy();
      return;
    }
    const timer = setTimeout(() => {
      kept.splice(kept.indexOf(one), 1);
      connection.socket.destroy();
    }, idleMs);
    timer.unref();
    const one: Kept = { connection, timer };
    kept.push(one);
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

const keyOf = ({ url, isUnverified, mayBeOwn }: Target): string => `${url.origin} ${isUnverified} ${mayBeOwn}`;

const isStall = (error: unknown): boolean =>
  error instanceof Passing && error.error instanceof PierError && error.error.code === "stalled";

const brokenBy = (error: unknown, host: string): unknown => {
  if (error instanceof Passing) return error;
  if (error instanceof PierError && error.code !== "connectionLost") return new Passing(error);
  return new Passing(registryError("answerCut", { host }, error));
};

/** A request's body of bytes at hand. */
export const bodyOf = (bytes: Uint8Array): NonNullable<WireRequest["body"]> => ({
  size: bytes.length,
  async *open() {
    yield bytes;
  },
});

/** A body in one piece; throws when it has more bytes than it may. */
export const readAll = async ({ body }: WireAnswer, what: string, limit: number): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of body) {
    size += bytes.length;
    if (size > limit) throw registryError("documentTooLarge", { what, limit });
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
};
