import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readTar } from "../../src/format/tar/read.ts";
import { encodeHeader, type TarHeader, type TarOutput, writeTar } from "../../src/format/tar/write.ts";
import { randomOutputs } from "./archives.ts";
import { collectBytes } from "./layers.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

const plain: TarHeader = {
  path: bytes("f"),
  type: "file",
  mode: 420,
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
};

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}

const contentOf = (output: TarOutput): Buffer => Buffer.concat([...((output.content ?? []) as Iterable<Uint8Array>)]);

describe("writeTar", () => {
  it("says everything of an entry, so that reading it back gives the same", async () => {
    await fc.assert(
      fc.asyncProperty(randomOutputs, async (outputs) => {
        const tar = await collectBytes(writeTar(outputs));
        assert.deepEqual(await collectBytes(writeTar(outputs)), tar);
        const read: unknown[] = [];
        for await (const { entry, content } of readTar(once(tar))) {
          const { extents: _, ...header } = entry;
          read.push({ header: plainly(header), content: Buffer.from(await collectBytes(content)) });
        }
        const written = outputs.map((output) => ({ header: plainly(output.header), content: contentOf(output) }));
        assert.deepEqual(read, written);
      }),
      { numRuns: 30 },
    );
  });

  it("uses plain ustar wherever that can say everything", () => {
    assert.equal(encodeHeader(plain).length, 1);
    assert.equal(encodeHeader({ ...plain, path: bytes(`${"d".repeat(150)}/${"f".repeat(100)}`) }).length, 1);
    assert.equal(encodeHeader({ ...plain, path: bytes(`${"d".repeat(156)}/f`) }).length, 3);
    assert.equal(encodeHeader({ ...plain, uid: 0o7777777 }).length, 1);
    assert.equal(encodeHeader({ ...plain, uid: 0o10000000 }).length, 3);
    assert.equal(encodeHeader({ ...plain, mtime: { seconds: -1n, nanoseconds: 0 } }).length, 3);
    assert.equal(encodeHeader({ ...plain, path: bytes("é") }).length, 3);
  });

  it("refuses content that is not as long as the header says, and names that no archive can have", async () => {
    const write = (output: TarOutput) => collectBytes(writeTar([output]));
    await assert.rejects(write({ header: { ...plain, size: 3 }, content: [bytes("ab")] }), /shorter/);
    await assert.rejects(write({ header: { ...plain, size: 1 }, content: [bytes("ab")] }), /longer/);
    await assert.rejects(write({ header: { ...plain, path: bytes("a\0b") } }), /NUL/);
    await assert.rejects(write({ header: { ...plain, path: new Uint8Array() } }), /empty/);
    await assert.rejects(write({ header: { ...plain, xattrs: new Map([["user.a=b", bytes("")]]) } }), /no name/);
  });

  it("is understood by GNU tar", async (test) => {
    const long = `${"d/".repeat(120)}${"é".repeat(60)}`;
    const tar = await collectBytes(
      writeTar([
        { header: { ...plain, path: bytes("dir/"), type: "directory", mode: 0o1777 } },
        { header: { ...plain, path: bytes(long), size: 5, uid: 3_000_000_000 }, content: [bytes("hello")] },
        { header: { ...plain, path: bytes("s"), type: "symlink", link: bytes("t".repeat(150)) } },
        { header: { ...plain, path: bytes("n"), type: "character", major: 1, minor: 3 } },
      ]),
    );
    const { error, status, stdout, stderr } = spawnSync("tar", ["-tvf", "-", "--quoting-style=literal"], {
      input: tar,
      encoding: "utf8",
      env: {
        ...process.env,
        TZ: "UTC",
        LC_ALL: "C.UTF-8",
      },
    });
    if (error !== undefined) return test.skip("there is no tar");
    assert.equal(status, 0, stderr);
    const lines = stdout.trim().split("\n");
    assert.match(lines[0]!, /^drwxrwxrwt 0\/0 .* dir\/$/);
    assert.match(lines[1]!, /^-rw-r--r-- 3000000000\/0 +5 1970-01-01 00:00 /);
    assert.ok(lines[1]!.endsWith(long));
    assert.ok(lines[2]!.endsWith(`s -> ${"t".repeat(150)}`));
    assert.match(lines[3]!, /^crw-r--r-- .* 1,3 .* n$/);
  });
});

const plainly = (header: TarHeader): unknown => ({
  ...header,
  path: Buffer.from(header.path).toString("latin1"),
  link: Buffer.from(header.link).toString("latin1"),
  xattrs: [...header.xattrs].map(([name, value]) => `${name} ${Buffer.from(value).toString("hex")}`).sort(),
});
