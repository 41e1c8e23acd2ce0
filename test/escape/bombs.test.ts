/** Archives that are small and would be large: each ends in little memory, with a sentence, and nothing left. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { constants, createGzip, gzipSync, zstdCompressSync } from "node:zlib";
import { encodeHeader } from "../../src/format/tar/write.ts";
import { said } from "../docker/containers.ts";
import { cannotRun } from "../engine.ts";
import { fileHeader } from "../image/rooms.ts";
import { type ImageFile, imageOf, probeLayer, tarOf } from "../probe/image.ts";
import { peakMemory, Stage } from "./stage.ts";

/** What the daemon may have at its largest, in kilobytes: itself, and what its collector has not come to yet. */
const mostMemory = 256 * 1024;
const mebibyte = 2 ** 20;

const config = JSON.stringify({
  architecture: "amd64",
  os: "linux",
  rootfs: { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] },
});

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

describe("bombs", { skip: cannotRun() }, () => {
  let stage: Stage;
  let files: readonly string[];
  before(async () => {
    stage = await Stage.open();
    files = stored();
  });
  after(() => stage[Symbol.asyncDispose]());

  const stored = (): readonly string[] =>
    ["layers", "blobs/sha256"].flatMap((name) => readdirSync(join(stage.engine.root, name)));

  /** What the daemon answers to an archive that comes in pieces; "" when it hangs up. */
  const load = (chunks: Chunks): Promise<string> =>
    new Promise((resolve) => {
      const headers = { "content-type": "application/x-tar" };
      const options = { socketPath: stage.engine.socket, method: "POST", path: "/images/load?quiet=1", headers };
      let text = "";
      const post = request(options, (response) => {
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("close", () => resolve(text));
      });
      post.on("error", () => resolve(text));
      void send(chunks, post);
    });

  /** It is refused, in little memory; what was written of it is gone. */
  const refuses = async (what: RegExp, chunks: Chunks): Promise<void> => {
    // The peak is forgotten (proc_pid_clear_refs(5)).
    writeFileSync(`/proc/${stage.engine.pid}/clear_refs`, "5");
    const answer = await load(chunks);
    assert.match(answer, what);
    const peak = peakMemory(stage.engine.pid);
    assert.ok(peak < mostMemory, `${peak} kB`);
    assert.deepEqual(stored(), files);
    assert.equal(await said(stage.engine, "images", "--quiet", "bomb"), "");
  };

  /** A layer of these entries, as it streams past in the archive: its size must be known beforehand. */
  const archiveWith = async function* (layer: Uint8Array): AsyncGenerator<Uint8Array> {
    yield await tarOf([
      { path: "layer.tar", content: layer },
      { path: "c.json", content: config },
      {
        path: "manifest.json",
        content: JSON.stringify([{ Config: "c.json", RepoTags: ["bomb:1"], Layers: ["layer.tar"] }]),
      },
    ]);
  };

  test("a zstd stream cannot have a window of gigabytes", async () => {
    const header = (window: number) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, window, 0x01, 0x00, 0x00]);
    // 2^(10 + exponent), the exponent in the upper five bits: 256 MiB, 1 GiB, 2 GiB and the format's largest.
    for (const exponent of [18, 20, 21, 31]) {
      const stream = Buffer.concat([header(exponent << 3), Buffer.alloc(600)]);
      await refuses(/zstd|window|invalid|frame/i, archiveWith(stream));
      await refuses(/zstd|window|invalid|frame/i, [stream]);
    }
    // What every zstd writes, at its highest level, is well within.
    const levels = { params: { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_windowLog]: 27 } };
    const archive = zstdCompressSync(await imageOf({ name: "fine:latest" }), levels);
    assert.match(await load([archive]), /Loaded image: fine:latest/);
    await said(stage.engine, "rmi", "fine");
  });

  test("a size is believed only as far as there are bytes", async () => {
    for (const size of [2 ** 33, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      const header = Buffer.concat(encodeHeader(fileHeader("huge", size)));
      await refuses(/"(error|message)":"[^"]{8,}/, archiveWith(Buffer.concat([header, Buffer.alloc(mebibyte)])));
      await refuses(/"(error|message)":"[^"]{8,}/, [header, Buffer.alloc(mebibyte)]);
    }
    // Eight exbibytes, negative and sparse sizes: the archives layer-8EiB-declared, layer-negative-size, sparse-* and
    // gnu-sparse of the fixtures (images.test.ts).
  });

  test("names of a mebibyte each are too much, soon", async () => {
    const named = function* (count: number): Generator<Uint8Array> {
      for (let index = 0; index < count; index++)
        yield* encodeHeader(
          fileHeader(`${index}${"/n".repeat(1000)}${"x".repeat(250)}/`.repeat(400).slice(0, 900_000), 0),
        );
      yield Buffer.alloc(1024);
    };
    await refuses(/name|path|long|limit|levels/i, archiveWith(Buffer.concat([...named(20)])));
    await refuses(/name|path|long|limit|levels/i, named(200));
  });

  test("a path of four thousand levels, and a thousand links in a row, are too deep", async () => {
    const deep = await tarOf([{ path: "d/".repeat(4096), type: "directory" }]);
    await refuses(/levels|deep|depth|long/i, archiveWith(deep));
    const links = Array.from(
      { length: 1000 },
      (_, index): ImageFile => ({ path: `l${index}`, type: "symlink", link: `l${index + 1}` }),
    );
    await refuses(/links|level/i, archiveWith(await tarOf([...links, { path: "l0/x", content: "" }])));
  });

  test("an inode has no more attributes than the kernel would read", async () => {
    const xattrs = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`user.a${index}`, Buffer.alloc(16_000, 120)]),
    );
    await refuses(/attribute/, archiveWith(await tarOf([{ path: "f", content: "", xattrs }])));
  });

  test("five hundred layers are too many", async () => {
    const layers = Array.from({ length: 500 }, (_, index) => [{ path: `f${index}`, content: String(index) }]);
    await refuses(/max depth exceeded/, [await imageOf({ name: "bomb:1", layers: [probeLayer(), ...layers] })]);
  });

  test("an archive in an archive in an archive is opened once", async () => {
    let bytes: Uint8Array = await imageOf({ name: "bomb:1" });
    for (let turn = 0; turn < 50; turn++) bytes = gzipSync(bytes);
    await refuses(/"(error|message)":"[^"]{8,}/, [bytes]);
  });

  test("gzip of 1000:1 costs no memory, in a layer and around the archive", async () => {
    const zeroes = Buffer.alloc(mebibyte);
    const size = 768 * mebibyte;
    const header = Buffer.concat(encodeHeader(fileHeader("zero", size)));
    const bomb = gzipped(function* () {
      yield header;
      for (let left = size; left > 0; left -= mebibyte) yield zeroes;
      // No end: refused when all of it has been read.
      yield Buffer.alloc(100, 1);
    });
    const packed = await bomb;
    assert.ok(packed.length < size / 900);
    await refuses(/"(error|message)":"[^"]*(tar|archive)/, archiveWith(packed));
    await refuses(/"(error|message)":"[^"]*(tar|archive)/, [packed]);
  });
});

const send = async (chunks: Chunks, post: ReturnType<typeof request>): Promise<void> => {
  for await (const chunk of chunks) {
    if (post.destroyed) return;
    if (!post.write(chunk))
      await new Promise<void>((resolve) => post.once("drain", resolve).once("close", () => resolve()));
  }
  post.end();
};

const gzipped = async (chunks: () => Iterable<Uint8Array>): Promise<Buffer> => {
  const gzip = createGzip({ level: 9 });
  const packed: Buffer[] = [];
  gzip.on("data", (chunk: Buffer) => packed.push(chunk));
  const over = new Promise((resolve) => gzip.once("end", resolve));
  for (const chunk of chunks()) if (!gzip.write(chunk)) await new Promise((resolve) => gzip.once("drain", resolve));
  gzip.end();
  await over;
  return Buffer.concat(packed);
};
