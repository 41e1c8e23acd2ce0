import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { PierError } from "../../base/errors.ts";
import type { TarEntry } from "./entry.ts";
import { checksums } from "./numbers.ts";
import { TarParser } from "./parser.ts";
import { encodePax } from "./pax.ts";
import { readTar } from "./read.ts";
import { encodeHeader, type TarHeader } from "./write.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const textOf = (value: Uint8Array): string => Buffer.from(value).toString("latin1");

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

const block = (header: Partial<TarHeader> = {}, change: (block: Uint8Array) => void = () => {}): Uint8Array => {
  const [only] = encodeHeader({ ...plain, ...header }).slice(-1);
  change(only!);
  return sealed(only!);
};

const sealed = (header: Uint8Array): Uint8Array => {
  header.set(bytes(`${checksums(header).unsigned.toString(8).padStart(6, "0")}\0 `), 148);
  return header;
};

const put = (at: number, text: string) => (header: Uint8Array) => header.set(bytes(text), at);
const putType = (typeflag: string) => put(156, typeflag);

const body = (content: Uint8Array): Uint8Array => {
  const padded = new Uint8Array(Math.ceil(content.length / 512) * 512);
  padded.set(content);
  return padded;
};

const special = (typeflag: string, content: Uint8Array): Uint8Array =>
  Buffer.concat([block({ path: bytes("special"), size: content.length }, putType(typeflag)), body(content)]);

const pax = (records: Record<string, string>, typeflag = "x"): Uint8Array =>
  special(typeflag, encodePax(Object.entries(records).map(([key, value]) => [key, bytes(value)])));

const END = new Uint8Array(1024);

const parse = (...parts: Uint8Array[]): TarEntry[] => {
  const entries: TarEntry[] = [];
  const parser = new TarParser({ entry: (entry) => entries.push(entry) });
  parser.push(Buffer.concat(parts));
  parser.end();
  return entries;
};

const one = (...parts: Uint8Array[]): TarEntry => {
  const entries = parse(...parts, END);
  assert.equal(entries.length, 1);
  return entries[0]!;
};

const refuses = (message: RegExp, ...parts: Uint8Array[]): void => {
  assert.throws(
    () => parse(...parts),
    (error) => error instanceof PierError && message.test(error.message),
  );
};

async function* inPieces(tar: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < tar.length; at += size) yield tar.subarray(at, at + size);
}

const readAll = async (source: AsyncIterable<Uint8Array>): Promise<[TarEntry, Buffer][]> => {
  const all: [TarEntry, Buffer][] = [];
  for await (const { entry, content } of readTar(source)) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    all.push([entry, Buffer.concat(chunks)]);
  }
  return all;
};

