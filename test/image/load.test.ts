import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { PierError } from "../../src/base/errors.ts";
import { differences, fixturesUrl, hasFixtures } from "../format/layers.ts";
import { leftovers, openImages, type TestImages } from "./rooms.ts";
import { listImage } from "./trees.ts";

const skip = hasFixtures ? false : "the fixtures are not there";
const fixture = (name: string): AsyncIterable<Uint8Array> => createReadStream(new URL(name, fixturesUrl));

interface HostileArchive {
  readonly file: string;
  readonly what: string;
  readonly expected: "refused" | "accepted" | "either";
  readonly images?: readonly {
    readonly tags: readonly string[];
    readonly golden?: string;
    readonly alsoOk?: string[];
  }[];
}

/** What pier refuses and Docker takes, and why; docs/differences.md says it to people. */
const refusedForSafety: Readonly<Record<string, string>> = {
  "char-0-0.tar": "the device 0:0 is overlayfs' mark of a deleted file",
  "char-0-0-new.tar": "the device 0:0 is overlayfs' mark of a deleted file",
  "char-0-0-only-layer.tar": "the device 0:0 is overlayfs' mark of a deleted file",
};

describe("archives that docker and skopeo saved", { skip }, () => {
  for (const [archive, name, golden] of [
    ["busybox.docker-archive.tar", "fixture/busybox:1.35", "busybox.golden.jsonl"],
    ["busybox.oci.tar", "fixture/busybox:1.35", "busybox.golden.jsonl"],
    ["debian.docker-archive.tar.gz", "fixture/debian:bookworm", "debian.golden.jsonl"],
    ["debian.oci.tar", "fixture/debian:bookworm", "debian.golden.jsonl"],
  ] as const) {
    test(`${archive} gives ${name} with the golden tree`, async () => {
      await using room = await openImages();
      const loaded = await room.images.load(fixture(archive));
      assert.deepEqual(
        loaded.map(({ names }) => names),
        [[name]],
      );
      const image = room.images.get(name);
      assert.equal(image.id, loaded[0]!.id);
      assert.deepEqual(differences(golden, listImage(room.images, image)), []);
    });
  }
});

describe("archives that nobody should trust", { skip }, () => {
  const archives: readonly HostileArchive[] =
    skip === false
      ? readFileSync(new URL("hostile/index.jsonl", fixturesUrl), "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))
      : [];
  let room: TestImages;
  before(async () => {
    room = await openImages();
  });
  after(async () => {
    await room[Symbol.asyncDispose]();
  });

  for (const { file, what, expected, images: expectedImages = [] } of archives) {
    test(`${file}: ${what}`, async () => {
      const { images } = room;
      let loaded: Awaited<ReturnType<typeof images.load>>;
      try {
        loaded = await images.load(fixture(`hostile/${file}`));
      } catch (error) {
        assert.ok(error instanceof PierError && error.status === 400, String(error));
        assert.ok(expected !== "accepted" || Object.hasOwn(refusedForSafety, file), error.message);
        assert.deepEqual(images.list(), []);
        await images.settled();
        assert.deepEqual(leftovers(room), []);
        return;
      }
      assert.notEqual(expected, "refused");
      assert.ok(!Object.hasOwn(refusedForSafety, file));
      for (const [index, { tags, golden, alsoOk = [] }] of expectedImages.entries()) {
        const image = images.get(loaded[index]!.id);
        assert.deepEqual(image.tags, [...tags].sort());
        const listings = [...(golden === undefined ? [] : [golden]), ...alsoOk];
        const found = listings.map((listing) => differences(`hostile/${listing}`, listImage(images, image)));
        if (!found.some((problems) => problems.length === 0)) assert.deepEqual(found[0] ?? [], []);
      }
      for (const { id } of loaded) images.remove(id, { force: true, usedBy: () => [] });
      await images.settled();
      assert.deepEqual(images.list(), []);
      assert.deepEqual(leftovers(room), []);
    });
  }
});
