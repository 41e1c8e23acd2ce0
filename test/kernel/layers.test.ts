/** What every way of mounting layers owes to containers: one suite for all of them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { PierError } from "../../src/base/errors.ts";
import { layerFormats } from "../../src/container/layer-format.ts";
import { findLayerFormat, tryLayerFormat } from "../../src/container/layer-probe.ts";
import type { ImageRecord } from "../../src/image/record.ts";
import { closeHolder, Holding, holderFile } from "../../src/kernel/holder.ts";
import { randomTar } from "../format/archives.ts";
import { differences, fixturesUrl, hasFixtures, type Listed, type Listing } from "../format/layers.ts";
import { chunks, dockerArchive, openImages, type TestImages, tarOf } from "../image/rooms.ts";
import { listImage } from "../image/trees.ts";
import { cannotKeep, keeperProgram } from "./keepers.ts";
import { cannotMountAs, LayerHost, noLoopDevices } from "./layer-host.ts";
import { layersOfEverything } from "./layer-kinds.ts";
import { cannotMount, Mounter } from "./mounted.ts";

const skip = cannotKeep || cannotMount || (hasFixtures ? false : "the fixtures are not there");

const load = async (room: TestImages, archive: AsyncIterable<Uint8Array>): Promise<readonly ImageRecord[]> =>
  (await room.images.load(archive)).map(({ id }) => room.images.get(id));

const loadLayers = async (room: TestImages, layers: readonly Uint8Array[]): Promise<ImageRecord> => {
  const [image] = await load(
    room,
    chunks(await dockerArchive([{ layers, tags: [`test:${room.images.list().length}`] }])),
  );
  return image!;
};

/** Other times than those from 1901 to 2446 are not for every file system: ext4 moves them there. */
const isTime = ({ mtime }: Listed): boolean =>
  Number.parseInt(mtime, 10) >= -(2 ** 31) && Number.parseInt(mtime, 10) < 2 ** 34 - 2 ** 31;

/** What is said of a file, but for some times; hard links are named by the first of their names. */
const sentences = (tree: Listing, hasTime: (path: string) => boolean): Map<string, string> => {
  const groups = new Map<string, string>();
  for (const path of [...tree.keys()].sort()) {
    const { group } = tree.get(path)!;
    if (!groups.has(group)) groups.set(group, path);
  }
  return new Map(
    [...tree].map(([path, listed]) => {
      const { mtime, group, xattrs, ...rest } = listed;
      const sorted = Object.entries(xattrs).sort();
      const others = { link: rest.type === "dir" ? "" : groups.get(group), mtime: hasTime(path) ? mtime : "" };
      return [path, JSON.stringify({ ...rest, sorted, ...others })];
    }),
  );
};

/** What one tree has and the other has not, or has otherwise. */
const difference = (found: Listing, wanted: Listing): string[] => {
  const hasTime = (path: string): boolean => wanted.get(path) === undefined || isTime(wanted.get(path)!);
  const [is, should] = [sentences(found, hasTime), sentences(wanted, hasTime)];
  return [...new Set([...is.keys(), ...should.keys()])]
    .filter((path) => is.get(path) !== should.get(path))
    .map((path) => `${path.slice(0, 300)}: is ${is.get(path)}, should be ${should.get(path)}`);
};

/** All that lies beside the directories of layers. */
const inventory = (root: string): readonly string[] =>
  execFileSync("find", [root, "-path", join(root, "extracted"), "-prune", "-o", "-printf", "%p %y %m %s %U:%G %C@\n"], {
    encoding: "utf8",
  })
    .split("\n")
    .sort();

interface Hostile {
  readonly file: string;
  readonly images: readonly { readonly golden: string; readonly alsoOk?: readonly string[] }[];
  readonly records: readonly ImageRecord[];
}

/** The hostile archives that are let in, with what they may be. */
const loadHostile = async (room: TestImages): Promise<Hostile[]> => {
  const found: Hostile[] = [];
  for (const line of readFileSync(new URL("hostile/index.jsonl", fixturesUrl), "utf8").trim().split("\n")) {
    const { file, images = [] } = JSON.parse(line);
    if (images.length === 0) continue;
    try {
      found.push({
        file,
        images,
        records: await load(room, createReadStream(new URL(`hostile/${file}`, fixturesUrl))),
      });
    } catch (error) {
      // Which may be refused is test/image/load.test.ts' matter.
      if (!(error instanceof PierError)) throw error;
    }
  }
  return found;
};

