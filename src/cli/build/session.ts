/** What the daemon asks of us while it builds: to write what was built, to keep its cache. BuildKit's session, with us as the one that is asked. */
import { randomUUID } from "node:crypto";
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import type { Client } from "../../api/client.ts";
import type { StreamSocket } from "../../base/socket.ts";
import { answerCall, codes, decodeFrames, GrpcError, type GrpcMethod } from "../../format/buildkit/grpc.ts";
import { exporterHeader, fileData, fileSend } from "../../format/buildkit/messages.ts";
import { messageOf } from "../failure.ts";
import type { BlobStore } from "./blob-store.ts";
import { contentMethods } from "./content.ts";
import type { Receiver } from "./outputs.ts";

export class BuildSession implements Disposable {
  readonly id: string;
  readonly #socket: StreamSocket;

  private constructor(id: string, socket: StreamSocket) {
    this.id = id;
    this.#socket = socket;
  }

  /** One that answers the daemon's calls until it is disposed. `receivers` are numbered as the outputs are. */
  static async open(
    client: Client,
    receivers: readonly (Receiver | undefined)[],
    stores: ReadonlyMap<string, BlobStore>,
    more: readonly (readonly [path: string, method: GrpcMethod])[],
    /** Whose directories these are; "": nobody's who comes again. */
    sharedKey = "",
  ): Promise<BuildSession> {
    const id = randomUUID();
    const headers = {
      "X-Docker-Expose-Session-Uuid": id,
      ...(sharedKey === "" ? {} : { "X-Docker-Expose-Session-Sharedkey": sharedKey }),
    };
    const { socket, first } = await client.hijack("session", {}, { headers });
    const methods = new Map<string, GrpcMethod>([[fileSend, receive(receivers)], ...contentMethods(stores), ...more]);
    const http = performServerHandshake(new SocketDuplex(socket, first));
    http.on("error", () => socket.destroy());
    http.on("stream", (stream: ServerHttp2Stream, told) => {
      void answerCall(stream, told, methods.get(String(told[":path"] ?? "")), messageOf);
    });
    return new BuildSession(id, socket);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

const receive =
  (receivers: readonly (Receiver | undefined)[]): GrpcMethod =>
  async ({ stream, headers }) => {
    const receiver = receivers[Number(headers[exporterHeader] ?? 0)];
    if (receiver === undefined) throw new GrpcError(codes.notFound, "this output was not asked for");
    await receiver(pieces(stream));
  };

async function* pieces(stream: ServerHttp2Stream): AsyncGenerator<Buffer> {
  for await (const { data } of decodeFrames(fileData, stream)) yield Buffer.from(data);
}

/** A socket as the runtime's HTTP/2 takes one. */
class SocketDuplex extends Duplex {
  readonly #socket: StreamSocket;

  constructor(socket: StreamSocket, first: Buffer) {
    super();
    this.#socket = socket;
    if (first.length > 0) this.push(first);
    socket.listen({
      data: (chunk) => {
        if (!this.push(chunk)) socket.pause();
      },
      end: () => this.push(null),
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    void this.#send(chunk, done);
  }

  async #send(chunk: Uint8Array, done: () => void): Promise<void> {
    // The bytes are the stream's again as soon as it is told that they are written. (`Uint8Array.from` would copy one by one.)
    if (!this.#socket.write(new Uint8Array(chunk))) await this.#socket.drained();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
