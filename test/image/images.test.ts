import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { PierError } from "../../src/base/errors.ts";
import type { ImageId } from "../../src/base/ids.ts";
import type { ImageUser } from "../../src/image/record.ts";
import {
  chunks,
  configOf,
  digestOf,
  dockerArchive,
  leftovers,
  type MadeImage,
  openImages,
  type TestImages,
  tarOf,
} from "./rooms.ts";

const nobody = { force: false, usedBy: () => [] };
const usedBy = (...users: ImageUser[]) => ({ ...nobody, usedBy: () => users });
const container = (running: boolean): ImageUser => ({ id: "c".repeat(64), running });

const load = async ({ images }: TestImages, ...made: readonly MadeImage[]): Promise<{ id: ImageId }[]> => [
  ...(await images.load(chunks(await dockerArchive(made)))),
];

const base = await tarOf({ "etc/": "", "etc/passwd": "root:x:0:0::/root:/bin/sh\n" });
const top = await tarOf({ "etc/hosts": "127.0.0.1 localhost\n" });

const refusal = (work: () => unknown): { readonly status: number; readonly message: string } => {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof PierError, String(error));
    return { status: error.status, message: error.message };
  }
  return assert.fail("nothing was refused");
};

describe("finding images", () => {
  test("by name, by id and by the beginning of an id", async () => {
    await using room = await openImages();
    const [loaded] = await load(room, { layers: [base], tags: ["busybox:1", "localhost:5000/a/b:t"] });
    const { images } = room;
    const id = loaded!.id;
    assert.equal(id, digestOf(configOf({ layers: [base] })));
    for (const reference of [
      "busybox:1",
      "docker.io/library/busybox:1",
      "localhost:5000/a/b:t",
      id,
      id.slice(7),
      id.slice(7, 11),
      id.slice(0, 20),
    ]) {
      assert.equal(images.get(reference).id, id, reference);
    }
    assert.equal(images.find("busybox"), undefined);
    assert.deepEqual(
      refusal(() => images.get("busybox")),
      { status: 404, message: "No such image: busybox:latest" },
    );
    assert.deepEqual(
      refusal(() => images.get("f".repeat(64))),
      {
        status: 404,
        message: `No such image: sha256:${"f".repeat(64)}`,
      },
    );
    assert.deepEqual(
      refusal(() => images.get("Busybox")),
      {
        status: 400,
        message: "invalid reference format: repository name (library/Busybox) must be lowercase",
      },
    );
  });

  test("an ambiguous beginning is refused, and a name comes before an id", async () => {
    await using room = await openImages();
    const made = Array.from({ length: 17 }, (_, index) => ({ layers: [base], config: { author: String(index) } }));
    const loaded = await load(room, ...made);
    const first = (id: string): string => id.slice(7, 8);
    const twice = loaded.find(({ id }) => loaded.some((other) => other.id !== id && first(other.id) === first(id)))!;
    assert.equal(refusal(() => room.images.get(first(twice.id))).status, 400);
    const name = first(twice.id);
    room.images.tag(loaded[0]!.id, name);
    assert.equal(room.images.get(name).id, loaded[0]!.id);
  });

  test("the list has the youngest first, sizes count a shared layer once per image", async () => {
    await using room = await openImages();
    await load(
      room,
      { layers: [base], tags: ["old:1"], config: { created: "2020-01-01T00:00:00Z" } },
      { layers: [base, top, base], tags: ["new:1"], config: { created: "2024-01-01T00:00:00.5+02:00" } },
      { layers: [base], config: { author: "nobody knows when" } },
    );
    assert.deepEqual(
      room.images.list().map(({ tags }) => tags),
      [["new:1"], ["old:1"], []],
    );
    assert.equal(room.images.get("new:1").size, room.images.get("old:1").size + 20);
    const stack = room.images.layers.stack(room.images.get("new:1").layers);
    assert.deepEqual(
      stack.map(({ diffId }) => diffId),
      [digestOf(base), digestOf(top)],
    );
  });
});

