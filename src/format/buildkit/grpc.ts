/** gRPC over HTTP/2: messages with a length before them, and how it ended in the trailers. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import { decodeMessage, encodeMessage, type Fields, type Message, Writer, writeMessage } from "../protobuf.ts";
import { rpcStatus } from "./messages.ts";

export const codes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalid: 3,
  notFound: 5,
  exists: 6,
  unimplemented: 12,
  internal: 13,
} as const;

/** What is said of an error beside its sentence, for clients that know the type. */
export interface ErrorDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

export class GrpcError extends Error {
  readonly code: number;
  readonly details: readonly ErrorDetail[];

  constructor(code: number, text: string, cause?: unknown, details: readonly ErrorDetail[] = []) {
    super(text, cause === undefined ? undefined : { cause });
    this.name = "GrpcError";
    this.code = code;
    this.details = details;
  }
}

const prefix = 5;
const maxMessage = 16 * 1024 * 1024;

export const encodeFrame = <F extends Fields>(fields: F, value: Partial<Message<F>>): Uint8Array =>
  encodeFrames(fields, [value]);

/** Several messages one after the other, each with its length before it. */
export const encodeFrames = <F extends Fields>(fields: F, values: Iterable<Partial<Message<F>>>): Uint8Array => {
  const out = new Writer();
  for (const value of values) {
    const start = out.skip(prefix);
    writeMessage(out, fields, value);
    out.setLength(start + 1, out.length - start - prefix);
  }
  return out.finish();
};

/** A message with its length before it. */
export const frameOf = (content: Uint8Array): Uint8Array => {
  const frame = Buffer.alloc(prefix + content.length);
  frame.writeUInt32BE(content.length, 1);
  frame.set(content, prefix);
  return frame;
};

/** The messages of a stream, as they come. Whoever has enough of them may still write to it. */
export async function* decodeFrames<F extends Fields>(fields: F, stream: Readable): AsyncGenerator<Message<F>> {
  let waiting: Buffer[] = [];
  let size = 0;
  let needed = prefix;
  const chunks: AsyncIterable<Buffer> = stream.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    waiting.push(chunk);
    size += chunk.length;
    // Joined when a message is whole, not for each chunk: a long message comes in a thousand of them.
    if (size < needed) continue;
    const held = waiting.length === 1 ? chunk : Buffer.concat(waiting);
    let at = 0;
    for (needed = frameSize(held, at); held.length - at >= needed; needed = frameSize(held, at)) {
      const content = new Uint8Array(held.buffer, held.byteOffset + at + prefix, needed - prefix);
      at += needed;
      yield decodeMessage(fields, content);
    }
    size = held.length - at;
    waiting = size === 0 ? [] : [held.subarray(at)];
  }
}

/** Of the frame that begins here; as long as that is not known, of what says it. */
const frameSize = (held: Buffer, at: number): number => {
  if (held.length - at < prefix) return prefix;
  const size = held.readUInt32BE(at + 1);
  if (held[at] !== 0 || size > maxMessage) throw new GrpcError(codes.invalid, "a message is compressed or too long");
  return prefix + size;
};

/** An HTTP/2 frame of trailers has 16 KiB (bytes of the encoded text); of one that is longer, this much of each end (characters). */
const longestText = 12_000;
const shownOfLong = 600;

/** A status's text as its trailer: always one that the client can read, also of a text that is none. */
export const encodeText = (text: string): string => {
  const encoded = encodeURIComponent(text.toWellFormed()).replaceAll("%20", " ");
  if (encoded.length <= longestText) return encoded;
  return encodeText(`${text.slice(0, shownOfLong)} … ${text.slice(-shownOfLong)}`);
};

/** The text of a trailer; one that is not encoded as it should be is taken as it is. */
export const decodeText = (encoded: string): string => {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
};

export interface GrpcCall {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Aborted when the client has gone or given up. */
  readonly signal: AbortSignal;
}

interface Ending {
  readonly code: number;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
}

/** Answers a call by writing messages; what it throws becomes the status. */
export type GrpcMethod = (call: GrpcCall, write: (frame: Uint8Array) => void) => Promise<void>;

/** One request, one answer. */
export const unary =
  <Q extends Fields, A extends Fields>(
    request: Q,
    answer: A,
    run: (value: Message<Q>, call: GrpcCall) => Promise<Partial<Message<A>>> | Partial<Message<A>>,
  ): GrpcMethod =>
  async (call, write) => {
    for await (const value of decodeFrames(request, call.stream)) {
      write(encodeFrame(answer, await run(value, call)));
      return;
    }
    throw new GrpcError(codes.invalid, "the request is empty");
  };

/** Holds afterwards: the call is answered, or its client has gone. */
export const answerCall = async (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  method: GrpcMethod | undefined,
  messageOf: (error: unknown) => string,
): Promise<void> => {
  const gone = new AbortController();
  stream.on("error", () => {});
  stream.once("close", () => gone.abort());
  let ending: Ending = { code: codes.ok, message: "", details: [] };
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => {
    const told = encodeText(ending.message);
    const whole = Buffer.from(encodeMessage(rpcStatus, { ...ending, message: decodeText(told) })).toString("base64");
    // Trailers are one frame: what would not fit is left out, and the text alone says what went wrong.
    const hasDetails = ending.details.length > 0 && whole.length <= longestText;
    stream.sendTrailers({
      "grpc-status": String(ending.code),
      ...(told === "" ? {} : { "grpc-message": told }),
      ...(hasDetails ? { "grpc-status-details-bin": whole } : {}),
    });
  });
  try {
    if (method === undefined) throw new GrpcError(codes.unimplemented, `unknown method ${headers[":path"]}`);
    await method({ stream, headers, signal: gone.signal }, (frame) => {
      if (!stream.destroyed) stream.write(frame);
    });
  } catch (error) {
    const code = error instanceof GrpcError ? error.code : gone.signal.aborted ? codes.cancelled : codes.unknown;
    ending = { code, message: messageOf(error), details: error instanceof GrpcError ? error.details : [] };
  }
  if (!stream.destroyed) stream.end();
};