describe("layers", { skip }, () => {
  let room: TestImages;
  let mounter: Mounter;
  const golden: { archive: string; listing: string; image: ImageRecord }[] = [];
  let hostile: readonly Hostile[];
  let everything: ImageRecord;
  const random: ImageRecord[] = [];

  before(async () => {
    mounter = new Mounter();
    room = await openImages();
    for (const [archive, listing] of [
      ["busybox.docker-archive.tar", "busybox.golden.jsonl"],
      ["busybox.oci.tar", "busybox.golden.jsonl"],
      ["debian.docker-archive.tar.gz", "debian.golden.jsonl"],
      ["debian.oci.tar", "debian.golden.jsonl"],
    ] as const) {
      const [image] = await load(room, createReadStream(new URL(archive, fixturesUrl)));
      golden.push({ archive, listing, image: image! });
    }
    hostile = await loadHostile(room);
    everything = await loadLayers(room, await layersOfEverything());
    for (const tar of fc.sample(randomTar, { numRuns: 6, seed: 11 })) random.push(await loadLayers(room, [await tar]));
  });

  after(async () => {
    mounter[Symbol.dispose]();
    await noLoopDevices(room);
    await room[Symbol.asyncDispose]();
  });

  for (const format of layerFormats) {
    describe(`mounted as ${format}`, { skip: cannotMountAs(format) }, () => {
      let host: LayerHost;
      before(async () => {
        host = await LayerHost.open(room, format);
      });
      after(() => host[Symbol.asyncDispose]());

      test("are the golden trees of what docker and skopeo saved", async () => {
        for (const { archive, listing, image } of golden)
          assert.deepEqual([archive, ...differences(listing, await host.list(mounter, image))], [archive]);
      });

      test("are the trees that an engine gives of archives that nobody should trust; nothing else is touched", async () => {
        const before = inventory(room.root);
        let compared = 0;
        for (const { file, images, records } of hostile) {
          for (const [index, { golden: wanted, alsoOk = [] }] of images.entries()) {
            const tree = await host.list(mounter, records[index]!);
            const found = [wanted, ...alsoOk].map((name) => differences(`hostile/${name}`, tree));
            if (!found.some((problems) => problems.length === 0)) assert.deepEqual([file, ...found[0]!], [file]);
            compared++;
          }
        }
        assert.ok(compared >= 50, `only ${compared} trees were compared`);
        assert.deepEqual(inventory(room.root), before);
      });

      test("have every kind of file, name, owner, time and attribute, as the tar says", async () => {
        const tree = await host.list(mounter, everything);
        assert.deepEqual(difference(tree, listImage(room.images, everything)), []);
        assert.ok(tree.size > 250, `only ${tree.size} files`);
      });

      test("are what was drawn at random", async () => {
        for (const image of random)
          assert.deepEqual(difference(await host.list(mounter, image), listImage(room.images, image)), []);
      });

      test("are mounted once each, however many ask for them at the same time", async () => {
        await using shared = await LayerHost.open(room, format);
        const [one, two] = [golden[0]!.image, golden[1]!.image];
        await Promise.all([shared.mount(one), shared.mount(one), shared.mount(two), shared.mount(two)]);
        const stacks = new Set([...one.layers, ...two.layers]);
        assert.equal(shared.mounted().length, room.images.layers.stack([...stacks]).length);
        for (const line of shared.mounted()) assert.match(line, / ro,nosuid,nodev,noexec/);
      });
    });

    describe(`mounted as ${format}, and no longer stored`, { skip: cannotMountAs(format) }, () => {
      const opened = async () => {
        const own = await openImages();
        const host = await LayerHost.open(own, format);
        const image = await loadLayers(own, await layersOfEverything());
        return {
          own,
          host,
          image,
          remove: () => own.images.remove(image.id, { force: true, usedBy: () => [] }),
          [Symbol.asyncDispose]: async () => {
            await host[Symbol.asyncDispose]();
            await noLoopDevices(own);
            await own[Symbol.asyncDispose]();
          },
        };
      };

      test("leave nothing behind, and come again", async () => {
        await using world = await opened();
        const { own, host } = world;
        await host.mount(world.image);
        world.remove();
        const again = await loadLayers(own, await layersOfEverything());
        await host.mount(again);
        assert.deepEqual(difference(await host.list(mounter, again), listImage(own.images, again)), []);
        own.images.remove(again.id, { force: true, usedBy: () => [] });
        await host.noTraces();
      });

      test("are taken away by the next daemon, when the last one was killed before it could", async () => {
        await using world = await opened();
        await world.host.mount(world.image);
        world.host.die();
        world.remove();
        assert.notDeepEqual(world.host.traces(), []);
        await world.host.reopen();
        await world.host.noTraces();
      });

      test("go with a holder that is killed, and are mounted again by the next one", async () => {
        await using world = await opened();
        const { host, image, own } = world;
        await host.mount(image);
        await host.killHolder();
        await noLoopDevices(own);
        assert.deepEqual(difference(await host.list(mounter, image), listImage(own.images, image)), []);
      });

      test("are a clear error and no trace when their files are damaged, and mounted when these are back", async () => {
        await using world = await opened();
        const { host, image, own } = world;
        const { index, tar } = own.images.layers.stack(image.layers)[0]!;
        for (const file of [index, tar]) {
          renameSync(file, `${file}.away`);
          await assert.rejects(host.mount(image), {
            code: "layerUnmountable",
            message: /^layer sha256:[0-9a-f]{64} cannot be mounted: /,
          });
          renameSync(`${file}.away`, file);
        }
        assert.deepEqual(difference(await host.list(mounter, image), listImage(own.images, image)), []);
        world.remove();
        await host.noTraces();
      });
    });
  }

  const lacking = cannotMountAs("file") || cannotMountAs("loop");

  test("are mounted in the best way that the host has, found by trying; what is asked for and is not there is refused", {
    skip: lacking,
  }, async () => {
    const place = mkdtempSync(join(tmpdir(), "pier-memory-"));
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", place]);
    const run = mkdtempSync(join(tmpdir(), "pier-run-"));
    const holder = await Holding.open(keeperProgram, holderFile(run));
    const enter = (...command: readonly string[]) =>
      execFileSync("nsenter", [`--mount=${holder.namespace}`, ...command]);
    try {
      const inMemory = { root: place, run, holder };
      assert.equal(await findLayerFormat({ ...inMemory, root: run }), "file");
      // The kernel mounts no file of a tmpfs, but it does mount devices over one.
      assert.equal(await findLayerFormat(inMemory), "loop");
      await assert.rejects(findLayerFormat(inMemory, "file"), {
        message: /^this host cannot mount the layers of images \(file: mount: .+\)$/,
        hint: "modprobe -a erofs loop",
      });
      enter("mount", "-t", "tmpfs", "tmpfs", "/dev");
      assert.equal(await tryLayerFormat("loop", inMemory), "there is no /dev/loop-control");
      assert.equal(await findLayerFormat(inMemory), "directory");
      const left = readdirSync(place, { recursive: true }).map(String).sort();
      assert.deepEqual(left, ["probe", "probe/index", "probe/mounted", "probe/tar"], "what a full disk could not take");
      assert.ok(!readFileSync(`/proc/${holder.pid}/mountinfo`, "utf8").includes("/probe/"));
    } finally {
      await closeHolder(holder, holderFile(run));
      execFileSync("umount", ["--lazy", place]);
      for (const directory of [place, run]) rmSync(directory, { recursive: true });
    }
  });

  test("that one daemon mounted in one way are served by the next in another", async () => {
    await using own = await openImages();
    const formats = layerFormats.filter((format) => cannotMountAs(format) === false);
    await using host = await LayerHost.open(own, "directory");
    const image = await loadLayers(own, await layersOfEverything());
    const expected = listImage(own.images, image);
    for (const format of [...formats, ...formats.toReversed()]) {
      await host.reopen(format);
      assert.deepEqual(difference(await host.list(mounter, image), expected), []);
      // As after the machine's next start: nothing is mounted.
      await host.killHolder();
    }
    own.images.remove(image.id, { force: true, usedBy: () => [] });
    await host.noTraces();
  });

  test("whose directory does not fit on the disk are a clear error, and fit when there is room", async () => {
    const place = mkdtempSync(join(tmpdir(), "pier-small-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=7m,mode=700", "tmpfs", place]);
    try {
      await using own = await openImages(place);
      await using host = await LayerHost.open(own, "directory");
      const image = await loadLayers(own, [await tarOf({ large: randomBytes(4_000_000) })]);
      await assert.rejects(host.mount(image), { message: /cannot be mounted: writeTree: no space left on device$/ });
      assert.deepEqual(host.traces(), []);
      execFileSync("mount", ["-o", "remount,size=32m", place]);
      assert.deepEqual(difference(await host.list(mounter, image), listImage(own.images, image)), []);
    } finally {
      execFileSync("umount", ["--lazy", place]);
      rmSync(place, { recursive: true });
    }
  });
});
