/** Compressed streams, told apart by their first bytes as Docker does, never by a name or a media type. */

import { createGunzip, createZstdDecompress } from "node:zlib";
import { PierError } from "../base/errors.ts";
import { release } from "../base/memory.ts";
import { collectGarbage } from "../base/platform.ts";
import { formatError } from "./errors.ts";
import { ZstdFrames } from "./zstd-frames.ts";

export type Compression = "none" | "gzip" | "zstd" | "bzip2" | "xz";

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];
/** So many bytes tell what a stream is. */
export const longestMagic = 6;

/** A zstd stream may begin with a skippable frame: 0x184D2A50 to 0x184D2A5F, little endian. */
const isSkippableFrame = (head: Uint8Array): boolean =>
  (head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;

/** What a stream is that begins with these bytes (six are enough); plain when they are no magic number. */
export const compressionOf = (head: Uint8Array): Compression => {
  const found = magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
  if (found !== undefined) return found[0];
  return isSkippableFrame(head) ? "zstd" : "none";
};

// The default of 16 KiB costs half the speed. Some chunks are inflated ahead, in another thread than that which takes them.
const CHUNK = 256 * 1024;
const buffers = { chunkSize: CHUNK, readableHighWaterMark: 4 * CHUNK };
/**
 * So many bytes are inflated before what is done with is given back: a collection costs some 17 ms and all compiled code, a
 * rarer one the daemon's peak (decision 43).
 */
const COLLECT = 16 * 1024 * 1024;

export interface DecompressOptions {
  /** Whoever takes a piece is done with it when it asks for the next: its memory goes then. */
  readonly isLent?: boolean;
  /** What decodes streams that are compressed otherwise than with gzip or zstd. */
  readonly others?: Partial<Record<Compression, (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>>>;
}

/**
 * The plain bytes of a plain, gzip or zstd stream, told apart by their first bytes. Of a compressed one, each piece of the
 * source is done with when the next is asked for.
 * A stream that ends early, goes on with rubbish or fails its checksum throws before it ends.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  { isLent = false, others = {} }: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    const head: Uint8Array[] = [];
    let length = 0;
    while (length < longestMagic) {
      const { done, value } = await chunks.next();
      if (done === true) break;
      // Its memory may be gone when the next is here.
      head.push(new Uint8Array(value));
      length += value.length;
    }
    const whole = (async function* () {
      yield* head;
      yield* { [Symbol.asyncIterator]: () => chunks };
    })();
    const compression = compressionOf(Buffer.concat(head));
    if (compression === "none") yield* whole;
    else if (compression === "gzip") yield* decode(whole, compression, createGunzip(buffers), isLent);
    else if (compression === "zstd") {
      yield* decode(wholeFrames(whole), compression, createZstdDecompress(buffers), isLent);
    } else {
      const other = others[compression];
      if (other === undefined) throw formatError("compressionUnsupported", { format: compression });
      yield* other(whole);
    }
  } finally {
    await chunks.return?.();
  }
}

type Decoder = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

async function* decode(
  source: AsyncIterable<Uint8Array>,
  format: Compression,
  decoder: Decoder,
  isLent: boolean,
): AsyncGenerator<Uint8Array> {
  // An error of either side destroys the decoder with it, so the loop below is where it comes out.
  const feeding = feed(source, decoder).catch((error: unknown) => void decoder.destroy(error as Error));
  try {
    let uncollected = 0;
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      uncollected += chunk.length;
      yield chunk;
      if (isLent) release(chunk);
      if (isLent || uncollected < COLLECT) continue;
      collectGarbage();
      uncollected = 0;
    }
  } catch (cause) {
    throw decodeError(format, cause);
  } finally {
    decoder.destroy();
    await feeding;
  }
}

/** Gives the decoder one piece after the other: the next is asked for when it is done with the last. */
const feed = async (source: AsyncIterable<Uint8Array>, decoder: Decoder): Promise<void> => {
  let done = (): void => {};
  decoder.once("close", () => done());
  for await (const piece of source) {
    await new Promise<void>((resolve) => {
      done = resolve;
      decoder.write(piece, () => resolve());
    });
    if (decoder.destroyed) return;
  }
  decoder.end();
};

const decodeError = (format: Compression, cause: unknown): unknown => {
  if (!(cause instanceof Error) || cause instanceof PierError || !("code" in cause)) return cause;
  if (cause.code === "Z_BUF_ERROR") return formatError("compressedTruncated", { format }, cause);
  return typeof cause.code === "string" && /^(Z_|ZSTD_)/.test(cause.code)
    ? formatError("compressedCorrupt", { format, reason: cause.message }, cause)
    : cause;
};

async function* wholeFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  for await (const chunk of source) {
    const reason = frames.push(chunk);
    if (reason !== undefined) throw formatError("compressedCorrupt", { format: "zstd", reason });
    yield chunk;
  }
  if (!frames.isComplete) throw formatError("compressedTruncated", { format: "zstd" });
}
