import assert from "node:assert/strict";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
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

  describe("with a reserve", () => {
    const reserve = 64 * 1024;
    const size = (): number => statSync(`${path}-wal`).size;
    const names = (database: Database): unknown[] =>
      database.all<{ name: string }>("SELECT name FROM things ORDER BY name").map(({ name }) => name);
    const add = (database: Database, name: string): void => void database.run("INSERT INTO things VALUES (?)", name);
    const open = (): Database => {
      const database = new Database(path, { reserve });
      database.exec("CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY)");
      return database;
    };

    it("has a log of that size from the beginning, and the next daemon has the same one", () => {
      {
        using database = open();
        assert.equal(size(), reserve);
        add(database, "a");
      }
      const kept = statSync(`${path}-reserve`).ino;
      using database = open();
      assert.equal(statSync(`${path}-wal`).ino, kept);
      assert.deepEqual(names(database), ["a"]);
      add(database, "b");
      assert.equal(size(), reserve);
    });

    it("holds what was written, whatever became of the daemons before", async () => {
      for (const name of ["a", "b", "c"]) {
        using database = open();
        add(database, name);
        await database.flush();
        copyFileSync(path, `${path}.cut`);
        copyFileSync(`${path}-wal`, `${path}.cut-wal`);
      }
      // As a daemon leaves it that is killed, with the reserve of an earlier one beside it.
      copyFileSync(`${path}-reserve`, `${path}.cut-reserve`);
      path = `${path}.cut`;
      {
        using database = open();
        assert.deepEqual(names(database), ["a", "b", "c"]);
        assert.ok(!existsSync(`${path}-reserve`));
      }
      // One that was killed after it had kept the log, and before it closed.
      writeFileSync(path, readFileSync(path));
      using database = open();
      assert.deepEqual(names(database), ["a", "b", "c"]);
    });

    it("begins its log anew, and does not let it grow", () => {
      using database = open();
      for (let number = 0; number < 3000; number++) add(database, `thing ${number}`);
      assert.ok(size() < 5 * 1024 * 1024, `${size()} bytes`);
    });
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
