/** One layer as a tree in memory, some forty bytes for each file. Names and targets are of one character per byte (latin1). */
import { type Attributes, AttributeTable } from "./attributes.ts";
import { type ChunkMap, wholeBits } from "./chunks.ts";
import { direntTypes, encodeDevice } from "./format.ts";
import type { Meter } from "./limits.ts";
import { RowIndex, Rows } from "./rows.ts";
import { hashOfText, Texts } from "./texts.ts";

export type NodeContent =
  | { readonly type: "directory" | "fifo" }
  | { readonly type: "file"; readonly size: number; readonly chunks: ChunkMap }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "character" | "block"; readonly major: number; readonly minor: number };

export type NodeType = keyof typeof direntTypes;
/** By their numbers in entries of directories. */
const types = Object.keys(direntTypes).reduce<NodeType[]>((all, name) => {
  const type = name as NodeType;
  all[direntTypes[type]] = type;
  return all;
}, []);

/** A name and, unless it is a link to another's, its inode. Each is one row, and named by the row's number. */
const field = {
  directory: 0,
  name: 1,
  /**
   * What is found by the same hash; when nothing is looked up any more, what is in the same directory; when a directory
   * was listed, where its names end.
   */
  chain: 2,
  /** The type in the low bits, then marks, then the number of the attributes. */
  what: 3,
  size: 4,
  /** A file's block, a target's place, a device's number, a link's inode; where a directory's names begin. */
  place: 5,
} as const;
const WIDTH = 6;

const TYPE = 0x0f;
/** The name of an inode that has one already. */
const LINK = 0;
const OPAQUE = 0x10;
/** The name is free again, or somebody else's. */
const GONE = 0x20;
const ATTRIBUTES_SHIFT = 8;

/** What a name takes: its row, its part of the hash table, and later its places in the index. */
const ROW_COST = WIDTH * 4 + 14;
/** What takes more than a row: big files and sparse ones. */
const MAP_COST = 200;

const NO_CHUNKS: ChunkMap = { bits: 0, blocks: [] };

export const ROOT = 0;
/** All whiteouts of a layer are this inode: there is nothing to tell them apart. */
export const WHITEOUT = 1;
/** The names that every directory has. */
export const DOT = 2;
export const DOT_DOT = 3;
const FIRST = 4;

export const isDot = (name: number): boolean => name < FIRST;

export class Tree {
  readonly #attributes: AttributeTable;
  readonly #meter: Meter;
  readonly #rows = new Rows(WIDTH);
  readonly #texts = new Texts();
  readonly #names = new RowIndex(this.#rows, field.chain, (name) => this.#hashOf(name));
  /** Files that are no single chunk of less than 4 GiB. */
  readonly #files = new Map<number, { readonly size: number; readonly chunks: ChunkMap }>();
  #removals = 0;

  constructor(meter: Meter) {
    this.#meter = meter;
    this.#attributes = new AttributeTable(meter);
    for (let row = ROOT; row < FIRST; row++) this.#rows.add();
    this.#rows.set(ROOT, field.what, direntTypes.directory);
    this.#rows.set(WHITEOUT, field.what, direntTypes.character);
    this.#rows.set(DOT, field.name, this.#texts.add("."));
    this.#rows.set(DOT_DOT, field.name, this.#texts.add(".."));
  }

  /** Names and inodes are numbered below this. */
  get count(): number {
    return this.#rows.count;
  }

  /** How many names were taken away, by others that took their place or for good. */
  get removals(): number {
    return this.#removals;
  }

  get isEmpty(): boolean {
    return this.count === FIRST && !this.isOpaque(ROOT);
  }

  /** The inode that a directory has under this name. */
  find(directory: number, name: string): number | undefined {
    const row = this.#find(directory, name);
    return row === undefined ? undefined : this.inodeOf(row);
  }

  /** The name is the new inode's, whatever it was before. */
  add(directory: number, name: string, content: NodeContent, attributes: Attributes): number {
    const row = this.#addName(directory, name, direntTypes[content.type]);
    this.setAttributes(row, attributes);
    this.#setContent(row, content);
    return row;
  }

