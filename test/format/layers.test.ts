/** Every archive of the fixtures, as far as it is about what layers contain: refused, or giving exactly its golden tree. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { PierError } from "../../src/base/errors.ts";
import { differences, fixturesUrl, hasFixtures, indexLayer, mergeLayers, readLayers } from "./layers.ts";

interface HostileLine {
  readonly file: string;
  readonly expected: "refused" | "accepted" | "either";
  readonly class: string;
  readonly what: string;
  readonly images?: readonly { readonly golden: string; readonly alsoOk?: readonly string[] }[];
}

/** Docker makes a whiteout of this device; pier refuses it (docs/differences.md). */
const refusedForSafety = new Set(["char-0-0.tar", "char-0-0-new.tar", "char-0-0-only-layer.tar"]);

const hostile = (): HostileLine[] =>
  readFileSync(new URL("hostile/index.jsonl", fixturesUrl), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

const treesOf = async (name: string) => (await readLayers(name)).map((layers) => mergeLayers(layers.map(indexLayer)));

const skip = hasFixtures ? false : "the fixtures are not there";

describe("layers of images that Docker saved", { skip }, () => {
  it("gives busybox's golden tree", async () => {
    const [tree] = await treesOf("busybox.docker-archive.tar");
    assert.deepEqual(differences("busybox.golden.jsonl", tree!), []);
  });

  it("gives debian's golden tree", async () => {
    const [tree] = await treesOf("debian.docker-archive.tar.gz");
    assert.deepEqual(differences("debian.golden.jsonl", tree!), []);
  });
});

describe("layers of hostile archives", { skip }, () => {
  // The others are about the archive around the layers.
  const lines =
    skip === false ? hostile().filter((line) => line.class === "harmless" && !line.file.startsWith("outer-")) : [];
  for (const { file, expected, what, images } of lines) {
    it(`${file}: ${what}`, async () => {
      const trees = await treesOf(`hostile/${file}`).catch((error: unknown) => {
        if (error instanceof PierError) return error;
        throw error;
      });
      if (trees instanceof PierError) {
        assert.ok(expected !== "accepted" || refusedForSafety.has(file), `refused: ${trees.message}`);
        return;
      }
      assert.notEqual(expected, "refused", "it was accepted");
      // Without a listing any tree will do.
      (images ?? []).forEach(({ golden, alsoOk = [] }, index) => {
        const found = [golden, ...alsoOk].map((name) => differences(`hostile/${name}`, trees[index]!));
        if (!found.some((problems) => problems.length === 0)) assert.deepEqual(found[0], []);
      });
    });
  }
});
