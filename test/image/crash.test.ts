/** A daemon may die between any two instructions: the next one finds the image whole, or nothing of it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Database } from "../../src/base/database.ts";
import { Images } from "../../src/image/images.ts";
import { digestOf, dockerArchive, tarOf } from "./rooms.ts";

const program = fileURLToPath(new URL("./load-once.ts", import.meta.url));
const skip = spawnSync("strace", ["-V"]).error === undefined ? false : "there is no strace";

/** Loads in a process of its own, which is killed at its n-th call of a system call. */
const loadKilled = (root: string, archive: string, call: string, n: number): boolean => {
  const strace = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:signal=KILL:when=${n}`];
  const { stdout } = spawnSync("strace", [...strace, process.execPath, program, root, archive], { encoding: "utf8" });
  return stdout !== "stored\n";
};

describe("a daemon that is killed while it loads", { skip }, () => {
  // What makes a difference on disk: writing, syncing and naming. SQLite's own writes are SQLite's matter, but on Node
  // they cannot be told from ours, and there are many.
  const writes = process.versions.bun !== undefined ? ["pwritev"] : process.env.PIER_LONG === "1" ? ["pwrite64"] : [];
  for (const call of ["mkdir", ...writes, "fsync", "rename"]) {
    test(`at any ${call} leaves the whole image or nothing`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "pier-crash-"));
      try {
        const layers = [await tarOf({ "a/b": "hello" }), await tarOf({ "c/d": "x".repeat(5000) })];
        const archive = join(directory, "archive.tar");
        writeFileSync(archive, await dockerArchive([{ layers, tags: ["a:1"] }]));
        for (let n = 1; ; n++) {
          const root = mkdtempSync(join(directory, "root-"));
          const isKilled = loadKilled(root, archive, call, n);
          using database = new Database(join(root, "pier.db"));
          const images = await Images.open(root, database);
          const [image, ...more] = images.list();
          assert.deepEqual(more, []);
          if (!isKilled) assert.notEqual(image, undefined);
          if (image !== undefined) {
            assert.deepEqual(image.tags, ["a:1"]);
            const tars = images.layers.stack(image.layers).map(({ tar }) => digestOf(readFileSync(tar)));
            assert.deepEqual(tars, layers.map(digestOf).reverse());
          }
          assert.equal(images.layers.all().length, image === undefined ? 0 : 2);
          if (isKilled) continue;
          assert.notEqual(n, 1, `${call} is never called`);
          break;
        }
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  }
});
