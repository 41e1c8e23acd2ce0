/** One entry of a tar archive as a value, whatever dialect (v7, ustar, GNU, PAX, star) its headers spoke. */
export type TarEntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

export interface TarTime {
  /** Since 1970; negative before. */
  readonly seconds: bigint;
  /** 0 to 999,999,999, added to `seconds`. */
  readonly nanoseconds: number;
}

/** A run of content: `length` bytes of the file at `logical` lie in the tar stream at `offset`, counted from its start. */
export interface TarExtent {
  readonly logical: number;
  readonly offset: number;
  readonly length: number;
}

export interface TarEntry {
  /** Raw bytes as in the archive: not normalised, maybe not UTF-8. */
  readonly path: Uint8Array;
  readonly type: TarEntryType;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TarTime;
  /** Bytes of content as a reader of the file sees it, holes included; 0 for all but files. */
  readonly size: number;
  /** Target of a symbolic or hard link, raw bytes; empty otherwise. */
  readonly link: Uint8Array;
  readonly major: number;
  readonly minor: number;
  /** Full names, such as `user.x`, one character per byte (latin1), to raw values. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** In order and without overlap; one for a plain file, none for an empty one; between them a sparse file has holes. */
  readonly extents: readonly TarExtent[];
}

/** The content bytes that an entry has in the stream, without holes and padding. */
export const storedSize = (entry: TarEntry): number => entry.extents.reduce((sum, { length }) => sum + length, 0);
