import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Database } from "../base/database.ts";
import type { ContainerId, ImageId } from "../base/ids.ts";
import type { ContainerRecord } from "./record.ts";
import { parseCreateRequest } from "./request-parse.ts";
import { ContainerStore } from "./store.ts";

const record = (id: string, name: string, created = 1): ContainerRecord => ({
  id: id.padEnd(64, "0") as ContainerId,
  name,
  created,
  request: parseCreateRequest({ Image: "x", Cmd: ["true"] }),
  image: { id: `sha256:${"1".repeat(64)}` as ImageId, reference: "x" },
  command: ["true"],
  endpoints: [],
  state: { status: "created" },
  restarts: 0,
});

describe("the records of containers", () => {
  let directory: string;
  let database: Database;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-store-"));
    database = new Database(join(directory, "pier.db"));
  });

  afterEach(() => {
    database[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  test("are found by id, by name with and without a slash, and by an unambiguous beginning", () => {
    const store = new ContainerStore(database);
    store.put(record("abc1", "one"));
    store.put(record("abd2", "two"));
    for (const reference of [record("abc1", "").id, "one", "/one", "abc"])
      assert.equal(store.get(reference).name, "one");
    assert.throws(() => store.get("ab"), { message: "multiple IDs found with provided prefix: ab", status: 400 });
    assert.throws(() => store.get("ff"), { message: "No such container: ff", status: 404 });
  });

  test("a name comes before another container's id", () => {
    const store = new ContainerStore(database);
    store.put(record("abc1", "one"));
    store.put(record("def2", "abc"));
    assert.equal(store.get("abc").id, record("def2", "").id);
  });

  test("outlive their store, the youngest first", () => {
    const store = new ContainerStore(database);
    store.put(record("a1", "old", 1));
    store.put(record("a2", "young", 2));
    assert.deepEqual(new ContainerStore(database).list(), [record("a2", "young", 2), record("a1", "old", 1)]);
  });

  test("leave no name behind when they are renamed or removed", () => {
    const store = new ContainerStore(database);
    store.put(record("a1", "old"));
    store.put({ ...record("a1", "new") });
    assert.equal(store.nameOwner("old"), undefined);
    store.remove(store.get("new"));
    assert.equal(store.nameOwner("new"), undefined);
    assert.deepEqual(new ContainerStore(database).list(), []);
  });
});
