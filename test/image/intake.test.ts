/** How archives come in: from any source, in any order, whole or not at all. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { PierError } from "../../src/base/errors.ts";
import { encodeHeader } from "../../src/format/tar/write.ts";
import { Tree } from "../../src/image/tree.ts";
import { chunks, configOf, digestOf, dockerArchive, fileHeader, leftovers, openImages, tarOf } from "./rooms.ts";

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);

const layer = await tarOf({ "a/": "", "a/b": "hello", link: "-> /a/b" });
const other = await tarOf({ "a/c": "x".repeat(100_000) });
const archive = await dockerArchive([{ layers: [layer, other], tags: ["made:1"] }]);
const blob = (bytes: Uint8Array | string): string => `blobs/sha256/${digestOf(bytes).slice(7)}`;

/** An OCI layout of one image; `change` spoils or replaces its files. */
const ociLayout = async (
  layers: readonly (readonly [plain: Uint8Array, blob: Uint8Array, mediaType: string])[],
  change: (files: Record<string, string | Uint8Array>) => void = () => {},
  annotations: Record<string, string> = { "org.opencontainers.image.ref.name": "oci:1" },
): Promise<Uint8Array> => {
  const config = configOf({ layers: layers.map(([plain]) => plain) });
  const describe = (mediaType: string, bytes: Uint8Array | string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: Buffer.byteLength(bytes),
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map(([, bytes, mediaType]) => describe(mediaType, bytes)),
  });
  const entry = { ...describe("application/vnd.oci.image.manifest.v1+json", manifest), annotations };
  const files: Record<string, string | Uint8Array> = {
    [blob(config)]: config,
    [blob(manifest)]: manifest,
    "index.json": JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
    "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
  };
  for (const [, bytes] of layers) files[blob(bytes)] = bytes;
  change(files);
  return tarOf(files);
};

const tarType = "application/vnd.oci.image.layer.v1.tar";

describe("an archive", () => {
  for (const [how, bytes, size] of [
    ["byte by byte", archive.subarray(0), 1],
    ["in odd pieces", archive, 1013],
    ["compressed with gzip", gzipSync(archive), 777],
    ["compressed with zstd", zstdCompressSync(archive), 777],
  ] as const) {
    test(`is loaded ${how}`, async () => {
      await using room = await openImages();
      await room.images.load(chunks(bytes, size));
      const tree = Tree.open(room.images.layers.stack(room.images.get("made:1").layers));
      assert.equal(text(tree.read("/link", 100)), "hello");
      assert.equal(tree.read("/a/c", 100_000)?.length, 100_000);
    });
  }

  test("that is cut off anywhere is refused and leaves nothing", async () => {
    await using room = await openImages();
    const end = archive.length - 1024;
    const cuts = Array.from({ length: 40 }, (_, index) => Math.floor((end * index) / 40) + (index % 3));
    for (const cut of cuts.slice(1)) {
      await assert.rejects(room.images.load(chunks(archive.subarray(0, cut), 4096)), PierError, `cut at ${cut}`);
      assert.deepEqual(leftovers(room), [], `cut at ${cut}`);
    }
    const packed = gzipSync(archive);
    for (const cut of [1, 9, 100, packed.length - 9, packed.length - 1]) {
      await assert.rejects(room.images.load(chunks(packed.subarray(0, cut))), PierError, `cut at ${cut}`);
      assert.deepEqual(leftovers(room), []);
    }
  });

  test("whose source fails is not stored, and the failure comes out", async () => {
    await using room = await openImages();
    const failing = async function* () {
      yield archive.subarray(0, 5000);
      throw new Error("the cable was cut");
    };
    await assert.rejects(room.images.load(failing()), /the cable was cut/);
    assert.deepEqual(leftovers(room), []);
  });

  test("is given up when its signal says so, also while nothing arrives", async () => {
    await using room = await openImages();
    const controller = new AbortController();
    const stuck = async function* () {
      yield archive.subarray(0, 5000);
      controller.abort(new Error("enough"));
      await new Promise(() => {});
    };
    await assert.rejects(room.images.load(stuck(), { signal: controller.signal }), /enough/);
    assert.deepEqual(leftovers(room), []);
    await assert.rejects(room.images.load(chunks(archive), { signal: controller.signal }), /enough/);
  });

  test("may be loaded twice at once, and while its image is removed", async () => {
    await using room = await openImages();
    const { images } = room;
    const nobody = { force: true, usedBy: () => [] };
    for (let round = 0; round < 5; round++) {
      const loads = [1, 1013, 5000].map((size) => images.load(chunks(archive, size * 100)));
      for (const loading of loads) {
        await loading;
        images.remove("made:1", nobody);
        assert.equal(images.find("made:1"), undefined);
        if (loading !== loads.at(-1)) await images.load(chunks(archive));
      }
      await images.settled();
      assert.deepEqual(leftovers(room), []);
    }
    await images.load(chunks(archive));
    const tree = Tree.open(images.layers.stack(images.get("made:1").layers));
    assert.equal(text(tree.read("/a/b", 100)), "hello");
  });

  test("whose layers are stored already is verified all the same", async () => {
    await using room = await openImages();
    const packed = gzipSync(layer);
    const good = await ociLayout([[layer, packed, `${tarType}+gzip`]]);
    await room.images.load(chunks(good));
    const before = room.images.layers.stack(room.images.get("oci:1").layers);
    await room.images.load(chunks(good));
    assert.deepEqual(room.images.layers.stack(room.images.get("oci:1").layers), before);
    const spoilt = await ociLayout([[layer, packed, `${tarType}+gzip`]], (files) => {
      files[blob(packed)] = packed.with(50, packed[50]! ^ 1);
    });
    await assert.rejects(room.images.load(chunks(spoilt)), /does not match its digest/);
    assert.equal(leftovers(room).length, 4, "layer, its compressed bytes, configuration, manifest");
  });
});