  /** The name is one more of that inode, whatever it was before. */
  link(directory: number, name: string, inode: number): void {
    this.#rows.set(this.#addName(directory, name, LINK), field.place, inode);
  }

  /** The name is free. An inode that has others lives on. */
  remove(directory: number, name: string): void {
    const row = this.#find(directory, name);
    if (row === undefined) return;
    this.#mark(row, GONE);
    this.#removals++;
  }

  setAttributes(inode: number, attributes: Attributes): void {
    const what = this.#rows.get(inode, field.what) & ((1 << ATTRIBUTES_SHIFT) - 1);
    this.#rows.set(inode, field.what, what | (this.#attributes.add(attributes) << ATTRIBUTES_SHIFT));
  }

  attributesOf(inode: number): Attributes {
    return this.#attributes.get(this.#attributesNumber(inode));
  }

  putAttributes(inode: number, bytes: Buffer, at: number): void {
    this.#attributes.put(this.#attributesNumber(inode), bytes, at);
  }

  /** The extended attributes as they lie on disk, one character per byte. */
  encodedXattrs(inode: number): string {
    return this.#attributes.encodedXattrs(this.#attributesNumber(inode));
  }

  setOpaque(directory: number): void {
    this.#mark(directory, OPAQUE);
  }

  isOpaque(directory: number): boolean {
    return (this.#rows.get(directory, field.what) & OPAQUE) !== 0;
  }

  typeOf(inode: number): NodeType {
    return types[this.#typeNumber(inode)]!;
  }

  isDirectory(inode: number): boolean {
    return this.#typeNumber(inode) === direntTypes.directory;
  }

  directoryOf(name: number): number {
    return this.#rows.get(name, field.directory);
  }

  inodeOf(name: number): number {
    return this.#typeNumber(name) === LINK ? this.#rows.get(name, field.place) : name;
  }

  nameLength(name: number): number {
    return this.#texts.lengthOf(this.#rows.get(name, field.name));
  }

  nameOf(name: number): string {
    return this.#texts.get(this.#rows.get(name, field.name));
  }

  putName(name: number, bytes: Buffer, at: number): void {
    this.#texts.put(this.#rows.get(name, field.name), bytes, at);
  }

  /** Below, above or equal to zero, as the bytes of the one name sort before, after or with those of the other. */
  compareNames(one: number, other: number): number {
    return this.#texts.compare(this.#rows.get(one, field.name), this.#rows.get(other, field.name));
  }

  /** Where in `list` a directory's names begin, and where they end. */
  firstOf(directory: number): number {
    return this.#rows.get(directory, field.place);
  }

  endOf(directory: number): number {
    return this.#rows.get(directory, field.chain);
  }

  targetOf(symlink: number): string {
    return this.#texts.get(this.#rows.get(symlink, field.place));
  }

  /** Bytes of a file or a target, and of a directory when they were set; of all else 0. */
  sizeOf(inode: number): number {
    return this.#files.get(inode)?.size ?? this.#rows.get(inode, field.size);
  }

  setSize(directory: number, size: number): void {
    this.#rows.set(directory, field.size, size);
  }

  chunksOf(file: number): ChunkMap {
    const size = this.#rows.get(file, field.size);
    if (size === 0) return this.#files.get(file)?.chunks ?? NO_CHUNKS;
    return { bits: wholeBits(size), blocks: [this.#rows.get(file, field.place)] };
  }

  chunkCountOf(file: number): number {
    return this.#rows.get(file, field.size) === 0 ? (this.#files.get(file)?.chunks.blocks.length ?? 0) : 1;
  }

  deviceOf(inode: number): number {
    return this.#rows.get(inode, field.place);
  }

  /**
   * All names, each directory's sorted and together, `.` and `..` among them, the directories in the order in which they
   * are listed themselves (breadth first). Nothing can be found or added any more: the chains are used up.
   */
  list(): Uint32Array {
    const directories = this.#chainSiblings();
    const names = new Uint32Array(this.count + directories * 2);
    let end = this.#listDirectory(ROOT, names, 0);
    for (let at = 0; at < end; at++) {
      const name = names[at]!;
      if (!isDot(name) && this.isDirectory(name)) end = this.#listDirectory(name, names, end);
    }
    return names.subarray(0, end);
  }

  #find(directory: number, name: string): number | undefined {
    const names = this.#names;
    for (let row = names.first(hashOfText(directory, name)); row !== 0; row = names.after(row)) {
      const isIt =
        this.#rows.get(row, field.directory) === directory && this.#texts.is(this.#rows.get(row, field.name), name);
      // The youngest comes first, and older ones of that name are gone.
      if (isIt) return this.#isGone(row) ? undefined : row;
    }
    return undefined;
  }

  #hashOf(name: number): number {
    return this.#texts.hashOf(this.#rows.get(name, field.name), this.#rows.get(name, field.directory));
  }

  #addName(directory: number, name: string, type: number): number {
    this.#meter.charge(ROW_COST + name.length);
    this.remove(directory, name);
    const row = this.#rows.add();
    this.#rows.set(row, field.directory, directory);
    this.#rows.set(row, field.name, this.#texts.add(name));
    this.#rows.set(row, field.what, type);
    this.#names.add(row);
    return row;
  }

  #setContent(row: number, content: NodeContent): void {
    if (content.type === "file") this.#setChunks(row, content.size, content.chunks);
    else if (content.type === "symlink") {
      this.#meter.charge(content.target.length);
      this.#rows.set(row, field.size, content.target.length);
      this.#rows.set(row, field.place, this.#texts.add(content.target));
    } else if (content.type === "character" || content.type === "block") {
      this.#rows.set(row, field.place, encodeDevice(content.major, content.minor));
    }
  }

