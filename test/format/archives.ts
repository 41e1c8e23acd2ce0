/** Random archives for tests: trees with every type of entry, awkward names, many attributes. */

import fc from "fast-check";
import type { TarTime } from "../../src/format/tar/entry.ts";
import { type TarHeader, type TarOutput, writeTar } from "../../src/format/tar/write.ts";
import { collectBytes } from "./layers.ts";

/** Few different names, so that entries meet one another; one of the longest, and ones that sort around `.`. */
const name = fc
  .oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom("a", "b", "c", "etc", "!", "-x", "..x", ".hidden", "\u00ff\u00fe", "n".repeat(255)),
    },
    {
      weight: 2,
      arbitrary: fc.string({
        unit: fc.nat({ max: 254 }).map((code) => String.fromCharCode(code + 1)),
        minLength: 1,
        maxLength: 40,
      }),
    },
    { weight: 1, arbitrary: fc.nat({ max: 400 }).map((number) => `file-${number}`) },
  )
  .filter((text) => !text.includes("/") && text !== "." && text !== ".." && !text.startsWith(".wh."));

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));

const time: fc.Arbitrary<TarTime> = fc.record(
  {
    seconds: fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }),
    nanoseconds: fc.oneof(fc.constant(0), fc.nat({ max: 999_999_999 })),
  },
  { noNullPrototype: true },
);

const xattrs = fc
  .dictionary(
    fc
      .tuple(
        fc.constantFrom("user.", "trusted.", "security."),
        fc.string({ unit: fc.constantFrom("a", "b", ".", "x"), minLength: 1, maxLength: 60 }),
      )
      .map((parts) => parts.join("")),
    fc.uint8Array({ maxLength: 700 }),
    { maxKeys: 4 },
  )
  .map((values) => new Map(Object.entries(values).filter(([key]) => key !== "security.capability")));

const id = fc.oneof(fc.nat({ max: 70_000 }), fc.nat({ max: 2 ** 31 - 1 }), fc.constant(4_294_967_294));

const type = fc.oneof(
  { weight: 5, arbitrary: fc.constant("file" as const) },
  { weight: 3, arbitrary: fc.constant("directory" as const) },
  { weight: 2, arbitrary: fc.constant("symlink" as const) },
  { weight: 1, arbitrary: fc.constantFrom("character", "block", "fifo") },
);

/** One entry with its content, as a writer takes it. */
export const randomOutput: fc.Arbitrary<TarOutput> = fc
  .record({
    path,
    type,
    mode: fc.nat({ max: 4095 }),
    uid: id,
    gid: id,
    mtime: time,
    xattrs,
    content: fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 2e3 })),
    target: fc.oneof(
      path,
      fc.nat({ max: 4e3 }).map((length) => "t".repeat(length + 1)),
    ),
    major: fc.integer({
      min: 1,
      max: 4095,
    }),
    minor: fc.nat({ max: 0xfffff }),
  })
  .map(({ content, target, major, minor, ...rest }) => {
    const isDevice = rest.type === "character" || rest.type === "block";
    const isFile = rest.type === "file";
    const header: TarHeader = {
      ...rest,
      path: bytes(rest.path),
      mode: rest.type === "symlink" ? 0o777 : rest.mode,
      size: isFile ? content.length : 0,
      link: rest.type === "symlink" ? bytes(target) : new Uint8Array(),
      ...(isDevice ? { major, minor } : { major: 0, minor: 0 }),
    };
    return isFile ? { header, content: [content] } : { header };
  });

/**
 * Entries that no others get in the way of: no path twice, none beneath what is no directory. (Longer names come last,
 * so that links never lead anywhere that matters.)
 */
const withoutClashes = (outputs: readonly TarOutput[]): TarOutput[] => {
  const others = new Set<string>();
  const taken = new Set<string>();
  return outputs.filter(({ header }) => {
    const text = Buffer.from(header.path).toString("latin1");
    const parents = text
      .split("/")
      .map((_, index, names) => names.slice(0, index).join("/"))
      .slice(1);
    if (taken.has(text) || parents.some((parent) => others.has(parent))) return false;
    if (header.type !== "directory" && [...taken].some((known) => known.startsWith(`${text}/`))) return false;
    taken.add(text);
    if (header.type !== "directory") others.add(text);
    return true;
  });
};

export const randomOutputs: fc.Arbitrary<TarOutput[]> = fc
  .array(randomOutput, { maxLength: 150, size: "max" })
  .map(withoutClashes);

/** Whole archives of such entries. */
export const randomTar: fc.Arbitrary<Promise<Uint8Array>> = randomOutputs.map((outputs) =>
  collectBytes(writeTar(outputs)),
);
