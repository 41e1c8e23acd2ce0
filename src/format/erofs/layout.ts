import { alignUp, BLOCK, CHUNK_ENTRY, IMAGE_ALIGNMENT, INODE_SIZE, INODES_OFFSET, SLOT } from "./format.ts";
import { directorySize } from "./names.ts";
import { isDot, ROOT, type Tree } from "./tree.ts";

/** Where everything of a tree lies in its index. */
export interface Layout {
  readonly tree: Tree;
  /** Every name, as `Tree.list` gives them. */
  readonly names: Uint32Array;
  /** By inode: its place in slots, which is its number on disk; 0 for what has no name. */
  readonly nids: Uint32Array;
  /** By inode: how many names it has. */
  readonly links: Uint32Array;
  /** How many inodes have a place. */
  readonly inodes: number;
  /** Where the data begins that does not fit behind its inode. */
  readonly dataStart: number;
  /** Bytes of the image. */
  readonly size: number;
}

/** Gives every inode its place, and the data that does not fit behind one its blocks. */
export const planLayout = (tree: Tree): Layout => {
  const names = tree.list();
  const nids = new Uint32Array(tree.count);
  const links = new Uint32Array(tree.count);
  let inodes = 0;
  let end = INODES_OFFSET;
  let data = 0;
  const place = (inode: number): void => {
    inodes++;
    if (tree.isDirectory(inode)) {
      links[inode] = 2;
      tree.setSize(inode, directorySize(tree, names, inode));
    }
    const offset = inodeOffset(tree, inode, end);
    nids[inode] = offset / SLOT;
    end = inodeEnd(tree, inode, offset);
    if (isApart(tree, inode, offset)) data = alignUp(data, BLOCK) + tree.sizeOf(inode);
  };
  place(ROOT);
  for (const name of names) {
    if (isDot(name)) continue;
    const inode = tree.inodeOf(name);
    if (nids[inode] === 0) place(inode);
    // A directory is linked by its own entries and by the `..` of each directory in it.
    links[tree.isDirectory(inode) ? tree.directoryOf(name) : inode]!++;
  }
  const dataStart = data === 0 ? end : alignUp(end, BLOCK);
  return { tree, names, nids, links, inodes, dataStart, size: alignUp(dataStart + data, IMAGE_ALIGNMENT) };
};

/** Goes through the inodes in the order of their places: breadth first, names sorted, so that a directory's are neighbours. */
export class PlacedInodes {
  readonly #layout: Layout;
  #at = -1;
  #data: number;
  inode = ROOT;
  /** Byte offset of the inode. */
  offset = 0;
  /** Byte offset of its data, when that does not lie behind it. */
  data: number | undefined;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#data = layout.dataStart;
  }

  /** Goes on to the next one, if there is one. */
  next(): boolean {
    const { tree, names, nids } = this.#layout;
    for (; this.#at < names.length; this.#at++) {
      const inode = this.#at < 0 ? ROOT : tree.inodeOf(names[this.#at]!);
      const offset = nids[inode]! * SLOT;
      // One that lies further in front was met under another name.
      if (offset <= this.offset) continue;
      this.inode = inode;
      this.offset = offset;
      this.data = isApart(tree, inode, offset) ? this.#data : undefined;
      if (this.data !== undefined) this.#data = alignUp(this.data + tree.sizeOf(inode), BLOCK);
      return true;
    }
    return false;
  }
}

/** Behind an inode and its attributes. */
export const tailOffset = (tree: Tree, inode: number, offset: number): number =>
  offset + INODE_SIZE + tree.encodedXattrs(inode).length;

/** Bytes that the index holds of a directory or a link, which must not cross a block's border when they lie behind it. */
const dataSize = (tree: Tree, inode: number): number => {
  const type = tree.typeOf(inode);
  return type === "directory" || type === "symlink" ? tree.sizeOf(inode) : 0;
};

const fitsBehind = (tree: Tree, inode: number, offset: number): boolean =>
  (tailOffset(tree, inode, offset) % BLOCK) + dataSize(tree, inode) <= BLOCK;

/** Whether an inode at this place has data which lies in blocks of its own. */
const isApart = (tree: Tree, inode: number, offset: number): boolean => !fitsBehind(tree, inode, offset);

/** The first place from `from` on where the inode crosses no block's border, and if there is one near, its data neither. */
const inodeOffset = (tree: Tree, inode: number, from: number): number => {
  const slot = alignUp(from, SLOT);
  const block = alignUp(from, BLOCK);
  const first = (slot % BLOCK) + INODE_SIZE <= BLOCK ? slot : block;
  return fitsBehind(tree, inode, first) || !fitsBehind(tree, inode, block) ? first : block;
};

/** The end of an inode at this place with all that lies behind it. */
export const inodeEnd = (tree: Tree, inode: number, offset: number): number => {
  const tail = tailOffset(tree, inode, offset);
  if (tree.typeOf(inode) === "file") return alignUp(tail, CHUNK_ENTRY) + tree.chunkCountOf(inode) * CHUNK_ENTRY;
  return isApart(tree, inode, offset) ? tail : tail + dataSize(tree, inode);
};
