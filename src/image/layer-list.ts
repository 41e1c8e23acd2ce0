/** A stored layer as the list of a tree that the keeper writes: the same names, inodes and contents as its index has. */
import { type IndexInode, type IndexName, IndexReader } from "../format/erofs/reader.ts";
import { OPAQUE_NAME, OPAQUE_VALUE } from "../format/erofs/xattrs.ts";
import type { TreeAttributes, TreeContent, TreeEntry } from "../kernel/tree-list.ts";
import { openIndex } from "./index-file.ts";

/** Whiteouts and opaque marks are overlayfs' own: devices 0:0 and attributes. Read as it is asked for, in bounded memory. */
export function* listLayer(index: string): Generator<TreeEntry> {
  using bytes = openIndex(index);
  const reader = new IndexReader(bytes);
  const open = (nid: number) => ({ inode: reader.inode(nid), names: reader.readdir(nid).values() });
  const numbers = new LinkNumbers();
  const way = [open(reader.root)];
  for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
    const next = here.names.next();
    if (next.done === true) {
      way.pop();
      yield { kind: "leave", ...attributesOf(here.inode) };
      continue;
    }
    const { name, nid }: IndexName = next.value;
    const inode = reader.inode(nid);
    if (inode.type === "directory") {
      yield { kind: "enter", name };
      way.push(open(nid));
    } else yield numbers.entryOf(name, inode);
  }
}

class LinkNumbers {
  readonly #numbers = new Map<number, number>();

  entryOf(name: string, inode: IndexInode): TreeEntry {
    const content = contentOf(inode);
    // All whiteouts of a layer are one inode; that many links not every file system can have.
    if (inode.nlink === 1 || inode.type === "whiteout") return { name, ...content, ...attributesOf(inode) };
    const known = this.#numbers.get(inode.nid);
    if (known !== undefined) return { kind: "link", name, link: known };
    const link = this.#numbers.size + 1;
    this.#numbers.set(inode.nid, link);
    return { name, link, ...content, ...attributesOf(inode) };
  }
}

const attributesOf = ({ mode, uid, gid, mtime, xattrs, opaque }: IndexInode): TreeAttributes => ({
  ...{ mode, uid, gid, mtime },
  xattrs: opaque ? new Map([...xattrs, [OPAQUE_NAME, OPAQUE_VALUE]]) : xattrs,
});

/** What an inode of an index is, as a list has it. */
export const contentOf = ({ type, size, extents, target, major, minor }: IndexInode): TreeContent => {
  switch (type) {
    case "file":
      return { kind: "file", size, extents };
    case "symlink":
      return { kind: "symlink", target };
    case "whiteout":
      return { kind: "character", major: 0, minor: 0 };
    case "character":
    case "block":
      return { kind: type, major, minor };
    case "fifo":
      return { kind: "fifo" };
    case "directory":
      throw new Error("a directory is entered");
  }
};
