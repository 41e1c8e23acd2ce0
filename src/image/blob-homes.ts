/** In which repositories blobs were seen: a registry that has one need not be sent it for another of its repositories. */
import type { Database } from "../base/database.ts";
import type { Digest } from "../base/ids.ts";

const schema = `
  CREATE TABLE IF NOT EXISTS blob_homes (
    digest TEXT NOT NULL, domain TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (digest, domain, path)
  ) STRICT, WITHOUT ROWID;
`;

export interface Home {
  readonly domain: string;
  readonly path: string;
}

/** A hint, and no more: what it says may have changed meanwhile. */
export class BlobHomes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.exec(schema);
  }

  add(digests: Iterable<Digest>, { domain, path }: Home): void {
    for (const digest of digests) {
      this.#database.run("INSERT OR IGNORE INTO blob_homes VALUES (?, ?, ?)", digest, domain, path);
    }
  }

  /** Another repository of this registry. */
  find(digest: Digest, { domain, path }: Home): string | undefined {
    const sql = "SELECT path FROM blob_homes WHERE digest = ? AND domain = ? AND path <> ? LIMIT 1";
    return this.#database.get<{ path: string }>(sql, digest, domain, path)?.path;
  }

  /** Forgets what nobody here has any more. */
  retain(isKnown: (digest: Digest) => boolean): void {
    for (const { digest } of this.#database.all<{ digest: Digest }>("SELECT DISTINCT digest FROM blob_homes")) {
      if (!isKnown(digest)) this.#database.run("DELETE FROM blob_homes WHERE digest = ?", digest);
    }
  }
}
