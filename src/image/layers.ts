/** The layers that are stored: each once, as the tar that it is and the index over it, however many images have it. */
import { mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Database } from "../base/database.ts";
import { createDirectory, isPendingName, Pending, Removals, removeDurably } from "../base/durable.ts";
import { errnoOf } from "../base/errors.ts";
import { type DiffId, type Digest, digestFromHex, hexOf } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import type { BlobFiles } from "./blob-files.ts";
import { imageError } from "./errors.ts";
import { checkLayer, type ExpectedLayer } from "./expected.ts";
import { type LayerFacts, writeLayer } from "./layer-writer.ts";

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

interface LayerRow {
  readonly number: number;
  readonly diff_id: string;
  readonly tar_size: number;
  readonly size: number;
  readonly is_empty: number;
}

/** Far above any layer that was seen, far below what the index can address. */
export const maxLayerSize = 512 * 1024 ** 3;

const schema = `
  CREATE TABLE IF NOT EXISTS layers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    diff_id TEXT NOT NULL UNIQUE,
    tar_size INTEGER NOT NULL,
    size INTEGER NOT NULL,
    is_empty INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS layer_blobs (digest TEXT PRIMARY KEY, diff_id TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS layer_bytes (
    digest TEXT PRIMARY KEY, diff_id TEXT NOT NULL, size INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS layer_damage (diff_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS layer_leases (diff_id TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** A layer whose bytes are on disk under a temporary name; disposal takes them away unless they were committed. */
export interface StagedLayer extends LayerFacts, AsyncDisposable {
  readonly pending: Pending;
  /** Where the blob's bytes are, if they are to be kept: on disk, and taken away with the rest when nobody commits. */
  readonly compressed?: string;
}

/** A layer's bytes as they came, kept so that they can be given away again. */
export interface KeptBlob {
  readonly digest: Digest;
  readonly diffId: DiffId;
  readonly size: number;
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
  readonly #database: Database;
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

  private constructor(root: string, database: Database, files: BlobFiles) {
    this.#directory = join(root, "layers");
    this.#database = database;
    this.#files = files;
  }

  /** Holds afterwards: every row has its files and every file its row; what a crash left half done is gone. */
  static async open(root: string, database: Database, files: BlobFiles): Promise<Layers> {
    const layers = new Layers(root, database, files);
    await createDirectory(layers.#directory);
    database.exec(schema);
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
    this.#database.run("INSERT OR IGNORE INTO layer_damage VALUES (?)", diffId);
    this.#damaged.add(diffId);
  }

  /** Holds at once: these bytes are not kept any more; the layer is. */
  dropKept(digest: Digest): void {
    this.#database.run("DELETE FROM layer_bytes WHERE digest = ?", digest);
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
        this.#database.run("INSERT OR REPLACE INTO layer_blobs VALUES (?, ?)", blob.digest, diffId);
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
      this.#database.run("INSERT OR REPLACE INTO layer_blobs VALUES (?, ?)", kept.digest, kept.diffId);
      this.#blobs.set(kept.digest, kept.diffId);
      this.#keep(kept);
    });
  }

  /** Holds afterwards: the layer stays for a while though no image has it: a pull will need it when it goes on. */
  lease(diffId: DiffId, now: number): void {
    this.#database.run("INSERT OR REPLACE INTO layer_leases VALUES (?, ?)", diffId, now + leaseMs);
    this.#leases.set(diffId, now + leaseMs);
  }

  /** Holds afterwards: these layers, or all, are only kept for images that have them. */
  endLeases(diffIds: Iterable<DiffId> = [...this.#leases.keys()]): void {
    for (const diffId of diffIds) {
      if (!this.#leases.delete(diffId)) continue;
      this.#database.run("DELETE FROM layer_leases WHERE diff_id = ?", diffId);
    }
  }

  /** Holds at once: no layer is stored that is neither used nor held nor leased. */
  collect(used: ReadonlySet<DiffId>): void {
    const unused = [...this.#stored.values()].filter(
      ({ diffId }) => !used.has(diffId) && !this.#held.has(diffId) && !this.#leases.has(diffId),
    );
    if (unused.length === 0) return;
    this.#database.transaction(() => {
      for (const { diffId } of unused) this.#deleteRow(diffId);
    });
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

  async #readRows(): Promise<void> {
    for (const row of this.#database.all<LayerRow>("SELECT * FROM layers")) {
      const layer: StoredLayer = {
        diffId: row.diff_id as DiffId,
        number: row.number,
        tarSize: row.tar_size,
        size: row.size,
        isEmpty: row.is_empty !== 0,
      };
      const { tar, index } = this.#place(layer);
      const [tarFound, indexFound] = await Promise.all([sizeOrNone(tar), sizeOrNone(index)]);
      if (tarFound === layer.tarSize && indexFound > 0) this.#stored.set(layer.diffId, layer);
      else this.#deleteRow(layer.diffId);
    }
    for (const { digest, diff_id } of this.#database.all<{ digest: string; diff_id: string }>(
      "SELECT * FROM layer_blobs",
    )) {
      this.#blobs.set(digest as Digest, diff_id as DiffId);
    }
    for (const row of this.#database.all<{ digest: Digest; diff_id: DiffId; size: number }>(
      "SELECT * FROM layer_bytes",
    )) {
      const { digest, diff_id: diffId, size } = row;
      const isThere = this.#stored.has(diffId) && (await sizeOrNone(this.#files.path(digest))) === size;
      if (isThere) this.#kept.set(digest, { digest, diffId, size });
      else this.#database.run("DELETE FROM layer_bytes WHERE digest = ?", digest);
    }
    for (const { diff_id } of this.#database.all<{ diff_id: DiffId }>("SELECT * FROM layer_damage")) {
      this.#damaged.add(diff_id);
    }
    this.#database.run("DELETE FROM layer_leases WHERE until < ?", Date.now());
    for (const { diff_id, until } of this.#database.all<{ diff_id: DiffId; until: number }>(
      "SELECT * FROM layer_leases",
    )) {
      this.#leases.set(diff_id, until);
    }
  }

  async #clear(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const isStored = /^[0-9a-f]{64}$/.test(name) && this.#stored.has(digestFromHex(name) as DiffId);
      if (isPendingName(name) || !isStored) await removeDurably(join(this.#directory, name));
    }
  }

  #insertRow({ diffId, tarSize, size, isEmpty }: LayerFacts): void {
    try {
      const { lastId: number } = this.#database.run(
        "INSERT INTO layers (diff_id, tar_size, size, is_empty) VALUES (?, ?, ?, ?)",
        ...[diffId, tarSize, size, isEmpty ? 1 : 0],
      );
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
    this.#database.run("DELETE FROM layer_damage WHERE diff_id = ?", diffId);
    this.#damaged.delete(diffId);
  }

  #keep(kept: KeptBlob): void {
    this.#database.run("INSERT OR REPLACE INTO layer_bytes VALUES (?, ?, ?)", kept.digest, kept.diffId, kept.size);
    this.#kept.set(kept.digest, kept);
  }

  #deleteRow(diffId: DiffId): void {
    for (const table of ["layers", "layer_blobs", "layer_bytes", "layer_leases", "layer_damage"]) {
      this.#database.run(`DELETE FROM ${table} WHERE diff_id = ?`, diffId);
    }
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
