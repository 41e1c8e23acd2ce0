/** The build context: the tar as it came and an index over it, so that its files are read as data and never unpacked. */
import { createHash } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DiffId, digestFromHex } from "../base/ids.ts";
import { IndexBuilder } from "../format/erofs/builder.ts";
import { type Ignore, parseIgnore, parseIgnoreFile } from "../format/ignore.ts";
import type { TarEntry, TarTime } from "../format/tar/entry.ts";
import { latin1 } from "../format/tar/numbers.ts";
import { TarParser } from "../format/tar/parser.ts";
import { type TarHeader, writeTar } from "../format/tar/write.ts";
import type { StackLayer } from "../image/layers.ts";
import { Tree } from "../image/tree.ts";
import { decompressAny } from "./decompress.ts";
import { buildError } from "./errors.ts";

export interface Context {
  readonly tree: Tree;
  /** It was fetched by us, and has no files that are left out. */
  readonly isRemote?: boolean;
  /** Of the contents of its files, as far as they are known, by the identities that the tree gives them. */
  readonly digests?: Map<string, Buffer>;
}

export interface StoredArchive {
  readonly tree: Tree;
  /** Where its tar and index lie. */
  readonly tar: string;
  readonly index: string;
  /** As a part of a stack. */
  readonly layer: StackLayer;
  /** Of the tar, in bytes. */
  readonly size: number;
}

const maxFileSize = 16 * 1024 * 1024;
const partSize = 1024 * 1024;

/** Of archives of our own, which are plain. */
const never = new AbortController().signal;

/** The path, for those who say what is wrong with it, if a name in it would be a whiteout; otherwise undefined. */
export const whiteoutIn = (path: Uint8Array): string | undefined => {
  const text = latin1(path);
  return /(^|\/)\.wh\./.test(text) ? text.slice(0, 200) : undefined;
};

const checkName = ({ path }: TarEntry): void => {
  const wrong = whiteoutIn(path);
  if (wrong !== undefined) throw buildError("whiteoutName", { path: wrong });
};

/**
 * Holds afterwards: `directory`, which exists, has the archive's `tar` and its `index`. Not for good: nothing of it
 * needs to survive the build.
 */
export const storeArchive = async (
  source: AsyncIterable<Uint8Array>,
  directory: string,
  signal: AbortSignal = never,
  /** In a stack of several: its number there; whiteouts then are what they are in a layer. */
  part?: { readonly number: number },
): Promise<StoredArchive> => {
  const [tar, index] = [join(directory, "tar"), join(directory, "index")];
  const builder = new IndexBuilder();
  const parser = new TarParser({
    entry: (entry) => {
      if (part === undefined) checkName(entry);
      builder.add(entry);
    },
  });
  let tarSize = 0;
  await using file = await open(tar, "wx", 0o600);
  let held: Uint8Array[] = [];
  let heldSize = 0;
  const write = async (): Promise<void> => {
    await file.writev(held);
    [held, heldSize] = [[], 0];
  };
  for await (const bytes of decompressAny(source, signal)) {
    tarSize += bytes.length;
    parser.push(bytes);
    held.push(bytes);
    heldSize += bytes.length;
    if (heldSize >= partSize) await write();
  }
  if (heldSize > 0) await write();
  parser.end();
  // Its digest would name it; nobody asks for it by name.
  const diffId = digestFromHex(createHash("sha256").update(tar).digest("hex")) as DiffId;
  await writeFile(index, Buffer.concat([...builder.finish({ diffId, tarSize })]), { mode: 0o600, flag: "wx" });
  const layer = { diffId, number: part?.number ?? 0, tar, index };
  return { tree: Tree.open([layer]), tar, index, layer, size: tarSize };
};

/** One file of root's as an archive, for what is not in the context. */
export const storeFile = async (
  file: {
    readonly name: string;
    readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
    readonly size: number;
    readonly mode: number;
    readonly time: TarTime;
  },
  directory: string,
): Promise<Tree> => {
  const { name, content, size, mode, time: mtime } = file;
  const header: TarHeader = {
    ...{ path: Buffer.from(name), mode, uid: 0, gid: 0, mtime, size },
    ...{ type: "file", link: new Uint8Array(), major: 0, minor: 0, xattrs: new Map() },
  };
  return (await storeArchive(writeTar([{ header, content }]), directory)).tree;
};

/** The text of a file of the context, or undefined. */
export const readText = (tree: Tree, path: string): string | undefined => {
  const bytes = tree.read(path, maxFileSize);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
};

/** What the context's own file leaves out. Paths have no slash before them. */
export const ignoredFiles = (tree: Tree, dockerfile: string): Ignore => {
  const name = dockerfile.replace(/^\/+/, "");
  const own = readText(tree, `/${name}.dockerignore`) ?? readText(tree, "/.dockerignore");
  return parseIgnore(own === undefined ? [] : parseIgnoreFile(own));
};

/**
 * The files that clients send though they are left out, because the build itself reads them. Paths have no slash before
 * them.
 */
export const hiddenFiles = (tree: Tree, dockerfile: string): Ignore => {
  const name = dockerfile.replace(/^\/+/, "");
  const rules = ignoredFiles(tree, dockerfile);
  const files = new Set([name, ".dockerignore", `${name}.dockerignore`]);
  return { has: (path) => files.has(path) && rules.has(path), hasExceptions: false };
};
