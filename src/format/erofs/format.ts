/** EROFS on disk: offsets and numbers, from fs/erofs/erofs_fs.h. Everything is little endian. */

/** tar's own block, so that every file's content in a tar begins at a block's border. */
export const BLOCK_BITS = 9;
export const BLOCK = 1 << BLOCK_BITS;

/** Inodes are named by their place in units of this. */
export const SLOT = 32;

export const SUPER_OFFSET = 1024;
export const SUPER_SIZE = 128;
export const DEVICE_SLOT_SIZE = 128;
/** Right behind the superblock; device slots are addressed in units of their size. */
export const DEVICE_SLOT_OFFSET = SUPER_OFFSET + SUPER_SIZE;
export const INODES_OFFSET = 3 * BLOCK;

/** The image is a whole number of pages, so that no kernel reads past its end (CVE-2026-46329). */
export const IMAGE_ALIGNMENT = 4096;

export const superField = {
  magic: 0,
  featureCompat: 8,
  blockBits: 12,
  rootNid: 14,
  inodes: 16,
  blocks: 36,
  uuid: 48,
  featureIncompat: 80,
  extraDevices: 86,
  deviceTable: 88,
} as const;

export const SUPER_MAGIC = 0xe0f5e1e2;
/** The time in an inode is the time of the last change of the content. */
export const COMPAT_MTIME = 0x2;
export const INCOMPAT_CHUNKED_FILE = 0x4;
export const INCOMPAT_DEVICE_TABLE = 0x8;

export const deviceField = { tag: 0, blocks: 64 } as const;

export const INODE_SIZE = 64;
export const inodeField = {
  format: 0,
  xattrCount: 2,
  mode: 4,
  size: 8,
  /** A block number, a device number, or the chunk format. */
  union: 16,
  number: 20,
  uid: 24,
  gid: 28,
  mtime: 32,
  mtimeNanoseconds: 40,
  nlink: 44,
} as const;

/** The extended form of an inode, 64 bytes; the data layout stands above this bit. */
export const FORMAT_EXTENDED = 1;
export const LAYOUT_SHIFT = 1;
export const layouts = { plain: 0, inline: 2, chunks: 4 } as const;

export const CHUNK_BITS_MASK = 0x1f;
export const CHUNK_INDEXES = 0x20;
export const CHUNK_ENTRY = 8;
export const chunkField = { device: 2, block: 4 } as const;
export const TAR_DEVICE = 1;
export const HOLE = 0xffffffff;
/** Block numbers are 32 bits wide, and the last means a hole. */
export const TAR_MAXIMUM = 0xffffffff * BLOCK;

export const DIRENT = 12;
export const direntField = { nid: 0, nameOffset: 8, type: 10 } as const;
export const direntTypes = { file: 1, directory: 2, character: 3, block: 4, fifo: 5, symlink: 7 } as const;

export const modes = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
} as const;
export const MODE_TYPE = 0o170000;

/** The kernel's 32-bit form of a device number. */
export const encodeDevice = (major: number, minor: number): number =>
  ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;

export const decodeDevice = (device: number): { major: number; minor: number } => ({
  major: (device >>> 8) & 0xfff,
  minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
});
export const MAJOR_MAXIMUM = 0xfff;
export const MINOR_MAXIMUM = 0xfffff;

export const alignUp = (value: number, to: number): number => Math.ceil(value / to) * to;
