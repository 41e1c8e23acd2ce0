import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { boolean, bytes, decodeMessage, encodeMessage, integer, list, map, message, text, Writer } from "./protobuf.ts";

const varint = (value: bigint): Uint8Array => {
  const out = new Writer();
  out.bigVarint(value);
  return out.finish();
};

const inner = { name: [1, text] } as const;
const fields = {
  name: [1, text],
  count: [2, integer],
  is: [3, boolean],
  raw: [4, bytes],
  one: [5, message(inner)],
  many: [6, list(message(inner))],
  words: [7, list(text)],
  attributes: [16, map(text)],
} as const;

describe("protocol buffers", () => {
  test("come back as they were", () => {
    const value = {
      ...{ name: "x", count: 2 ** 40, is: true, raw: Uint8Array.of(1, 2), one: { name: "a" } },
      ...{ many: [{ name: "b" }, { name: "" }], words: ["c", ""], attributes: new Map([["k", "v"]]) },
    };
    const { raw, ...rest } = decodeMessage(fields, encodeMessage(fields, value));
    const { raw: given, ...expected } = value;
    assert.deepEqual(Buffer.from(raw), Buffer.from(given));
    assert.deepEqual(JSON.parse(JSON.stringify(rest)), JSON.parse(JSON.stringify(expected)));
    assert.deepEqual(rest.attributes, expected.attributes);
  });

  test("are the bytes that others write", () => {
    // protoc's example: a number 150 in field 1; a text in field 2.
    assert.deepEqual([...encodeMessage({ a: [1, integer] }, { a: 150 })], [0x08, 0x96, 0x01]);
    assert.equal(Buffer.from(encodeMessage({ b: [2, text] }, { b: "testing" })).toString("hex"), "120774657374696e67");
    assert.equal(decodeMessage({ a: [1, integer] }, encodeMessage({ a: [1, integer] }, { a: -5 })).a, -5);
  });

  test("have lengths and numbers of any size", () => {
    for (const length of [0, 1, 126, 127, 128, 300, 70_000]) {
      const value = { one: { name: "é".repeat(length) }, many: [{ name: "x".repeat(length) }, { name: "y" }] };
      const read = decodeMessage(fields, encodeMessage(fields, value));
      assert.deepEqual(
        [read.one?.name, ...read.many.map((one) => one?.name)],
        [value.one.name, value.many[0]!.name, "y"],
      );
    }
    for (const count of [0, 127, 128, 2 ** 31, 1_764_328_000 * 1e9, 2 ** 62, -1, -(2 ** 40)]) {
      const bytesOf = encodeMessage({ a: [1, integer] }, { a: count });
      assert.equal(decodeMessage({ a: [1, integer] }, bytesOf).a, count);
      if (count !== 0) assert.deepEqual(Buffer.from(bytesOf.subarray(1)), Buffer.from(varint(BigInt(count))));
    }
  });

  test("may have fields that nobody knows, of any kind", () => {
    const foreign = Uint8Array.of(0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4, 0x18, 5, 0x22, 1, 9, 0x08, 7);
    assert.equal(decodeMessage({ a: [1, integer] }, foreign.subarray(9)).a, 7);
  });

  test("of any bytes are read or refused with a sentence, whatever they say of themselves", () => {
    const integers = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constant(2n ** 63n - 1n));
    const number = integers.map((value) => [...varint(value)]);
    const content = fc.uint8Array({ maxLength: 12 }).map((given) => [given.length, ...given]);
    const junk = fc.uint8Array({ maxLength: 12 }).map((given) => [...given]);
    const tag = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 16, 99), fc.constantFrom(0, 1, 2, 5));
    // What looks like a field is read further than bytes at random would be.
    const field = tag.chain(([at, wire]) =>
      (wire === 0 ? number : wire === 2 ? content : junk).map((rest) => [...varint(BigInt((at << 3) | wire)), ...rest]),
    );
    const messages = fc.array(fc.oneof({ weight: 9, arbitrary: field }, junk), { maxLength: 12 });
    fc.assert(
      fc.property(
        messages.map((parts) => Uint8Array.from(parts.flat())),
        (given) => {
          let read: ReturnType<typeof decodeMessage<typeof fields>>;
          try {
            read = decodeMessage(fields, given);
          } catch (error) {
            assert.match(String(error), /malformed/);
            return;
          }
          // What was read is what is written, and read again.
          assert.deepEqual(decodeMessage(fields, Uint8Array.from(encodeMessage(fields, read))), read);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test("with very many items are read in one go", () => {
    // As many as fit into one message: each would be copied for all that follow.
    const count = 400_000;
    const items = Buffer.alloc(2 * count, Uint8Array.of(0x3a, 0));
    assert.equal(decodeMessage(fields, items).words.length, count);
    const entries = Buffer.concat(
      Array.from({ length: 20_000 }, (_, index) =>
        encodeMessage(fields, { attributes: new Map([[String(index), ""]]) }),
      ),
    );
    assert.equal(decodeMessage(fields, entries).attributes.size, 20_000);
  });

  test("that are cut off or malformed are refused", () => {
    for (const wrong of [[0x0a, 5, 1], [0x08], [0x0b], [0x08, ...Array(11).fill(0xff)]]) {
      assert.throws(() => decodeMessage(fields, Uint8Array.from(wrong)), /a message is malformed/);
    }
    assert.throws(() => decodeMessage(fields, Uint8Array.of(0x08, 1)), /a number where there should be bytes/);
  });
});
