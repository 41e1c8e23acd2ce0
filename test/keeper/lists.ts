/** Lists of trees as the encoder writes them, of entries that belong to no tree. */
import fc from "fast-check";
import { encodeTreeEntry, encodeTreeHeader, type TreeEntry } from "../../src/kernel/tree-list.ts";

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

export const lists: fc.Arbitrary<Uint8Array> = fc.array(entry, { maxLength: 6 }).map(encode);
