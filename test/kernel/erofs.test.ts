/** What the kernel makes of our indexes: it mounts them over their tars, and shows what the golden listings say. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { randomTar } from "../format/archives.ts";
import {
  differences,
  fixturesUrl,
  hasFixtures,
  type IndexedLayer,
  indexLayer,
  type Listing,
  mergeLayers,
  readLayers,
} from "../format/layers.ts";
import { cannotMountAs } from "./layer-host.ts";
import { cannotMount, Mounter } from "./mounted.ts";

const skip = cannotMount || cannotMountAs("file") || (hasFixtures ? false : "the fixtures are not there");

/** How Debian's fsck.erofs finds an index, or undefined when it cannot judge one (none there, or too old for small blocks). */
const fsck = (mounter: Mounter, layer: IndexedLayer): { status: number | null; output: string } | undefined => {
  const { index, tar } = mounter.write(layer);
  const { error, status, stdout, stderr } = spawnSync("fsck.erofs", [`--device=${tar}`, index], { encoding: "utf8" });
  const output = `${stdout}${stderr}`;
  return error !== undefined || /blksize 512 isn't supported/.test(output) ? undefined : { status, output };
};

/** The tree without the names of hard links' groups, which differ between the kernel and the reader. */
const withoutGroups = (tree: Listing): Map<string, object> =>
  new Map([...tree].map(([path, listed]) => [path, { ...listed, group: "" }]));

describe("mounted indexes", { skip }, () => {
  let mounter: Mounter;
  before(() => {
    mounter = new Mounter();
  });
  after(() => mounter[Symbol.dispose]());

  for (const [archive, golden] of [
    ["busybox.docker-archive.tar", "busybox.golden.jsonl"],
    ["debian.docker-archive.tar.gz", "debian.golden.jsonl"],
  ] as const) {
    it(`show the golden tree of ${archive}`, async () => {
      const [layers] = await readLayers(archive);
      assert.deepEqual(differences(golden, mounter.list(layers!.map(indexLayer))), []);
    });
  }

  it("show the golden trees of hostile layers, under overlayfs", async () => {
    const lines = readFileSync(new URL("hostile/index.jsonl", fixturesUrl), "utf8").trim().split("\n");
    let compared = 0;
    for (const { file, images = [], class: kind } of lines.map((line) => JSON.parse(line))) {
      if (kind !== "harmless" || images.length === 0 || file.startsWith("outer-")) continue;
      const archive = await readLayers(`hostile/${file}`);
      for (const [index, { golden, alsoOk = [] }] of images.entries()) {
        let layers: IndexedLayer[];
        try {
          layers = archive[index]!.map(indexLayer);
        } catch {
          // Whether it may be refused is test/format/layers.test.ts' matter.
          continue;
        }
        const tree = mounter.list(layers);
        const found = [golden, ...alsoOk].map((name: string) => differences(`hostile/${name}`, tree));
        assert.ok(
          found.some((problems) => problems.length === 0),
          `${file}: ${found[0]!.join(", ")}`,
        );
        compared++;
      }
    }
    assert.ok(compared >= 50, `only ${compared} trees were compared`);
  });

  it("show random trees as the reader does", async () => {
    const tars = fc.sample(randomTar, { numRuns: 12, seed: 7 });
    for (const tar of tars) {
      const layer = indexLayer(await tar);
      if (layer.isEmpty) continue;
      const kernel = withoutGroups(mounter.list([layer]));
      const own = withoutGroups(mergeLayers([layer]));
      assert.deepEqual(kernel, own);
    }
  });

  it("pass fsck.erofs", async (test) => {
    const [layers] = await readLayers("busybox.docker-archive.tar");
    const verdict = fsck(mounter, indexLayer(layers![0]!));
    if (verdict === undefined) return test.skip("there is no fsck.erofs that knows blocks of 512 bytes");
    assert.equal(verdict.status, 0, verdict.output);
  });
});