describe("an OCI layout", () => {
  test("has layers plain, in gzip and in zstd", async () => {
    await using room = await openImages();
    const third = await tarOf({ "a/b": "-> c" });
    const bytes = await ociLayout([
      [layer, layer, tarType],
      [other, gzipSync(other), `${tarType}+gzip`],
      [third, zstdCompressSync(third), `${tarType}+zstd`],
    ]);
    await room.images.load(chunks(bytes));
    const tree = Tree.open(room.images.layers.stack(room.images.get("oci:1").layers));
    assert.equal(tree.read("/link", 100_000)?.length, 100_000);
  });

  test("is called what the annotations say; a mere tag is no name", async () => {
    for (const [annotations, names] of [
      [{ "io.containerd.image.name": "docker.io/library/x:2", "org.opencontainers.image.ref.name": "2" }, ["x:2"]],
      [{ "org.opencontainers.image.ref.name": "quay.io/x/y" }, ["quay.io/x/y:latest"]],
      [{ "org.opencontainers.image.ref.name": "latest" }, []],
    ] as const) {
      await using room = await openImages();
      const [loaded] = await room.images.load(
        chunks(await ociLayout([[layer, layer, tarType]], undefined, annotations)),
      );
      assert.deepEqual(loaded!.names, names);
    }
  });

  test("of several machines gives this one's image", async () => {
    await using room = await openImages();
    const one = await ociLayout([[layer, layer, tarType]], (files) => {
      const { manifests } = JSON.parse(String(files["index.json"]));
      const [ours] = manifests;
      const index = JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [
          { ...ours, digest: `sha256:${"1".repeat(64)}`, platform: { architecture: "s390x", os: "linux" } },
          {
            ...ours,
            digest: `sha256:${"2".repeat(64)}`,
            annotations: { "vnd.docker.reference.type": "attestation-manifest" },
          },
          { ...ours, platform: { architecture: { x64: "amd64" }[process.arch as "x64"] ?? process.arch, os: "linux" } },
        ],
      });
      files[blob(index)] = index;
      const mediaType = "application/vnd.oci.image.index.v1+json";
      const nested = { ...ours, mediaType, digest: digestOf(index), size: index.length };
      files["index.json"] = JSON.stringify({ schemaVersion: 2, manifests: [nested] });
    });
    const [loaded] = await room.images.load(chunks(one));
    assert.deepEqual(loaded!.names, ["oci:1"]);
  });

  for (const [what, type, sentence] of [
    ["an EROFS image as a layer", "application/vnd.erofs.layer.v1", /unsupported media type of layer 0/],
    ["a layer of no type", "", /unsupported media type of layer 0/],
  ] as const) {
    test(`with ${what} is refused`, async () => {
      await using room = await openImages();
      await assert.rejects(room.images.load(chunks(await ociLayout([[layer, layer, type]]))), sentence);
      assert.deepEqual(leftovers(room), []);
    });
  }

  test("with blobs of another digest than sha256 is refused, whatever they are", async () => {
    const digest = `sha512:${createHash("sha512").update(layer).digest("hex")}`;
    const good = await ociLayout([[layer, layer, tarType]]);
    for (const [what, change] of [
      [
        "a layer",
        (files: Record<string, string | Uint8Array>) => {
          const [path, manifest] = Object.entries(files).find(([, bytes]) => String(bytes).includes('"layers"'))!;
          const changed = String(manifest).replace(digestOf(layer), digest);
          delete files[path];
          files[blob(changed)] = changed;
          files[`blobs/sha512/${digest.slice(7)}`] = layer;
          const index = JSON.parse(String(files["index.json"]));
          index.manifests[0] = { ...index.manifests[0], digest: digestOf(changed), size: changed.length };
          files["index.json"] = JSON.stringify(index);
        },
      ],
      [
        "a manifest",
        (files: Record<string, string | Uint8Array>) => {
          const index = JSON.parse(String(files["index.json"]));
          index.manifests[0] = { ...index.manifests[0], digest };
          files["index.json"] = JSON.stringify(index);
        },
      ],
    ] as const) {
      await using room = await openImages();
      const bytes = await ociLayout([[layer, layer, tarType]], change);
      await assert.rejects(room.images.load(chunks(bytes)), /must be a sha256 digest/, what);
      assert.deepEqual(leftovers(room), [], what);
      await room.images.load(chunks(good));
    }
  });

  test("whose manifest is an index as well is refused", async () => {
    await using room = await openImages();
    const bytes = await ociLayout([[layer, layer, tarType]], (files) => {
      const index = JSON.parse(String(files["index.json"]));
      files["index.json"] = JSON.stringify({ ...index, layers: [], config: index.manifests[0] });
    });
    await assert.rejects(room.images.load(chunks(bytes)), /both an index and a manifest/);
  });
});

