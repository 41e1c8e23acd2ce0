/** What the kernel shows of stored images: their layers, mounted from where pier keeps them, are the golden trees. */
import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { PierError } from "../../src/base/errors.ts";
import type { Images } from "../../src/image/images.ts";
import { differences, fixturesUrl, hasFixtures } from "../format/layers.ts";
import { openImages } from "../image/rooms.ts";
import { storedLayers } from "../image/trees.ts";
import { cannotMount, Mounter } from "./mounted.ts";

const skip = cannotMount || (hasFixtures ? false : "the fixtures are not there");

const load = (images: Images, name: string) => images.load(createReadStream(new URL(name, fixturesUrl)));

describe("stored images, mounted", { skip }, () => {
  for (const [archive, golden] of [
    ["busybox.docker-archive.tar", "busybox.golden.jsonl"],
    ["busybox.oci.tar", "busybox.golden.jsonl"],
    ["debian.docker-archive.tar.gz", "debian.golden.jsonl"],
    ["debian.oci.tar", "debian.golden.jsonl"],
  ] as const) {
    it(`${archive} is its golden tree`, async () => {
      await using room = await openImages();
      using mounter = new Mounter();
      const [loaded] = await load(room.images, archive);
      const layers = storedLayers(room.images, room.images.get(loaded!.id));
      assert.deepEqual(differences(golden, mounter.list(layers)), []);
    });
  }

  it("hostile images are the trees that an engine gives", async () => {
    await using room = await openImages();
    using mounter = new Mounter();
    let compared = 0;
    for (const line of readFileSync(new URL("hostile/index.jsonl", fixturesUrl), "utf8").trim().split("\n")) {
      const { file, images: expected = [] } = JSON.parse(line);
      if (expected.length === 0) continue;
      const loaded = await load(room.images, `hostile/${file}`).catch((error: unknown) => {
        if (error instanceof PierError) return undefined;
        throw error;
      });
      // Which may be refused is test/image/load.test.ts' matter.
      if (loaded === undefined) continue;
      for (const [index, { golden, alsoOk = [] }] of expected.entries()) {
        const layers = storedLayers(room.images, room.images.get(loaded[index]!.id));
        const tree = mounter.list(layers);
        const found = [golden, ...alsoOk].map((name: string) => differences(`hostile/${name}`, tree));
        if (!found.some((problems) => problems.length === 0)) assert.deepEqual([file, ...found[0]!], [file]);
        compared++;
      }
    }
    assert.ok(compared >= 50, `only ${compared} trees were compared`);
  });
});
