/** The merged tree of a stack of layers as data: what a container of the image would see, without a mount. */
import { closeSync, openSync } from "node:fs";
import { Recent } from "../base/recent.ts";
import { type IndexInode, IndexReader } from "../format/erofs/reader.ts";
import type { TreeEntry as ListEntry, TreeAttributes } from "../kernel/tree-list.ts";
import { indexBytes, readExactly } from "./index-file.ts";
import { contentOf as contentOfInode } from "./layer-list.ts";
import type { StackLayer } from "./layers.ts";

export interface TreeEntry extends Omit<IndexInode, "nid" | "opaque"> {
  /** Names with the same one are hard links of one file. */
  readonly identity: string;
}

/** A path, one character per byte (latin1), with what is there. */
export interface TreePath extends TreeEntry {
  readonly path: string;
}

interface Layer {
  readonly number: number;
  readonly tar: string;
  readonly reader: IndexReader;
}

/** One inode of one layer. */
interface Place {
  readonly layer: Layer;
  readonly inode: IndexInode;
}

/** What overlayfs shows under a name: of directories all layers' that it merges, the topmost first; of others one. */
type Node = readonly [Place, ...Place[]];

// As the kernel counts them (path_resolution(7)).
const maxLinks = 40;

/** Where a path leads: as far as it exists, and the names that do not. */
interface Followed {
  readonly way: readonly Way[];
  readonly missing: readonly string[];
}

export class Tree {
  readonly #root: Node | undefined;
  readonly #directories = new Recent<Followed | undefined>(16);

  private constructor(layers: readonly Layer[]) {
    // overlayfs merges the roots of all layers; a mark that says otherwise counts only below them.
    const [first, ...rest] = layers.map((layer): Place => ({ layer, inode: layer.reader.inode(layer.reader.root) }));
    this.#root = first === undefined ? undefined : [first, ...rest];
  }

  /** The tree of a stack, its topmost layer first. Nothing stays open. */
  static open(stack: readonly StackLayer[]): Tree {
    return new Tree(
      stack.map(({ number, tar, index }) => ({ number, tar, reader: new IndexReader(indexBytes(index)) })),
    );
  }

  /** What is at the path, links followed; undefined when there is nothing, or when links lead in circles. */
  find(path: string): TreeEntry | undefined {
    const node = this.#resolve(path);
    return node === undefined ? undefined : entryOf(node);
  }

