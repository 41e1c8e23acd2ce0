import type { TarTime } from "../tar/entry.ts";
import type { ChunkMap } from "./chunks.ts";
import type { Xattrs } from "./xattrs.ts";

/** One layer as a tree in memory. Names and targets are strings of one character per byte (latin1). */

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TarTime;
  readonly xattrs: Xattrs;
}

export interface DirectoryNode {
  readonly type: "directory";
  attributes: Attributes;
  isOpaque: boolean;
  readonly children: Map<string, LayerNode>;
}

export interface FileNode {
  readonly type: "file";
  attributes: Attributes;
  readonly size: number;
  readonly chunks: ChunkMap;
}

export interface SymlinkNode {
  readonly type: "symlink";
  attributes: Attributes;
  readonly target: string;
}

export interface SpecialNode {
  readonly type: "character" | "block" | "fifo";
  attributes: Attributes;
  readonly major: number;
  readonly minor: number;
}

/** Hides what lower layers have of that name. */
export interface WhiteoutNode {
  readonly type: "whiteout";
}

/** A hard link is the same node under two names. */
export type LayerNode = DirectoryNode | FileNode | SymlinkNode | SpecialNode | WhiteoutNode;

const NO_XATTRS: Xattrs = new Map();

/** A directory that no entry describes, as Docker makes it: 0755, root's. */
export const impliedDirectory = (mtime: TarTime): DirectoryNode => ({
  type: "directory",
  attributes: { mode: 0o755, uid: 0, gid: 0, mtime, xattrs: NO_XATTRS },
  isOpaque: false,
  children: new Map(),
});

/** All whiteouts of a layer are one inode: there is nothing to tell them apart. */
export const whiteout: WhiteoutNode = { type: "whiteout" };
