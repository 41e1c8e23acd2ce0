import { Recent } from "../../base/recent.ts";
import { formatError } from "../errors.ts";
import type { TarExtent, TarTime } from "../tar/entry.ts";
import { type ChunkMap, extentsOf } from "./chunks.ts";
import { type Dirent, parseDirents } from "./directories.ts";
import {
  alignUp,
  BLOCK,
  BLOCK_BITS,
  CHUNK_BITS_MASK,
  CHUNK_ENTRY,
  CHUNK_INDEXES,
  chunkField,
  decodeDevice,
  direntTypes,
  FORMAT_EXTENDED,
  HOLE,
  INCOMPAT_CHUNKED_FILE,
  INCOMPAT_DEVICE_TABLE,
  INODE_SIZE,
  inodeField,
  LAYOUT_SHIFT,
  layouts,
  MODE_TYPE,
  modes,
  SLOT,
  SUPER_MAGIC,
  SUPER_OFFSET,
  SUPER_SIZE,
  superField,
  TAR_DEVICE,
} from "./format.ts";
import { OPAQUE_NAME, parseXattrs, type Xattrs, xattrsSizeOf } from "./xattrs.ts";

export type IndexInodeType = "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "whiteout";

export interface IndexInode {
  /** The inode's number: two names with the same one are hard links of one file. */
  readonly nid: number;
  readonly type: IndexInodeType;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
  readonly mtime: TarTime;
  readonly nlink: number;
  /** Without overlayfs' own: those are told by `opaque`, and whiteouts by their type. */
  readonly xattrs: Xattrs;
  /** A directory that hides what lower layers have at its place. */
  readonly opaque: boolean;
  /** A symbolic link's target; empty otherwise. */
  readonly target: Uint8Array;
  /** Where a file's content lies in the tar; what no extent covers is a hole. */
  readonly extents: readonly TarExtent[];
}

export interface IndexName {
  /** One character per byte (latin1), so that names compare and look up by their bytes. */
  readonly name: string;
  readonly nid: number;
}

/** Where an index's bytes are: in memory, or in a file that is read in pieces. */
export interface IndexBytes {
  readonly size: number;
  /** Exactly `length` bytes from `offset`; never asked for more than there are. */
  read(offset: number, length: number): Uint8Array;
}

