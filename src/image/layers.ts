/** The layers that are stored: each once, as the tar that it is and the index over it, however many images have it. */
import { mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Database } from "../base/database.ts";
import { createDirectory, isPendingName, Pending, Removals, removeDurably } from "../base/durable.ts";
import { errnoOf } from "../base/errors.ts";
import { type DiffId, type Digest, digestFromHex, hexOf } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import type { BlobFiles } from "./blob-files.ts";
import { imageError } from "./errors.ts";
import { checkLayer, type ExpectedLayer } from "./expected.ts";
import { LayerRows } from "./layer-rows.ts";
import { type LayerFacts, writeIndex, writeLayer } from "./layer-writer.ts";
import type { KeptBlob, StackLayer, StoredLayer } from "./stored-layer.ts";

export type { KeptBlob, StackLayer, StoredLayer } from "./stored-layer.ts";

/** Far above any layer that was seen, far below what the index can address. */
export const maxLayerSize = 512 * 1024 ** 3;

/** A layer whose bytes are on disk under a temporary name; disposal takes them away unless they were committed. */
export interface StagedLayer extends LayerFacts, AsyncDisposable {
  readonly pending: Pending;
  /** Where the blob's bytes are, if they are to be kept: on disk, and taken away with the rest when nobody commits. */
  readonly compressed?: string;
}

export interface StageOptions {
  /** Bytes of the tar. */
  readonly limit?: number;
  /** Compressed bytes are kept beside the tar. */
  readonly keepsCompressed?: boolean;
}

/** How long a layer is kept for a pull that broke off. */
const leaseMs = 7 * 24 * 3600 * 1000;

export class Layers {
  readonly #rows: LayerRows;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #files: BlobFiles;
  readonly #locks = new Locks();
  readonly #stored = new Map<DiffId, StoredLayer>();
  readonly #blobs = new Map<Digest, DiffId>();
  readonly #kept = new Map<Digest, KeptBlob>();
  /** Layers whose bytes are known not to be right any more. */
  readonly #damaged = new Set<DiffId>();
  /** Until when layers are kept that no image has, in milliseconds since 1970. */
  readonly #leases = new Map<DiffId, number>();
  /** Layers that work under way relies on, and how often. */
  readonly #held = new Map<DiffId, number>();
  readonly #removals = new Removals();
  readonly #listeners = new Set<(layer: StackLayer) => void>();

  private constructor(root: string, rows: LayerRows, files: BlobFiles, clock: Clock) {
    this.#directory = join(root, "layers");
    this.#rows = rows;
    this.#clock = clock;
    this.#files = files;
  }

