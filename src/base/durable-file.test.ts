import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DurableFile } from "./durable-file.ts";

const within = async (work: (directory: string) => Promise<void>): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "pier-durable-"));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

const megabyte = 1024 * 1024;
/** What is behind goes around the kernel's cache. */
const cached = 64 * megabyte;
const isBun = process.versions.bun !== undefined;
/** O_DIRECT, as the kernel writes it into fdinfo: octal, and not the same everywhere. */
const direct = process.arch === "arm64" ? 0o200000 : 0o40000;

/** A file that has so many zeroes, and takes no room. */
const sparse = (path: string, size: number): void => {
  writeFileSync(path, "");
  truncateSync(path, size);
};

const isDirect = (fd: number): boolean => {
  const flags = /flags:\s+([0-7]+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))![1]!;
  return (Number.parseInt(flags, 8) & direct) !== 0;
};

interface Disk {
  /** Where those writes began that went around the cache. */
  readonly around: number[];
  /** How many of them and of the write-backs ran at once at most, and how many there were. */
  most: number;
  count: number;
}

/** Watches what goes to the disk meanwhile; on Node each handle has functions of its own, which cannot be watched. */
const watched = async (directory: string, work: () => Promise<void>): Promise<Disk> => {
  const disk: Disk = { around: [], most: 0, count: 0 };
  await using probe = await open(directory, "r");
  type Handles = {
    datasync: (this: FileHandle) => Promise<void>;
    writev: (this: FileHandle, buffers: Uint8Array[], at: number) => Promise<unknown>;
  };
  const handles = Object.getPrototypeOf(probe) as Handles;
  const { datasync, writev } = handles;
  let running = 0;
  const counted = async <T>(call: () => Promise<T>): Promise<T> => {
    disk.count++;
    disk.most = Math.max(disk.most, ++running);
    try {
      return await call();
    } finally {
      running--;
    }
  };
  handles.datasync = async function (this: FileHandle) {
    await counted(() => datasync.call(this));
  };
  handles.writev = async function (this: FileHandle, buffers, at) {
    if (!isDirect(this.fd)) return await writev.call(this, buffers, at);
    disk.around.push(at);
    return await counted(() => writev.call(this, buffers, at));
  };
  try {
    await work();
  } finally {
    Object.assign(handles, { datasync, writev });
  }
  return disk;
};

/** From somewhere in the file to its end. */
const bytesFrom = (path: string, at: number): Buffer => {
  const bytes = Buffer.alloc(statSync(path).size - at);
  const file = openSync(path, "r");
  assert.equal(readSync(file, bytes, 0, bytes.length, at), bytes.length);
  closeSync(file);
  return bytes;
};

const pieces = Array.from({ length: 3000 }, (_, index) => Buffer.alloc((index * 7919) % 20_000, index));

describe("a large file that must survive", () => {
  test("has all the pieces that it was written in, in order, whatever becomes of their memory", () =>
    within(async (directory) => {
      const path = join(directory, "file");
      const file = await DurableFile.create(path);
      for (const piece of pieces) {
        const lent = Buffer.from(piece);
        await file.write(lent);
        lent.fill(0xee);
      }
      assert.equal(file.size, Buffer.concat(pieces).length);
      await file.finish();
      assert.ok(readFileSync(path).equals(Buffer.concat(pieces)));
    }));

  for (const begin of [
    0,
    cached - 3 * megabyte,
    cached - 1,
    cached,
    cached + 1,
    cached + 4096,
    cached + 5 * megabyte + 77,
  ]) {
    test(`goes on behind ${begin} bytes, through the cache and around it`, () =>
      within(async (directory) => {
        const path = join(directory, "file");
        sparse(path, begin);
        const disk = isBun
          ? await watched(directory, async () => await extend(path))
          : await extend(path).then(() => undefined);
        assert.ok(bytesFrom(path, begin).equals(Buffer.concat(pieces)));
        if (disk === undefined) return;
        const first = disk.around[0] ?? Number.POSITIVE_INFINITY;
        if (begin === 0) assert.deepEqual(disk.around, []);
        else assert.ok(first >= cached && first <= Math.max(begin, cached) + 2 * megabyte, `the first is at ${first}`);
        assert.deepEqual(
          disk.around.filter((at) => at % 4096 !== 0),
          [],
        );
      }));
  }

  const extend = async (path: string): Promise<void> => {
    await using file = await DurableFile.append(path);
    for (const piece of pieces) await file.write(piece);
    await file.finish();
  };

  test("has what it took also when nobody finishes it", () =>
    within(async (directory) => {
      for (const begin of [0, cached + 100]) {
        const path = join(directory, `${begin}`);
        sparse(path, begin);
        {
          await using file = await DurableFile.append(path);
          for (const piece of pieces.slice(0, 300)) await file.write(piece);
        }
        const whole = Buffer.concat(pieces.slice(0, 300));
        assert.ok(bytesFrom(path, begin).equals(whole));
      }
    }));

  test("has what comes slowly at once, as long as it is not large", () =>
    within(async (directory) => {
      const path = join(directory, "file");
      await using file = await DurableFile.create(path);
      for (const size of [1, 10, 100]) {
        await file.write(Buffer.alloc(size - statSync(path).size, "x"));
        // The write is another thread's; nothing else happens here.
        while (statSync(path).size < size) await new Promise((resolve) => setImmediate(resolve));
      }
    }));

  test("is one of several that are written at once, of which one is on its way to the disk", { skip: !isBun }, () =>
    within(async (directory) => {
      const paths = ["a", "b", "c"].map((name) => join(directory, name));
      for (const path of paths) sparse(path, cached - 40 * megabyte);
      const piece = Buffer.alloc(megabyte, "x");
      const disk = await watched(directory, async () => {
        await Promise.all(
          paths.map(async (path) => {
            await using file = await DurableFile.append(path);
            for (let written = 0; written < 60; written++) await file.write(piece);
            await file.finish();
          }),
        );
      });
      assert.ok(
        disk.around.length >= 3 * 15 && disk.count > disk.around.length,
        `${disk.around.length} of ${disk.count}`,
      );
      assert.equal(disk.most, 1);
      const expected = createHash("sha256")
        .update(Buffer.alloc(60 * megabyte, "x"))
        .digest("hex");
      for (const path of paths)
        assert.equal(
          createHash("sha256")
            .update(bytesFrom(path, cached - 40 * megabyte))
            .digest("hex"),
          expected,
        );
    }),
  );

  test("tells of a disk that takes nothing at the next piece, and at the end", { skip: process.getuid!() !== 0 }, () =>
    within(async () => {
      // A file that can be opened and never written.
      await using file = await DurableFile.append("/dev/full");
      const writing = async (): Promise<void> => {
        for (const piece of pieces) await file.write(piece);
      };
      await assert.rejects(writing(), { code: "ENOSPC" });
      await assert.rejects(file.finish(), { code: "ENOSPC" });
    }),
  );

  test("that is there already is not overwritten", () =>
    within(async (directory) => {
      writeFileSync(join(directory, "a"), "one");
      await assert.rejects(DurableFile.create(join(directory, "a")), { code: "EEXIST" });
      assert.equal(readFileSync(join(directory, "a"), "utf8"), "one");
    }));
});
