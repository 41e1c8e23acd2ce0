/** Which images there are and what they are called: in memory for reading, in the database and its blobs for good. */
import type { Database } from "../base/database.ts";
import type { DiffId, Digest, ImageId } from "../base/ids.ts";
import type { BlobFiles } from "./blob-files.ts";
import { type ImageDescription, parseConfig } from "./config.ts";
import { NamedIndexes } from "./named-indexes.ts";
import { canonicalName, type ImageName, parseName } from "./reference.ts";
import type { ManifestDocument, StoredImage, StoredManifest } from "./stored-image.ts";

interface NamedImage {
  readonly name: ImageName;
  readonly id: ImageId;
}

interface ManifestRow {
  readonly image: string;
  readonly digest: Digest;
  readonly media_type: string;
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
  CREATE TABLE IF NOT EXISTS image_manifests (
    image TEXT PRIMARY KEY, digest TEXT NOT NULL, media_type TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

export class ImageStore {
  readonly indexes: NamedIndexes;
  readonly #database: Database;
  readonly #files: BlobFiles;
  readonly #images = new Map<ImageId, StoredImage>();
  /** Names in full to images. */
  readonly #names = new Map<string, NamedImage>();

  private constructor(database: Database, files: BlobFiles) {
    this.#database = database;
    this.#files = files;
    this.indexes = new NamedIndexes(database, files);
  }

  /** Holds afterwards: every image has its configuration and its layers; what has lost one of them is gone. */
  static async open(database: Database, files: BlobFiles, hasLayer: (diffId: DiffId) => boolean): Promise<ImageStore> {
    const store = new ImageStore(database, files);
    database.exec(schema);
    await store.#read(hasLayer);
    return store;
  }

  /** Whether an image is, or is described by, this blob, or one of its names is. */
  needs(digest: Digest): boolean {
    return this.#images.has(digest as ImageId) || this.#hasManifest(digest) || this.indexes.has(digest);
  }

  get(id: ImageId): StoredImage | undefined {
    return this.#images.get(id);
  }

  /** The image that a registry or an archive called so. */
  withManifest(digest: Digest): StoredImage | undefined {
    return [...this.#images.values()].find(({ manifest, isRemoved }) => manifest?.digest === digest && !isRemoved);
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
    return this.#files.read(id);
  }

  /** The manifest that the image came with, byte for byte; undefined when it came without, or it is lost. */
  async readManifest(id: ImageId): Promise<ManifestDocument | undefined> {
    const manifest = this.#images.get(id)?.manifest;
    const bytes = manifest && (await this.#files.find(manifest.digest));
    return bytes && { ...manifest, bytes };
  }

  hasBlob(digest: Digest): boolean {
    return this.#files.has(digest);
  }

  /** Holds afterwards: the configuration or manifest is on disk; no image has it yet. */
  async writeBlob(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#files.write(digest, bytes);
  }

  /** Holds at once: no configuration or manifest is stored under this digest, unless an image has it. */
  discardBlob(digest: Digest): void {
    if (!this.needs(digest)) this.#files.remove(digest);
  }

  /** To be called in a transaction, when its configuration and layers are on disk. An image that was removed is back. */
  put(id: ImageId, description: ImageDescription): void {
    const before = this.#images.get(id);
    if (before?.isRemoved === false) return;
    if (before === undefined) {
      const { lastId } = this.#database.run("INSERT INTO images (id, is_removed, last_tagged) VALUES (?, 0, '')", id);
      const manifest = undefined;
      this.#images.set(id, { id, description, number: lastId, isRemoved: false, lastTagged: "", manifest });
    } else this.#update({ ...before, isRemoved: false });
  }

  /** To be called in a transaction, when it is on disk. Answers the manifest that nobody needs any more. */
  describe(id: ImageId, manifest: StoredManifest): Digest | undefined {
    const image = this.#images.get(id)!;
    const { digest, mediaType } = manifest;
    this.#database.run("INSERT OR REPLACE INTO image_manifests VALUES (?, ?, ?)", id, digest, mediaType);
    this.#images.set(id, { ...image, manifest });
    const before = image.manifest?.digest;
    return before === undefined || this.#hasManifest(before) ? undefined : before;
  }

  /** To be called in a transaction. The name is the image's, whoever had it before, and that of the index, if it has one. */
  name(name: ImageName, id: ImageId, now: string, index?: StoredManifest): void {
    this.indexes.set(name, index);
    this.#database.run("INSERT OR REPLACE INTO image_names VALUES (?, ?)", canonicalName(name), id);
    this.#names.set(canonicalName(name), { name, id });
    this.#update({ ...this.#images.get(id)!, lastTagged: now });
  }

  unname(name: ImageName): void {
    this.indexes.set(name, undefined);
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
    this.#database.run("DELETE FROM image_manifests WHERE image = ?", id);
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

  #hasManifest(digest: Digest): boolean {
    return [...this.#images.values()].some(({ manifest }) => manifest?.digest === digest);
  }

  async #read(hasLayer: (diffId: DiffId) => boolean): Promise<void> {
    const manifests = new Map<string, StoredManifest>();
    for (const { image, digest, media_type } of this.#database.all<ManifestRow>("SELECT * FROM image_manifests")) {
      if (this.#files.has(digest)) manifests.set(image, { digest, mediaType: media_type });
      else this.#database.run("DELETE FROM image_manifests WHERE image = ?", image);
    }
    for (const row of this.#database.all<ImageRow>("SELECT * FROM images")) {
      const id = row.id as ImageId;
      const config = await this.#files.find(id);
      const description = config && parseConfig(config);
      if (description?.layers.every(hasLayer)) {
        const { number, last_tagged: lastTagged } = row;
        const manifest = manifests.get(id);
        this.#images.set(id, { id, description, number, isRemoved: row.is_removed !== 0, lastTagged, manifest });
      } else this.remove(id);
    }
    for (const { name, image } of this.#database.all<{ name: string; image: string }>("SELECT * FROM image_names")) {
      const id = image as ImageId;
      if (this.#images.has(id)) this.#names.set(name, { name: parseName(name), id });
      else this.#database.run("DELETE FROM image_names WHERE name = ?", name);
    }
    this.indexes.retain((name) => this.#names.has(name));
  }
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

const restore = <K, V>(target: Map<K, V>, from: ReadonlyMap<K, V>): void => {
  target.clear();
  for (const [key, value] of from) target.set(key, value);
};