describe("header blocks", () => {
  it("give their fields", () => {
    const entry = one(block({ path: bytes("a/b"), mode: 0o4755, uid: 7, gid: 8, size: 5 }), body(bytes("hello")));
    assert.equal(textOf(entry.path), "a/b");
    assert.deepEqual([entry.mode, entry.uid, entry.gid, entry.size], [0o4755, 7, 8, 5]);
    assert.deepEqual(entry.extents, [{ logical: 0, offset: 512, length: 5 }]);
  });

  it("join ustar's prefix, star's shorter one, and old Go's under GNU's magic, but no time of GNU's", () => {
    assert.equal(textOf(one(block({}, put(345, "pre/fix"))).path), "pre/fix/f");
    const star = (header: Uint8Array) => {
      put(345, "p".repeat(131))(header);
      put(476, "00000000001 ")(header);
      put(508, "tar\0")(header);
    };
    assert.equal(textOf(one(block({}, star)).path), `${"p".repeat(131)}/f`);
    const gnu = (prefix: string) => (header: Uint8Array) => {
      put(257, "ustar  \0")(header);
      put(345, prefix)(header);
    };
    assert.equal(textOf(one(block({}, gnu("some/where"))).path), "some/where/f");
    assert.equal(textOf(one(block({}, gnu("14737427742\0"))).path), "f");
  });

  it("of version 7 have neither prefix nor devices, and directories end in a slash", () => {
    const old = (header: Uint8Array) => header.fill(0, 257);
    const oldDirectory = (header: Uint8Array) => {
      old(header);
      putType("\0")(header);
    };
    assert.equal(one(block({}, old)).type, "file");
    assert.equal(one(block({ path: bytes("d/") }, oldDirectory)).type, "directory");
    assert.equal(one(block({ path: bytes("d/") })).type, "file");
  });

  it("take base-256 numbers of both signs", () => {
    const base256 = (at: number, length: number, value: bigint) => (header: Uint8Array) => {
      for (let index = 0; index < length; index++) {
        header[at + length - 1 - index] = Number(BigInt.asUintN(8, value >> BigInt(8 * index)));
      }
      header[at]! |= 0x80;
    };
    assert.equal(one(block({}, base256(108, 8, 3_000_000_000n))).uid, 3_000_000_000);
    assert.equal(one(block({}, base256(108, 8, -2n))).uid, -2);
    assert.equal(one(block({}, base256(136, 12, -(2n ** 40n)))).mtime.seconds, -(2n ** 40n));
    refuses(/negative/, block({}, base256(124, 12, -512n)));
    refuses(/the field size is no number/, block({}, base256(124, 12, 2n ** 63n - 1n)));
  });

  it("take numbers with spaces around them and empty ones", () => {
    assert.equal(one(block({}, put(108, "  0017 \0"))).uid, 15);
    assert.equal(one(block({}, put(108, "\0".repeat(8)))).uid, 0);
    refuses(/the field uid is no number/, block({}, put(108, "12x4567\0")));
  });

  it("may have the signed checksum of old Sun tars", () => {
    const header = block({ path: bytes("caf\xe9") });
    header.set(bytes(`${checksums(header).signed.toString(8).padStart(6, "0")}\0 `), 148);
    assert.equal(textOf(one(header).path), "caf\xe9");
  });

  it("are refused when the checksum is wrong or the type unknown", () => {
    const header = block();
    header[0] = 0x67;
    refuses(/checksum is wrong \(at byte 512\)/, block(), header);
    refuses(/unhandled tar header type 86/, block({}, putType("V")));
  });

  it("of links, directories and devices have no content, whatever their size says", () => {
    const entries = parse(block({ path: bytes("d"), size: 9999 }, putType("5")), block({ path: bytes("f2") }), END);
    assert.deepEqual(
      entries.map(({ size, type }) => [type, size]),
      [
        ["directory", 0],
        ["file", 0],
      ],
    );
  });
});

describe("PAX headers", () => {
  it("override the header's fields", () => {
    const entry = one(
      pax({ path: "a/\xfflong", linkpath: "t", uid: "4000000000", gid: "-2", mtime: "-1.5", size: "3", comment: "x" }),
      block({ uid: 1 }),
      body(bytes("abc")),
    );
    assert.equal(textOf(entry.path), "a/\xfflong");
    assert.deepEqual([entry.uid, entry.gid, entry.size], [4_000_000_000, -2, 3]);
    assert.deepEqual(entry.mtime, { seconds: -2n, nanoseconds: 500_000_000 });
  });

  it("carry extended attributes as raw bytes, and libarchive's where those are missing", () => {
    const value = "\x00\xff=\n";
    const entry = one(
      pax({
        "SCHILY.xattr.user.raw": value,
        "SCHILY.xattr.user.empty": "",
        "LIBARCHIVE.xattr.user.raw": "QUJD",
        "LIBARCHIVE.xattr.user.an%3Dother": "QUJD",
      }),
      block(),
    );
    const found = [...entry.xattrs].map(([name, raw]) => `${name} ${textOf(raw)}`);
    assert.deepEqual(found.sort(), ["user.an=other ABC", "user.empty ", `user.raw ${value}`]);
  });

  it("that are global hold for all entries that follow, until they are replaced or taken back", () => {
    const entries = parse(
      pax({ uid: "5", gid: "6" }, "g"),
      block(),
      pax({ uid: "7" }),
      block(),
      pax({ uid: "" }),
      block({ uid: 9 }),
      pax({ uid: "8", gid: "" }, "g"),
      block(),
      END,
    );
    assert.deepEqual(
      entries.map(({ uid, gid }) => [uid, gid]),
      [
        [5, 6],
        [7, 6],
        [9, 6],
        [8, 0],
      ],
    );
  });

  it("are refused when they are malformed", () => {
    for (const broken of ["5 a=b\n", "x a=b\n", "6 a=b", "99 a=b\n", "4 ab\n", "6 =ab\n", "0 a=b\n", " 6 a=b\n"]) {
      refuses(/PAX records are malformed/, special("x", bytes(broken)), block(), END);
    }
    refuses(/size is no number/, pax({ size: "-1" }), block(), END);
    refuses(/mtime is no time/, pax({ mtime: "1e9" }), block(), END);
    refuses(/NUL/, pax({ path: "a\0b" }), block(), END);
    refuses(/without its entry/, pax({ path: "a" }), END);
    refuses(/unexpected EOF/, pax({ path: "a" }));
  });

  it("are refused beyond a megabyte before they are read", () => {
    refuses(/more bytes of headers/, block({ size: 2 ** 30 }, putType("x")));
    const many = Array.from({ length: 20 }, (_, index) => pax({ [`comment${index}`]: "x".repeat(100_000) }, "g"));
    refuses(/more bytes of global headers/, ...many);
  });
});

