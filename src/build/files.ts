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
  isStored = false;

  constructor(diffId: Promise<DiffId>, created: string, job?: { readonly id: ContainerId; readonly upper: string }) {
    this.diffId = diffId;
    this.created = created;
    this.job = job;
    diffId.then(
      () => (this.isStored = true),
      // Whoever needs it hears of it.
      () => {},
    );
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

  /** What a job runs on: as little is waited for as can be. */
  async lower(): Promise<{ readonly layers: readonly DiffId[]; readonly uppers: readonly string[] }> {
    let at = this.parts.length;
    const uppers: string[] = [];
    while (at > 0 && uppers.length < maxUppers) {
      const part = this.parts[at - 1]!;
      if (part.isStored || part.job === undefined) break;
      uppers.unshift(part.job.upper);
      at--;
    }
    return { layers: await Promise.all(this.parts.slice(0, at).map(({ diffId }) => diffId)), uppers };
  }
}
