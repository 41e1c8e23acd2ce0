import assert from "node:assert/strict";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, beforeEach, describe, it } from "node:test";
import { Database } from "./database.ts";
import { PierError } from "./errors.ts";

describe("a database", () => {
  let directory: string;
  let path: string;
  let count = 0;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-database-"));
  });
  beforeEach(() => {
    path = join(directory, `${count++}.db`);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  const refuses = (what: RegExp): void => {
    assert.throws(
      () => new Database(path),
      (error) => error instanceof PierError && what.test(error.message),
    );
  };

  /** One of many pages, closed. */
  const fill = (): void => {
    using database = new Database(path);
    database.exec("CREATE TABLE things (name TEXT PRIMARY KEY, text TEXT)");
    for (let number = 0; number < 200; number++) {
      database.run("INSERT INTO things VALUES (?, ?)", `thing ${number}`, "x".repeat(500));
    }
  };

  it("belongs to one daemon at a time", () => {
    using _first = new Database(path);
    refuses(/^another daemon is using/);
  });

  it("that is none is said to be damaged, and left as it is", () => {
    writeFileSync(path, "hello ".repeat(1000));
    refuses(/is damaged: file is not a database$/);
    assert.equal(readFileSync(path, "latin1"), "hello ".repeat(1000));
  });

  it("that was cut off is said to be damaged", () => {
    fill();
    truncateSync(path, 3 * 4096);
    refuses(/is damaged/);
  });

  it("with a page that went bad is said to be damaged", () => {
    fill();
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, 2 * 4096);
    closeSync(file);
    refuses(/is damaged/);
  });

  it("of a newer form is refused by its number", () => {
    fill();
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version=7");
    newer.close();
    refuses(/was written by a newer pier \(schema 7, this one knows 1\)$/);
  });

  it("that cannot be opened is not somebody else's", () => {
    mkdirSync(path);
    refuses(/^cannot open .*: unable to open database file$/);
    path = join(directory, "missing", "pier.db");
    refuses(/^cannot open /);
  });

  it("keeps the error of a change that it takes back", () => {
    using database = new Database(path);
    database.exec("CREATE TABLE things (name TEXT PRIMARY KEY)");
    const failing = () =>
      database.transaction(() => {
        database.run("INSERT INTO things VALUES ('a')");
        // As SQLite does by itself when the disk is full.
        database.exec("ROLLBACK");
        throw new Error("database or disk is full");
      });
    assert.throws(failing, /^Error: database or disk is full$/);
    assert.deepEqual(database.all("SELECT * FROM things"), []);
  });
});