describe("names", () => {
  test("a name moves, and its old image dangles", async () => {
    await using room = await openImages();
    const [old] = await load(room, { layers: [base], tags: ["a:1"] });
    const lines: unknown[] = [];
    const archive = await dockerArchive([{ layers: [top], tags: ["a:1"] }]);
    await room.images.load(chunks(archive), { progress: (line) => lines.push(line) });
    assert.deepEqual(room.images.get(old!.id).tags, []);
    assert.deepEqual(room.images.get("a:1").layers, [digestOf(top)]);
    assert.deepEqual(lines.slice(-2), [
      { stream: `The image a:1 already exists, renaming the old one with ID ${old!.id} to empty string\n` },
      { stream: "Loaded image: a:1\n" },
    ]);
  });

  test("tag adds names, and refuses what is none", async () => {
    await using room = await openImages();
    const events: string[] = [];
    room.images.onEvent(({ action, name }) => events.push(`${action} ${name}`));
    const [{ id }] = (await load(room, { layers: [base] })) as [{ id: ImageId }];
    room.images.tag(id, "b");
    assert.deepEqual(room.images.get("b").tags, ["b:latest"]);
    assert.equal(refusal(() => room.images.tag(id, "B")).status, 400);
    assert.equal(refusal(() => room.images.tag("none", "c")).status, 404);
    assert.match(refusal(() => room.images.tag(id, `c@${id}`)).message, /digest reference/);
    assert.deepEqual(events, [`load ${id}`, "tag b:latest"]);
  });
});

