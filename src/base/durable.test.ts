import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createDirectory, DurableFile, isPendingName, Pending, removeAside, writeDurably } from "./durable.ts";

const within = async (work: (directory: string) => Promise<void>): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "pier-durable-"));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

describe("what must survive", () => {
  test("a file that is written in pieces has all of them, in order", () =>
    within(async (directory) => {
      const pieces = Array.from({ length: 3000 }, (_, index) => Buffer.alloc((index * 7919) % 20_000, index));
      const file = await DurableFile.create(join(directory, "file"));
      // Not waited for one by one, so that many are under way.
      await Promise.all(pieces.map((piece) => file.write(piece)));
      await file.finish();
      assert.ok(readFileSync(join(directory, "file")).equals(Buffer.concat(pieces)));
    }));

  test("what is given to a file is gone from memory when it is written, and a buffer with its last part", () =>
    within(async (directory) => {
      const buffers = Array.from({ length: 300 }, (_, index) => new Uint8Array(50_000).fill(index));
      const whole = Buffer.concat(buffers);
      const file = await DurableFile.create(join(directory, "file"));
      const parts = buffers.flatMap((buffer) => [buffer.subarray(0, 10_000), buffer.subarray(10_000)]);
      const unfinished = new Uint8Array(100).fill(1);
      await Promise.all([...parts, unfinished.subarray(0, 50)].map((part) => file.give(part)));
      const kept = new Uint8Array(100).fill(2);
      await file.write(kept);
      await file.finish();
      assert.deepEqual([...new Set(buffers.map(({ buffer }) => buffer.byteLength))], [0]);
      assert.deepEqual([unfinished.byteLength, kept.byteLength], [100, 100]);
      assert.ok(readFileSync(join(directory, "file")).equals(Buffer.concat([whole, unfinished.subarray(0, 50), kept])));
    }));

  // On Node each handle has functions of its own, which cannot be watched.
  const skip = process.versions.bun === undefined;
  test("of all files that are written at once, one is on its way to the disk; all are there in the end", { skip }, () =>
    within(async (directory) => {
      const files = await Promise.all(["a", "b", "c"].map((name) => DurableFile.create(join(directory, name))));
      await using probe = await open(directory, "r");
      const handles = Object.getPrototypeOf(probe) as { datasync: (this: FileHandle) => Promise<void> };
      const { datasync } = handles;
      let [running, most, count] = [0, 0, 0];
      handles.datasync = async function (this: FileHandle) {
        [running, count] = [running + 1, count + 1];
        most = Math.max(most, running);
        await datasync.call(this);
        running--;
      };
      const piece = Buffer.alloc(1024 * 1024, "x");
      try {
        await Promise.all(
          files.map(async (file) => {
            for (let written = 0; written < 40; written++) await file.write(piece);
            await file.finish();
          }),
        );
      } finally {
        handles.datasync = datasync;
      }
      assert.ok(count > 1, `${count} write-backs`);
      assert.equal(most, 1);
      for (const name of ["a", "b", "c"]) assert.equal(statSync(join(directory, name)).size, 40 * piece.length);
    }),
  );

  test("a file that is there already is not overwritten", () =>
    within(async (directory) => {
      await writeDurably(join(directory, "a"), "one");
      await assert.rejects(DurableFile.create(join(directory, "a")), { code: "EEXIST" });
    }));

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
