/** A tree of files as the bytes that the keeper's `writeTree` reads; `docs/formats/tree-list.md` describes them. */
export const treeMagic = "PIERTREE";
export const treeVersion = 1;

/** `enter` and `leave` stand around what is in a directory; `link` is a further name. */
export const treeKinds = { enter: 1, leave: 2, file: 3, symlink: 4, character: 5, block: 6, fifo: 7, link: 8 } as const;

/** What becomes of the file itself, whatever its names. */
export interface TreeAttributes {
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly seconds: bigint; readonly nanoseconds: number };
  /** Names in full, one character per byte (latin1). */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** Names are one character per byte. `link` numbers the files with several names, from 1 on, as they first come. */
export type TreeEntry =
  | { readonly kind: "enter"; readonly name: string }
  | ({ readonly kind: "leave" } & TreeAttributes)
  | { readonly kind: "link"; readonly name: string; readonly link: number }
  | ({ readonly name: string; readonly link?: number } & TreeAttributes & TreeContent);

export type TreeContent =
  | {
      readonly kind: "file";
      readonly size: number;
      /** Which of the sources; absent: the first. */
      readonly source?: number;
      /** Where the content lies in the source, in order; what none covers is a hole. */
      readonly extents: readonly { readonly logical: number; readonly offset: number; readonly length: number }[];
    }
  | { readonly kind: "symlink"; readonly target: Uint8Array }
  | { readonly kind: "character" | "block"; readonly major: number; readonly minor: number }
  | { readonly kind: "fifo" };

const headerSize = 24;
const entrySize = 72;
const none: TreeAttributes = { mode: 0, uid: 0, gid: 0, mtime: { seconds: 0n, nanoseconds: 0 }, xattrs: new Map() };

/** The list's first bytes; `size` is that of the whole. */
export const encodeTreeHeader = (size: number): Uint8Array => {
  const bytes = Buffer.alloc(headerSize);
  bytes.write(treeMagic, "latin1");
  bytes.writeUInt32LE(treeVersion, 8);
  bytes.writeBigUInt64LE(BigInt(size), 16);
  return bytes;
};

/** One entry's bytes. */
export const encodeTreeEntry = (entry: TreeEntry): Uint8Array => {
  const name = Buffer.from("name" in entry ? entry.name : "", "latin1");
  const target = entry.kind === "symlink" ? entry.target : new Uint8Array();
  const extents = entry.kind === "file" ? entry.extents : [];
  const attributes = "mode" in entry ? entry : none;
  const parts = [
    terminated(name),
    terminated(target),
    ...[...attributes.xattrs].map(encodeXattr),
    ...extents.map(encodeExtent),
  ];
  const head = Buffer.alloc(entrySize);
  head.writeUInt32LE(treeKinds[entry.kind], 0);
  head.writeUInt32LE(
    parts.reduce((sum, { length }) => sum + length, entrySize),
    4,
  );
  putAttributes(head, attributes);
  if ("size" in entry) head.writeBigUInt64LE(BigInt(entry.size), 32);
  if ("major" in entry) {
    head.writeUInt32LE(entry.major, 40);
    head.writeUInt32LE(entry.minor, 44);
  }
  if ("link" in entry) head.writeUInt32LE(entry.link ?? 0, 48);
  head.writeUInt32LE(name.length, 52);
  head.writeUInt32LE(target.length, 56);
  head.writeUInt32LE(attributes.xattrs.size, 60);
  head.writeUInt32LE(extents.length, 64);
  if ("source" in entry) head.writeUInt32LE(entry.source ?? 0, 68);
  return Buffer.concat([head, ...parts]);
};

const putAttributes = (head: Buffer, { mode, uid, gid, mtime }: TreeAttributes): void => {
  head.writeUInt32LE(mode, 8);
  head.writeUInt32LE(uid, 12);
  head.writeUInt32LE(gid, 16);
  head.writeUInt32LE(mtime.nanoseconds, 20);
  head.writeBigInt64LE(mtime.seconds, 24);
};

const padded = (bytes: Uint8Array, least: number): Buffer => {
  const filled = Buffer.alloc((least + 7) & ~7);
  filled.set(bytes);
  return filled;
};

/** With a NUL behind it. */
const terminated = (bytes: Uint8Array): Buffer => padded(bytes, bytes.length + 1);

const encodeXattr = ([name, value]: readonly [string, Uint8Array]): Buffer => {
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(name.length, 0);
  sizes.writeUInt32LE(value.length, 4);
  return Buffer.concat([sizes, terminated(Buffer.from(name, "latin1")), padded(value, value.length)]);
};

const encodeExtent = ({ logical, offset, length }: { logical: number; offset: number; length: number }): Buffer => {
  const bytes = Buffer.alloc(24);
  for (const [index, number] of [logical, offset, length].entries()) bytes.writeBigUInt64LE(BigInt(number), index * 8);
  return bytes;
};
