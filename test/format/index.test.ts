import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PierError } from "../../src/base/errors.ts";
import { type DiffId, digestFromHex } from "../../src/base/ids.ts";
import { IndexBuilder } from "../../src/format/erofs/builder.ts";
import { INODES_OFFSET, SUPER_OFFSET, TAR_MAXIMUM } from "../../src/format/erofs/format.ts";
import { IndexReader } from "../../src/format/erofs/reader.ts";
import { type TarHeader, type TarOutput, writeTar } from "../../src/format/tar/write.ts";
import { randomOutputs } from "./archives.ts";
import { collectBytes, hashOf, indexLayer, mergeLayers } from "./layers.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

const header = (path: string, type: TarHeader["type"], changes: Partial<TarHeader> = {}): TarHeader => ({
  path: bytes(path),
  type,
  mode: 493,
  uid: 0,
  gid: 0,
  size: 0,
  link: new Uint8Array(),
  major: 0,
  minor: 0,
  mtime: {
    seconds: 1n,
    nanoseconds: 0,
  },
  xattrs: new Map(),
  ...changes,
});

const tarOf = (...outputs: TarOutput[]): Promise<Uint8Array> => collectBytes(writeTar(outputs));
const diffId = digestFromHex("ab".repeat(32)) as DiffId;

const expected = (outputs: readonly TarOutput[]): Map<string, object> =>
  new Map(
    outputs.map(({ header: { path, type, mode, uid, gid, mtime, link, major, minor, xattrs }, content }) => {
      const data = Buffer.concat([...((content ?? []) as Iterable<Uint8Array>)]);
      const hasUserXattrs = type === "file" || type === "directory";
      const kept = [...xattrs].filter(([name]) => hasUserXattrs || !name.startsWith("user."));
      const wanted = {
        type:
          {
            directory: "dir",
            character: "char",
          }[type as string] ?? type,
        mode: mode.toString(8).padStart(4, "0"),
        uid,
        gid,
        mtime: `${mtime.seconds}.${mtime.nanoseconds}`,
        ...(type === "file"
          ? {
              size: data.length,
              sha256: hashOf(data),
            }
          : {}),
        ...(type === "symlink" ? { target: Buffer.from(link).toString("latin1") } : {}),
        ...(type === "character" || type === "block" ? { rdev: `${major}:${minor}` } : {}),
        xattrs: Object.fromEntries(kept.map(([name, value]) => [name, Buffer.from(value).toString("hex")])),
      };
      return [`/${Buffer.from(path).toString("latin1")}`, wanted];
    }),
  );

