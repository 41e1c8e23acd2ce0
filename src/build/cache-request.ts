/** `--cache-from` and `--cache-to` as values: where the caches of other builds are, and where ours goes. */
import type { Digest } from "../base/ids.ts";
import type { BlobRef } from "./cache-config.ts";

/** A store of blobs that is not ours to open: the client's directory. */
export interface BlobReader {
  read(blob: BlobRef, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface BlobWriter {
  /** Holds afterwards: the store has it; one that it has already is not read. */
  write(blob: BlobRef, open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
}

export type CacheImport =
  | { readonly kind: "registry"; readonly ref: string }
  | { readonly kind: "store"; readonly name: string; readonly manifest: Digest; readonly store: BlobReader };

export type CacheExport =
  | { readonly kind: "inline" }
  | ((
      | { readonly kind: "registry"; readonly ref: string }
      | { readonly kind: "store"; readonly name: string; readonly store: BlobWriter }
    ) & {
      /** The steps of the image alone, or all of them. */
      readonly mode: "min" | "max";
      readonly ignoresErrors: boolean;
      readonly asIndex: boolean;
    });
