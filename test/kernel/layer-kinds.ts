/** Two layers with every kind of file, name, owner, time and attribute that a layer can have, the lower one first. */
import { createHash } from "node:crypto";
import { type TarHeader, type TarOutput, writeTar } from "../../src/format/tar/write.ts";
import { collectBytes } from "../format/layers.ts";
import { fileHeader } from "../image/rooms.ts";

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

const file = (path: string, content: Uint8Array | string = "", more: Partial<TarHeader> = {}): TarOutput => {
  const bytes = typeof content === "string" ? latin1(content) : content;
  return { header: { ...fileHeader("", bytes.length, more), path: latin1(path) }, content: [bytes] };
};
const other = (path: string, type: TarHeader["type"], more: Partial<TarHeader> = {}): TarOutput => ({
  header: { ...fileHeader("", 0, { type, ...more }), path: latin1(path) },
});
const directory = (path: string, more: Partial<TarHeader> = {}): TarOutput =>
  other(path, "directory", { mode: 0o755, ...more });

/** Bytes that look like no others of their length. */
const noise = (size: number, seed: string): Uint8Array => {
  const bytes = new Uint8Array(size);
  let block = createHash("sha512").update(seed).digest();
  for (let at = 0; at < size; at += block.length) {
    bytes.set(block.subarray(0, size - at), at);
    block = createHash("sha512").update(block).digest();
  }
  return bytes;
};

/** struct vfs_cap_data of revision 2: cap_net_bind_service, effective. */
const capability = new Uint8Array([1, 0, 0, 2, 0, 4, 0, 0, ...new Uint8Array(12)]);
/** The owner, user 1000, the group, the mask, all others. */
const accessList = new Uint8Array(
  [
    [2, 0, 0, 0],
    [1, 0, 7, 0, 255, 255, 255, 255],
    [2, 0, 5, 0, 0xe8, 3, 0, 0],
    [4, 0, 4, 0, 255, 255, 255, 255],
    [16, 0, 5, 0, 255, 255, 255, 255],
    [32, 0, 0, 0, 255, 255, 255, 255],
  ].flat(),
);

const lower = (): TarOutput[] => [
  directory("kept"),
  file("kept/stays", "lower"),
  file("kept/goes", "lower"),
  directory("hidden"),
  file("hidden/below", "lower"),
  directory("hidden/inner"),
  file("becomes-directory", "lower"),
  directory("becomes-file"),
  file("becomes-file/in", "lower"),
  directory("merged", { mode: 0o700, uid: 5 }),
  file("merged/from-lower", "lower"),
];

const modes = (): TarOutput[] => [
  directory("modes", { mode: 0o1777, mtime: { seconds: -1n, nanoseconds: 999_999_999 } }),
  file("modes/set-uid", "#!", { mode: 0o4755, uid: 0 }),
  file("modes/set-gid", "#!", { mode: 0o2711, uid: 1000, gid: 4_294_967_294 }),
  file("modes/none", "secret", { mode: 0, uid: 4_294_967_294 }),
  directory("modes/group", { mode: 0o2775, gid: 50 }),
  file("modes/old", "", { mtime: { seconds: -2_000_000_000n, nanoseconds: 1 } }),
  file("modes/late", "", { mtime: { seconds: 10_000_000_000n, nanoseconds: 123_456_789 } }),
  other("modes/link", "symlink", { link: latin1("t".repeat(4_095)), uid: 7, mtime: { seconds: 5n, nanoseconds: 6 } }),
];

const nodes = (): TarOutput[] => [
  directory("nodes"),
  other("nodes/null", "character", { major: 1, minor: 3, mode: 0o666 }),
  other("nodes/far", "character", { major: 4095, minor: 0xfffff, mode: 0o600, gid: 9 }),
  other("nodes/disk", "block", { major: 259, minor: 70_000, mode: 0o4660 }),
  other("nodes/pipe", "fifo", { mode: 0o622 }),
];

