import type { TarEntry } from "./entry.ts";
import { defaultTarLimits, type TarLimits } from "./limits.ts";
import { TarParser } from "./parser.ts";

export interface TarItem {
  readonly entry: TarEntry;
  /** The content as a reader of the file sees it (holes as zeroes); to be read before the next item is asked for, if at all. */
  readonly content: AsyncIterable<Uint8Array>;
}

type Piece = { readonly entry: TarEntry } | { readonly bytes: Uint8Array };

/** The archive as a row of entries and the pieces of their stored content; holds the pieces of one chunk at a time. */
async function* readPieces(source: AsyncIterable<Uint8Array>, limits: TarLimits): AsyncGenerator<Piece> {
  let pieces: Piece[] = [];
  const parser = new TarParser(
    { entry: (entry) => pieces.push({ entry }), content: (bytes) => pieces.push({ bytes }) },
    limits,
  );
  for await (const chunk of source) {
    parser.push(chunk);
    if (pieces.length === 0) continue;
    const ready = pieces;
    pieces = [];
    yield* ready;
  }
  parser.end();
}

const ZEROES = new Uint8Array(64 * 1024);

function* zeroes(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= ZEROES.length) yield ZEROES.subarray(0, Math.min(left, ZEROES.length));
}

/** Stored bytes with the holes between them filled; ends early when `stored` does. */
async function* filled(entry: TarEntry, stored: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const extents = entry.extents[Symbol.iterator]();
  let extent = extents.next().value;
  let at = 0;
  for await (const piece of stored) {
    let bytes = piece;
    while (extent !== undefined && bytes.length > 0) {
      yield* zeroes(extent.logical - at);
      at = Math.max(at, extent.logical);
      const part = bytes.subarray(0, extent.logical + extent.length - at);
      yield part;
      at += part.length;
      bytes = bytes.subarray(part.length);
      if (at === extent.logical + extent.length) extent = extents.next().value;
    }
  }
  yield* zeroes(entry.size - at);
}

/**
 * Every entry of the archive with its content, in order; throws when the archive is malformed or ends early.
 * The source is read to its very end, so that a damaged tail of a compressed stream does not go unnoticed.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  limits: TarLimits = defaultTarLimits,
): AsyncGenerator<TarItem> {
  const pieces = readPieces(source, limits);
  let ahead: Promise<IteratorResult<Piece>> | undefined;
  let current: TarEntry | undefined;
  const peek = (): Promise<IteratorResult<Piece>> => {
    ahead ??= pieces.next();
    return ahead;
  };

  async function* stored(entry: TarEntry): AsyncGenerator<Uint8Array> {
    while (current === entry) {
      const piece = await peek();
      if (piece.done === true || "entry" in piece.value) return;
      ahead = undefined;
      yield piece.value.bytes;
    }
    throw new Error("the content of a tar entry was read after the next entry was asked for");
  }

  try {
    for (;;) {
      const piece = await peek();
      ahead = undefined;
      if (piece.done === true) return;
      if (!("entry" in piece.value)) continue;
      const { entry } = piece.value;
      current = entry;
      yield { entry, content: filled(entry, stored(entry)) };
      current = undefined;
    }
  } finally {
    await pieces.return(undefined);
  }
}
