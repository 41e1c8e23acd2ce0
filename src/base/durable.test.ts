import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createDirectory, isPendingName, Pending, removeAside, writeDurably } from "./durable.ts";

const within = async (work: (directory: string) => Promise<void>): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "pier-durable-"));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

describe("what must survive", () => {
  test("contents are replaced whole, and what is pending is never seen", () =>
    within(async (directory) => {
      const path = join(directory, "a");
      await writeDurably(path, "one");
      await writeDurably(path, "two");
      assert.deepEqual([readdirSync(directory), readFileSync(path, "utf8")], [["a"], "two"]);
      const pending = new Pending(path);
      assert.ok(isPendingName(pending.temporary.slice(directory.length + 1)));
    }));

  test("what is removed aside is gone at once, and its bytes soon", () =>
    within(async (directory) => {
      const path = join(directory, "tree");
      await createDirectory(join(path, "a", "b"));
      const removal = removeAside(path);
      assert.equal(existsSync(path), false);
      await removal;
      assert.deepEqual(readdirSync(directory), []);
      await removeAside(path);
    }));
});
