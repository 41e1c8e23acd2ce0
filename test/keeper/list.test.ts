/** The keeper's reader of lists of trees against lists that no encoder wrote, watched by the compiler's sanitizers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeTreeEntry, encodeTreeHeader, type TreeEntry } from "../../src/kernel/tree-list.ts";
import { compileChecked, noCompiler } from "./compile.ts";
import { decodeAll, EBADMSG, EPROTONOSUPPORT, withBytes, wordChanges } from "./decoders.ts";

const name = fc.string({ unit: fc.constantFrom("a", "b", ".", "\xff", " "), minLength: 3, maxLength: 40 });
const number = fc.nat({ max: 2 ** 32 - 1 });
const attributes = fc.record(
  {
    mode: fc.nat({ max: 4095 }),
    uid: number,
    gid: number,
    mtime: fc.record(
      { seconds: fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }), nanoseconds: fc.nat({ max: 999_999_999 }) },
      { noNullPrototype: true },
    ),
    xattrs: fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 40 })), { maxLength: 4 }).map((list) => new Map(list)),
  },
  { noNullPrototype: true },
);
const extents = fc
  .array(fc.tuple(fc.nat({ max: 1000 }), fc.nat({ max: 2 ** 40 }), fc.nat({ max: 1000 })), { maxLength: 4 })
  .map((list) => list.map(([gap, offset, length], at) => ({ logical: at * 2000 + gap, offset, length })));

const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
  name.map((text): TreeEntry => ({ kind: "enter", name: text })),
  attributes.map((all): TreeEntry => ({ kind: "leave", ...all })),
  fc.tuple(name, number).map(([text, link]): TreeEntry => ({ kind: "link", name: text, link })),
  fc
    .tuple(name, attributes, extents)
    .map(([text, all, list]): TreeEntry => ({ kind: "file", name: text, size: 8000, extents: list, ...all })),
  fc
    .tuple(name, attributes, fc.uint8Array({ min: 1, maxLength: 60 }))
    .map(([text, all, target]): TreeEntry => ({ kind: "symlink", name: text, target, ...all })),
);

const encode = (entries: readonly TreeEntry[]): Uint8Array => {
  const body = Buffer.concat(entries.map(encodeTreeEntry));
  return new Uint8Array(Buffer.concat([encodeTreeHeader(encodeTreeHeader(0).length + body.length), body]));
};

test("the decoder takes what the encoder writes, and refuses the rest without falling", { skip: noCompiler }, () => {
  using checked = compileChecked("list-check", ["test/keeper/list-check.c", "keeper/list.c"]);
  const valid = fc.sample(fc.array(entry, { maxLength: 6 }), { numRuns: 40, seed: 7 }).map(encode);
  assert.ok(decodeAll(checked, valid).every(({ error }) => error === 0));

  const cut = valid.slice(0, 8).flatMap((bytes) => Array.from(bytes, (_, length) => bytes.subarray(0, length)));
  assert.ok(decodeAll(checked, cut).every(({ error }) => error === EBADMSG));

  const flipped = fc
    .sample(fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.integer({ min: 1, max: 255 })), { numRuns: 4000, seed: 8 })
    .map(([bytes, at, mask]) => withBytes(bytes, at % bytes.length, bytes[at % bytes.length]! ^ mask));
  const changed = [...flipped, ...valid.slice(0, 8).flatMap(wordChanges)];
  const answers = decodeAll(checked, changed);
  assert.equal(answers.length, changed.length);
  assert.ok(answers.every(({ error }) => error === 0 || error === EBADMSG || error === EPROTONOSUPPORT));
  assert.ok(answers.some(({ error }) => error === EPROTONOSUPPORT));
  assert.ok(answers.filter(({ error }) => error === EBADMSG).length > answers.length / 4);
});
