/** Archives that ask for more than they are: refused with a sentence or stored, in little memory, and nothing is left. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./stage-bomb.ts", import.meta.url));
const isLong = process.env.PIER_LONG === "1";
const MiB = 1024 * 1024;

interface Bomb {
  readonly what: string;
  readonly kind: string;
  readonly entries: number;
  readonly says: RegExp;
}

const tooMany = /^the layer has too many files, names or attributes: its index takes more than 48 MiB of memory$/;

const bombs: readonly Bomb[] = [
  { what: "100,000 files in directories are stored", kind: "spread", entries: 100_000, says: /^stored$/ },
  { what: "100,000 long names are stored", kind: "long", entries: 100_000, says: /^stored$/ },
  { what: "paths of 2,000 directories", kind: "deep", entries: 300, says: /^stored$/ },
  ...(isLong
    ? [
        { what: "800,000 names in directories are stored", kind: "spread", entries: 400_000, says: /^stored$/ },
        { what: "10,000,000 files in one directory", kind: "flat", entries: 10_000_000, says: tooMany },
        { what: "10,000,000 long names", kind: "long", entries: 10_000_000, says: tooMany },
        { what: "10,000,000 files, each of its own time", kind: "times", entries: 10_000_000, says: tooMany },
      ]
    : []),
];

describe("a layer of many entries takes less than 256 MiB", () => {
  for (const { what, kind, entries, says } of bombs) {
    test(what, () => {
      const { stdout, stderr } = spawnSync(process.execPath, [program, kind, String(entries)], { encoding: "utf8" });
      assert.equal(stderr, "");
      const { said, grown, left } = JSON.parse(stdout) as { said: string; grown: number; left: readonly string[] };
      assert.match(said, says);
      assert.deepEqual(left, []);
      assert.ok(grown < 256 * MiB, `it took ${Math.round(grown / MiB)} MiB`);
    });
  }
});
