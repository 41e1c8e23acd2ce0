import { formatError } from "../errors.ts";

/** What one layer may ask for; every limit bounds memory or time that a hostile archive of a few kilobytes could claim. */
export interface LayerLimits {
  /** Bytes of memory for names, inodes, attributes and chunk maps together. */
  readonly memory: number;
  /** Directories inside one another; the kernel's longest path has 2,048. */
  readonly depth: number;
  /** Chunks of one sparse file. */
  readonly chunks: number;
}

export const defaultLayerLimits: LayerLimits = {
  // A file takes about 40 bytes and its name: this is enough for a million of them.
  memory: 48 * 1024 * 1024,
  depth: 2048,
  chunks: 1024 * 1024,
};

/** Counts the memory that a layer has asked for so far. What is replaced later counts as well: it took the work. */
export class Meter {
  readonly limits: LayerLimits;
  #bytes = 0;

  constructor(limits: LayerLimits) {
    this.limits = limits;
  }

  charge(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.limits.memory) {
      throw formatError("layerMemory", { limit: this.limits.memory / (1024 * 1024) });
    }
  }
}
