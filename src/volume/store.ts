/** The records of all volumes: in memory for reading, in the database for good. */
import type { Database } from "../base/database.ts";
import type { VolumeRecord } from "./record.ts";

export class VolumeStore {
  readonly #database: Database;
  readonly #byName = new Map<string, VolumeRecord>();

  constructor(database: Database) {
    this.#database = database;
    database.exec("CREATE TABLE IF NOT EXISTS volumes (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID");
    for (const { record } of database.all<{ record: string }>("SELECT record FROM volumes")) {
      const known = JSON.parse(record) as VolumeRecord;
      this.#byName.set(known.name, known);
    }
  }

  find(name: string): VolumeRecord | undefined {
    return this.#byName.get(name);
  }

  list(): readonly VolumeRecord[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Holds afterwards: the record is found again by the next daemon. */
  put(record: VolumeRecord): void {
    this.#database.run("INSERT OR REPLACE INTO volumes VALUES (?, ?)", record.name, JSON.stringify(record));
    this.#byName.set(record.name, record);
  }

  remove(name: string): void {
    this.#database.run("DELETE FROM volumes WHERE name = ?", name);
    this.#byName.delete(name);
  }
}