  /** What is at the path itself, no link followed: one character per byte, as `walk` gives it. */
  at(path: string): TreeEntry | undefined {
    let node = this.#root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      node = node?.[0].inode.type === "directory" ? lookUp(node, name) : undefined;
    }
    return node === undefined ? undefined : entryOf(node);
  }

  /** The contents of a regular file, links followed; undefined for all else, and for more than `limit` bytes. */
  read(path: string, limit: number): Uint8Array | undefined {
    const node = this.#resolve(path);
    if (node === undefined) return undefined;
    const [{ layer, inode }] = node;
    if (inode.type !== "file" || inode.size > limit) return undefined;
    return readContent(layer.tar, inode);
  }

  /** Everything beneath the root, sorted by the bytes of the names within each directory; no link is followed. */
  *walk(): Generator<TreePath> {
    if (this.#root !== undefined) yield* walkBelow(this.#root, "");
  }

  /** What is at the path, links followed, and how many names are in it; undefined when there is nothing. */
  directory(path: string): { readonly entry: TreeEntry; readonly isEmpty: boolean } | undefined {
    const node = this.#resolve(path);
    if (node === undefined) return undefined;
    const isEmpty = node[0].inode.type !== "directory" || walkBelow(node, "").next().done === true;
    return { entry: entryOf(node), isEmpty };
  }

  /**
   * The directory at the path as the list of a tree that the keeper writes; a file's source is the place of its layer's tar
   * in `sources`. Nothing where there is no directory.
   */
  *list(path: string): Generator<ListEntry> {
    const node = this.#resolve(path);
    if (node?.[0].inode.type === "directory") yield* new Lister(this.sources).list(node);
  }

  /** The tars of the layers, the topmost first. */
  get sources(): readonly string[] {
    return this.#root?.map(({ layer }) => layer.tar) ?? [];
  }

  /** The stored bytes of a file that `walk` gave: for those who compare all of them. */
  contentOf(entry: TreeEntry): Uint8Array | undefined {
    const tar = this.#root?.find(({ layer }) => entry.identity.startsWith(`${layer.number}:`))?.layer.tar;
    return tar === undefined || entry.type !== "file" ? undefined : readContent(tar, entry);
  }

  /** What is at the path, the last name's own link not followed. Paths here and below: one character per byte. */
  entry(path: string): TreeEntry | undefined {
    const names = namesOf(path);
    const last = names.pop();
    if (last === undefined || last === "." || last === "..") {
      const here = this.#follow(names.concat(last ?? []));
      return here === undefined || here.missing.length > 0 ? undefined : entryOf(here.way.at(-1)!.node);
    }
    // Who asks for one name of a directory mostly asks for all of them.
    const above = this.#directories.get(names.join("/"), () => this.#follow(names));
    if (above === undefined || above.missing.length > 0) return undefined;
    const node = childOf(above.way.at(-1)!.node, last);
    return node === undefined ? undefined : entryOf(node);
  }

  /** What is in a directory, sorted by the bytes of its names; links on the way to it are followed, those in it are not. */
  children(path: string): readonly (readonly [name: string, entry: TreeEntry])[] {
    const found = this.#follow(namesOf(path));
    const node = found?.way.at(-1)?.node;
    if (found === undefined || found.missing.length > 0 || node?.[0].inode.type !== "directory") return [];
    return childrenOf(node).map(([name, child]) => [name, entryOf(child)]);
  }

  /** Where a path leads when every link is followed: as far as it exists, and the names that do not; undefined for circles. */
  locate(path: string): { readonly path: string; readonly missing: readonly string[] } | undefined {
    if (this.#root === undefined) return { path: "/", missing: namesOf(path).filter((name) => name !== ".") };
    const found = this.#follow(namesOf(path));
    if (found === undefined) return undefined;
    const names = found.way.slice(1).map(({ name }) => name);
    return { path: `/${names.join("/")}`, missing: found.missing };
  }

  /** The content of a file that `entry`, `find` or `walk` gave, in pieces, holes as zeroes. */
  *contents(entry: TreeEntry, tars?: OpenTars): Generator<Uint8Array> {
    const tar = this.#root?.find(({ layer }) => entry.identity.startsWith(`${layer.number}:`))?.layer.tar;
    if (tar === undefined || entry.type !== "file" || entry.size === 0) return;
    const file = tars?.get(tar) ?? openSync(tar, "r");
    try {
      let at = 0;
      for (const { logical, offset, length } of entry.extents) {
        yield* zeroes(logical - at);
        for (let done = 0; done < length; done += pieceSize) {
          const piece = new Uint8Array(Math.min(pieceSize, length - done));
          readExactly(file, piece, offset + done);
          yield piece;
        }
        at = logical + length;
      }
      yield* zeroes(entry.size - at);
    } finally {
      if (tars === undefined) closeSync(file);
    }
  }

  #resolve(path: string): Node | undefined {
    const found = this.#follow(namesOf(Buffer.from(path, "utf8").toString("latin1")));
    return found === undefined || found.missing.length > 0 ? undefined : found.way.at(-1)!.node;
  }

  /** `..` of the root is the root, and links begin again at the root or where they stand: no path leads out. */
  #follow(names: readonly string[]): Followed | undefined {
    if (this.#root === undefined) return undefined;
    const way: Way[] = [{ name: "", node: this.#root }];
    const left = names.toReversed();
    let links = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const here = way.at(-1)!.node;
      if (here[0].inode.type !== "directory") return { way, missing: [name, ...left.reverse()] };
      if (name === ".") continue;
      if (name === "..") {
        if (way.length > 1) way.pop();
        continue;
      }
      const next = lookUp(here, name);
      if (next === undefined) return { way, missing: [name, ...left.reverse()] };
      if (next[0].inode.type !== "symlink") {
        way.push({ name, node: next });
        continue;
      }
      if (++links > maxLinks) return undefined;
      const target = Buffer.from(next[0].inode.target).toString("latin1");
      if (target.startsWith("/")) way.length = 1;
      left.push(...namesOf(target).reverse());
    }
    return { way, missing: [] };
  }
}

/** Tars that stay open until it is disposed, for those who read many files of them. */
export class OpenTars implements Disposable {
  readonly #files = new Map<string, number>();

  get(path: string): number {
    const file = this.#files.get(path) ?? openSync(path, "r");
    this.#files.set(path, file);
    return file;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }
}

interface Way {
  readonly name: string;
  readonly node: Node;
}

const pieceSize = 256 * 1024;

function* zeroes(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= pieceSize) yield new Uint8Array(Math.min(left, pieceSize));
}

