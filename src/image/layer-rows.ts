/** What the database says of layers. */
import type { Database } from "../base/database.ts";
import type { DiffId, Digest } from "../base/ids.ts";
import type { LayerFacts } from "./layer-writer.ts";
import type { KeptBlob, StoredLayer } from "./stored-layer.ts";

interface LayerRow {
  readonly number: number;
  readonly diff_id: DiffId;
  readonly tar_size: number;
  readonly size: number;
  readonly is_empty: number;
}

interface BlobRow {
  readonly digest: Digest;
  readonly diff_id: DiffId;
}

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

export class LayerRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.exec(schema);
  }

  layers(): readonly StoredLayer[] {
    return this.#database.all<LayerRow>("SELECT * FROM layers").map((row) => ({
      ...{ diffId: row.diff_id, number: row.number },
      ...{ tarSize: row.tar_size, size: row.size, isEmpty: row.is_empty !== 0 },
    }));
  }

  /** Answers the layer's number, which no other ever has. */
  insert({ diffId, tarSize, size, isEmpty }: LayerFacts): number {
    const sql = "INSERT INTO layers (diff_id, tar_size, size, is_empty) VALUES (?, ?, ?, ?)";
    return this.#database.run(sql, diffId, tarSize, size, isEmpty ? 1 : 0).lastId;
  }

  /** All that is said of the layer. */
  remove(diffId: DiffId): void {
    for (const table of ["layers", "layer_blobs", "layer_bytes", "layer_leases", "layer_damage"]) {
      this.#database.run(`DELETE FROM ${table} WHERE diff_id = ?`, diffId);
    }
  }

  removeAll(diffIds: readonly DiffId[]): void {
    this.#database.transaction(() => {
      for (const diffId of diffIds) this.remove(diffId);
    });
  }

  /** Which layers blobs hold. */
  blobs(): ReadonlyMap<Digest, DiffId> {
    const rows = this.#database.all<BlobRow>("SELECT * FROM layer_blobs");
    return new Map(rows.map(({ digest, diff_id }) => [digest, diff_id]));
  }

  putBlob(digest: Digest, diffId: DiffId): void {
    this.#database.run("INSERT OR REPLACE INTO layer_blobs VALUES (?, ?)", digest, diffId);
  }

  kept(): readonly KeptBlob[] {
    const rows = this.#database.all<BlobRow & { size: number }>("SELECT * FROM layer_bytes");
    return rows.map(({ digest, diff_id: diffId, size }) => ({ digest, diffId, size }));
  }

  putKept({ digest, diffId, size }: KeptBlob): void {
    this.#database.run("INSERT OR REPLACE INTO layer_bytes VALUES (?, ?, ?)", digest, diffId, size);
  }

  dropKept(digest: Digest): void {
    this.#database.run("DELETE FROM layer_bytes WHERE digest = ?", digest);
  }

  damaged(): readonly DiffId[] {
    return this.#database.all<{ diff_id: DiffId }>("SELECT * FROM layer_damage").map(({ diff_id }) => diff_id);
  }

  distrust(diffId: DiffId): void {
    this.#database.run("INSERT OR IGNORE INTO layer_damage VALUES (?)", diffId);
  }

  trust(diffId: DiffId): void {
    this.#database.run("DELETE FROM layer_damage WHERE diff_id = ?", diffId);
  }

  /** Until when, in milliseconds since 1970. */
  leases(): ReadonlyMap<DiffId, number> {
    const rows = this.#database.all<{ diff_id: DiffId; until: number }>("SELECT * FROM layer_leases");
    return new Map(rows.map(({ diff_id, until }) => [diff_id, until]));
  }

  putLease(diffId: DiffId, until: number): void {
    this.#database.run("INSERT OR REPLACE INTO layer_leases VALUES (?, ?)", diffId, until);
  }

  dropLease(diffId: DiffId): void {
    this.#database.run("DELETE FROM layer_leases WHERE diff_id = ?", diffId);
  }
}
