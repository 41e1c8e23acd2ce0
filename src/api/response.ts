/** Reads the answers of an HTTP/1.1 connection, one after the other: heads, and bodies of a length, in chunks, or to the end. */
import type { SocketListener, StreamSocket } from "../base/socket.ts";
import { apiError } from "./errors.ts";

export interface Head {
  readonly status: number;
  readonly reason: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body where they are told beforehand. */
  readonly length: number | undefined;
  readonly chunked: boolean;
  /** Whether the next request may use the same connection. */
  readonly keepAlive: boolean;
}

/** A head, or the line before a chunk, longer than this is none. */
const LONGEST_HEAD = 256 * 1024;
/** Bytes that may wait for their reader before the socket is told to hold back. */
const ENOUGH = 512 * 1024;
const NONE = Buffer.alloc(0);

export class ResponseReader implements SocketListener {
  /** Whether anything of the answer to the last request has come. */
  started = false;
  readonly #socket: StreamSocket;
  #chunks: Buffer[] = [];
  #size = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  /** Whether the socket was told to hold back. */
  #held = false;

  constructor(socket: StreamSocket) {
    this.#socket = socket;
    socket.listen(this);
  }

  data(chunk: Buffer): void {
    this.started = true;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > ENOUGH) this.#hold(true);
    this.#rouse();
  }

  end(error?: Error): void {
    this.#ended = true;
    this.#failure = error;
    this.#rouse();
  }

  /** The head of the next answer; interim answers (1xx, except 101) are passed over. */
  async head(): Promise<Head> {
    for (;;) {
      const end = await this.#find("\r\n\r\n");
      const head = parseHead(this.#take(end).toString("latin1"));
      this.#take(4);
      if (head.status >= 200 || head.status === 101) return head;
    }
  }

  /** The body of an answer as it comes; throws when the connection ends before the body does. */
  async *body(head: Head): AsyncGenerator<Buffer> {
    if (head.status === 204 || head.status === 304) return;
    if (head.chunked) yield* this.#chunkedBody();
    else if (head.length !== undefined) yield* this.#exactly(head.length);
    else yield* this.#toTheEnd();
  }

  /** Gives up the socket, paused, with what was read ahead. */
  release(): Buffer {
    this.#socket.pause();
    this.#socket.listen(undefined);
    return this.#take(this.#size);
  }

  async *#chunkedBody(): AsyncGenerator<Buffer> {
    for (;;) {
      const line = this.#take(await this.#find("\r\n")).toString("latin1");
      this.#take(2);
      const digits = /^[0-9a-fA-F]{1,12}(?=\s*(;|$))/.exec(line);
      if (digits === null) throw apiError("answerMalformed", { what: "the size of a chunk" });
      const size = Number.parseInt(digits[0], 16);
      if (size === 0) break;
      yield* this.#exactly(size);
      await this.#atLeast(2);
      this.#take(2);
    }
    // Trailers, until an empty line.
    for (;;) {
      const end = await this.#find("\r\n");
      this.#take(end + 2);
      if (end === 0) return;
    }
  }

  async *#exactly(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      await this.#atLeast(1);
      const chunk = this.#takeFirst(left);
      left -= chunk.length;
      yield chunk;
    }
  }

  async *#toTheEnd(): AsyncGenerator<Buffer> {
    for (;;) {
      while (this.#size === 0 && !this.#ended) await this.#more();
      if (this.#size === 0) {
        if (this.#failure !== undefined) throw this.#failure;
        return;
      }
      yield this.#takeFirst(this.#size);
    }
  }

  /** Where the mark begins, counted from what is unread. */
  async #find(mark: string): Promise<number> {
    for (;;) {
      if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
      const at = (this.#chunks[0] ?? NONE).indexOf(mark, 0, "latin1");
      if (at >= 0) return at;
      if (this.#size > LONGEST_HEAD) throw apiError("answerMalformed", { what: "a head without end" });
      await this.#atLeast(this.#size + 1);
    }
  }

  async #atLeast(count: number): Promise<void> {
    while (this.#size < count) {
      if (this.#ended) throw this.#failure ?? apiError("connectionLost", {});
      await this.#more();
    }
  }

  #more(): Promise<void> {
    this.#hold(false);
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    if (held) this.#socket.pause();
    else this.#socket.resume();
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #takeFirst(limit: number): Buffer {
    const first = this.#chunks[0] ?? NONE;
    const taken = first.length <= limit ? first : first.subarray(0, limit);
    if (first.length <= limit) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(limit);
    this.#size -= taken.length;
    return taken;
  }

  #take(count: number): Buffer {
    const parts: Buffer[] = [];
    for (let left = count; left > 0 && this.#size > 0; ) {
      const part = this.#takeFirst(left);
      left -= part.length;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}

const parseHead = (text: string): Head => {
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(first);
  if (status === null) throw apiError("answerMalformed", { what: "the first line of an answer" });
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const length = headers.get("content-length");
  if (length !== undefined && !/^\d{1,15}$/.test(length))
    throw apiError("answerMalformed", { what: "the length of an answer" });
  const connection = headers.get("connection")?.toLowerCase();
  const chunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
  return {
    status: Number(status[2]),
    reason: status[3] ?? "",
    headers,
    length: chunked || length === undefined ? undefined : Number(length),
    chunked,
    keepAlive: (chunked || length !== undefined || status[2] === "204") && connection !== "close" && status[1] === "1",
  };
};
