/** Manifests and configurations from stores that are not ours to open: whole, within bounds, and what their digests say. */
import { digestOfBytes } from "../image/members.ts";
import type { BlobRef } from "./cache-config.ts";
import type { BlobReader } from "./cache-request.ts";

/** Of a manifest or a configuration, in bytes. */
export const documentLimit = 4 * 1024 * 1024;

/** The document; `wrong` is thrown when there are more bytes, or others, than there should be. */
export const readDocument = async (
  store: BlobReader,
  blob: BlobRef,
  signal: AbortSignal,
  wrong: () => Error,
): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of store.read(blob, signal)) {
    size += piece.length;
    if (size > documentLimit) throw wrong();
    pieces.push(piece);
  }
  const whole = Buffer.concat(pieces);
  if (digestOfBytes(whole) !== blob.digest) throw wrong();
  return whole;
};
