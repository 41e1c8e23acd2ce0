/** Whoever handles a piece has work of its own with it: small ones are put together on their way. */
const enough = 64 * 1024;

/** The same bytes in pieces of 64 KiB and more, but for the last one and what comes before a large one. */
export async function* gather(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  const taken = (): Uint8Array => {
    const all = Buffer.concat(waiting, length);
    waiting = [];
    length = 0;
    return all;
  };
  for await (const piece of pieces) {
    // A large one is not copied.
    if (piece.length >= enough) {
      if (length > 0) yield taken();
      yield piece;
      continue;
    }
    waiting.push(piece);
    length += piece.length;
    if (length >= enough) yield taken();
  }
  if (length > 0) yield taken();
}
