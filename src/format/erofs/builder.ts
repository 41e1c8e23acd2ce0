import type { DiffId } from "../../base/ids.ts";
import type { TarEntry } from "../tar/entry.ts";

export interface IndexFacts {
  readonly diffId: DiffId;
  /** Bytes of the whole tar, to its last byte. */
  readonly tarSize: number;
}

/** Turns the entries of one layer's tar into the EROFS index that the kernel mounts over that tar. */
export class IndexBuilder {
  /** Applies one entry as Docker would; throws when the layer asks for what no file system can have or nobody should give. */
  add(_entry: TarEntry): void {}
  /** True when the layer changes nothing: no entries, no whiteouts, so a stack may skip it. */
  get isEmpty(): boolean {
    return true;
  }
  /** The index's bytes: a pure function of the entries and facts, zero in every byte that means nothing. */
  finish(_facts: IndexFacts): Uint8Array {
    return new Uint8Array();
  }
}
