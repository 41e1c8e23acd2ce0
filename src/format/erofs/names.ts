/** A directory's names on disk: blocks, each first with its entries, then their names without anything between them. */
import { BLOCK, DIRENT, direntField, direntTypes } from "./format.ts";
import { DOT, DOT_DOT, type Tree } from "./tree.ts";

/** Of eight: as far as Buffer writes numbers, and further than any index reaches. */
const SIX_BYTES = 6;

/** How far the names from `first` on go into one block. */
export const blockEnd = (tree: Tree, names: Uint32Array, first: number, end: number): number => {
  let bytes = 0;
  for (let at = first; at < end; at++) {
    bytes += DIRENT + tree.nameLength(names[at]!);
    if (bytes > BLOCK) return at;
  }
  return end;
};

/** Bytes of the block that these names make. */
export const blockSize = (tree: Tree, names: Uint32Array, first: number, end: number): number => {
  let bytes = 0;
  for (let at = first; at < end; at++) bytes += DIRENT + tree.nameLength(names[at]!);
  return bytes;
};

/** Bytes of a directory: all blocks but the last are whole. */
export const directorySize = (tree: Tree, names: Uint32Array, directory: number): number => {
  const end = tree.endOf(directory);
  let first = tree.firstOf(directory);
  let size = 0;
  for (let next = blockEnd(tree, names, first, end); next < end; next = blockEnd(tree, names, first, end)) {
    size += BLOCK;
    first = next;
  }
  return size + blockSize(tree, names, first, end);
};

/** What a name of a directory leads to. */
const targetOf = (tree: Tree, directory: number, name: number): number => {
  if (name === DOT) return directory;
  return name === DOT_DOT ? tree.directoryOf(directory) : tree.inodeOf(name);
};

interface Block {
  readonly directory: number;
  /** Which of the names. */
  readonly first: number;
  readonly end: number;
}

/** Writes one block of a directory at `start`. */
export const putBlock = (
  bytes: Buffer,
  start: number,
  { tree, names, nids }: { readonly tree: Tree; readonly names: Uint32Array; readonly nids: Uint32Array },
  { directory, first, end }: Block,
): void => {
  let nameOffset = (end - first) * DIRENT;
  for (let index = first, at = start; index < end; index++, at += DIRENT) {
    const name = names[index]!;
    const target = targetOf(tree, directory, name);
    bytes.writeUIntLE(nids[target]!, at + direntField.nid, SIX_BYTES);
    bytes.writeUInt16LE(nameOffset, at + direntField.nameOffset);
    bytes.writeUInt8(direntTypes[tree.typeOf(target)], at + direntField.type);
    tree.putName(name, bytes, start + nameOffset);
    nameOffset += tree.nameLength(name);
  }
};
