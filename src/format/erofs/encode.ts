import { createHash } from "node:crypto";
import { type DiffId, hexOf } from "../../base/ids.ts";
import { putDirectory } from "./directories.ts";
import {
  alignUp,
  BLOCK,
  BLOCK_BITS,
  CHUNK_ENTRY,
  CHUNK_INDEXES,
  COMPAT_MTIME,
  chunkField,
  DEVICE_SLOT_OFFSET,
  DEVICE_SLOT_SIZE,
  deviceField,
  direntTypes,
  encodeDevice,
  FORMAT_EXTENDED,
  HOLE,
  IMAGE_ALIGNMENT,
  INCOMPAT_CHUNKED_FILE,
  INCOMPAT_DEVICE_TABLE,
  INODE_SIZE,
  inodeField,
  LAYOUT_SHIFT,
  layouts,
  modes,
  SLOT,
  SUPER_MAGIC,
  SUPER_OFFSET,
  superField,
  TAR_DEVICE,
} from "./format.ts";
import { type Layout, type PlacedInode, planLayout } from "./layout.ts";
import type { DirectoryNode, LayerNode } from "./tree.ts";
import { putXattrs, xattrCount } from "./xattrs.ts";

/** Changes whenever the same layer would give other bytes, so that a UUID always means the same ones. */
export const WRITER_VERSION = 1;

const nidOf = ({ offset }: PlacedInode): number => offset / SLOT;

const isInline = (inode: PlacedInode): boolean =>
  inode.dataOffset !== 0 && inode.dataOffset === inode.offset + INODE_SIZE + inode.xattrsSize;

const layoutOf = (inode: PlacedInode): number => {
  if (inode.node.type === "file" && inode.node.size > 0) return layouts.chunks;
  return isInline(inode) ? layouts.inline : layouts.plain;
};

const unionOf = ({ node, dataOffset }: PlacedInode, layout: number): number => {
  if (node.type === "character" || node.type === "block") return encodeDevice(node.major, node.minor);
  if (node.type === "file") return node.size === 0 ? 0 : node.chunks.bits | CHUNK_INDEXES;
  return layout === layouts.plain ? dataOffset / BLOCK : 0;
};

const typeOf = (node: LayerNode): keyof typeof modes => (node.type === "whiteout" ? "character" : node.type);

const putInode = (bytes: Buffer, inode: PlacedInode, number: number): void => {
  const { node, attributes, offset, nlink, size } = inode;
  const layout = layoutOf(inode);
  bytes.writeUInt16LE(FORMAT_EXTENDED | (layout << LAYOUT_SHIFT), offset + inodeField.format);
  bytes.writeUInt16LE(xattrCount(inode.xattrsSize), offset + inodeField.xattrCount);
  bytes.writeUInt16LE(modes[typeOf(node)] | attributes.mode, offset + inodeField.mode);
  bytes.writeUInt32LE(size % 2 ** 32, offset + inodeField.size);
  bytes.writeUInt32LE(Math.floor(size / 2 ** 32), offset + inodeField.size + 4);
  bytes.writeUInt32LE(unionOf(inode, layout), offset + inodeField.union);
  bytes.writeUInt32LE(number, offset + inodeField.number);
  bytes.writeUInt32LE(attributes.uid, offset + inodeField.uid);
  bytes.writeUInt32LE(attributes.gid, offset + inodeField.gid);
  bytes.writeBigInt64LE(attributes.mtime.seconds, offset + inodeField.mtime);
  bytes.writeUInt32LE(attributes.mtime.nanoseconds, offset + inodeField.mtimeNanoseconds);
  bytes.writeUInt32LE(nlink, offset + inodeField.nlink);
};

const putChunks = (bytes: Buffer, inode: PlacedInode, blocks: readonly number[]): void => {
  const start = alignUp(inode.offset + INODE_SIZE + inode.xattrsSize, CHUNK_ENTRY);
  for (const [index, block] of blocks.entries()) {
    const at = start + index * CHUNK_ENTRY;
    bytes.writeUInt16LE(block === HOLE ? 0 : TAR_DEVICE, at + chunkField.device);
    bytes.writeUInt32LE(block, at + chunkField.block);
  }
};

const putEntries = (bytes: Buffer, inode: PlacedInode, directory: DirectoryNode, layout: Layout): void => {
  const dirents = inode.names.map((name) => {
    const child = directory.children.get(name);
    const dotted = name === "." ? inode : (inode.parent ?? inode);
    const target = child === undefined ? dotted : layout.inodeOf.get(child)!;
    return { name, nid: nidOf(target), type: direntTypes[typeOf(target.node)] };
  });
  putDirectory(bytes, inode.dataOffset, dirents);
};

const putSuper = (bytes: Buffer, layout: Layout): void => {
  const at = (field: keyof typeof superField): number => SUPER_OFFSET + superField[field];
  bytes.writeUInt32LE(SUPER_MAGIC, at("magic"));
  bytes.writeUInt32LE(COMPAT_MTIME, at("featureCompat"));
  bytes.writeUInt8(BLOCK_BITS, at("blockBits"));
  bytes.writeUInt16LE(nidOf(layout.inodes[0]!), at("rootNid"));
  bytes.writeUInt32LE(layout.inodes.length, at("inodes"));
  bytes.writeUInt32LE(bytes.length / BLOCK, at("blocks"));
  bytes.writeUInt32LE(INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE, at("featureIncompat"));
  bytes.writeUInt16LE(1, at("extraDevices"));
  bytes.writeUInt16LE(DEVICE_SLOT_OFFSET / DEVICE_SLOT_SIZE, at("deviceTable"));
};

/** A version 8 UUID (RFC 9562): the first bytes of a hash, four bits of version and two of variant. */
const uuidOf = (diffId: DiffId): Uint8Array => {
  const hash = createHash("sha256").update(`pier layer index ${WRITER_VERSION}\n${diffId}\n`).digest();
  const uuid = new Uint8Array(hash.subarray(0, 16));
  uuid[6] = 0x80 | (uuid[6]! & 0x0f);
  uuid[8] = 0x80 | (uuid[8]! & 0x3f);
  return uuid;
};

/** The whole index; what no field says is zero. */
export const encodeIndex = (root: DirectoryNode, diffId: DiffId, tarSize: number): Uint8Array => {
  const layout = planLayout(root);
  const bytes = Buffer.alloc(alignUp(layout.end, IMAGE_ALIGNMENT));
  putSuper(bytes, layout);
  bytes.set(uuidOf(diffId), SUPER_OFFSET + superField.uuid);
  bytes.write(hexOf(diffId), DEVICE_SLOT_OFFSET + deviceField.tag, "latin1");
  bytes.writeUInt32LE(Math.ceil(tarSize / BLOCK), DEVICE_SLOT_OFFSET + deviceField.blocks);
  for (const [index, inode] of layout.inodes.entries()) {
    putInode(bytes, inode, index + 1);
    putXattrs(bytes, inode.offset + INODE_SIZE, inode.attributes.xattrs);
    const { node } = inode;
    if (node.type === "directory") putEntries(bytes, inode, node, layout);
    else if (node.type === "file") putChunks(bytes, inode, node.chunks.blocks);
    else if (node.type === "symlink") bytes.write(node.target, inode.dataOffset, "latin1");
  }
  return bytes;
};
