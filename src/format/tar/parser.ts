import type { TarEntry } from "./entry.ts";
import { defaultTarLimits, type TarLimits } from "./limits.ts";

/** Who listens to a `TarParser`; both are called while `push` runs, so what they throw comes out of `push`. */
export interface TarSink {
  /** A new entry begins; the content of the one before is complete. */
  entry(entry: TarEntry): void;
  /** The next stored bytes of the current entry: a view into the pushed chunk, holes and padding left out. */
  content?(bytes: Uint8Array): void;
}

export interface TarParserOptions {
  readonly limits?: TarLimits;
}

/**
 * Reads a tar stream that somebody else moves: push every chunk in order, then `end`.
 * Content is skipped by counting, so that the same chunks can be hashed and written at full speed.
 */
export class TarParser {
  constructor(_sink: TarSink, _options: TarParserOptions = {}) {
    void defaultTarLimits;
  }
  /** Bytes pushed so far. */
  get offset(): number {
    return 0;
  }
  push(_chunk: Uint8Array): void {}
  /** Throws when the archive ended too early; afterwards everything that it holds was told. */
  end(): void {}
}
