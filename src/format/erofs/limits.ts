import { formatError } from "../errors.ts";

/** What one layer may ask for; every limit bounds memory that a hostile archive of a few kilobytes could claim. */
export interface LayerLimits {
  /** Files, directories and links, implied directories among them. */
  readonly nodes: number;
  /** Names, link targets, extended attributes and chunk maps together. */
  readonly metadataBytes: number;
  /** Directories inside one another; the kernel's longest path has 2,048. */
  readonly depth: number;
  /** Chunks of one sparse file. */
  readonly chunks: number;
}

export const defaultLayerLimits: LayerLimits = {
  nodes: 2_000_000,
  metadataBytes: 128 * 1024 * 1024,
  depth: 2048,
  chunks: 1024 * 1024,
};

/** Counts what a layer has asked for so far. What is replaced later counts as well: it took the work. */
export class Meter {
  readonly limits: LayerLimits;
  #nodes = 0;
  #bytes = 0;

  constructor(limits: LayerLimits) {
    this.limits = limits;
  }

  chargeNode(): void {
    if (++this.#nodes > this.limits.nodes)
      throw formatError("layerLimit", { what: "more files", limit: this.limits.nodes });
  }

  chargeBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.limits.metadataBytes) {
      throw formatError("layerLimit", { what: "more bytes of metadata", limit: this.limits.metadataBytes });
    }
  }
}
