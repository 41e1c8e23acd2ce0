import type { TarEntry } from "./entry.ts";

/** What a writer needs of an entry: everything but where its bytes lie in some other archive. */
export type TarHeader = Omit<TarEntry, "extents">;

/** The header blocks of an entry: ustar alone where it can say everything, a PAX header before it where not. */
export const encodeHeader = (_header: TarHeader): Uint8Array[] => [];

export interface TarOutput {
  readonly header: TarHeader;
  /** Exactly `header.size` bytes; may be left out for a size of 0. */
  readonly content?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A whole archive with its end blocks; same items, same bytes. */
export async function* writeTar(_items: AsyncIterable<TarOutput> | Iterable<TarOutput>): AsyncGenerator<Uint8Array> {}