describe("GNU headers", () => {
  it("carry long names and targets", () => {
    const long = "n".repeat(300);
    const entry = one(special("L", bytes(`${long}\0`)), special("K", bytes(`${long}/t\0`)), block({ type: "symlink" }));
    assert.equal(textOf(entry.path), long);
    assert.equal(textOf(entry.link), `${long}/t`);
    refuses(/a file name too long/, special("L", bytes("n".repeat(5000))), block(), END);
  });

  it("carry sparse maps of the old format, with extension blocks", () => {
    const number = (value: number) => `${value.toString(8).padStart(11, "0")}\0`;
    const first = (header: Uint8Array) => {
      put(257, "ustar  \0")(header);
      putType("S")(header);
      put(345, "\0".repeat(24))(header);
      for (let index = 0; index < 4; index++) put(386 + index * 24, number(index * 1024) + number(512))(header);
      header[482] = 1;
      put(483, number(10_000))(header);
    };
    const more = new Uint8Array(512);
    put(0, number(8192) + number(100))(more);
    const entry = one(block({ size: 2148 }, first), more, new Uint8Array(2560));
    assert.equal(entry.size, 10_000);
    assert.deepEqual(entry.extents.at(-1), { logical: 8192, offset: 1024 + 2048, length: 100 });
    assert.equal(entry.extents.length, 5);
  });

  it("are refused when a sparse map does not fit the file", () => {
    const records = { "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "1000" };
    for (const map of ["0,600,500,10", "900,200", "0,10", "0,x", "0", "0,512,-5,3"]) {
      refuses(
        /sparse map/,
        pax({ ...records, "GNU.sparse.map": map }),
        block({ size: 610 }),
        new Uint8Array(1024),
        END,
      );
    }
    const blocks = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000" };
    for (const map of ["x\n", "2\n0\n512\n", "999999999\n1\n1\n", "1".repeat(512)]) {
      refuses(/sparse map/, pax(blocks), block({ size: 512 }), body(bytes(map)), END);
    }
  });
});

describe("the end of an archive", () => {
  it("is two zero blocks, or the end of the stream between two entries", () => {
    assert.equal(parse(block()).length, 1);
    assert.equal(parse(block(), new Uint8Array(512)).length, 1);
    assert.equal(parse().length, 0);
    assert.equal(parse(block(), END, bytes("rubbish of any length")).length, 1);
  });

  it("is refused in a header, in content, in padding, and after one zero block", () => {
    const whole = Buffer.concat([block({ size: 700 }), new Uint8Array(1024)]);
    for (const length of [1, 511, 513, 1211, 1212, 1535]) refuses(/unexpected EOF/, whole.subarray(0, length));
    assert.equal(parse(whole).length, 1);
    refuses(/single zero block/, block(), new Uint8Array(512), block());
  });
});

describe("readTar", () => {
  const archive = Buffer.concat([block({ size: 700 }), body(Buffer.alloc(700, 7)), block({ path: bytes("g") }), END]);

  it("gives the same for chunks of any size", async () => {
    for (const size of [1, 7, 511, 512, 513, 4096]) {
      const all = await readAll(inPieces(archive, size));
      assert.deepEqual(
        all.map(([{ path }, content]) => [textOf(path), content.length]),
        [
          ["f", 700],
          ["g", 0],
        ],
      );
      assert.ok(all[0]![1].every((byte) => byte === 7));
    }
  });

  it("skips content that nobody read, whole or in part", async () => {
    const names: string[] = [];
    for await (const { entry, content } of readTar(inPieces(archive, 100))) {
      names.push(textOf(entry.path));
      for await (const _ of content) break;
    }
    assert.deepEqual(names, ["f", "g"]);
  });

  it("fills holes with zeroes", async () => {
    const records = { "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "3000" };
    const tar = [
      pax({ ...records, "GNU.sparse.map": "1024,512,2048,5" }),
      block({ size: 517 }),
      Buffer.alloc(1024, 9),
      END,
    ];
    const [[, content]] = (await readAll(inPieces(Buffer.concat(tar), 333))) as [[TarEntry, Buffer]];
    const wanted = Buffer.alloc(3000);
    wanted.fill(9, 1024, 1536).fill(9, 2048, 2053);
    assert.ok(content.equals(wanted));
  });

  it("reads its source to the end and closes it", async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield archive;
        yield Buffer.alloc(10);
        throw new Error("the checksum at the end");
      } finally {
        closed = true;
      }
    }
    await assert.rejects(readAll(source()), /the checksum at the end/);
    assert.ok(closed);
  });
});

