/**
 * The build cache: which layer a step made from what. A key names everything that the step depended on, so two builds
 * that agree on it agree on the layer; what an image says of itself never comes from here (CVE-2024-24557).
 */
import type { Clock } from "../base/clock.ts";
import type { Database } from "../base/database.ts";
import type { DiffId } from "../base/ids.ts";
import type { Layers } from "../image/layers.ts";

export interface CacheRecord {
  readonly key: string;
  readonly diffId: DiffId;
  /** The step, as progress shows it. */
  readonly description: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

interface Row {
  readonly key: string;
  readonly diff_id: string;
  readonly description: string;
  readonly created: number;
  readonly last_used: number;
  readonly uses: number;
}

const schema = `
  CREATE TABLE IF NOT EXISTS build_cache (
    key TEXT PRIMARY KEY,
    diff_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    uses INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

export class BuildCache {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #held = new Map<string, Disposable>();
  #layers: Layers | undefined;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    database.exec(schema);
  }

  /** Holds afterwards: no layer that the cache names is collected; what names one that is not stored is forgotten. */
  open(layers: Layers): void {
    this.#layers = layers;
    for (const { key, diffId } of this.list()) {
      if (layers.get(diffId) === undefined) this.#database.run("DELETE FROM build_cache WHERE key = ?", key);
      else this.#held.set(key, layers.hold([diffId]));
    }
  }

  list(): readonly CacheRecord[] {
    return this.#database.all<Row>("SELECT * FROM build_cache ORDER BY last_used DESC").map((row) => ({
      key: row.key,
      diffId: row.diff_id as DiffId,
      description: row.description,
      created: row.created,
      lastUsed: row.last_used,
      uses: row.uses,
    }));
  }

  /** The layer of an earlier step with the same key, and when it was made (milliseconds since 1970). */
  find(key: string): { readonly diffId: DiffId; readonly created: number } | undefined {
    const row = this.#database.get<Row>("SELECT * FROM build_cache WHERE key = ?", key);
    if (row === undefined || this.#layers?.get(row.diff_id as DiffId) === undefined) return undefined;
    this.#database.run("UPDATE build_cache SET uses = uses + 1, last_used = ? WHERE key = ?", this.#clock.now(), key);
    return { diffId: row.diff_id as DiffId, created: row.created };
  }

  /** The layer is stored, and held by whoever puts it. */
  put(key: string, diffId: DiffId, description: string, created: number): void {
    const before = this.#held.get(key);
    if (this.#layers !== undefined) this.#held.set(key, this.#layers.hold([diffId]));
    before?.[Symbol.dispose]();
    this.#database.run(
      "INSERT OR REPLACE INTO build_cache VALUES (?, ?, ?, ?, ?, 0)",
      ...[key, diffId, description.slice(0, 1000), created, this.#clock.now()],
    );
  }

  /** Holds afterwards: these are not used again; their layers go once nobody else has them. */
  remove(keys: readonly string[]): void {
    this.#database.transaction(() => {
      for (const key of keys) this.#database.run("DELETE FROM build_cache WHERE key = ?", key);
    });
    for (const key of keys) {
      this.#held.get(key)?.[Symbol.dispose]();
      this.#held.delete(key);
    }
  }
}
