/**
 * The client of the API: HTTP/1.1 written on sockets alone (`node:http` costs a command 6 ms). It
 * speaks only to a daemon of the Docker Engine API, keeps connections, streams with back-pressure, and hands over the
 * socket where the API turns it into a raw stream.
 */
import { errnoOf, PierError } from "../base/errors.ts";
import { connectSocket, type StreamSocket } from "../base/socket.ts";
import type { BuildExplainAnswer } from "./answers/builds.ts";
import type {
  ContainerChange,
  ContainerCreateAnswer,
  ContainerInspect,
  ContainerPruneAnswer,
  ContainerSummary,
  ContainerTopAnswer,
  ContainerWaitAnswer,
  ExecInspect,
  WhyAnswer,
} from "./answers/containers.ts";
import type { ImageDeleteItem, ImageHistoryItem, ImageSummary, SearchItem } from "./answers/images.ts";
import type { NetworkAnswer } from "./answers/networks.ts";
import type { DiskAnswer, DiskUsageAnswer, InfoAnswer, VersionAnswer } from "./answers/system.ts";
import type { VolumeAnswer, VolumeListAnswer, VolumePruneAnswer } from "./answers/volumes.ts";
import { apiError } from "./errors.ts";
import { type RequestOptions, requestHead, sendRequest } from "./request.ts";
import { type Head, ResponseReader } from "./response.ts";
import { type PathValues, pathOf, type RouteName, routes } from "./routes.ts";
import type { ErrorAnswer, IdAnswer } from "./types.ts";

/** What the daemon answered instead of what was asked for. */
export class AnswerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "AnswerError";
    this.status = status;
  }
}

export interface Answer {
  readonly head: Head;
  /** The body as it comes. It must be read to its end, or left by `return`, before the connection is used again. */
  readonly body: AsyncIterable<Buffer>;
}

export interface Hijacked {
  readonly socket: StreamSocket;
  /** What the daemon had already written behind the head of its answer. The rest comes when the socket is resumed. */
  readonly first: Buffer;
}

/** What the daemon answers to the requests that are answered with one JSON text. */
interface JsonAnswers {
  readonly version: VersionAnswer;
  readonly info: InfoAnswer;
  readonly containerList: readonly ContainerSummary[];
  readonly containerCreate: ContainerCreateAnswer;
  readonly containerInspect: ContainerInspect;
  readonly containerTop: ContainerTopAnswer;
  readonly containerPrune: ContainerPruneAnswer;
  readonly why: WhyAnswer;
  readonly disk: DiskAnswer;
  readonly buildExplain: BuildExplainAnswer;
  readonly systemDf: DiskUsageAnswer;
  readonly containerUpdate: { readonly Warnings: readonly string[] | null };
  readonly containerWait: ContainerWaitAnswer;
  readonly execCreate: IdAnswer;
  readonly execInspect: ExecInspect;
  readonly imageList: readonly ImageSummary[];
  readonly imageHistory: readonly ImageHistoryItem[];
  readonly auth: { readonly Status: string; readonly IdentityToken?: string };
  readonly imageDiff: readonly { readonly Kind: string; readonly Path: string }[];
  readonly imageLayers: readonly {
    readonly DiffId: string;
    readonly Size: number;
    readonly SharedWith: readonly string[];
  }[];
  readonly imageSearch: readonly SearchItem[];
  readonly manifestInspect: { readonly Digest: string; readonly MediaType: string; readonly Manifest: string };
  readonly imageDelete: readonly ImageDeleteItem[];
  readonly containerChanges: readonly ContainerChange[] | null;
  readonly commit: IdAnswer;
  readonly networkCreate: { readonly Id: string; readonly Warning: string };
  readonly networkList: readonly NetworkAnswer[];
  readonly networkPrune: { readonly NetworksDeleted: readonly string[] | null };
  readonly volumeCreate: VolumeAnswer;
  readonly volumeList: VolumeListAnswer;
  readonly volumePrune: VolumePruneAnswer;
}

interface Connection {
  readonly socket: StreamSocket;
  readonly reader: ResponseReader;
  /** Whether an answer has come on it before: one that was kept may have been closed by the daemon meanwhile. */
  kept: boolean;
  /** Whether a request is still on its way: a connection with half an upload on it serves nothing else. */
  sending: boolean;
}

/** Where a daemon is. */
export interface Address {
  /** As messages have it. */
  readonly name: string;
  connect(): Promise<StreamSocket>;
}

export const unixAddress = (path: string): Address => ({ name: `unix://${path}`, connect: () => connectSocket(path) });

export class Client {
  readonly #address: Address;
  readonly #idle: Connection[] = [];
  readonly #unreachable: (() => Promise<boolean>) | undefined;

  /** `unreachable` is asked once when nobody listens at the address, and answers whether to try again. */
  constructor(address: Address, unreachable?: () => Promise<boolean>) {
    this.#address = address;
    this.#unreachable = unreachable;
  }