  #setChunks(row: number, size: number, chunks: ChunkMap): void {
    const [block, ...more] = chunks.blocks;
    if (block === undefined) return;
    if (size < 2 ** 32 && more.length === 0 && chunks.bits === wholeBits(size)) {
      this.#rows.set(row, field.size, size);
      this.#rows.set(row, field.place, block);
    } else {
      this.#meter.charge(MAP_COST + chunks.blocks.length * 8);
      this.#files.set(row, { size, chunks });
    }
  }

  #mark(row: number, mark: number): void {
    this.#rows.set(row, field.what, this.#rows.get(row, field.what) | mark);
  }

  #typeNumber(inode: number): number {
    return this.#rows.get(inode, field.what) & TYPE;
  }

  #attributesNumber(inode: number): number {
    return this.#rows.get(inode, field.what) >>> ATTRIBUTES_SHIFT;
  }

  #isGone(name: number): boolean {
    return (this.#rows.get(name, field.what) & GONE) !== 0;
  }

  /** Answers how many directories there are. */
  #chainSiblings(): number {
    let directories = 1;
    for (let row = FIRST; row < this.count; row++) {
      if (this.isDirectory(row)) directories++;
      if (this.#isGone(row)) continue;
      const directory = this.directoryOf(row);
      this.#rows.set(row, field.chain, this.#rows.get(directory, field.place));
      this.#rows.set(directory, field.place, row);
    }
    return directories;
  }

  /** In an opaque directory there is nothing to hide, and overlayfs would list the whiteouts of what only one layer has. */
  #listDirectory(directory: number, names: Uint32Array, start: number): number {
    const isOpaque = this.isOpaque(directory);
    let end = start;
    names[end++] = DOT;
    names[end++] = DOT_DOT;
    for (let row = this.#rows.get(directory, field.place); row !== 0; row = this.#rows.get(row, field.chain)) {
      if (!isOpaque || this.inodeOf(row) !== WHITEOUT) names[end++] = row;
    }
    names.subarray(start, end).sort((one, other) => this.compareNames(one, other));
    this.#rows.set(directory, field.place, start);
    this.#rows.set(directory, field.chain, end);
    return end;
  }
}