const inMemory = (bytes: Uint8Array): IndexBytes => ({
  size: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

const damaged = (reason: string): Error => formatError("indexInvalid", { reason });

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const WHITEOUT_DEVICE = 0;
const INCOMPAT = INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE;

/** An inode's fixed part, before its data is looked at. */
interface Head {
  readonly type: Exclude<IndexInodeType, "whiteout">;
  readonly layout: number;
  readonly xattrsSize: number;
  readonly size: number;
  readonly union: number;
  readonly view: DataView;
}

/** Reads an index that pier wrote; damage is an error and never a hang. */
export class IndexReader {
  /** The root directory's number. */
  readonly root: number;
  readonly #bytes: IndexBytes;
  /** By where they lie: names are mostly asked for in their order, and one block has a hundred of them. */
  readonly #blocks = new Recent<readonly Dirent[]>(32);

  constructor(bytes: IndexBytes | Uint8Array) {
    this.#bytes = bytes instanceof Uint8Array ? inMemory(bytes) : bytes;
    const view = viewOf(this.#read(SUPER_OFFSET, SUPER_SIZE));
    if (view.getUint32(superField.magic, true) !== SUPER_MAGIC) throw damaged("it is no EROFS image");
    const isOurs =
      view.getUint8(superField.blockBits) === BLOCK_BITS &&
      view.getUint32(superField.featureIncompat, true) === INCOMPAT &&
      view.getUint32(superField.blocks, true) * BLOCK === this.#bytes.size;
    if (!isOurs) throw damaged("its superblock is not one that pier writes");
    this.root = view.getUint16(superField.rootNid, true);
  }

  inode(nid: number): IndexInode {
    const head = this.#head(nid);
    const { type, view, size, union } = head;
    const all = this.#xattrs(nid, head);
    const xattrs = all.has(OPAQUE_NAME) ? new Map([...all].filter(([name]) => name !== OPAQUE_NAME)) : all;
    const isDevice = type === "character" || type === "block";
    return {
      nid,
      type: type === "character" && union === WHITEOUT_DEVICE ? "whiteout" : type,
      mode: view.getUint16(inodeField.mode, true) & ~MODE_TYPE,
      uid: view.getUint32(inodeField.uid, true),
      gid: view.getUint32(inodeField.gid, true),
      size,
      ...(isDevice ? decodeDevice(union) : { major: 0, minor: 0 }),
      mtime: {
        seconds: view.getBigInt64(inodeField.mtime, true),
        nanoseconds: view.getUint32(inodeField.mtimeNanoseconds, true),
      },
      nlink: view.getUint32(inodeField.nlink, true),
      xattrs,
      opaque: all.size !== xattrs.size,
      target: type === "symlink" ? new Uint8Array(this.#data(nid, head, 0, size)) : new Uint8Array(),
      extents: type === "file" ? this.#extents(nid, head) : [],
    };
  }

  /** The number of the inode that a directory has under this name. */
  lookup(directory: number, name: string): number | undefined {
    const head = this.#directory(directory);
    // The blocks are sorted among each other, so the one that can have the name is found by halving.
    let low = 0;
    let high = Math.ceil(head.size / BLOCK) - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const dirents = this.#blocks.get(`${directory} ${middle}`, () => this.#dirents(directory, head, middle));
      if (name < dirents[0]!.name) high = middle - 1;
      else if (name > dirents.at(-1)!.name) low = middle + 1;
      else return dirents.find((dirent) => dirent.name === name)?.nid;
    }
    return undefined;
  }

  /** The names in a directory, without `.` and `..`, sorted by their bytes. */
  readdir(directory: number): IndexName[] {
    const head = this.#directory(directory);
    const names: IndexName[] = [];
    for (let block = 0; block * BLOCK < head.size; block++) {
      for (const { name, nid } of this.#dirents(directory, head, block)) {
        if (name !== "." && name !== "..") names.push({ name, nid });
      }
    }
    return names;
  }

  #read(offset: number, length: number): Uint8Array {
    if (offset + length > this.#bytes.size) throw damaged("something lies beyond its end");
    const bytes = this.#bytes.read(offset, length);
    if (bytes.length !== length) throw damaged("it is shorter than it was");
    return bytes;
  }

  #head(nid: number): Head {
    const view = viewOf(this.#read(nid * SLOT, INODE_SIZE));
    const format = view.getUint16(inodeField.format, true);
    const mode = view.getUint16(inodeField.mode, true) & MODE_TYPE;
    const type = inodeTypes.find((candidate) => modes[candidate] === mode);
    const size = view.getBigUint64(inodeField.size, true);
    if ((format & 1) !== FORMAT_EXTENDED || type === undefined) throw damaged(`there is no inode at number ${nid}`);
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(`the size of inode ${nid} is out of bounds`);
    return {
      type,
      view,
      size: Number(size),
      layout: format >> LAYOUT_SHIFT,
      xattrsSize: xattrsSizeOf(view.getUint16(inodeField.xattrCount, true)),
      union: view.getUint32(inodeField.union, true),
    };
  }

  #directory(nid: number): Head {
    const head = this.#head(nid);
    if (head.type !== "directory") throw damaged(`inode ${nid} is no directory`);
    return head;
  }

  /** Bytes that the index holds of an inode: of a directory or a link's target. */
  #data(nid: number, { layout, xattrsSize, union }: Head, offset: number, length: number): Uint8Array {
    if (layout === layouts.inline) return this.#read(nid * SLOT + INODE_SIZE + xattrsSize + offset, length);
    if (layout === layouts.plain) return this.#read(union * BLOCK + offset, length);
    throw damaged(`inode ${nid} has no data of its own`);
  }

  #dirents(nid: number, head: Head, block: number): Dirent[] {
    const start = block * BLOCK;
    const dirents = parseDirents(this.#data(nid, head, start, Math.min(BLOCK, head.size - start)));
    if (dirents === undefined) throw damaged(`the directory with number ${nid} is malformed`);
    return dirents;
  }

  #xattrs(nid: number, { xattrsSize }: Head): Xattrs {
    const xattrs = xattrsSize === 0 ? new Map() : parseXattrs(this.#read(nid * SLOT + INODE_SIZE, xattrsSize));
    if (xattrs === undefined) throw damaged(`the extended attributes of inode ${nid} are malformed`);
    return xattrs;
  }

  #extents(nid: number, { layout, size, union, xattrsSize }: Head): TarExtent[] {
    if (size === 0) return [];
    if (layout !== layouts.chunks || (union & ~CHUNK_BITS_MASK) !== CHUNK_INDEXES) {
      throw damaged(`inode ${nid} is no file in chunks`);
    }
    const bits = union & CHUNK_BITS_MASK;
    const count = Math.ceil(size / (BLOCK * 2 ** bits));
    const start = alignUp(nid * SLOT + INODE_SIZE + xattrsSize, CHUNK_ENTRY);
    const view = viewOf(this.#read(start, count * CHUNK_ENTRY));
    const blocks: number[] = [];
    for (let at = 0; at < count * CHUNK_ENTRY; at += CHUNK_ENTRY) {
      const block = view.getUint32(at + chunkField.block, true);
      if (block !== HOLE && view.getUint16(at + chunkField.device, true) !== TAR_DEVICE) {
        throw damaged(`a chunk of inode ${nid} lies on an unknown device`);
      }
      blocks.push(block);
    }
    return extentsOf(size, { bits, blocks } satisfies ChunkMap);
  }
}

const inodeTypes = Object.keys(direntTypes) as (keyof typeof direntTypes)[];
