/** Which names stand for an index: the images of several machines that a registry has under one name. */
import type { Database } from "../base/database.ts";
import type { Digest } from "../base/ids.ts";
import type { BlobFiles } from "./blob-files.ts";
import { canonicalName, type ImageName } from "./reference.ts";
import type { ManifestDocument, StoredManifest } from "./stored-image.ts";

const schema = `
  CREATE TABLE IF NOT EXISTS image_indexes (
    name TEXT PRIMARY KEY, digest TEXT NOT NULL, media_type TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

interface Row {
  readonly digest: Digest;
  readonly media_type: string;
}

/** To be changed in the transactions that change names; what is in the database is all there is. */
export class NamedIndexes {
  readonly #database: Database;
  readonly #files: BlobFiles;

  constructor(database: Database, files: BlobFiles) {
    this.#database = database;
    this.#files = files;
    database.exec(schema);
  }

  /** Whether an index of some name is this blob. */
  has(digest: Digest): boolean {
    return this.#database.get("SELECT 1 FROM image_indexes WHERE digest = ? LIMIT 1", digest) !== undefined;
  }

  /** All indexes, each once. */
  digests(): readonly Digest[] {
    return this.#database.all<Row>("SELECT DISTINCT digest FROM image_indexes").map(({ digest }) => digest);
  }

  get(name: ImageName): StoredManifest | undefined {
    const sql = "SELECT digest, media_type FROM image_indexes WHERE name = ?";
    const row = this.#database.get<Row>(sql, canonicalName(name));
    return row === undefined ? undefined : { digest: row.digest, mediaType: row.media_type };
  }

  set(name: ImageName, index: StoredManifest | undefined): void {
    const canonical = canonicalName(name);
    if (index === undefined) this.#database.run("DELETE FROM image_indexes WHERE name = ?", canonical);
    else {
      const { digest, mediaType } = index;
      this.#database.run("INSERT OR REPLACE INTO image_indexes VALUES (?, ?, ?)", canonical, digest, mediaType);
    }
  }

  /** Byte for byte as it came; undefined when the name stands for one image alone, or the document is lost. */
  async read(name: ImageName): Promise<ManifestDocument | undefined> {
    const index = this.get(name);
    const bytes = index && (await this.#files.find(index.digest));
    return bytes && { ...index, bytes };
  }

  /** Holds afterwards: only names that images have are here. */
  retain(isName: (canonical: string) => boolean): void {
    for (const { name } of this.#database.all<{ name: string }>("SELECT name FROM image_indexes")) {
      if (!isName(name)) this.#database.run("DELETE FROM image_indexes WHERE name = ?", name);
    }
  }
}
