/** What is pushed is what was pulled or loaded; what a registry has is not sent; what breaks off goes on. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ProgressLine } from "../../src/api/answers/images.ts";
import { chunks, dockerArchive, leftovers, tarOf } from "../image/rooms.ts";
import { ChaosRegistry, digestOf, refuse } from "./chaos.ts";
import { gather, noisyTar, openPulls, putImage, putIndex } from "./rooms.ts";

const one = await tarOf({ "a/": "", "a/b": "hello" });
const two = await tarOf({ "a/c": "x".repeat(100_000) });
const large = await noisyTar(1_200_000, 5);
const statuses = (lines: readonly ProgressLine[]): (string | undefined)[] => lines.map(({ status }) => status);

describe("a push", () => {
  test("gives another registry byte for byte what was pulled, whatever it is compressed with", async () => {
    await using from = await ChaosRegistry.start();
    await using to = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(from, "app", "1", [one, two], { packing: ["gzip", "zstd"] });
    await world.pulls.pull(`${from.host}/app:1`);
    world.room.images.tag(`${from.host}/app:1`, `${to.host}/other:2`);
    const lines: ProgressLine[] = [];
    await world.pushes.push(`${to.host}/other:2`, { progress: (line) => lines.push(line) });
    assert.equal(digestOf(to.manifests.get("other 2")!.bytes), put.digest);
    for (const digest of [...put.blobs, put.config]) assert.deepEqual(to.blobs.get(digest), from.blobs.get(digest));
    assert.equal(statuses(lines)[0], `The push refers to repository [${to.host}/other]`);
    assert.equal(lines.at(-2)!.status, `2: digest: ${put.digest} size: ${put.size}`);
    assert.deepEqual(lines.at(-1)!.aux, { Tag: "2", Digest: put.digest, Size: put.size });
    assert.ok(world.room.images.find(`${to.host}/other@${put.digest}`));
  });

  test("gives another registry the index of all machines' images, or one of them, or an index of those that are here", async () => {
    await using from = await ChaosRegistry.start();
    await using to = await ChaosRegistry.start();
    await using world = await openPulls();
    const own = putImage(from, "app", "own", [one]);
    const arm = putImage(from, "app", "arm", [one, two], { config: { architecture: "arm64" } });
    const platforms = { amd64: { os: "linux", architecture: "amd64" }, arm64: { os: "linux", architecture: "arm64" } };
    const entries = [
      { image: arm, platform: platforms.arm64 },
      { image: own, platform: platforms.amd64 },
    ];
    const index = putIndex(from, "app", "all", entries);
    const [source, target] = [`${from.host}/app:all`, `${to.host}/other:1`];
    const at = (reference: string): string => digestOf(to.manifests.get(`other ${reference}`)!.bytes);

    await world.pulls.pull(source);
    world.room.images.tag(source, target);
    // Only this machine's image is here: it has an index of its own.
    await world.pushes.push(target, { allPlatforms: true });
    const { manifests } = JSON.parse(Buffer.from(to.manifests.get("other 1")!.bytes).toString());
    assert.deepEqual(manifests, [
      { mediaType: own.mediaType, digest: own.digest, size: own.size, platform: platforms.amd64 },
    ]);
    await assert.rejects(
      world.pushes.push(target, { platform: platforms.arm64 }),
      /was found but does not provide the specified platform \(linux\/arm64\)/,
    );

    await world.pulls.pull(source, { allPlatforms: true });
    world.room.images.tag(source, target);
    const lines: ProgressLine[] = [];
    await world.pushes.push(target, { allPlatforms: true, progress: (line) => lines.push(line) });
    assert.equal(at("1"), index.digest);
    assert.equal(lines.at(-2)!.status, `1: digest: ${index.digest} size: ${index.size}`);
    for (const digest of [...own.blobs, own.config, ...arm.blobs, arm.config]) assert.ok(to.blobs.has(digest));
    assert.equal(at(arm.digest), arm.digest);
    assert.equal(world.room.images.get(`${to.host}/other@${index.digest}`).id, own.config);

    await world.pushes.push(target, { platform: platforms.arm64 });
    assert.equal(at("1"), arm.digest);
    await world.pushes.push(target, { platform: platforms.amd64 });
    assert.equal(at("1"), own.digest);
    // Nothing of what the name stands for is missing.
    await world.pushes.push(target);
    assert.equal(at("1"), index.digest);

    await using other = await openPulls();
    await other.room.images.load(await world.room.images.save([target], { platform: platforms.arm64 }));
    assert.equal(other.room.images.get(target).id, arm.config);
    // And both with the index over them, which another root has as if it had pulled it.
    await using third = await openPulls();
    const archive = Buffer.concat(
      await Array.fromAsync(await world.room.images.save([target], { allPlatforms: true })),
    );
    const both = await third.room.images.load(chunks(archive));
    assert.deepEqual(
      both.map(({ names }) => names),
      [[target], [`${to.host}/other@${arm.digest}`]],
    );
    assert.equal(third.room.images.get(target).id, own.config);
    assert.equal((await third.room.images.forPlatform(target, platforms.arm64)).id, arm.config);
    const again = await Array.fromAsync(await third.room.images.save([target], { allPlatforms: true }));
    assert.deepEqual(Buffer.concat(again), archive);
    await third.room.images.load(chunks(archive), { platform: platforms.arm64 });
    assert.equal(third.room.images.get(target).id, arm.config);
    assert.deepEqual(await Array.fromAsync(third.room.images.check()), []);
    assert.deepEqual(await Array.fromAsync(world.room.images.check()), []);

    // A new daemon knows the index too; with its last name it is gone.
    await world.reopen();
    const { images } = world.room;
    assert.equal((await images.forPlatform(target, platforms.arm64)).id, arm.config);
    for (const { id } of images.list()) images.remove(id, { force: true, usedBy: () => [] });
    await images.settled();
    assert.deepEqual(leftovers(world.room), []);
  });

  test("compresses what came plain, once, and another root pulls the same image", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    await world.room.images.load(
      chunks(await dockerArchive([{ layers: [one, two], tags: [`${registry.host}/app:1`, `${registry.host}/app:2`] }])),
    );
    const { id } = world.room.images.get(`${registry.host}/app:1`);
    await world.pushes.push(`${registry.host}/app`);
    assert.deepEqual(
      [...registry.manifests.keys()].filter((key) => /app \d/.test(key)),
      ["app 1", "app 2"],
    );
    assert.deepEqual(registry.manifests.get("app 1")!.bytes, registry.manifests.get("app 2")!.bytes);
    await using other = await openPulls();
    await other.pulls.pull(`${registry.host}/app:2`);
    assert.equal(other.room.images.get(`${registry.host}/app:2`).id, id);
    const lines: ProgressLine[] = [];
    registry.asked.splice(0);
    await world.pushes.push(`${registry.host}/app:1`, { progress: (line) => lines.push(line) });
    assert.equal(statuses(lines).filter((status) => status === "Layer already exists").length, 2);
    assert.equal(registry.asked.filter(({ method }) => method === "PATCH" || method === "POST").length, 0);
  });

  test("takes what another repository of the registry has from there", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    putImage(registry, "app", "1", [one, two]);
    await world.pulls.pull(`${registry.host}/app:1`);
    world.room.images.tag(`${registry.host}/app:1`, `${registry.host}/other:1`);
    registry.fault = ({ request, response, path }) => {
      if (request.method !== "HEAD" || !path.startsWith("/v2/other/blobs/")) return false;
      refuse(response, 404, "BLOB_UNKNOWN");
      return true;
    };
    const lines: ProgressLine[] = [];
    await world.pushes.push(`${registry.host}/other:1`, { progress: (line) => lines.push(line) });
    assert.equal(statuses(lines).filter((status) => status === "Mounted from app").length, 2);
    assert.ok(registry.asked.some(({ path }) => /uploads\/\?mount=sha256%3A[0-9a-f]+&from=app$/.test(path)));
    assert.equal(registry.asked.filter(({ method }) => method === "PATCH").length, 0);
  });

  for (const limit of [1, 2]) {
    test(`has no more than ${limit} of a registry's layers on their way, and all in the end`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls({ uploads: limit });
      const layers = await Promise.all(Array.from({ length: 4 }, (_, index) => noisyTar(3000, index + 1)));
      await world.room.images.load(chunks(await dockerArchive([{ layers, tags: [`${registry.host}/app:1`] }])));
      const config = world.room.images.get(`${registry.host}/app:1`).id;
      const isLayer = (path: string): boolean => path.includes("/blobs/") && !path.endsWith(config);
      const most = gather(registry, limit, ({ request, path }) => request.method === "HEAD" && isLayer(path));
      await world.pushes.push(`${registry.host}/app:1`);
      assert.equal(most(), limit);
      assert.equal(registry.count("HEAD", config), 1);
      assert.equal(registry.blobs.size, 5);
    });
  }

  test("goes on where it broke off", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    await world.room.images.load(chunks(await dockerArchive([{ layers: [large], tags: [`${registry.host}/app:1`] }])));
    let cuts = 0;
    registry.fault = ({ request }) => {
      if (request.method !== "PATCH" || cuts >= 2) return false;
      cuts++;
      let size = 0;
      const upload = registry.uploadOf(request.url!);
      request.on("data", (chunk: Buffer) => {
        if (size > 300_000) return;
        upload.push(chunk);
        size += chunk.length;
        if (size > 300_000) request.socket.destroy();
      });
      return true;
    };
    await world.pushes.push(`${registry.host}/app:1`);
    const sent = registry.asked.filter(({ method }) => method === "PATCH").map(({ contentRange }) => contentRange);
    assert.ok(sent.length >= 2);
    assert.equal(sent[0], undefined);
    assert.ok(sent.slice(1).every((range) => Number(range?.split("-")[0]) > 300_000));
    await using other = await openPulls();
    await other.pulls.pull(`${registry.host}/app:1`);
  });

  test("that may not be is told why", async () => {
    await using registry = await ChaosRegistry.start({
      guard: ({ method }) => (method === "POST" ? 'Basic realm="reg"' : undefined),
    });
    await using world = await openPulls();
    await world.room.images.load(chunks(await dockerArchive([{ layers: [one], tags: [`${registry.host}/app:1`] }])));
    await assert.rejects(
      world.pushes.push(`${registry.host}/app:1`),
      /denied: unauthorized: authentication required: push to app needs 'docker login'/,
    );
    await assert.rejects(world.pushes.push(`${registry.host}/app:2`), /An image does not exist locally with the tag/);
    await assert.rejects(
      world.pushes.push(`${registry.host}/app@sha256:${"0".repeat(64)}`),
      /cannot push a digest reference/,
    );
  });
});
