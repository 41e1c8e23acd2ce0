import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { PierError } from "../../src/base/errors.ts";
import { Tree } from "../../src/image/tree.ts";
import { chunks, digestOf, leftovers, openImages, tarOf } from "./rooms.ts";

const root = await tarOf({ "bin/": "", "bin/sh": "#!", "etc/passwd": "root:x:0:0::/root:/bin/sh\n" });

describe("importing a root file system", () => {
  test("makes an image of one layer, with its changes and message", async () => {
    await using room = await openImages();
    const { images } = room;
    const id = await images.importRoot(chunks(gzipSync(root), 100), {
      name: "my/root",
      message: "from a tar",
      changes: ['CMD ["/bin/sh"]', "ENV A=b", "EXPOSE 80"],
      architecture: "arm64",
    });
    const image = images.get("my/root:latest");
    assert.equal(image.id, id);
    assert.deepEqual(image.layers, [digestOf(root)]);
    assert.deepEqual([image.config.Cmd, image.config.Env, image.comment], [["/bin/sh"], ["A=b"], "from a tar"]);
    assert.equal(image.architecture, "arm64");
    assert.equal(digestOf(await images.rawConfig(id)), id);
    assert.deepEqual(
      images.history(id).map(({ Comment, Size }) => [Comment, Size]),
      [["from a tar", 28]],
    );
    assert.equal(Tree.open(images.layers.stack(image.layers)).read("/bin/sh", 10)?.length, 2);
  });

  test("needs no name", async () => {
    await using room = await openImages();
    await room.images.importRoot(chunks(root));
    assert.deepEqual(room.images.list()[0]!.tags, []);
  });

  for (const [what, source, options, sentence] of [
    ["a name that is none", root, { name: "UP" }, /must be lowercase/],
    ["a digest as name", root, { name: `a@sha256:${"a".repeat(64)}` }, /cannot import digest reference/],
    ["a change that is none", root, { changes: ["RUN x"] }, /RUN is not a valid change command/],
    ["what is no tar", Buffer.from("hello".repeat(500)), {}, /invalid tar header/],
    ["half a tar", root.subarray(0, 700), {}, /unexpected EOF/],
  ] as const) {
    test(`refuses ${what}, and leaves nothing`, async () => {
      await using room = await openImages();
      await assert.rejects(
        room.images.importRoot(chunks(source), options),
        (error) => error instanceof PierError && error.status === 400 && sentence.test(error.message),
      );
      assert.deepEqual(room.images.list(), []);
      assert.deepEqual(leftovers(room), []);
    });
  }
});