  /** Opens connections ahead of their use; a failure shows at the request that finds none. */
  async prepare(count: number): Promise<void> {
    const opened = await Promise.allSettled(Array.from({ length: count }, () => this.#open(false)));
    for (const result of opened) if (result.status === "fulfilled") this.#idle.push(result.value);
  }

  /** The JSON answer to a request; throws AnswerError for statuses from 400. */
  async get<R extends keyof JsonAnswers>(
    name: R,
    values: PathValues<R>,
    options: RequestOptions = {},
  ): Promise<JsonAnswers[R]> {
    return JSON.parse(await this.text(name, values, options)) as JsonAnswers[R];
  }

  /** The whole body of the answer. */
  async text<R extends RouteName>(name: R, values: PathValues<R>, options: RequestOptions = {}): Promise<string> {
    const { body } = await this.send(name, values, options);
    return await textOf(body);
  }

  /** The answer, with its body still to be read; throws AnswerError for statuses from 400. */
  async send<R extends RouteName>(name: R, values: PathValues<R>, options: RequestOptions = {}): Promise<Answer> {
    const { connection, head } = await this.#exchange(name, pathOf(name, values), options, false);
    return { head, body: this.#bodyOf(connection, head, options.signal) };
  }

  /** The connection itself, after the daemon has switched it to a raw stream. */
  async hijack<R extends RouteName>(name: R, values: PathValues<R>, options: RequestOptions = {}): Promise<Hijacked> {
    const { connection, head } = await this.#exchange(name, pathOf(name, values), options, true);
    // Daemons answer 200 to clients that asked without Upgrade, and then write the raw stream all the same.
    if (head.status !== 101 && head.length !== undefined) throw apiError("notHijacked", { status: head.status });
    return { socket: connection.socket, first: connection.reader.release() };
  }

  /** Holds afterwards: no connection is open that waits for a request. */
  close(): void {
    for (const { socket } of this.#idle.splice(0)) socket.destroy();
  }

  async #exchange(
    name: RouteName,
    path: string,
    options: RequestOptions,
    upgrade: boolean,
  ): Promise<{ readonly connection: Connection; readonly head: Head }> {
    const kept = this.#idle.pop();
    const connection = kept ?? (await this.#open());
    const abort = () => connection.socket.destroy(new Error("aborted"));
    options.signal?.addEventListener("abort", abort, { once: true });
    try {
      options.signal?.throwIfAborted();
      connection.sending = true;
      const sent = sendRequest(
        connection.socket,
        requestHead(routes[name].method, path, options, upgrade),
        options,
      ).finally(() => {
        connection.sending = false;
      });
      // The answer may begin, and go on, before the whole of an upload is there; or come instead of taking the rest of it.
      const answer = connection.reader.head();
      answer.catch(() => {});
      options.sent?.();
      const head = await Promise.race([answer, sent.then(() => answer)]);
      sent.catch((error: Error) => connection.socket.destroy(error));
      if (head.status >= 400) throw await this.#refusal(connection, head);
      return { connection, head };
    } catch (error) {
      if (error instanceof AnswerError) throw error;
      connection.socket.destroy();
      // The daemon closes connections that were idle for long; a request that it never began to answer is sent anew.
      if (kept?.kept && !kept.reader.started && options.stream === undefined && !options.signal?.aborted) {
        return await this.#exchange(name, path, options, upgrade);
      }
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
    }
  }

  async #refusal(connection: Connection, head: Head): Promise<AnswerError> {
    const text = await textOf(this.#bodyOf(connection, head, undefined));
    return new AnswerError(head.status, messageOf(text) ?? `${head.status} ${head.reason}`);
  }

  async *#bodyOf(connection: Connection, head: Head, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    const abort = () => connection.socket.destroy();
    signal?.addEventListener("abort", abort, { once: true });
    let whole = false;
    try {
      yield* connection.reader.body(head);
      whole = true;
    } finally {
      signal?.removeEventListener("abort", abort);
      if (whole && head.keepAlive && !connection.sending) this.#keep(connection);
      else connection.socket.destroy();
    }
  }

  #keep(connection: Connection): void {
    connection.kept = true;
    connection.reader.started = false;
    connection.socket.hold(false);
    this.#idle.push(connection);
  }

  async #open(mayStart = true): Promise<Connection> {
    let socket: StreamSocket;
    try {
      socket = await this.#address.connect();
    } catch (cause) {
      const absent = ["ENOENT", "ECONNREFUSED"].includes(errnoOf(cause) ?? "");
      if (absent && mayStart && (await this.#unreachable?.())) return await this.#open(false);
      const address = this.#address.name;
      if (absent || !(cause instanceof Error)) throw apiError("unreachable", { address }, cause);
      throw cause instanceof PierError ? cause : apiError("notConnected", { address, reason: cause.message }, cause);
    }
    return { socket, reader: new ResponseReader(socket), kept: false, sending: false };
  }
}

/** A body in one piece. */
export const textOf = async (body: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

/** The values of a body that is one JSON text after another, each on its line: progress, events. */
export async function* jsonLines<T>(body: AsyncIterable<Buffer>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as T;
  }
  if (rest.trim() !== "") yield JSON.parse(rest) as T;
}

const messageOf = (text: string): string | undefined => {
  try {
    const answer = JSON.parse(text) as Partial<ErrorAnswer> | null;
    return typeof answer?.message === "string" ? answer.message : undefined;
  } catch {
    return text.trim() === "" ? undefined : text.trim();
  }
};
