import { createHash } from "node:crypto";
import { type DiffId, hexOf } from "../../base/ids.ts";
import type { ChunkMap } from "./chunks.ts";
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
  SUPER_MAGIC,
  SUPER_OFFSET,
  superField,
  TAR_DEVICE,
} from "./format.ts";
import { inodeEnd, type Layout, PlacedInodes, planLayout, tailOffset } from "./layout.ts";
import { blockEnd, putBlock } from "./names.ts";
import { ROOT, type Tree } from "./tree.ts";
import { xattrCount } from "./xattrs.ts";

/** Changes whenever the same layer would give other bytes, so that a UUID always means the same ones. */
export const WRITER_VERSION = 1;

/** What is handed on at once. */
const PIECE = 256 * 1024;

/** An image that is written from front to back and handed on in pieces; what nobody writes is zero. */
class Pieces {
  #bytes = Buffer.alloc(PIECE + IMAGE_ALIGNMENT);
  #start = 0;

  /** Whether everything up to `end` goes into the current piece. */
  has(end: number): boolean {
    return end - this.#start <= PIECE;
  }

  /** The current piece, which ends at `offset`; the next one has room for that many bytes from there. */
  turn(offset: number, length = 0): Uint8Array {
    const piece = this.#bytes.subarray(0, offset - this.#start);
    this.#bytes = Buffer.alloc(Math.max(PIECE, length) + IMAGE_ALIGNMENT);
    this.#start = offset;
    return piece;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Where a byte of the image lies in `bytes`. */
  at(offset: number): number {
    return offset - this.#start;
  }
}

/** A version 8 UUID (RFC 9562): the first bytes of a hash, four bits of version and two of variant. */
const uuidOf = (diffId: DiffId): Uint8Array => {
  const hash = createHash("sha256").update(`pier layer index ${WRITER_VERSION}\n${diffId}\n`).digest();
  const uuid = new Uint8Array(hash.subarray(0, 16));
  uuid[6] = 0x80 | (uuid[6]! & 0x0f);
  uuid[8] = 0x80 | (uuid[8]! & 0x3f);
  return uuid;
};

const putHead = (bytes: Buffer, layout: Layout, diffId: DiffId, tarSize: number): void => {
  const at = (field: keyof typeof superField): number => SUPER_OFFSET + superField[field];
  bytes.writeUInt32LE(SUPER_MAGIC, at("magic"));
  bytes.writeUInt32LE(COMPAT_MTIME, at("featureCompat"));
  bytes.writeUInt8(BLOCK_BITS, at("blockBits"));
  bytes.writeUInt16LE(layout.nids[ROOT]!, at("rootNid"));
  bytes.writeUInt32LE(layout.inodes, at("inodes"));
  bytes.writeUInt32LE(layout.size / BLOCK, at("blocks"));
  bytes.set(uuidOf(diffId), at("uuid"));
  bytes.writeUInt32LE(INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE, at("featureIncompat"));
  bytes.writeUInt16LE(1, at("extraDevices"));
  bytes.writeUInt16LE(DEVICE_SLOT_OFFSET / DEVICE_SLOT_SIZE, at("deviceTable"));
  bytes.write(hexOf(diffId), DEVICE_SLOT_OFFSET + deviceField.tag, "latin1");
  bytes.writeUInt32LE(Math.ceil(tarSize / BLOCK), DEVICE_SLOT_OFFSET + deviceField.blocks);
};

const unionOf = (tree: Tree, inode: number, data: number | undefined): number => {
  switch (tree.typeOf(inode)) {
    case "file":
      return tree.sizeOf(inode) === 0 ? 0 : tree.chunksOf(inode).bits | CHUNK_INDEXES;
    case "character":
    case "block":
      return tree.deviceOf(inode);
    default:
      return (data ?? 0) / BLOCK;
  }
};

const layoutOf = (tree: Tree, inode: number, data: number | undefined): number => {
  const type = tree.typeOf(inode);
  if (type === "file" && tree.sizeOf(inode) > 0) return layouts.chunks;
  return (type === "directory" || type === "symlink") && data === undefined ? layouts.inline : layouts.plain;
};

/** The inode's fixed part and its attributes. */
const putInode = (bytes: Buffer, at: number, { tree, links }: Layout, { inode, data }: PlacedInodes): void => {
  const xattrs = tree.encodedXattrs(inode);
  const size = tree.sizeOf(inode);
  bytes.writeUInt16LE(FORMAT_EXTENDED | (layoutOf(tree, inode, data) << LAYOUT_SHIFT), at + inodeField.format);
  bytes.writeUInt16LE(xattrCount(xattrs.length), at + inodeField.xattrCount);
  bytes.writeUInt16LE(modes[tree.typeOf(inode)], at + inodeField.mode);
  bytes.writeUInt32LE(size % 2 ** 32, at + inodeField.size);
  bytes.writeUInt32LE(Math.floor(size / 2 ** 32), at + inodeField.size + 4);
  bytes.writeUInt32LE(unionOf(tree, inode, data), at + inodeField.union);
  bytes.writeUInt32LE(links[inode]!, at + inodeField.nlink);
  tree.putAttributes(inode, bytes, at);
  if (xattrs !== "") bytes.write(xattrs, at + INODE_SIZE, "latin1");
};

const putChunks = (bytes: Buffer, start: number, { blocks }: ChunkMap): void => {
  for (const [index, block] of blocks.entries()) {
    const at = start + index * CHUNK_ENTRY;
    bytes.writeUInt16LE(block === HOLE ? 0 : TAR_DEVICE, at + chunkField.device);
    bytes.writeUInt32LE(block, at + chunkField.block);
  }
};

/** What lies behind an inode and its attributes. */
const putTail = (bytes: Buffer, at: number, layout: Layout, inode: number): void => {
  const { tree } = layout;
  const type = tree.typeOf(inode);
  if (type === "file") putChunks(bytes, alignUp(at, CHUNK_ENTRY), tree.chunksOf(inode));
  else if (type === "symlink") bytes.write(tree.targetOf(inode), at, "latin1");
  else if (type === "directory") {
    putBlock(bytes, at, layout, { directory: inode, first: tree.firstOf(inode), end: tree.endOf(inode) });
  }
};

/** Data that lies apart from its inode, at `data`. */
function* putApart(pieces: Pieces, layout: Layout, inode: number, data: number): Generator<Uint8Array> {
  const { tree, names } = layout;
  if (!tree.isDirectory(inode)) {
    const size = tree.sizeOf(inode);
    if (!pieces.has(data + size)) yield pieces.turn(data, size);
    pieces.bytes.write(tree.targetOf(inode), pieces.at(data), "latin1");
    return;
  }
  const end = tree.endOf(inode);
  for (let first = tree.firstOf(inode), at = data; first < end; at += BLOCK) {
    const next = blockEnd(tree, names, first, end);
    if (!pieces.has(at + BLOCK)) yield pieces.turn(at, BLOCK);
    putBlock(pieces.bytes, pieces.at(at), layout, { directory: inode, first, end: next });
    first = next;
  }
}

/** The whole index, in pieces; what no field says is zero. */
export function* encodeIndex(tree: Tree, diffId: DiffId, tarSize: number): Generator<Uint8Array> {
  const layout = planLayout(tree);
  const pieces = new Pieces();
  putHead(pieces.bytes, layout, diffId, tarSize);
  const placed = new PlacedInodes(layout);
  for (let number = 1; placed.next(); number++) {
    const { inode, offset } = placed;
    const end = inodeEnd(tree, inode, offset);
    if (!pieces.has(end)) yield pieces.turn(offset, end - offset);
    const at = pieces.at(offset);
    putInode(pieces.bytes, at, layout, placed);
    pieces.bytes.writeUInt32LE(number, at + inodeField.number);
    if (placed.data === undefined) putTail(pieces.bytes, pieces.at(tailOffset(tree, inode, offset)), layout, inode);
  }
  for (const apart = new PlacedInodes(layout); apart.next(); ) {
    if (apart.data !== undefined) yield* putApart(pieces, layout, apart.inode, apart.data);
  }
  yield pieces.turn(layout.size);
}