describe("an index", () => {
  it("gives back every entry of its layer", async () => {
    await fc.assert(
      fc.asyncProperty(randomOutputs, async (outputs) => {
        const tree = mergeLayers([indexLayer(await tarOf(...outputs))]);
        for (const [path, wanted] of expected(outputs)) {
          const { group: _, ...found } = tree.get(path)!;
          assert.deepEqual(found, wanted);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("finds every name by lookup that it lists, and no other", async () => {
    const names = Array.from({ length: 700 }, (_, index) => `${(index * 7919) % 700}${"x".repeat(index % 60)}`);
    const odd = ["!", "-", "...", "..a", ".a", "\xff", "\x01", "n".repeat(255)];
    const tar = await tarOf(...[...names, ...odd].map((name) => ({ header: header(`d/${name}`, "fifo") })));
    const reader = new IndexReader(indexLayer(tar).index);
    const directory = reader.lookup(reader.root, "d")!;
    const listed = reader.readdir(directory);
    assert.deepEqual(
      listed.map(({ name }) => name),
      [...names, ...odd].sort(),
    );
    for (const { name, nid } of listed) assert.equal(reader.lookup(directory, name), nid);
    for (const name of ["", "absent", "n".repeat(254), "\xff\xff", " "])
      assert.equal(reader.lookup(directory, name), undefined);
    assert.equal(reader.lookup(directory, ".."), reader.root);
  });

  it("is the same for the same layer, whole pages long, and zero where nothing is said", async () => {
    const tar = await tarOf({ header: header("a", "file", { size: 3 }), content: [bytes("abc")] });
    const { index } = indexLayer(tar);
    assert.deepEqual(indexLayer(tar).index, index);
    assert.equal(index.length, 4096);
    // Root (64 bytes and 37 of names), then the file (64 bytes and one chunk).
    const file = Math.ceil((INODES_OFFSET + 64 + 3 * 12 + 4) / 32) * 32;
    assert.ok(index.subarray(0, SUPER_OFFSET).every((byte) => byte === 0));
    assert.ok(index.subarray(SUPER_OFFSET + 256, INODES_OFFSET).every((byte) => byte === 0));
    assert.ok(index.subarray(INODES_OFFSET + 64 + 3 * 12 + 4, file).every((byte) => byte === 0));
    assert.ok(index.subarray(file + 64 + 8).every((byte) => byte === 0));
    const other = Buffer.concat([...new IndexBuilder().finish({ diffId, tarSize: 1024 })]);
    assert.notDeepEqual(other, indexLayer(new Uint8Array(1024)).index);
  });

  it("has not changed its form since its version was given", async () => {
    const content = [bytes("hello")];
    const tar = await tarOf(
      { header: header("d/", "directory", { xattrs: new Map([["user.a", bytes("1")]]) }) },
      { header: header("d/.wh..wh..opq", "file") },
      { header: header("d/f", "file", { size: 5, uid: 70_000, mtime: { seconds: -5n, nanoseconds: 7 } }), content },
      { header: header("d/h", "hardlink", { link: bytes("d/f") }) },
      { header: header("s", "symlink", { link: bytes("t".repeat(600)) }) },
      { header: header("n", "character", { major: 259, minor: 300 }) },
      { header: header(".wh.gone", "file") },
    );
    // When this fails and the change is meant, raise WRITER_VERSION and describe it in docs/formats/erofs-index.md.
    assert.equal(hashOf(indexLayer(tar).index), "b9e601382006cac8574a6339f6fbe96d7c252792051400bb2026ca2fddbcaa11");
  });

  it("tells whiteouts, opaque directories, links and devices", async () => {
    const tar = await tarOf(
      { header: header("d/.wh..wh..opq", "file") },
      { header: header("d/.wh.useless", "file") },
      { header: header(".wh.gone", "file") },
      { header: header("f", "file", { size: 1 }), content: [bytes("x")] },
      { header: header("h", "hardlink", { link: bytes("f") }) },
      { header: header("n", "block", { major: 259, minor: 0xfffff }) },
    );
    const reader = new IndexReader(indexLayer(tar).index);
    const at = (name: string) => reader.inode(reader.lookup(reader.root, name)!);
    assert.equal(at("gone").type, "whiteout");
    assert.equal(at("d").opaque, true);
    assert.equal(at("d").xattrs.size, 0);
    assert.deepEqual(reader.readdir(at("d").nid), []);
    assert.equal(at("f").nid, at("h").nid);
    assert.equal(at("f").nlink, 2);
    assert.deepEqual([at("n").major, at("n").minor], [259, 0xfffff]);
    assert.equal(reader.inode(reader.root).nlink, 3);
  });

  it("is refused over a tar that is too big or too short", async () => {
    assert.throws(() => new IndexBuilder().finish({ diffId, tarSize: TAR_MAXIMUM + 1 }), /the limit is 2199023255040/);
    const builder = new IndexBuilder();
    const extents = [{ logical: 0, offset: 512, length: 5 }];
    builder.add({ ...header("f", "file", { size: 5 }), extents });
    assert.throws(() => builder.finish({ diffId, tarSize: 516 }), /unexpected EOF/);
    assert.ok(builder.finish({ diffId, tarSize: 517 }));
  });

  it("that is damaged gives errors, never a hang", async () => {
    const outputs = fc.sample(randomOutputs, { numRuns: 1, seed: 3 })[0]!;
    const tar = await tarOf(...outputs);
    const { index } = indexLayer(tar);
    const used = index.length;
    const change = fc.tuple(fc.integer({ min: SUPER_OFFSET, max: used - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), (changes) => {
        const mutated = index.slice();
        for (const [at, value] of changes) mutated[at] = value;
        try {
          const reader = new IndexReader(mutated);
          let left = 2000;
          const visit = (nid: number, depth: number): void => {
            const inode = reader.inode(nid);
            if (inode.type !== "directory" || depth > 6) return;
            for (const { name, nid: child } of reader.readdir(nid)) {
              if (--left < 0) return;
              reader.lookup(nid, name);
              visit(child, depth + 1);
            }
          };
          visit(reader.root, 0);
        } catch (error) {
          assert.ok(error instanceof PierError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("that is none is refused", () => {
    assert.throws(() => new IndexReader(new Uint8Array(10)), /beyond its end/);
    assert.throws(() => new IndexReader(new Uint8Array(4096)), /no EROFS image/);
  });
});
