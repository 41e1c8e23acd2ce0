export type IndexInodeType = "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "whiteout";

/** `length` bytes of the file at `logical` lie in the tar at `offset`; what no extent covers is a hole. */
export interface IndexExtent {
  readonly logical: number;
  readonly offset: number;
  readonly length: number;
}

export interface IndexInode {
  /** The inode's number: two names with the same are hard links of one file. */
  readonly nid: number;
  readonly type: IndexInodeType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
  readonly mtime: { readonly seconds: bigint; readonly nanoseconds: number };
  readonly nlink: number;
  /** Without overlayfs' own: those are told as `opaque`, and whiteouts as a type. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** A directory that hides what lower layers have at its place. */
  readonly opaque: boolean;
  /** A symbolic link's target; empty otherwise. */
  readonly target: Uint8Array;
  readonly extents: readonly IndexExtent[];
}

export interface IndexName {
  /** One character per byte (latin1), so that names compare and look up by their bytes. */
  readonly name: string;
  readonly nid: number;
  readonly type: IndexInodeType | "unknown";
}

/** Where an index's bytes are: in memory, or in a file that is read in pieces. */
export interface IndexBytes {
  readonly size: number;
  /** Exactly `length` bytes from `offset`. */
  read(offset: number, length: number): Uint8Array;
}

/** Reads an index that pier wrote; damage is an error and never a hang. */
export class IndexReader {
  readonly root: number = 0;
  constructor(_bytes: IndexBytes | Uint8Array) {}
  inode(_nid: number): IndexInode {
    throw new Error();
  }
  lookup(_directory: number, _name: string): number | undefined {
    return undefined;
  }
  /** Without `.` and `..`, sorted by bytes. */
  readdir(_directory: number): IndexName[] {
    return [];
  }
}
