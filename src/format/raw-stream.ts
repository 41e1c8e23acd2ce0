/** Docker's multiplexed streams: standard output and error in one connection, cut into frames. */

import { formatError } from "./errors.ts";

export type StreamName = "stdin" | "stdout" | "stderr";

const names = ["stdin", "stdout", "stderr"] as const satisfies readonly StreamName[];
const HEADER = 8;

export interface Frame {
  readonly stream: StreamName;
  /** Part of a frame's data, or all of it. */
  readonly data: Uint8Array;
}

/** Docker's frame: one byte of stream, three zeroes, four bytes of length (big endian); the data follows. */
export const encodeFrameHeader = (stream: StreamName, length: number): Uint8Array => {
  const header = new Uint8Array(HEADER);
  header[0] = names.indexOf(stream);
  new DataView(header.buffer).setUint32(4, length);
  return header;
};

/** A whole frame in one piece. */
export const encodeFrame = (stream: StreamName, data: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(HEADER + data.length);
  frame.set(encodeFrameHeader(stream, data.length));
  frame.set(data, HEADER);
  return frame;
};

/** Cuts pushed chunks into frames. Data of a frame may come in several pieces, so that nothing waits and nothing grows. */
export class FrameDecoder {
  readonly #header = new Uint8Array(HEADER);
  #gathered = 0;
  #stream: StreamName = "stdin";
  #left = 0;

  /** The data in the chunk, as views into it. */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const data = chunk.subarray(at, at + this.#left);
        frames.push({ stream: this.#stream, data });
        this.#left -= data.length;
        at += data.length;
        continue;
      }
      const part = chunk.subarray(at, at + HEADER - this.#gathered);
      this.#header.set(part, this.#gathered);
      this.#gathered += part.length;
      at += part.length;
      if (this.#gathered === HEADER) this.#begin();
    }
    return frames;
  }

  /** Throws when the stream ended inside a frame. */
  end(): void {
    if (this.#left > 0 || this.#gathered > 0) throw formatError("frameTruncated", {});
  }

  #begin(): void {
    const stream = names[this.#header[0]!];
    if (stream === undefined) throw formatError("frameInvalid", { value: this.#header[0]! });
    this.#stream = stream;
    this.#left = new DataView(this.#header.buffer).getUint32(4);
    this.#gathered = 0;
  }
}

/** The frames of a whole stream, in order. */
export async function* decodeFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  const decoder = new FrameDecoder();
  for await (const chunk of source) yield* decoder.push(chunk);
  decoder.end();
}