describe("hostile headers", () => {
  it("are refused with a sentence or read, and never hang", () => {
    const valid = Buffer.concat([
      pax({ path: "x", "SCHILY.xattr.user.a": "b" }),
      special("L", bytes("long")),
      block(),
      END,
    ]);
    const change = fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.boolean(), (changes, reseal) => {
        const mutated = Buffer.from(valid);
        for (const [at, value] of changes) mutated[at] = value;
        if (reseal) for (let at = 0; at < mutated.length - 1024; at += 512) sealed(mutated.subarray(at, at + 512));
        try {
          parse(mutated);
        } catch (error) {
          assert.ok(error instanceof PierError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

const hasGnuTar = /GNU tar/.test(spawnSync("tar", ["--version"], { encoding: "utf8" }).stdout ?? "");

describe("archives by GNU tar", { skip: hasGnuTar ? false : "there is no GNU tar" }, () => {
  let directory: string;
  const content = Buffer.alloc(20_000);
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-tar-"));
    content.fill("data", 4096, 8192).fill("more", 12_288, 20_000);
    writeFileSync(join(directory, "sparse"), "");
    execFileSync("dd", ["of=sparse", "bs=4096", "seek=1", "status=none"], {
      cwd: directory,
      input: content.subarray(4096, 8192),
    });
    execFileSync("dd", ["of=sparse", "bs=4096", "seek=3", "conv=notrunc", "status=none"], {
      cwd: directory,
      input: content.subarray(12288),
    });
    truncateSync(join(directory, "sparse"), content.length);
    writeFileSync(join(directory, "l".repeat(200)), "long");
    symlinkSync("t".repeat(200), join(directory, "link"));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const options of [
    ["--format=gnu"],
    ["--format=posix", "--sparse-version=0.0"],
    ["--format=posix", "--sparse-version=0.1"],
    ["--format=posix", "--sparse-version=1.0"],
  ]) {
    it(`are read whole with ${options.join(" ")}`, async () => {
      const names = ["sparse", "l".repeat(200), "link"];
      const tar = execFileSync("tar", ["--create", "--sparse", "--file=-", ...options, ...names], { cwd: directory });
      const all = new Map(
        (await readAll(inPieces(tar, 1000))).map(([entry, data]) => [textOf(entry.path), { entry, data }]),
      );
      const sparse = all.get("sparse")!;
      assert.ok(sparse.data.equals(content));
      assert.ok(sparse.entry.extents.every(({ offset }) => offset % 512 === 0));
      assert.equal(all.get("l".repeat(200))!.data.toString(), "long");
      assert.equal(textOf(all.get("link")!.entry.link), "t".repeat(200));
    });
  }
});
