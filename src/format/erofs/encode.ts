import { createHash } from "node:crypto";
import { type DiffId, hexOf } from "../../base/ids.ts";
import { fromLatin1 } from "../tar/numbers.ts";
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

const putInode = (view: DataView, inode: PlacedInode, number: number): void => {
  const { node, attributes, offset, nlink, size } = inode;
  const layout = layoutOf(inode);
  view.setUint16(offset + inodeField.format, FORMAT_EXTENDED | (layout << LAYOUT_SHIFT), true);
  view.setUint16(offset + inodeField.xattrCount, xattrCount(inode.xattrsSize), true);
  view.setUint16(offset + inodeField.mode, modes[typeOf(node)] | attributes.mode, true);
  view.setBigUint64(offset + inodeField.size, BigInt(size), true);
  view.setUint32(offset + inodeField.union, unionOf(inode, layout), true);
  view.setUint32(offset + inodeField.number, number, true);
  view.setUint32(offset + inodeField.uid, attributes.uid, true);
  view.setUint32(offset + inodeField.gid, attributes.gid, true);
  view.setBigInt64(offset + inodeField.mtime, attributes.mtime.seconds, true);
  view.setUint32(offset + inodeField.mtimeNanoseconds, attributes.mtime.nanoseconds, true);
  view.setUint32(offset + inodeField.nlink, nlink, true);
};

const putChunks = (view: DataView, inode: PlacedInode, blocks: readonly number[]): void => {
  const start = alignUp(inode.offset + INODE_SIZE + inode.xattrsSize, CHUNK_ENTRY);
  for (const [index, block] of blocks.entries()) {
    const at = start + index * CHUNK_ENTRY;
    view.setUint16(at + chunkField.device, block === HOLE ? 0 : TAR_DEVICE, true);
    view.setUint32(at + chunkField.block, block, true);
  }
};

const putEntries = (bytes: Uint8Array, inode: PlacedInode, directory: DirectoryNode, layout: Layout): void => {
  const dirents = inode.names.map((name) => {
    const child = directory.children.get(name);
    const dotted = name === "." ? inode : (inode.parent ?? inode);
    const target = child === undefined ? dotted : layout.inodeOf.get(child)!;
    return { name, nid: nidOf(target), type: direntTypes[typeOf(target.node)] };
  });
  putDirectory(bytes, inode.dataOffset, dirents);
};

const putSuper = (bytes: Uint8Array, view: DataView, layout: Layout): void => {
  const at = (field: keyof typeof superField): number => SUPER_OFFSET + superField[field];
  view.setUint32(at("magic"), SUPER_MAGIC, true);
  view.setUint32(at("featureCompat"), COMPAT_MTIME, true);
  view.setUint8(at("blockBits"), BLOCK_BITS);
  view.setUint16(at("rootNid"), nidOf(layout.inodes[0]!), true);
  view.setBigUint64(at("inodes"), BigInt(layout.inodes.length), true);
  view.setUint32(at("blocks"), bytes.length / BLOCK, true);
  view.setUint32(at("featureIncompat"), INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE, true);
  view.setUint16(at("extraDevices"), 1, true);
  view.setUint16(at("deviceTable"), DEVICE_SLOT_OFFSET / DEVICE_SLOT_SIZE, true);
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
  const bytes = new Uint8Array(alignUp(layout.end, IMAGE_ALIGNMENT));
  const view = new DataView(bytes.buffer);
  putSuper(bytes, view, layout);
  bytes.set(uuidOf(diffId), SUPER_OFFSET + superField.uuid);
  bytes.set(fromLatin1(hexOf(diffId)), DEVICE_SLOT_OFFSET + deviceField.tag);
  view.setUint32(DEVICE_SLOT_OFFSET + deviceField.blocks, Math.ceil(tarSize / BLOCK), true);
  for (const [index, inode] of layout.inodes.entries()) {
    putInode(view, inode, index + 1);
    putXattrs(bytes, inode.offset + INODE_SIZE, inode.attributes.xattrs);
    const { node } = inode;
    if (node.type === "directory") putEntries(bytes, inode, node, layout);
    else if (node.type === "file") putChunks(view, inode, node.chunks.blocks);
    else if (node.type === "symlink") bytes.set(fromLatin1(node.target), inode.dataOffset);
  }
  return bytes;
};
