/** The networks and who is connected to them: in memory for reading, in the database first. */
import type { Database } from "../base/database.ts";
import type { ContainerId } from "../base/ids.ts";
import { networkError } from "./errors.ts";
import { defaultNetwork, type NetworkRecord } from "./record.ts";
import { decodeHeld, decodeNetwork, type Held } from "./stored.ts";

export class NetworkStore {
  readonly #database: Database;
  readonly #networks = new Map<string, NetworkRecord>();
  readonly #held = new Map<ContainerId, Held>();

  constructor(database: Database) {
    this.#database = database;
    database.exec(`
      CREATE TABLE IF NOT EXISTS networks (name TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS endpoints (container TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
    `);
    for (const { document } of database.all<{ document: string }>("SELECT document FROM networks")) {
      const network = decodeNetwork(document);
      this.#networks.set(network.name, network);
    }
    for (const { document } of database.all<{ document: string }>("SELECT document FROM endpoints")) {
      const held = decodeHeld(document);
      this.#held.set(held.container, held);
    }
  }

  /** By id, name or an unambiguous beginning of the id, as Docker looks for it. */
  find(reference: string): NetworkRecord | undefined {
    const all = [...this.#networks.values()];
    const exact = all.find(({ id }) => id === reference) ?? this.#networks.get(knownName(reference));
    if (exact !== undefined || !/^[0-9a-f]{1,63}$/.test(reference)) return exact;
    const found = all.filter(({ id }) => id.startsWith(reference));
    if (found.length > 1) throw networkError("ambiguousNetwork", { name: reference, count: found.length });
    return found[0];
  }

  list(): readonly NetworkRecord[] {
    return [...this.#networks.values()];
  }

  /** Holds afterwards: the network is found again by the next daemon. */
  save(network: NetworkRecord): void {
    this.#database.run("INSERT OR REPLACE INTO networks VALUES (?, ?)", network.name, JSON.stringify(network));
    this.#networks.set(network.name, network);
  }

  remove({ name }: NetworkRecord): void {
    this.#database.run("DELETE FROM networks WHERE name = ?", name);
    this.#networks.delete(name);
  }

  /** Holds afterwards: all of it is on record, with the networks that changed by it; or (on an error) nothing. */
  hold(held: Held, networks: readonly NetworkRecord[]): void {
    this.#database.transaction(() => {
      this.#database.run("INSERT OR REPLACE INTO endpoints VALUES (?, ?)", held.container, JSON.stringify(held));
      for (const network of networks) this.save(network);
    });
    this.#held.set(held.container, held);
  }

  held(container: ContainerId): Held | undefined {
    return this.#held.get(container);
  }

  allHeld(): Iterable<Held> {
    return this.#held.values();
  }

  release(container: ContainerId): void {
    this.#database.run("DELETE FROM endpoints WHERE container = ?", container);
    this.#held.delete(container);
  }
}

const knownName = (name: string): string => (name === "default" ? defaultNetwork : name);