  /** Holds afterwards: every row has its files and every file its row; what a crash left half done is gone. */
  static async open(root: string, database: Database, files: BlobFiles, clock = systemClock): Promise<Layers> {
    const layers = new Layers(root, new LayerRows(database), files, clock);
    await createDirectory(layers.#directory);
    await layers.#readRows();
    await layers.#clear();
    return layers;
  }

  get(diffId: DiffId): StoredLayer | undefined {
    return this.#stored.get(diffId);
  }

  all(): readonly StoredLayer[] {
    return [...this.#stored.values()];
  }

  /** The stored layer that a blob, plain or compressed, is known to hold. */
  findBlob(digest: Digest): StoredLayer | undefined {
    const diffId = this.#blobs.get(digest) ?? (digest as DiffId);
    return this.#damaged.has(diffId) ? undefined : this.#stored.get(diffId);
  }

  /** Holds afterwards: whoever brings the layer again replaces it. Images that have it stay. */
  distrust(diffId: DiffId): void {
    this.#rows.distrust(diffId);
    this.#damaged.add(diffId);
  }

  /** Holds afterwards: a stored layer has this index, also after a power cut. Whoever has the old one open goes on with it. */
  async replaceIndex(diffId: DiffId, pieces: Iterable<Uint8Array>): Promise<void> {
    await this.#locks.run(diffId, async () => {
      await using pending = new Pending(join(this.#directory, "index"));
      await writeIndex(pending.temporary, pieces);
      await pending.commit(this.place(diffId).index);
    });
  }

  /** Holds at once: these bytes are not kept any more; the layer is. */
  dropKept(digest: Digest): void {
    this.#rows.dropKept(digest);
    if (this.#kept.delete(digest)) this.#files.remove(digest);
  }

  /** The kept bytes of a blob; undefined when there are none, though its layer may be stored. */
  findKept(digest: Digest): KeptBlob | undefined {
    return this.#kept.get(digest);
  }

  /** All kept bytes of a layer, in the order of their digests. */
  keptOf(diffId: DiffId): readonly KeptBlob[] {
    return [...this.#kept.values()]
      .filter((kept) => kept.diffId === diffId)
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  }

  allKept(): Iterable<KeptBlob> {
    return this.#kept.values();
  }

  /** The file with the bytes of a blob: compressed, or a layer's tar; undefined when neither is here. */
  fileOf(digest: Digest): { readonly path: string; readonly size: number } | undefined {
    const kept = this.#kept.get(digest);
    if (kept !== undefined) return { path: this.#files.path(digest), size: kept.size };
    const stored = this.#stored.get(digest as DiffId);
    return stored === undefined ? undefined : { path: this.#place(stored).tar, size: stored.tarSize };
  }

  /** Where a stored layer lies. */
  place(diffId: DiffId): StackLayer {
    const stored = this.#stored.get(diffId);
    if (stored === undefined) throw imageError("missingLayer", { diffId });
    return this.#place(stored);
  }

  /** Bytes that the disk has given away for a layer: its tar, its index, and what is kept of it as it came. */
  async diskUse(diffId: DiffId): Promise<number> {
    if (!this.#stored.has(diffId)) return 0;
    const { tar, index } = this.place(diffId);
    const kept = this.keptOf(diffId).map(({ digest }) => this.#files.path(digest));
    const sizes = await Promise.all([dirname(tar), tar, index, ...kept].map(allocated));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** What an overlay of these layers (the lowest first) is made of: topmost first, each once, empty ones left out. */
  stack(layers: readonly DiffId[]): readonly StackLayer[] {
    return [...new Set(layers.toReversed())]
      .map((diffId) => {
        const stored = this.#stored.get(diffId);
        if (stored === undefined) throw imageError("missingLayer", { diffId });
        return stored;
      })
      .filter(({ isEmpty }) => !isEmpty)
      .map((stored) => this.#place(stored));
  }

  /** Reads a layer to its end: its bytes are on disk afterwards, under a temporary name and of no consequence yet. */
  async stage(
    source: AsyncIterable<Uint8Array>,
    { limit = maxLayerSize, keepsCompressed = false }: StageOptions = {},
  ): Promise<StagedLayer> {
    const pending = new Pending(join(this.#directory, "layer"));
    try {
      await mkdir(pending.temporary, { mode: 0o700 });
      const facts = await writeLayer(source, pending.temporary, limit, keepsCompressed);
      return { ...facts, pending, [Symbol.asyncDispose]: () => pending[Symbol.asyncDispose]() };
    } catch (error) {
      await pending[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Holds afterwards: the layer is stored; after a power cut too, once a later transaction was made durable.
   * Whoever commits holds the layer: nothing else keeps it from being collected.
   */
  async commit(staged: StagedLayer): Promise<StoredLayer> {
    const { diffId, blob } = staged;
    return this.#locks.run(diffId, async () => {
      const { compressed } = staged;
      const keeps = compressed !== undefined && !this.#kept.has(blob.digest);
      if (keeps) await this.#files.adopt(compressed, blob.digest);
      if (this.#damaged.has(diffId) && this.#stored.has(diffId)) await this.#replace(staged);
      if (!this.#stored.has(diffId)) {
        await staged.pending.commit(this.#pathOf(diffId));
        this.#insertRow(staged);
      }
      if (blob.digest !== diffId && !this.#blobs.has(blob.digest)) {
        this.#rows.putBlob(blob.digest, diffId);
        this.#blobs.set(blob.digest, diffId);
      }
      if (keeps) this.#keep({ ...blob, diffId });
      return this.#stored.get(diffId)!;
    });
  }

  /** Stores a layer that is what it is expected to be; of any other nothing is left. The caller holds it first. */
  async add(source: AsyncIterable<Uint8Array>, expected: ExpectedLayer): Promise<StoredLayer> {
    await using staged = await this.stage(source);
    checkLayer(staged, expected);
    return await this.commit(staged);
  }

  /** Keeps these layers, stored or still to come, from being collected until the answer is disposed. */
  hold(diffIds: Iterable<DiffId>): Disposable {
    let held = [...diffIds];
    for (const diffId of held) this.#held.set(diffId, (this.#held.get(diffId) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const diffId of held) {
          const count = this.#held.get(diffId)! - 1;
          if (count === 0) this.#held.delete(diffId);
          else this.#held.set(diffId, count);
        }
        held = [];
      },
    };
  }

  /**
   * Keeps bytes of a stored layer that were made or have come again; the file, which is on disk, becomes ours. Whoever
   * calls has verified them and holds the layer.
   */
  async keep(file: string, kept: KeptBlob): Promise<void> {
    await this.#locks.run(kept.diffId, async () => {
      if (this.#kept.has(kept.digest)) return;
      await this.#files.adopt(file, kept.digest);
      this.#rows.putBlob(kept.digest, kept.diffId);
      this.#blobs.set(kept.digest, kept.diffId);
      this.#keep(kept);
    });
  }

  /** Holds afterwards: the layer stays for a while though no image has it: a pull will need it when it goes on. */
  lease(diffId: DiffId): void {
    const until = this.#clock.now() + leaseMs;
    this.#rows.putLease(diffId, until);
    this.#leases.set(diffId, until);
  }

  /** Holds afterwards: these layers, or all, are only kept for images that have them. */
  endLeases(diffIds: Iterable<DiffId> = [...this.#leases.keys()]): void {
    for (const diffId of diffIds) {
      if (this.#leases.delete(diffId)) this.#rows.dropLease(diffId);
    }
  }

  /** Holds at once: no layer is stored that is neither used nor held nor leased. */
  collect(used: ReadonlySet<DiffId>): void {
    this.#endOldLeases();
    const unused = [...this.#stored.values()].filter(
      ({ diffId }) => !used.has(diffId) && !this.#held.has(diffId) && !this.#leases.has(diffId),
    );
    if (unused.length === 0) return;
    this.#rows.removeAll(unused.map(({ diffId }) => diffId));
    for (const layer of unused) {
      this.#forget(layer.diffId);
      this.#removals.begin(this.#pathOf(layer.diffId));
      for (const listener of this.#listeners) listener(this.#place(layer));
    }
  }

  /** Calls `listener` for every layer that is removed, so that it is unmounted; answers what ends that. */
  onRemove(listener: (layer: StackLayer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Settles when the bytes of all removed layers are gone. */
  settled(): Promise<void> {
    return this.#removals.settled();
  }

  #endOldLeases(): void {
    const now = this.#clock.now();
    this.endLeases([...this.#leases].filter(([, until]) => until < now).map(([diffId]) => diffId));
  }

  async #readRows(): Promise<void> {
    for (const layer of this.#rows.layers()) {
      const { tar, index } = this.#place(layer);
      const [tarFound, indexFound] = await Promise.all([sizeOrNone(tar), sizeOrNone(index)]);
      if (tarFound === layer.tarSize && indexFound > 0) this.#stored.set(layer.diffId, layer);
      else this.#rows.remove(layer.diffId);
    }
    for (const [digest, diffId] of this.#rows.blobs()) this.#blobs.set(digest, diffId);
    for (const kept of this.#rows.kept()) {
      const isThere = this.#stored.has(kept.diffId) && (await sizeOrNone(this.#files.path(kept.digest))) === kept.size;
      if (isThere) this.#kept.set(kept.digest, kept);
      else this.#rows.dropKept(kept.digest);
    }
    for (const diffId of this.#rows.damaged()) this.#damaged.add(diffId);
    for (const [diffId, until] of this.#rows.leases()) this.#leases.set(diffId, until);
    this.#endOldLeases();
  }

  async #clear(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const isStored = /^[0-9a-f]{64}$/.test(name) && this.#stored.has(digestFromHex(name) as DiffId);
      if (isPendingName(name) || !isStored) await removeDurably(join(this.#directory, name));
    }
  }

  #insertRow(facts: LayerFacts): void {
    const { diffId, tarSize, size, isEmpty } = facts;
    try {
      const number = this.#rows.insert(facts);
      this.#stored.set(diffId, { diffId, number, tarSize, size, isEmpty });
    } catch (error) {
      this.#removals.begin(this.#pathOf(diffId));
      throw error;
    }
  }

  /** The row stays: whoever has the old files open goes on with them. */
  async #replace({ diffId, pending }: StagedLayer): Promise<void> {
    this.#removals.begin(this.#pathOf(diffId));
    await pending.commit(this.#pathOf(diffId));
    this.#rows.trust(diffId);
    this.#damaged.delete(diffId);
  }

  #keep(kept: KeptBlob): void {
    this.#rows.putKept(kept);
    this.#kept.set(kept.digest, kept);
  }

  #forget(diffId: DiffId): void {
    this.#stored.delete(diffId);
    this.#damaged.delete(diffId);
    this.#leases.delete(diffId);
    for (const { digest } of this.keptOf(diffId)) {
      this.#kept.delete(digest);
      this.#files.remove(digest);
    }
    for (const [digest, of] of this.#blobs) if (of === diffId) this.#blobs.delete(digest);
  }

  #pathOf(diffId: DiffId): string {
    return join(this.#directory, hexOf(diffId));
  }

  #place({ diffId, number }: StoredLayer): StackLayer {
    const path = this.#pathOf(diffId);
    return { diffId, number, tar: join(path, "tar"), index: join(path, "index") };
  }
}

/** stat(2) counts blocks of 512 bytes, whatever the file system's are. What has just been removed takes nothing. */
const allocated = async (path: string): Promise<number> => {
  const found = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  return (found?.blocks ?? 0) * 512;
};

/** The size of a file, or -1 when there is none. A disk that answers with another error is no reason to forget a layer. */
const sizeOrNone = async (path: string): Promise<number> => {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return -1;
    throw error;
  }
};
