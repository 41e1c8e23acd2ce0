import type { TarEntry } from "./entry.ts";
import { defaultTarLimits, type TarLimits } from "./limits.ts";

export interface TarItem {
  readonly entry: TarEntry;
  /** The content as a reader of the file sees it (holes as zeroes); to be read before the next item is asked for, if at all. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Every entry of the archive with its content, in order; throws when the archive is malformed or ends early. */
export async function* readTar(
  _source: AsyncIterable<Uint8Array>,
  _limits: TarLimits = defaultTarLimits,
): AsyncGenerator<TarItem> {}