const links = (): TarOutput[] => [
  directory("links"),
  directory("links/deeper"),
  file("links/one", "many names", { mode: 0o600 }),
  other("links/two", "hardlink", { link: latin1("links/one") }),
  other("links/deeper/three", "hardlink", { link: latin1("links/two"), mode: 0o640 }),
  other("links/away", "symlink", { link: latin1("/etc/passwd") }),
  other("links/away-too", "hardlink", { link: latin1("links/away") }),
  other("links/pipe", "hardlink", { link: latin1("nodes/pipe") }),
  other("a-first", "hardlink", { link: latin1("links/one") }),
];

const names = (): TarOutput[] => [
  directory("names"),
  ...["n".repeat(255), "\xff\xfe", "new\nline", "-rf", " ", "*", "..x", "\\", "~"].map((name) =>
    file(`names/${name}`, name),
  ),
];

const attributes = (): TarOutput[] => [
  directory("attributes", { xattrs: new Map([["system.posix_acl_default", accessList]]), mode: 0o750 }),
  file("attributes/binary", "", {
    xattrs: new Map([
      ["user.binary", new Uint8Array([0, 255, 10, 61, 0])],
      ["user.empty", new Uint8Array()],
      ["trusted.own", latin1("by root")],
      ["security.own", noise(500, "value")],
    ]),
  }),
  file("attributes/capable", "#!", { mode: 0o755, uid: 3, xattrs: new Map([["security.capability", capability]]) }),
  file("attributes/listed", "", { mode: 0o750, xattrs: new Map([["system.posix_acl_access", accessList]]) }),
  other("attributes/link", "symlink", { link: latin1("x"), xattrs: new Map([["trusted.of-link", latin1("1")]]) }),
  other("attributes/pipe", "fifo", { xattrs: new Map([["trusted.of-pipe", latin1("1")]]) }),
];

/** Around the borders of tar's blocks and of the kernel's pages, and one that takes a while. */
const sizes = (): TarOutput[] => [
  directory("sizes"),
  ...[0, 1, 511, 512, 513, 4_095, 4_096, 4_097, 65_537, 5_000_001].map((size) =>
    file(`sizes/${size}`, noise(size, String(size))),
  ),
];

/** Deeper than what is walked at a time when it is removed. */
const deep = (): TarOutput[] => [directory("d/".repeat(200)), file(`${"d/".repeat(200)}e`, "deep")];

const upper = (): TarOutput[] => [
  file("kept/.wh.goes"),
  file("hidden/.wh..wh..opq"),
  file("hidden/above", "upper"),
  directory("becomes-directory"),
  file("becomes-directory/in", "upper"),
  file("becomes-file", "upper"),
  directory("merged", { mode: 0o711, uid: 6, xattrs: new Map([["user.top", latin1("1")]]) }),
  file("merged/from-upper", "upper"),
];

/** No block of zeroes ends it: the last block is that of the last file. */
const endingInContent = async (outputs: readonly TarOutput[]): Promise<Uint8Array> => {
  const tar = await collectBytes(writeTar([...outputs, file("last", noise(700, "last"))]));
  return tar.subarray(0, tar.length - 1024);
};

/** What comes behind the end is ignored, and makes it no number of whole blocks. */
const endingInRubbish = async (outputs: readonly TarOutput[]): Promise<Uint8Array> =>
  Buffer.concat([await collectBytes(writeTar(outputs)), latin1("rubbish")]);

const all = async (): Promise<readonly Uint8Array[]> => {
  const kinds = [lower(), modes(), nodes(), links(), names(), attributes(), sizes(), deep()];
  return [await endingInContent(kinds.flat()), await endingInRubbish(upper())];
};

let made: Promise<readonly Uint8Array[]> | undefined;

export const layersOfEverything = (): Promise<readonly Uint8Array[]> => {
  made ??= all();
  return made;
};
