import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Images } from "../../src/image/images.ts";
import { Tree } from "../../src/image/tree.ts";
import { chunks, dockerArchive, openImages, tarOf } from "./rooms.ts";

type Files = Readonly<Record<string, string>>;

/** The tree of layers with these files, the lowest first. */
const treeOf = async (images: Images, ...layers: readonly Files[]): Promise<Tree> => {
  const tars = await Promise.all(layers.map(tarOf));
  const [loaded] = await images.load(chunks(await dockerArchive([{ layers: tars }])));
  return Tree.open(images.layers.stack(images.get(loaded!.id).layers));
};

const text = (tree: Tree, path: string): string | undefined => {
  const bytes = tree.read(path, 100);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
};

describe("the tree of an image", () => {
  test("follows links inside the root, and never out of it", async () => {
    await using room = await openImages();
    const tree = await treeOf(room.images, {
      "etc/passwd": "p",
      "a/b/up": "-> ../../etc",
      "a/out": "-> ../../../../../etc/passwd",
      abs: "-> /etc/passwd",
      chain: "-> abs",
      "dir-link": "-> /a/b/up",
      loop: "-> loop2",
      loop2: "-> loop",
      dangling: "-> /nowhere",
    });
    for (const path of ["/etc/passwd", "etc/passwd", "/a/b/up/passwd", "/a/out", "/abs", "/chain", "//etc/./passwd"]) {
      assert.equal(text(tree, path), "p", path);
    }
    assert.equal(text(tree, "/dir-link/passwd"), "p");
    assert.equal(text(tree, "/../../etc/passwd"), "p");
    assert.equal(text(tree, "/dir-link/../a/out"), "p");
    for (const path of [
      "/loop",
      "/loop/x",
      "/dangling",
      "/nothing",
      "/etc/passwd/",
      "/etc/passwd/.",
      "/etc/passwd/x",
      "/etc",
    ]) {
      assert.equal(text(tree, path), undefined, path);
    }
    assert.equal(tree.find("/etc/")?.type, "directory");
    assert.equal(tree.find("/")?.type, "directory");
    assert.equal(tree.find("/abs")?.type, "file");
  });

  test("merges layers as overlayfs does", async () => {
    await using room = await openImages();
    const tree = await treeOf(
      room.images,
      { "d/kept": "1", "d/gone": "1", "d/changed": "1", "o/hidden": "1", "f/x": "1", "w/x": "1" },
      { "d/.wh.gone": "", "d/changed": "2", "o/.wh..wh..opq": "", "o/new": "2", f: "2", ".wh.w": "" },
      { "d/added": "3", "w/y": "3", "o/again": "3" },
    );
    assert.deepEqual(
      [...tree.walk()].map(({ path }) => path),
      ["/d", "/d/added", "/d/changed", "/d/kept", "/f", "/o", "/o/again", "/o/new", "/w", "/w/y"],
    );
    assert.deepEqual(
      ["/d/kept", "/d/changed", "/f", "/f/x", "/w/x", "/d/gone"].map((path) => text(tree, path)),
      ["1", "2", "2", undefined, undefined, undefined],
    );
  });

  test("of no layers has nothing", async () => {
    const tree = Tree.open([]);
    assert.equal(tree.find("/"), undefined);
    assert.deepEqual([...tree.walk()], []);
  });

  test("gives no more than was asked for", async () => {
    await using room = await openImages();
    const tree = await treeOf(room.images, { big: "x".repeat(1000) });
    assert.equal(tree.read("/big", 999), undefined);
    assert.equal(tree.read("/big", 1000)?.length, 1000);
  });
});
