/** The files of a stage as they are so far: stored layers, and on top of them what jobs wrote and nobody has stored yet. */
import type { ContainerId, DiffId } from "../base/ids.ts";
import type { Layers } from "../image/layers.ts";
import { Tree } from "../image/tree.ts";

export class Part {
  /** Settles when the layer is stored. */
  readonly diffId: Promise<DiffId>;
  readonly job: { readonly id: ContainerId; readonly upper: string } | undefined;
  /** RFC 3339. */
  readonly created: string;

  constructor(diffId: Promise<DiffId>, created: string, job?: { readonly id: ContainerId; readonly upper: string }) {
    this.diffId = diffId;
    this.created = created;
    this.job = job;
    // Whoever needs it hears of it.
    diffId.catch(() => {});
  }
}

/** The kernel takes one page of names for all of them. */
const maxUppers = 16;

export class StageFiles {
  /** The lowest first. */
  readonly parts: readonly Part[];
  /** Names all that led to these files. */
  readonly key: string;
  /** How many of them are the image's that it begins with. */
  readonly inherited: number;
  readonly #layers: Layers;
  #tree: Promise<Tree> | undefined;

  constructor(layers: Layers, parts: readonly Part[], key: string, inherited = parts.length) {
    this.#layers = layers;
    this.parts = parts;
    this.key = key;
    this.inherited = inherited;
  }

  with(part: Part, key: string): StageFiles {
    return new StageFiles(this.#layers, [...this.parts, part], key, this.inherited);
  }

  /** When everything is stored. */
  diffIds(): Promise<readonly DiffId[]> {
    return Promise.all(this.parts.map(({ diffId }) => diffId));
  }

  /** The files as data; waits until everything is stored. */
  tree(): Promise<Tree> {
    this.#tree ??= this.diffIds().then((diffIds) => Tree.open(this.#layers.stack(diffIds)));
    return this.#tree;
  }

  /**
   * What a job runs on: what the jobs before it wrote, as it lies there, so that hardly a step has layers to wait for and
   * to mount. Of more than the kernel takes, sixteen at a time are layers from then on.
   */
  async lower(): Promise<{ readonly layers: readonly DiffId[]; readonly uppers: readonly string[] }> {
    const first = this.parts.findLastIndex(({ job }) => job === undefined) + 1;
    const written = this.parts.slice(first).map(({ job }) => job!.upper);
    const stored = Math.max(Math.ceil(written.length / maxUppers) - 1, 0) * maxUppers;
    const layers = this.parts.slice(0, first + stored).map(({ diffId }) => diffId);
    return { layers: await Promise.all(layers), uppers: written.slice(stored) };
  }
}
