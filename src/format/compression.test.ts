import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { PierError } from "../base/errors.ts";
import { type Compression, compressionOf, decompress } from "./compression.ts";

const plain = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) % 251));
const gzip = gzipSync(plain);
const zstd = zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const plainOf = async (bytes: Uint8Array, size = 1000): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompress(inPieces(bytes, size))) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const changed = (bytes: Uint8Array, fromEnd: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[copy.length - fromEnd]! ^= 1;
  return copy;
};

describe("decompress", () => {
  it("tells plain, gzip and zstd streams apart by their first bytes, in chunks of any size", async () => {
    for (const [bytes, size] of [
      [plain, 1],
      [gzip, 1],
      [gzip, 70_000],
      [zstd, 1],
      [zstd, 70_000],
    ] as const) {
      assert.ok((await plainOf(bytes, size)).equals(plain));
    }
    assert.equal((await plainOf(Buffer.alloc(0))).length, 0);
    assert.equal((await plainOf(Buffer.from("ab"))).toString(), "ab");
  });

  it("is done with each piece of a compressed source when it asks for the next, and lends its own as long", async () => {
    const random = Buffer.concat(
      Array.from({ length: 100_000 }, (_, index) => createHash("sha256").update(`${index}`).digest()),
    );
    for (const bytes of [gzipSync(random), zstdCompressSync(random)]) {
      for (const size of [1, 100_001, 1_000_000]) {
        // A byte at a time shows what is kept of the head; the rest is too long for that.
        const head = size === 1 ? 10 : 0;
        async function* source(): AsyncGenerator<Uint8Array> {
          for (let at = 0; at < bytes.length; ) {
            const end = at < head ? at + 1 : at + Math.max(size, 1000);
            const lent = new Uint8Array(bytes.subarray(at, end));
            yield lent;
            lent.fill(0);
            at = end;
          }
        }
        const hash = createHash("sha256");
        const lent: Uint8Array[] = [];
        for await (const chunk of decompress(source(), { isLent: true })) {
          hash.update(chunk);
          lent.push(chunk);
        }
        assert.equal(hash.digest("hex"), createHash("sha256").update(random).digest("hex"));
        // Small ones may be parts of what the runtime keeps.
        if (size > 1) assert.ok(lent.filter(({ length }) => length === 0).length > lent.length / 2);
      }
    }
  });

  it("reads streams of several members or frames", async () => {
    const twice = Buffer.concat([plain, plain]);
    assert.ok((await plainOf(Buffer.concat([gzip, gzip]))).equals(twice));
    assert.ok((await plainOf(Buffer.concat([skippable, zstd, skippable, zstd, skippable]))).equals(twice));
  });

  it("refuses streams that end early, wherever that is", async () => {
    for (const bytes of [gzip, zstd]) {
      for (const length of [7, 20, bytes.length >> 1, bytes.length - 9, bytes.length - 5, bytes.length - 1]) {
        await assert.rejects(plainOf(bytes.subarray(0, length)), /unexpected EOF: the (gzip|zstd) stream ends early/);
      }
      await assert.rejects(plainOf(Buffer.concat([bytes, bytes.subarray(0, 15)])), /ends early/);
    }
  });

  it("refuses streams whose checksum or length is wrong, and rubbish behind them", async () => {
    const broken = [changed(gzip, 6), changed(gzip, 2), changed(zstd, 1)];
    for (const bytes of [...broken, Buffer.concat([gzip, Buffer.from("rubbish")]), Buffer.concat([zstd, plain])]) {
      await assert.rejects(plainOf(bytes), /the (gzip|zstd) stream is damaged/);
    }
  });

  it("refuses what it recognises but cannot read", async () => {
    const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4]);
    await assert.rejects(plainOf(xz), /xz compression is not supported/);
    await assert.rejects(plainOf(Buffer.from("BZh91AY&SY")), /bzip2 compression is not supported/);
  });

  it("passes on the source's own error, and closes a source whose consumer stops", async () => {
    const failing = async (bytes: Uint8Array) => {
      async function* source(): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, 100);
        throw new Error("the disk is gone");
      }
      for await (const _ of decompress(source()));
    };
    for (const bytes of [plain, gzip, zstd]) await assert.rejects(failing(bytes), /the disk is gone/);
    let closed = 0;
    for (const bytes of [plain, gzip, zstd]) {
      async function* source(): AsyncGenerator<Uint8Array> {
        try {
          yield* inPieces(bytes, 500);
        } finally {
          closed++;
        }
      }
      for await (const _ of decompress(source())) break;
    }
    assert.equal(closed, 3);
  });

  it("never hangs on mutated streams, and never ends as if all were well when checksums say otherwise", async () => {
    const small = Buffer.from("some text that compresses, some text that compresses");
    const streams = [gzipSync(small), zstdCompressSync(small, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })];
    const change = fc.tuple(fc.nat({ max: 300 }), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...streams),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async (stream, changes) => {
          const mutated = Buffer.from(stream);
          for (const [at, bits] of changes) mutated[at % mutated.length]! ^= bits;
          if (compressionOf(mutated) === "none") return;
          await plainOf(mutated, 7).catch((error: unknown) => assert.ok(error instanceof PierError, String(error)));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("compressionOf", () => {
  it("knows the magic numbers", () => {
    const cases: readonly [Compression, Uint8Array][] = [
      ["gzip", gzip],
      ["zstd", zstd],
      ["zstd", skippable],
      ["bzip2", Buffer.from("BZh9")],
      ["none", Buffer.from([0x1f, 0x8b])],
      ["none", Buffer.alloc(10)],
    ];
    for (const [compression, head] of cases) assert.equal(compressionOf(head), compression);
  });
});
