/** A byte that has turned is found wherever it is, and an index is made anew; the rest heals with the next pull. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { tarOf } from "../image/rooms.ts";
import { ChaosRegistry, digestOf } from "./chaos.ts";
import { openPulls, putImage } from "./rooms.ts";

const one = await tarOf({ "a/": "", "a/b": "hello".repeat(1000) });
const two = await tarOf({ "a/c": "x".repeat(100_000) });

/** One bit of the byte in the middle. */
const flip = (path: string): void => {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
};

describe("a check", () => {
  test("of what is whole finds nothing", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    putImage(registry, "app", "1", [one, two]);
    await world.pulls.pull(`${registry.host}/app:1`);
    assert.deepEqual(await Array.fromAsync(world.room.images.check()), []);
    assert.equal(world.room.database.problem(), undefined);
  });

  for (const kind of ["tar", "index", "blob", "configuration", "manifest"] as const) {
    test(`finds a damaged ${kind}, and a pull brings it back`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls();
      const put = putImage(registry, "app", "1", [one, two]);
      await world.pulls.pull(`${registry.host}/app:1`);
      const { images } = world.room;
      const { id, layers } = images.get(`${registry.host}/app:1`);
      const blobs = join(world.room.root, "blobs", "sha256");
      const place = images.layers.place(layers[1]!);
      const paths = {
        tar: place.tar,
        index: place.index,
        blob: join(blobs, put.blobs[1]!.slice(7)),
        configuration: join(blobs, id.slice(7)),
        manifest: join(blobs, put.digest.slice(7)),
      };
      const before = readFileSync(paths[kind]);
      flip(paths[kind]);
      const found = await Array.fromAsync(images.check());
      assert.deepEqual(
        found.map((damage) => damage.kind),
        [kind],
      );
      assert.match(found[0]!.reason, /./);
      assert.equal(found[0]!.isMended, kind === "index");
      await images.settled();
      await world.pulls.pull(`${registry.host}/app:1`);
      await images.settled();
      assert.deepEqual(readFileSync(paths[kind]), before);
      assert.deepEqual(await Array.fromAsync(images.check()), []);
      assert.equal(digestOf(readFileSync(images.layers.place(layers[1]!).tar)), layers[1]);
      await world.reopen();
      assert.equal(world.room.images.get(`${registry.host}/app:1`).id, id);
      assert.deepEqual(await Array.fromAsync(world.room.images.check()), []);
    });
  }

  test("makes an index anew at once: its tar is all that it takes, and nobody else may have that layer", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    putImage(registry, "app", "1", [one, two]);
    await world.pulls.pull(`${registry.host}/app:1`);
    const { layers } = world.room.images;
    const { index } = layers.place(layers.all()[0]!.diffId);
    const before = readFileSync(index);
    flip(index);
    assert.equal((await Array.fromAsync(world.room.images.check())).length, 1);
    assert.deepEqual(readFileSync(index), before);
    assert.notEqual(layers.findBlob(layers.all()[0]!.diffId), undefined);
    assert.deepEqual(await Array.fromAsync(world.room.images.check()), []);
    assert.deepEqual(
      readdirSync(join(world.room.root, "layers")).filter((name) => name.startsWith(".")),
      [],
    );
  });
});