describe("an archive that is compressed", () => {
  test("has documents and layers as they were, also those that are longer than what is inflated at a time", async () => {
    const long = Array.from({ length: 20_000 }, (_, n) => createHash("sha256").update(`${n}`).digest("hex")).join("");
    const big = await tarOf({ a: long, b: long });
    const config = { Labels: { long } };
    const made = await dockerArchive([{ layers: [big, layer], tags: ["long:1"], config }]);
    for (const bytes of [made, gzipSync(made), zstdCompressSync(made)]) {
      await using room = await openImages();
      await room.images.load(chunks(bytes, 100_000));
      const image = room.images.get("long:1");
      assert.deepEqual(image.layers, [digestOf(big), digestOf(layer)]);
      assert.equal(image.id, digestOf(configOf({ layers: [big, layer], config })));
    }
  });
});

describe("a layer", () => {
  test("is what came, though each piece is only lent until the next is asked for", async () => {
    const noise = Buffer.concat(Array.from({ length: 20_000 }, (_, n) => createHash("sha256").update(`${n}`).digest()));
    const tar = await tarOf({ a: noise, b: "x".repeat(1_000_000), c: "hello" });
    for (const bytes of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
      for (const first of [1, 7, 300_000]) {
        await using room = await openImages();
        const lent = async function* () {
          let at = 0;
          for (const size of [first, first, ...Array.from({ length: 10 }, () => 300_000)]) {
            const piece = new Uint8Array(bytes.subarray(at, at + size));
            at += size;
            yield piece;
            piece.fill(0);
          }
        };
        await using staged = await room.images.layers.stage(lent());
        assert.deepEqual([staged.diffId, staged.blob.digest], [digestOf(tar), digestOf(bytes)]);
        assert.ok(readFileSync(join(staged.pending.temporary, "tar")).equals(tar));
      }
    }
  });
});

describe("what an archive may ask for", () => {
  test("a bomb is refused at its limit, in little memory", async () => {
    await using room = await openImages();
    const size = 2 ** 40;
    const header = encodeHeader(fileHeader("zero", size));
    const piece = Buffer.alloc(1 << 20);
    const zeroes = async function* () {
      yield* header;
      for (;;) yield piece;
    };
    const before = process.memoryUsage.rss();
    await assert.rejects(
      room.images.layers.stage(zeroes(), { limit: 256 * 1024 * 1024 }),
      /more than 268435456 bytes, unpacked/,
    );
    assert.ok(process.memoryUsage.rss() - before < 150 * 1024 * 1024);
    assert.deepEqual(leftovers(room), []);
  });

  test("documents beyond their size are not kept, and missed only if they are needed", async () => {
    await using room = await openImages();
    const config = configOf({ layers: [layer] });
    const manifest = JSON.stringify([{ Config: "c.json", RepoTags: ["big:1"], Layers: ["layer.tar"] }]);
    const files = { "sbom.json": " ".repeat(5_000_000), "c.json": config, "layer.tar": layer };
    await room.images.load(chunks(await tarOf({ ...files, "manifest.json": manifest })));
    assert.equal(room.images.get("big:1").layers.length, 1);
    const huge = chunks(await tarOf({ ...files, "manifest.json": manifest.padEnd(5_000_000) }));
    await assert.rejects(room.images.load(huge), /manifest\.json has more than 4194304 bytes/);
  });

  test("no more members than anybody needs", async () => {
    await using room = await openImages();
    const named = async function* () {
      for (let number = 0; ; number++) yield encodeHeader(fileHeader(`m${number}`, 0))[0]!;
    };
    await assert.rejects(room.images.load(named()), /more members/);
  });

  test("an image of more than 128 layers is refused", async () => {
    await using room = await openImages();
    const bytes = await dockerArchive([{ layers: Array.from({ length: 129 }, () => layer), tags: ["tall:1"] }]);
    await assert.rejects(room.images.load(chunks(bytes)), /max depth exceeded/);
  });
});