describe("removing images", () => {
  test("the last name takes the image and its layers along", async () => {
    await using room = await openImages();
    const [{ id }] = (await load(room, { layers: [base, top], tags: ["a:1", "b:1"] })) as [{ id: ImageId }];
    assert.deepEqual(room.images.remove("a:1", nobody), [{ Untagged: "a:1" }]);
    const chain = digestOf(`${digestOf(base)} ${digestOf(top)}`);
    assert.deepEqual(room.images.remove("b:1", nobody), [
      { Untagged: "b:1" },
      { Deleted: id },
      { Deleted: chain },
      { Deleted: digestOf(base) },
    ]);
    await room.images.settled();
    assert.deepEqual(leftovers(room), []);
    assert.deepEqual(
      refusal(() => room.images.remove("b:1", nobody)),
      {
        status: 404,
        message: "No such image: b:1",
      },
    );
  });

  test("layers that another image has stay", async () => {
    await using room = await openImages();
    await load(room, { layers: [base], tags: ["a:1"] }, { layers: [base, top], tags: ["b:1"] });
    const removed = room.images.remove("b:1", nobody);
    assert.equal(removed.length, 3);
    await room.images.settled();
    assert.equal(leftovers(room).length, 2);
    assert.equal(room.images.layers.stack(room.images.get("a:1").layers).length, 1);
  });

  test("by id: all names of one repository go, several repositories are a conflict", async () => {
    await using room = await openImages();
    const [{ id }] = (await load(room, { layers: [base], tags: ["a:1", "b:1"] })) as [{ id: ImageId }];
    assert.deepEqual(
      refusal(() => room.images.remove(id, nobody)),
      {
        status: 409,
        message: `conflict: unable to delete ${id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
      },
    );
    assert.deepEqual(room.images.remove(id.slice(7, 15), { ...nobody, force: true }), [
      { Untagged: "a:1" },
      { Untagged: "b:1" },
      { Deleted: id },
      { Deleted: digestOf(base) },
    ]);
  });

  test("containers are in the way, with Docker's words", async () => {
    await using room = await openImages();
    const [{ id }] = (await load(room, { layers: [base], tags: ["a:1"] })) as [{ id: ImageId }];
    const short = id.slice(7, 19);
    const { images } = room;
    assert.deepEqual(
      refusal(() => images.remove("a:1", usedBy(container(false)))),
      {
        status: 409,
        message: `conflict: unable to remove repository reference "a:1" (must force) - container cccccccccccc is using its referenced image ${short}`,
      },
    );
    assert.equal(
      refusal(() => images.remove(id, usedBy(container(false)))).message,
      `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
    );
    assert.equal(
      refusal(() => images.remove(id, { ...usedBy(container(true)), force: true })).message,
      `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
    );
    assert.deepEqual(images.remove("a:1", { ...usedBy(container(true)), force: true }), [{ Untagged: "a:1" }]);
    assert.deepEqual(images.get(id).tags, []);
  });

  test("what is removed by force lives on unseen for its containers, and goes with the last of them", async () => {
    await using room = await openImages();
    const [{ id }] = (await load(room, { layers: [base], tags: ["a:1"] })) as [{ id: ImageId }];
    const removed = room.images.remove("a:1", { ...usedBy(container(false)), force: true });
    assert.deepEqual(removed, [{ Untagged: "a:1" }, { Deleted: id }]);
    assert.deepEqual(room.images.list(), []);
    assert.equal(room.images.find(id), undefined);
    const images = await room.reopen();
    images.collect(() => [container(false)]);
    assert.deepEqual(images.withId(id).layers, [digestOf(base)]);
    await load(room, { layers: [base], tags: ["again:1"] });
    assert.equal(images.get("again:1").id, id);
    images.remove("again:1", { ...usedBy(container(false)), force: true });
    images.collect(() => []);
    await images.settled();
    assert.deepEqual(leftovers(room), []);
  });
});

describe("a new daemon", () => {
  test("finds the same images, and the numbers of their layers", async () => {
    await using room = await openImages();
    await load(room, {
      layers: [base, top],
      tags: ["a:1"],
      config: { config: { Labels: { __proto__: "x", a: "b" } } },
    });
    const before = room.images.get("a:1");
    const stack = room.images.layers.stack(before.layers);
    const images = await room.reopen();
    assert.deepEqual(images.get("a:1"), before);
    assert.deepEqual(images.layers.stack(before.layers), stack);
  });

  test("clears what a crash left half done", async () => {
    await using room = await openImages();
    await load(room, { layers: [base], tags: ["a:1"] });
    const layers = join(room.root, "layers");
    for (const name of [".layer.0123456789ab.pending", "f".repeat(64), "rubbish"]) {
      mkdirSync(join(layers, name));
      writeFileSync(join(layers, name, "tar"), "half a layer");
    }
    writeFileSync(join(room.root, "blobs", "sha256", "e".repeat(64)), "{}");
    const images = await room.reopen();
    assert.equal(images.list().length, 1);
    assert.equal(leftovers(room).length, 2);
  });

  for (const [what, path] of [
    ["a layer without its tar", (image: MadeImage) => join("layers", digestOf(image.layers[0]!).slice(7), "tar")],
    ["a layer without its index", (image: MadeImage) => join("layers", digestOf(image.layers[0]!).slice(7), "index")],
    [
      "an image without its configuration",
      (image: MadeImage) => join("blobs/sha256", digestOf(configOf(image)).slice(7)),
    ],
  ] as const) {
    test(`does not show ${what}`, async () => {
      await using room = await openImages();
      const image = { layers: [base], tags: ["a:1"] };
      await load(room, image, { layers: [top], tags: ["b:1"] });
      rmSync(join(room.root, path(image)));
      const images = await room.reopen();
      assert.deepEqual(
        images.list().map(({ tags }) => tags),
        [["b:1"]],
      );
      assert.equal(leftovers(room).length, 2);
      await load(room, image);
      assert.equal(images.layers.stack(images.get("a:1").layers).length, 1);
    });
  }
});

describe("the history", () => {
  test("has the last step first, with the sizes of the layers that steps made", async () => {
    await using room = await openImages();
    const history = [
      { created: "2024-01-01T00:00:00Z", created_by: "ADD base" },
      { created: "2024-01-01T00:00:01Z", created_by: "ENV a=b", empty_layer: true },
      { created: "2024-01-01T00:00:02Z", created_by: "COPY hosts", comment: "top" },
    ];
    const [{ id }] = (await load(room, { layers: [base, top], tags: ["a:1"], config: { history } })) as [
      { id: ImageId },
    ];
    assert.deepEqual(
      room.images.history("a:1").map(({ Id, CreatedBy, Size, Tags }) => [Id, CreatedBy, Size, Tags]),
      [
        [id, "COPY hosts", 20, ["a:1"]],
        ["<missing>", "ENV a=b", 0, null],
        ["<missing>", "ADD base", 26, null],
      ],
    );
  });
});