const childOf = (directory: Node, name: string): Node | undefined =>
  directory[0].inode.type === "directory" ? lookUp(directory, name) : undefined;

/** The names of a path; `.` stands for a slash at its end, which only a directory may have. */
const namesOf = (path: string): string[] => {
  const names = path.split("/").filter((name) => name !== "");
  return path.endsWith("/") ? [...names, "."] : names;
};

/**
 * Adds what the next layer below has under a name, as overlayfs merges (Documentation/filesystems/overlayfs.rst): down to a
 * whiteout, an opaque directory or another type. Answers whether something further down could be seen.
 */
const addPlace = (found: Place[], place: Place): boolean => {
  const { type, opaque } = place.inode;
  if (type === "whiteout" || (found.length > 0 && type !== "directory")) return false;
  found.push(place);
  return type === "directory" && !opaque;
};

const nodeOf = ([top, ...below]: readonly Place[]): Node | undefined =>
  top === undefined ? undefined : [top, ...below];

const lookUp = (directory: Node, name: string): Node | undefined => {
  const found: Place[] = [];
  for (const { layer, inode: parent } of directory) {
    const nid = layer.reader.lookup(parent.nid, name);
    if (nid !== undefined && !addPlace(found, { layer, inode: layer.reader.inode(nid) })) break;
  }
  return nodeOf(found);
};

/** Sorted by the bytes of their names. Each layer's directory is read once: names that are looked up one by one cost more. */
const childrenOf = (directory: Node): readonly (readonly [string, Node])[] => {
  const found = new Map<string, Place[]>();
  const whole = new Set<string>();
  for (const { layer, inode: parent } of directory) {
    for (const { name, nid } of layer.reader.readdir(parent.nid)) {
      if (whole.has(name)) continue;
      const places = found.get(name) ?? [];
      found.set(name, places);
      if (!addPlace(places, { layer, inode: layer.reader.inode(nid) })) whole.add(name);
    }
  }
  return [...found.keys()].sort().flatMap((name) => {
    const node = nodeOf(found.get(name)!);
    return node === undefined ? [] : [[name, node] as const];
  });
};

class Lister {
  readonly #sources: readonly string[];
  readonly #numbers = new Map<string, number>();

  constructor(sources: readonly string[]) {
    this.#sources = sources;
  }

  /** What is in the directory, then the directory itself. */
  *list(directory: Node): Generator<ListEntry> {
    for (const [name, node] of childrenOf(directory)) {
      if (node[0].inode.type !== "directory") {
        yield this.#entryOf(name, node);
        continue;
      }
      yield { kind: "enter", name };
      yield* this.list(node);
    }
    yield { kind: "leave", ...attributesOf(directory[0].inode) };
  }

  #entryOf(name: string, [{ layer, inode }]: Node): ListEntry {
    const content = contentOfInode(inode);
    const entry = {
      name,
      ...content,
      ...(content.kind === "file" ? { source: this.#sources.indexOf(layer.tar) } : {}),
      ...attributesOf(inode),
    };
    if (inode.nlink === 1) return entry;
    const identity = `${layer.number}:${inode.nid}`;
    const known = this.#numbers.get(identity);
    if (known !== undefined) return { kind: "link", name, link: known };
    this.#numbers.set(identity, this.#numbers.size + 1);
    return { ...entry, link: this.#numbers.size };
  }
}

const attributesOf = ({ mode, uid, gid, mtime, xattrs }: IndexInode): TreeAttributes => ({
  ...{ mode, uid, gid, mtime, xattrs },
});

function* walkBelow(directory: Node, prefix: string): Generator<TreePath> {
  for (const [name, node] of childrenOf(directory)) {
    const path = `${prefix}/${name}`;
    yield { ...entryOf(node), path };
    if (node[0].inode.type === "directory") yield* walkBelow(node, path);
  }
}

const entryOf = ([{ layer, inode }]: Node): TreeEntry => {
  const { nid, opaque: _, ...entry } = inode;
  return { ...entry, identity: `${layer.number}:${nid}` };
};

const readContent = (tar: string, { size, extents }: Pick<IndexInode, "size" | "extents">): Uint8Array => {
  const content = new Uint8Array(size);
  if (extents.length === 0) return content;
  const file = openSync(tar, "r");
  try {
    for (const { logical, offset, length } of extents)
      readExactly(file, content.subarray(logical, logical + length), offset);
    return content;
  } finally {
    closeSync(file);
  }
};
