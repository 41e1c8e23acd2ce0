/** A layer as the store has it. */
import type { DiffId, Digest } from "../base/ids.ts";

/** A layer as the kernel mounts it. */
export interface StackLayer {
  readonly diffId: DiffId;
  /** Small, and never given to another layer: names its mount point. */
  readonly number: number;
  readonly tar: string;
  readonly index: string;
}

export interface StoredLayer {
  readonly diffId: DiffId;
  readonly number: number;
  readonly tarSize: number;
  /** Bytes of what is in it, as Docker counts an image's size. */
  readonly size: number;
  readonly isEmpty: boolean;
}

/** A layer's bytes as they came, kept so that they can be given away again. */
export interface KeptBlob {
  readonly digest: Digest;
  readonly diffId: DiffId;
  readonly size: number;
}
