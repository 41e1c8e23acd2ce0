import { directorySize } from "./directories.ts";
import { alignUp, BLOCK, CHUNK_ENTRY, INODE_SIZE, INODES_OFFSET, SLOT } from "./format.ts";
import type { Attributes, DirectoryNode, LayerNode } from "./tree.ts";
import { OPAQUE_NAME, OPAQUE_VALUE, xattrsSize } from "./xattrs.ts";

/** An inode of the index and where it and its data lie. */
export interface PlacedInode {
  readonly node: LayerNode;
  readonly attributes: Attributes;
  readonly parent: PlacedInode | undefined;
  nlink: number;
  /** A directory's names, sorted by their bytes, `.` and `..` among them; none for all others. */
  readonly names: readonly string[];
  readonly xattrsSize: number;
  /** Bytes of a directory or a target, which the index holds; of a file, what a reader sees. */
  readonly size: number;
  /** Byte offset of the inode. */
  offset: number;
  /** Byte offset of a directory's or target's bytes. */
  dataOffset: number;
}

export interface Layout {
  /** In the order of their places: breadth first, names sorted, so that a directory's inodes are neighbours. */
  readonly inodes: readonly PlacedInode[];
  readonly inodeOf: ReadonlyMap<LayerNode, PlacedInode>;
  /** Bytes of the image, before it is filled up. */
  readonly end: number;
}

const WHITEOUT: Attributes = { mode: 0, uid: 0, gid: 0, mtime: { seconds: 0n, nanoseconds: 0 }, xattrs: new Map() };

const attributesOf = (node: LayerNode): Attributes => {
  if (node.type === "whiteout") return WHITEOUT;
  if (node.type !== "directory" || !node.isOpaque) return node.attributes;
  const xattrs = new Map(node.attributes.xattrs).set(OPAQUE_NAME, OPAQUE_VALUE);
  return { ...node.attributes, xattrs };
};

const sizeOf = (node: LayerNode, names: readonly string[]): number => {
  if (node.type === "directory") return directorySize(names);
  if (node.type === "symlink") return node.target.length;
  return node.type === "file" ? node.size : 0;
};

/** In an opaque directory there is nothing to hide, and overlayfs would list the whiteouts of what only one layer has. */
const namesOf = (node: DirectoryNode): string[] => {
  const names = [...node.children].filter(([, child]) => !(node.isOpaque && child.type === "whiteout"));
  return [".", "..", ...names.map(([name]) => name)].sort();
};

const unplaced = (node: LayerNode, parent: PlacedInode | undefined): PlacedInode => {
  const names = node.type === "directory" ? namesOf(node) : [];
  const attributes = attributesOf(node);
  return {
    node,
    attributes,
    parent,
    names,
    nlink: node.type === "directory" ? 2 : 0,
    xattrsSize: xattrsSize(attributes.xattrs),
    size: sizeOf(node, names),
    offset: 0,
    dataOffset: 0,
  };
};

const collect = (root: DirectoryNode): Map<LayerNode, PlacedInode> => {
  const inodes = new Map<LayerNode, PlacedInode>([[root, unplaced(root, undefined)]]);
  // A map can be walked while it grows, in the order of insertion.
  for (const inode of inodes.values()) {
    if (inode.node.type !== "directory") continue;
    for (const name of inode.names) {
      const child = inode.node.children.get(name);
      if (child === undefined) continue;
      const known = inodes.get(child) ?? unplaced(child, inode);
      inodes.set(child, known);
      if (child.type === "directory") inode.nlink++;
      else known.nlink++;
    }
  }
  return inodes;
};

/** Bytes that lie behind an inode and its attributes, and must not cross a block's border when they are data. */
const inlineSize = ({ node, size }: PlacedInode): number =>
  node.type === "directory" || node.type === "symlink" ? size : 0;

/** The first place from `from` on where the inode itself crosses no block's border. */
const inodeOffset = (from: number): number => {
  const offset = alignUp(from, SLOT);
  return (offset % BLOCK) + INODE_SIZE <= BLOCK ? offset : alignUp(offset, BLOCK);
};

const tailOffset = (inode: PlacedInode, offset: number): number => offset + INODE_SIZE + inode.xattrsSize;

/** Where data that is kept behind its inode would lie, or undefined when it would cross a border at both places tried. */
const inlinePlace = (inode: PlacedInode, from: number): number | undefined =>
  [inodeOffset(from), alignUp(from, BLOCK)].find(
    (offset) => (tailOffset(inode, offset) % BLOCK) + inlineSize(inode) <= BLOCK,
  );

/** Gives every inode its place, and the data that does not fit behind one its blocks. */
export const planLayout = (root: DirectoryNode): Layout => {
  const inodeOf = collect(root);
  const inodes = [...inodeOf.values()];
  const apart: PlacedInode[] = [];
  let end = INODES_OFFSET;
  for (const inode of inodes) {
    const place = inlineSize(inode) === 0 ? undefined : inlinePlace(inode, end);
    inode.offset = place ?? inodeOffset(end);
    const tail = tailOffset(inode, inode.offset);
    if (inode.node.type === "file") end = alignUp(tail, CHUNK_ENTRY) + inode.node.chunks.blocks.length * CHUNK_ENTRY;
    else if (place === undefined) {
      end = tail;
      if (inlineSize(inode) > 0) apart.push(inode);
    } else {
      inode.dataOffset = tail;
      end = tail + inlineSize(inode);
    }
  }
  for (const inode of apart) {
    inode.dataOffset = alignUp(end, BLOCK);
    end = inode.dataOffset + inode.size;
  }
  return { inodes, inodeOf, end };
};
