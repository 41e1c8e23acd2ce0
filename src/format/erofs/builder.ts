import type { DiffId } from "../../base/ids.ts";
import { formatError } from "../errors.ts";
import type { TarEntry } from "../tar/entry.ts";
import { encodeIndex } from "./encode.ts";
import { TAR_MAXIMUM } from "./format.ts";
import { LayerTree } from "./layer.ts";
import { defaultLayerLimits, type LayerLimits } from "./limits.ts";

export interface IndexFacts {
  readonly diffId: DiffId;
  /** Bytes of the whole tar, to its last one. */
  readonly tarSize: number;
}

/** Turns the entries of one layer's tar into the EROFS index that the kernel mounts over that tar. */
export class IndexBuilder {
  readonly #layer: LayerTree;
  #contentEnd = 0;

  constructor(limits: LayerLimits = defaultLayerLimits) {
    this.#layer = new LayerTree(limits);
  }

  /** Applies one entry as Docker would; throws when the layer asks for what no file system can have or nobody should give. */
  add(entry: TarEntry): void {
    this.#layer.add(entry);
    const last = entry.extents.at(-1);
    if (last !== undefined) this.#contentEnd = Math.max(this.#contentEnd, last.offset + last.length);
  }

  /** True when the layer changes nothing: no files, no whiteouts, so that a stack may leave it out. */
  get isEmpty(): boolean {
    return this.#layer.tree.isEmpty;
  }

  /**
   * The index's bytes in pieces, to be taken once: a pure function of the entries and facts, zero in every byte that
   * means nothing.
   */
  finish({ diffId, tarSize }: IndexFacts): Iterable<Uint8Array> {
    if (tarSize > TAR_MAXIMUM) {
      throw formatError("layerLimit", { what: `a tar of ${tarSize} bytes`, limit: TAR_MAXIMUM });
    }
    if (this.#contentEnd > tarSize) throw formatError("tarTruncated", { where: "the content of an entry" });
    return encodeIndex(this.#layer.tree, diffId, tarSize);
  }
}
