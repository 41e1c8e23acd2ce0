/** The records of all containers: in memory for reading, in the database for good. */
import type { Database } from "../base/database.ts";
import type { ContainerId } from "../base/ids.ts";
import { containerError } from "./errors.ts";
import type { ContainerRecord } from "./record.ts";
import { decodeRecord } from "./stored.ts";

export class ContainerStore {
  readonly #database: Database;
  readonly #byId = new Map<string, ContainerRecord>();
  readonly #byName = new Map<string, ContainerId>();

  constructor(database: Database) {
    this.#database = database;
    database.exec("CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID");
    for (const { record } of database.all<{ record: string }>("SELECT record FROM containers")) {
      this.#remember(decodeRecord(record));
    }
  }

  /** In no order. */
  all(): Iterable<ContainerRecord> {
    return this.#byId.values();
  }

  /** In the order of their creation, the youngest first. */
  list(): readonly ContainerRecord[] {
    return [...this.#byId.values()].sort((a, b) => b.created - a.created);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  nameOwner(name: string): ContainerId | undefined {
    return this.#byName.get(name);
  }

  /** By id, name or an unambiguous beginning of the id, as Docker looks for it. */
  get(reference: string): ContainerRecord {
    const record = this.find(reference);
    if (record === undefined) throw containerError("noSuchContainer", { name: reference });
    return record;
  }

  find(reference: string): ContainerRecord | undefined {
    const name = reference.startsWith("/") ? reference.slice(1) : reference;
    const exact = this.#byId.get(reference) ?? this.#byId.get(this.#byName.get(name) ?? "");
    if (exact !== undefined) return exact;
    const found = /^[0-9a-f]{1,64}$/.test(reference) ? this.#withPrefix(reference) : [];
    if (found.length > 1) throw containerError("ambiguousPrefix", { name: reference });
    return found[0];
  }

  /** Holds afterwards: the record is found again by the next daemon. */
  put(record: ContainerRecord): void {
    const before = this.#byId.get(record.id);
    this.#database.run("INSERT OR REPLACE INTO containers VALUES (?, ?)", record.id, JSON.stringify(record));
    if (before !== undefined) this.#byName.delete(before.name);
    this.#remember(record);
  }

  /** As `put` where the disk takes it, and answers so; otherwise this daemon alone knows it. */
  keep(record: ContainerRecord): boolean {
    try {
      this.put(record);
      return true;
    } catch {
      this.note(record);
      return false;
    }
  }

  /** Holds afterwards: this daemon knows it; the next one may know what was before. */
  note(record: ContainerRecord): void {
    this.#byId.set(record.id, record);
  }

  remove(record: ContainerRecord): void {
    this.#database.run("DELETE FROM containers WHERE id = ?", record.id);
    this.#byId.delete(record.id);
    this.#byName.delete(record.name);
  }

  /** Holds afterwards: what was put survives a power cut; else it is undone, and the reason thrown. */
  async flush(undo: () => void): Promise<void> {
    try {
      await this.#database.flush();
    } catch (error) {
      undo();
      throw error;
    }
  }

  #remember(record: ContainerRecord): void {
    this.#byId.set(record.id, record);
    this.#byName.set(record.name, record.id);
  }

  #withPrefix(prefix: string): ContainerRecord[] {
    return [...this.#byId.values()].filter(({ id }) => id.startsWith(prefix));
  }
}
