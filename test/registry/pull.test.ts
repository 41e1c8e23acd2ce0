/** What is pulled is what the registry has, whatever its kind; and nothing is fetched twice. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { ProgressLine } from "../../src/api/answers/images.ts";
import { machineArchitecture } from "../../src/image/manifest.ts";
import { Tree } from "../../src/image/tree.ts";
import { leftovers, tarOf } from "../image/rooms.ts";
import { ChaosRegistry, digestOf } from "./chaos.ts";
import { gather, noisyTar, openPulls, putImage, putIndex } from "./rooms.ts";

const one = await tarOf({ "a/": "", "a/b": "hello" });
const two = await tarOf({ "a/c": "x".repeat(100_000) });
const three = await tarOf({ d: "-> a/b" });

describe("a pull", () => {
  for (const kind of ["oci", "docker"] as const) {
    test(`takes manifests of the kind ${kind}, layers plain, in gzip and in zstd`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls();
      const put = putImage(registry, "team/app", "1", [one, two, three], { kind, packing: ["plain", "gzip", "zstd"] });
      const lines: ProgressLine[] = [];
      const name = `${registry.host}/team/app`;
      await world.pulls.pull(`${name}:1`, { progress: (line) => lines.push(line) });
      const image = world.room.images.get(`${name}:1`);
      assert.equal(image.id, put.config);
      assert.deepEqual(image.digests, [`${name}@${put.digest}`]);
      const tree = Tree.open(world.room.images.layers.stack(image.layers));
      assert.equal(Buffer.from(tree.read("/d", 100)!).toString(), "hello");
      const manifest = await world.room.images.manifestOf(image.id);
      assert.equal(digestOf(manifest!.bytes), put.digest);
      for (const digest of put.blobs) {
        const file = world.room.images.layers.fileOf(digest as never);
        assert.equal(digestOf(readFileSync(file!.path)), digest);
      }
      assert.deepEqual(lines[0], { status: "Pulling from team/app", id: "1" });
      assert.deepEqual(lines.at(-2), { status: `Digest: ${put.digest}` });
      assert.deepEqual(lines.at(-1), { status: `Status: Downloaded newer image for ${name}:1` });
      await world.pulls.pull(`${name}:1`, { progress: (line) => lines.push(line) });
      assert.deepEqual(lines.at(-1), { status: `Status: Image is up to date for ${name}:1` });
      world.room.images.remove(`${name}:1`, { force: true, usedBy: () => [] });
      await world.room.images.settled();
      assert.deepEqual(leftovers(world.room), []);
    });
  }

  for (const [what, type, signatures] of [
    ["plain", "application/vnd.docker.distribution.manifest.v1+json", {}],
    ["signed", "application/vnd.docker.distribution.manifest.v1+prettyjws", { signatures: [{}] }],
    ["called plain JSON", "application/json", {}],
  ] as const) {
    test(`of a manifest of schema 1, ${what}, is refused with a sentence, and fetches nothing`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls();
      const { digest } = registry.put(one);
      const history = [{ v1Compatibility: JSON.stringify({ id: "a".repeat(64), os: "linux" }) }];
      const old = { schemaVersion: 1, name: "team/app", tag: "1", fsLayers: [{ blobSum: digest }], history };
      registry.putManifest("team/app", "1", type, { ...old, ...signatures });
      // As registries do: of what was signed.
      registry.fault = ({ path, response, bytes }) => {
        if (!path.includes("/manifests/") || what !== "signed") return false;
        response.writeHead(200, { "Content-Type": type, "Docker-Content-Digest": digest }).end(bytes);
        return true;
      };
      await assert.rejects(
        world.pulls.pull(`${registry.host}/team/app:1`),
        what === "called plain JSON"
          ? /its schemaVersion is 1, and not 2/
          : /^PierError: the manifest of team\/app:1 is of schema 1, which nobody takes any more/,
      );
      assert.deepEqual([registry.count("GET", "/manifests/1"), registry.count("GET", digest)], [1, 0]);
      assert.deepEqual(leftovers(world.room), []);
    });
  }

  test("of an index takes this machine's image, or the asked one, or all side by side", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const own = putImage(registry, "app", "own", [one]);
    const arm = putImage(registry, "app", "arm", [two], { config: { architecture: "arm64" } });
    const index = putIndex(registry, "app", "all", [
      { image: arm, platform: { os: "linux", architecture: "arm64" } },
      { image: own, platform: { os: "linux", architecture: "amd64" } },
    ]);
    const name = `${registry.host}/app`;
    const { images } = world.room;
    await world.pulls.pull(`${name}:all`);
    assert.equal(images.get(`${name}:all`).id, own.config);
    assert.equal(images.get(`${name}@${index.digest}`).id, own.config);
    assert.equal(images.find(arm.config), undefined);
    await world.pulls.pull(`${name}:all`, { platform: { os: "linux", architecture: "arm64" } });
    assert.equal(images.get(`${name}:all`).id, arm.config);
    await world.pulls.pull(`${name}:all`, { allPlatforms: true });
    assert.equal(images.get(`${name}:all`).id, own.config);
    assert.equal(images.get(`${name}@${arm.digest}`).id, arm.config);
    await assert.rejects(
      world.pulls.pull(`${name}:all`, { platform: { os: "linux", architecture: "riscv64" } }),
      /no matching manifest for linux\/riscv64 in the manifest list entries/,
    );
    await assert.rejects(
      world.pulls.pull(`${name}:own`, { platform: { os: "linux", architecture: "arm64" } }),
      /its platform \(linux\/amd64\) does not match the specified platform \(linux\/arm64\)/,
    );
  });

  test("is forgotten by a prune, with all that it has left in the database", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    putImage(registry, "app", "1", [one, two]);
    await world.pulls.pull(`${registry.host}/app:1`);
    const count = () => world.room.database.get<{ count: number }>("SELECT count(*) AS count FROM blob_homes")?.count;
    await world.pulls.prune();
    assert.equal(count(), 3);
    world.room.images.remove(`${registry.host}/app:1`, { force: true, usedBy: () => [] });
    await world.pulls.prune();
    assert.equal(count(), 0);
  });

  test("keeps what has come of it, whoever prunes meanwhile", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [one, two]);
    const held = Promise.withResolvers<() => void>();
    const stored = Promise.withResolvers<void>();
    registry.fault = ({ path, serve }) => {
      if (!path.endsWith(put.blobs[1]!)) return false;
      held.resolve(serve);
      return true;
    };
    const progress = ({ status, id }: ProgressLine): void => {
      if (status === "Pull complete" && id === put.blobs[0]!.slice(7, 19)) stored.resolve();
    };
    const pulled = world.pulls.pull(`${registry.host}/app:1`, { progress });
    const [release] = await Promise.all([held.promise, stored.promise]);
    await world.pulls.prune();
    world.room.images.collectLayers();
    release();
    await pulled;
    const image = world.room.images.get(`${registry.host}/app:1`);
    const tars = world.room.images.layers.stack(image.layers).map(({ tar }) => digestOf(readFileSync(tar)));
    assert.deepEqual(tars, [two, one].map(digestOf));
    for (const blob of put.blobs) assert.equal(registry.count("GET", blob), 1);
  });

  test("of all tags follows every page of the list", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    for (const tag of ["a", "b", "c", "d", "e"]) putImage(registry, "app", tag, [one], { config: { author: tag } });
    await world.pulls.pull(`${registry.host}/app`, { allTags: true });
    const tags = world.room.images.list().flatMap((image) => image.tags);
    assert.deepEqual(
      tags.sort(),
      ["a", "b", "c", "d", "e"].map((tag) => `${registry.host}/app:${tag}`),
    );
    assert.equal(registry.count("GET", `/blobs/${putImage(registry, "app", "a", [one]).blobs[0]}`), 1);
  });

  test("fetches only layers that are missing", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const first = putImage(registry, "first", "1", [one, two]);
    const second = putImage(registry, "second", "1", [one, three]);
    await world.pulls.pull(`${registry.host}/first:1`);
    const lines: ProgressLine[] = [];
    await world.pulls.pull(`${registry.host}/second:1`, { progress: (line) => lines.push(line) });
    assert.equal(registry.count("GET", first.blobs[0]!), 1);
    assert.equal(registry.count("GET", second.blobs[1]!), 1);
    assert.ok(lines.some(({ status }) => status === "Already exists"));
  });

  test("of one layer in several places and packings has it once, and each of its blobs", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const packing = ["gzip", "zstd", "plain", "gzip", "gzip"] as const;
    const put = putImage(registry, "app", "1", [one, one, one, one, two], { packing });
    await world.pulls.pull(`${registry.host}/app:1`);
    const { layers } = world.room.images;
    const image = world.room.images.get(`${registry.host}/app:1`);
    assert.deepEqual(image.layers, [one, one, one, one, two].map(digestOf));
    assert.deepEqual(
      layers.stack(image.layers).map(({ diffId }) => diffId),
      [two, one].map(digestOf),
    );
    for (const digest of put.blobs) {
      assert.equal(registry.count("GET", digest), 1, digest);
      assert.equal(digestOf(readFileSync(layers.fileOf(digest as never)!.path)), digest);
    }
    assert.deepEqual(await Array.fromAsync(world.room.images.check()), []);
    // What is saved is loaded elsewhere as the same.
    await using other = await openPulls();
    await other.room.images.load(await world.room.images.save([`${registry.host}/app:1`]));
    assert.equal(digestOf((await other.room.images.manifestOf(image.id))!.bytes), put.digest);
    world.room.images.remove(`${registry.host}/app:1`, { force: true, usedBy: () => [] });
    await world.room.images.settled();
    assert.deepEqual(leftovers(world.room), []);
  });

  test("passes over attestations, which are for no machine, and keeps the index that lists them", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const attestation = putImage(registry, "app", "attestation", [three]);
    const own = putImage(registry, "app", "own", [one]);
    const index = putIndex(registry, "app", "1", [
      { image: attestation, platform: { os: "unknown", architecture: "unknown" } },
      { image: own, platform: { os: "linux", architecture: machineArchitecture } },
    ]);
    const name = `${registry.host}/app:1`;
    for (const options of [{}, { allPlatforms: true }]) {
      await world.pulls.pull(name, options);
      assert.equal(world.room.images.get(name).id, own.config);
      assert.deepEqual(world.room.images.get(name).digests, [`${registry.host}/app@${index.digest}`]);
      assert.equal(world.room.images.list().length, 1);
    }
    assert.equal(registry.count("GET", `/manifests/${attestation.digest}`), 0);
  });

  test("by two at once does the work once, and goes on for the one when the other leaves", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [await noisyTar(300_000)]);
    const held = Promise.withResolvers<void>();
    registry.fault = ({ path, serve }) => {
      if (!path.endsWith(put.blobs[0]!)) return false;
      void held.promise.then(serve);
      return true;
    };
    const leaving = new AbortController();
    const waiting = Promise.withResolvers<void>();
    const left = world.pulls.pull(`${registry.host}/app:1`, { signal: leaving.signal });
    const stays = world.pulls.pull(`${registry.host}/app:1`, {
      progress: ({ status }) => status === "Waiting" && waiting.resolve(),
    });
    await waiting.promise;
    leaving.abort(new Error("gone"));
    await assert.rejects(left, /gone/);
    held.resolve();
    await stays;
    assert.equal(registry.count("GET", put.blobs[0]!), 1);
    assert.equal(world.room.images.list().length, 1);
  });

  for (const [limit, settings] of [
    [3, {}],
    [1, { downloads: 1 }],
  ] as const) {
    test(`has no more than ${limit} of a registry's layers on their way, and all in the end`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls(settings);
      const tars = await Promise.all(Array.from({ length: 9 }, (_, index) => noisyTar(3000, index + 1)));
      putImage(registry, "app", "1", tars);
      const most = gather(registry, limit, ({ path, bytes }) => path.includes("/blobs/") && bytes.length >= 2500);
      await world.pulls.pull(`${registry.host}/app:1`);
      assert.equal(most(), limit);
      assert.equal(world.room.images.list()[0]!.layers.length, 9);
    });
  }

  test("takes a layer that registries may not give away from where its address leads", async () => {
    await using registry = await ChaosRegistry.start();
    await using elsewhere = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [one, two], {
      change: (manifest) => {
        const [, foreign] = manifest.layers as Record<string, unknown>[];
        foreign!.mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        foreign!.urls = [`http://127.0.0.1:${elsewhere.port}/v2/x/blobs/${String(foreign!.digest)}`];
      },
    });
    elsewhere.put(registry.blobs.get(put.blobs[1]!)!);
    registry.blobs.delete(put.blobs[1]!);
    await world.pulls.pull(`${registry.host}/app:1`);
    assert.equal(world.room.images.get(`${registry.host}/app:1`).layers.length, 2);
    assert.equal(elsewhere.asked.length, 1);
  });

  test("asks a mirror first, and the registry for what the mirror does not have or cannot give", async () => {
    await using registry = await ChaosRegistry.start();
    await using mirror = await ChaosRegistry.start();
    const mirrors = new Map([[registry.host, [new URL(`http://${mirror.host}`)]]]);
    await using world = await openPulls({ mirrors });
    const put = putImage(registry, "app", "1", [one, two]);
    putImage(mirror, "app", "1", [one, two]);
    mirror.blobs.delete(put.blobs[1]!);
    await world.pulls.pull(`${registry.host}/app:1`);
    assert.equal(registry.count("GET", put.blobs[0]!), 0);
    assert.equal(registry.count("GET", put.blobs[1]!), 1);
    assert.equal(registry.count("GET", "/manifests/1"), 0);
  });
});
