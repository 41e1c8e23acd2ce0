import assert from "node:assert/strict";
import { test } from "node:test";
import { Locks } from "./lock.ts";

test("work under one key waits for its turn, also behind work that failed; other keys do not wait", async () => {
  const locks = new Locks();
  const said: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const first = locks.run("a", async () => {
    await gate;
    said.push("first");
    throw new Error("failed");
  });
  const second = locks.run("a", async () => {
    said.push("second");
    return 2;
  });
  await locks.run("b", async () => {
    said.push("other");
  });
  assert.deepEqual([locks.isBusy("a"), locks.isBusy("b")], [true, false]);
  open();
  await assert.rejects(first, /failed/);
  assert.equal(await second, 2);
  assert.deepEqual(said, ["other", "first", "second"]);
  assert.equal(locks.isBusy("a"), false);
});
