/** What is kept of a build, so that one can ask later why its steps were made anew and what they waited for. */
import { hash } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";
import type { Database } from "../base/database.ts";

export interface Wait {
  readonly for: string;
  readonly milliseconds: number;
}

export interface StepRecord {
  /** `[build 2/5] RUN make`. */
  readonly name: string;
  readonly stage: string;
  readonly text: string;
  /** Milliseconds after the build began. */
  readonly began: number;
  readonly ended: number;
  readonly isCached: boolean;
  /** It was asked for that the cache is not. */
  readonly isFresh: boolean;
  readonly error: string;
  readonly waits: readonly Wait[];
  /** Everything that the step depended on, by what it is called; of the values only short digests. */
  readonly parts: Readonly<Record<string, string>>;
}

export interface BuildRecord {
  /** Builds of the same thing have the same. */
  readonly subject: string;
  readonly names: readonly string[];
  /** Of the Dockerfile's text. */
  readonly dockerfile: string;
  /** Milliseconds since 1970. */
  readonly began: number;
  readonly milliseconds: number;
  readonly error: string;
  readonly steps: readonly StepRecord[];
}

/** Enough to see a change, too little to get the value back. */
export const shortDigest = (value: string | Uint8Array): string => hash("sha256", value, "hex").slice(0, 12);

const keptRecords = 16;

const schema = `
  CREATE TABLE IF NOT EXISTS build_records (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    content BLOB NOT NULL
  ) STRICT;
`;

export class BuildRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.exec(schema);
  }

  /** Holds afterwards: the last builds are kept, this one among them. */
  add(record: BuildRecord): void {
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT INTO build_records (content) VALUES (?)",
        deflateSync(Buffer.from(JSON.stringify(record))),
      );
      this.#database.run(
        "DELETE FROM build_records WHERE number <= (SELECT max(number) FROM build_records) - ?",
        keptRecords,
      );
    });
  }

  /** The last one first. */
  list(): readonly BuildRecord[] {
    return this.#database
      .all<{ readonly content: Uint8Array }>("SELECT content FROM build_records ORDER BY number DESC")
      .map(({ content }) => JSON.parse(inflateSync(content).toString()) as BuildRecord);
  }
}
