/** Which images there are and what they are called: in memory for reading, in the database and its blobs for good. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "../base/database.ts";
import { createDirectory, Removals, removeDurably, writeDurably } from "../base/durable.ts";
import { errnoOf } from "../base/errors.ts";
import { type DiffId, type Digest, digestFromHex, hexOf, type ImageId } from "../base/ids.ts";
import { type ImageDescription, parseConfig } from "./config.ts";
import { digestOfBytes } from "./members.ts";
import { canonicalName, type ImageName, parseName } from "./reference.ts";

export interface StoredImage {
  readonly id: ImageId;
  readonly description: ImageDescription;
  /** Counts up with every image that is stored. */
  readonly number: number;
  /** Nobody sees it any more, and a container still lives on it. */
  readonly isRemoved: boolean;
  readonly lastTagged: string;
}

interface NamedImage {
  readonly name: ImageName;
  readonly id: ImageId;
}

interface ImageRow {
  readonly number: number;
  readonly id: string;
  readonly is_removed: number;
  readonly last_tagged: string;
}

const schema = `
  CREATE TABLE IF NOT EXISTS images (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    is_removed INTEGER NOT NULL,
    last_tagged TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS image_names (name TEXT PRIMARY KEY, image TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

export class ImageStore {
  readonly #database: Database;
  readonly #directory: string;
  readonly #images = new Map<ImageId, StoredImage>();
  readonly #removals = new Removals();
  /** Names in full to images. */
  readonly #names = new Map<string, NamedImage>();

  private constructor(root: string, database: Database) {
    this.#directory = join(root, "blobs", "sha256");
    this.#database = database;
  }

  /** Holds afterwards: every image has its configuration and its layers; what has lost one of them is gone. */
  static async open(root: string, database: Database, hasLayer: (diffId: DiffId) => boolean): Promise<ImageStore> {
    const store = new ImageStore(root, database);
    await createDirectory(store.#directory);
    database.exec(schema);
    await store.#read(hasLayer);
    await store.#clear();
    return store;
  }

  get(id: ImageId): StoredImage | undefined {
    return this.#images.get(id);
  }

  /** All images, those that nobody sees any more among them. */
  all(): Iterable<StoredImage> {
    return this.#images.values();
  }

  withName(name: ImageName): StoredImage | undefined {
    const named = this.#names.get(canonicalName(name));
    return named === undefined ? undefined : this.#images.get(named.id);
  }

  /** Sorted, so that the same image is always shown alike. */
  namesOf(id: ImageId): readonly ImageName[] {
    const own = [...this.#names].filter(([, named]) => named.id === id);
    return own.sort(byName).map(([, { name }]) => name);
  }

  /** The names of every image that has some. */
  names(): ReadonlyMap<ImageId, readonly ImageName[]> {
    const sorted = [...this.#names].sort(byName).map(([, named]) => named);
    return new Map([...Map.groupBy(sorted, ({ id }) => id)].map(([id, own]) => [id, own.map(({ name }) => name)]));
  }

  /** The bytes that the image's id is the digest of. */
  async readConfig(id: ImageId): Promise<Uint8Array> {
    return readFile(this.#pathOf(id));
  }

  hasConfig(id: ImageId): boolean {
    return existsSync(this.#pathOf(id));
  }

  /** Holds afterwards: the configuration is on disk; no image has it yet. */
  async writeConfig(id: ImageId, bytes: Uint8Array): Promise<void> {
    await writeDurably(this.#pathOf(id), bytes);
  }

  /** Holds at once: no configuration is stored under this id, unless an image has it. */
  discardConfig(id: ImageId): void {
    if (!this.#images.has(id)) this.#removals.begin(this.#pathOf(id));
  }

  /** Settles when the bytes of all removed configurations are gone. */
  settled(): Promise<void> {
    return this.#removals.settled();
  }

  /** To be called in a transaction, when its configuration and layers are on disk. An image that was removed is back. */
  put(id: ImageId, description: ImageDescription): void {
    const before = this.#images.get(id);
    if (before?.isRemoved === false) return;
    if (before === undefined) {
      const { lastId } = this.#database.run("INSERT INTO images (id, is_removed, last_tagged) VALUES (?, 0, '')", id);
      this.#images.set(id, { id, description, number: lastId, isRemoved: false, lastTagged: "" });
    } else this.#update({ ...before, isRemoved: false });
  }

  /** To be called in a transaction. The name is the image's, whoever had it before. */
  name(name: ImageName, id: ImageId, now: string): void {
    this.#database.run("INSERT OR REPLACE INTO image_names VALUES (?, ?)", canonicalName(name), id);
    this.#names.set(canonicalName(name), { name, id });
    this.#update({ ...this.#images.get(id)!, lastTagged: now });
  }

  unname(name: ImageName): void {
    this.#database.run("DELETE FROM image_names WHERE name = ?", canonicalName(name));
    this.#names.delete(canonicalName(name));
  }

  /** Holds afterwards: nobody sees the image; it and its layers are kept for the containers that live on it. */
  hide(id: ImageId): void {
    this.#update({ ...this.#images.get(id)!, isRemoved: true });
  }

  /** To be called in a transaction. The image is not stored; its names are gone before, its configuration goes after. */
  remove(id: ImageId): void {
    this.#database.run("DELETE FROM images WHERE id = ?", id);
    this.#images.delete(id);
  }

  /** As `change` finds memory, so it leaves it when it fails: together with the database's transaction. */
  transaction<T>(change: () => T): T {
    const images = new Map(this.#images);
    const names = new Map(this.#names);
    try {
      return this.#database.transaction(change, true);
    } catch (error) {
      restore(this.#images, images);
      restore(this.#names, names);
      throw error;
    }
  }

  #update(image: StoredImage): void {
    this.#database.run(
      "UPDATE images SET is_removed = ?, last_tagged = ? WHERE id = ?",
      image.isRemoved ? 1 : 0,
      image.lastTagged,
      image.id,
    );
    this.#images.set(image.id, image);
  }

  async #read(hasLayer: (diffId: DiffId) => boolean): Promise<void> {
    for (const row of this.#database.all<ImageRow>("SELECT * FROM images")) {
      const id = row.id as ImageId;
      const description = await this.#describe(id);
      if (description?.layers.every(hasLayer)) {
        const { number, last_tagged: lastTagged } = row;
        this.#images.set(id, { id, description, number, isRemoved: row.is_removed !== 0, lastTagged });
      } else this.#database.run("DELETE FROM images WHERE id = ?", id);
    }
    for (const { name, image } of this.#database.all<{ name: string; image: string }>("SELECT * FROM image_names")) {
      const id = image as ImageId;
      if (this.#images.has(id)) this.#names.set(name, { name: parseName(name), id });
      else this.#database.run("DELETE FROM image_names WHERE name = ?", name);
    }
  }

  /** Undefined when the configuration is not there, or is not what its name says any more. */
  async #describe(id: ImageId): Promise<ImageDescription | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await this.readConfig(id);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
    return digestOfBytes(bytes) === id ? parseConfig(bytes) : undefined;
  }

  async #clear(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!this.#images.has(digestFromHex(name) as ImageId)) await removeDurably(join(this.#directory, name));
    }
  }

  #pathOf(id: Digest): string {
    return join(this.#directory, hexOf(id));
  }
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

const restore = <K, V>(target: Map<K, V>, from: ReadonlyMap<K, V>): void => {
  target.clear();
  for (const [key, value] of from) target.set(key, value);
};
