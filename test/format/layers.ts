/** What tests of layers share: the layers of a saved image, the indexes over them, and trees to compare with golden listings. */

import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { type DiffId, digestFromHex } from "../../src/base/ids.ts";
import { decompress } from "../../src/format/compression.ts";
import { IndexBuilder } from "../../src/format/erofs/builder.ts";
import { type IndexInode, IndexReader } from "../../src/format/erofs/reader.ts";
import { TarParser } from "../../src/format/tar/parser.ts";
import { readTar } from "../../src/format/tar/read.ts";

export const fixturesUrl = new URL("../../../shared/fixtures/", import.meta.url);
export const hasFixtures = existsSync(fixturesUrl);

export interface IndexedLayer {
  readonly tar: Uint8Array;
  readonly index: Uint8Array;
  readonly isEmpty: boolean;
}

export const collectBytes = async (source: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
};

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The layers of every image in what `docker save` wrote, lowest first, uncompressed. */
export const readLayers = async (name: string): Promise<Uint8Array[][]> => {
  const files = new Map<string, Uint8Array>();
  for await (const { entry, content } of readTar(decompress(createReadStream(new URL(name, fixturesUrl))))) {
    if (entry.type === "file") files.set(Buffer.from(entry.path).toString(), await collectBytes(content));
  }
  const manifest: { Layers: string[] }[] = JSON.parse(Buffer.from(files.get("manifest.json")!).toString());
  const layersOf = ({ Layers }: { Layers: string[] }) =>
    Promise.all(Layers.map((layer) => collectBytes(decompress(once(files.get(layer)!)))));
  return Promise.all(manifest.map(layersOf));
};

export const diffIdOf = (tar: Uint8Array): DiffId =>
  digestFromHex(createHash("sha256").update(tar).digest("hex")) as DiffId;

export const indexLayer = (tar: Uint8Array): IndexedLayer => {
  const builder = new IndexBuilder();
  const parser = new TarParser({ entry: (entry) => builder.add(entry) });
  parser.push(tar);
  parser.end();
  const index = Buffer.concat([...builder.finish({ diffId: diffIdOf(tar), tarSize: tar.length })]);
  return { tar, index, isEmpty: builder.isEmpty };
};

/** One file of a tree, in the words of the golden listings; `group` is the same for hard links. */
export interface Listed {
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: string;
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
  readonly rdev?: string;
  readonly xattrs: Readonly<Record<string, string>>;
  readonly group: string;
}

/** By path, one character per byte. */
export type Listing = Map<string, Listed>;

export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const goldenTypes: Readonly<Record<string, string>> = { directory: "dir", character: "char" };

/** A file's content, holes as zeroes. */
export const contentOf = (tar: Uint8Array, { size, extents }: IndexInode): Uint8Array => {
  const content = new Uint8Array(size);
  for (const { logical, offset, length } of extents) content.set(tar.subarray(offset, offset + length), logical);
  return content;
};

export const listed = (inode: IndexInode, tar: Uint8Array, group: string): Listed => ({
  type: goldenTypes[inode.type] ?? inode.type,
  mode: inode.mode.toString(8).padStart(4, "0"),
  uid: inode.uid,
  gid: inode.gid,
  mtime: `${inode.mtime.seconds}.${inode.mtime.nanoseconds}`,
  group,
  ...(inode.type === "file"
    ? {
        size: inode.size,
        sha256: hashOf(contentOf(tar, inode)),
      }
    : {}),
  ...(inode.type === "symlink" ? { target: Buffer.from(inode.target).toString("latin1") } : {}),
  ...(inode.type === "character" || inode.type === "block" ? { rdev: `${inode.major}:${inode.minor}` } : {}),
  xattrs: Object.fromEntries([...inode.xattrs].map(([name, value]) => [name, hexOf(value)])),
});

/** What overlayfs would show of these layers (lowest first), computed from the indexes alone. */
export const mergeLayers = (layers: readonly IndexedLayer[]): Listing => {
  const merged: Listing = new Map();
  const removeBelow = (path: string): void => {
    for (const known of Array.from(merged.keys())) if (known.startsWith(`${path}/`)) merged.delete(known);
  };
  layers.forEach(({ tar, index }, number) => {
    const reader = new IndexReader(index);
    const visit = (path: string, nid: number): void => {
      const inode = reader.inode(nid);
      // overlayfs takes no notice of an opaque mark on the root of a layer.
      if (inode.type !== "directory" || (inode.opaque && path !== "")) removeBelow(path);
      if (merged.get(path)?.type !== "dir" || inode.type !== "directory") merged.delete(path);
      if (inode.type === "whiteout") return;
      merged.set(path, listed(inode, tar, `${number}:${nid}`));
      if (inode.type !== "directory") return;
      for (const { name, nid: child } of reader.readdir(nid)) visit(`${path}/${name}`, child);
    };
    visit("", reader.root);
  });
  return merged;
};

interface GoldenLine {
  readonly path: string;
  readonly pathHex?: string;
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
  readonly targetHex?: string;
  readonly rdev?: string;
  readonly mtime: number | null;
  readonly mtimeNs?: number;
  readonly xattrs?: Record<string, string>;
  readonly nlinkGroup?: number;
}

const latin1 = (text: string, hex: string | undefined): string =>
  (hex === undefined ? Buffer.from(text) : Buffer.from(hex, "hex")).toString("latin1");

/** The differences between a tree and a golden listing; none when they are equal. */
export const differences = (golden: string, tree: Listing): string[] => {
  const problems: string[] = [];
  const left = new Map(tree);
  const groups = new Map<number, string>();
  for (const text of readFileSync(new URL(golden, fixturesUrl), "utf8").trim().split("\n")) {
    const line: GoldenLine = JSON.parse(text);
    const path = line.path === "/" ? "" : latin1(line.path, line.pathHex);
    const found = left.get(path);
    left.delete(path);
    // The root's own attributes are those of a container's upper directory.
    if (path === "") continue;
    if (found === undefined) {
      problems.push(`${path} is missing`);
      continue;
    }
    const wanted: Record<string, unknown> = {
      type: line.type,
      mode: line.mode,
      uid: line.uid,
      gid: line.gid,
      size: line.size,
      sha256: line.sha256,
      target: line.target === undefined ? undefined : latin1(line.target, line.targetHex),
      rdev: line.rdev,
      xattrs: line.xattrs ?? {},
      mtime: line.mtime === null ? found.mtime : `${line.mtime}.${line.mtimeNs ?? 0}`,
      group: line.nlinkGroup === undefined ? found.group : (groups.get(line.nlinkGroup) ?? found.group),
    };
    if (line.nlinkGroup !== undefined) groups.set(line.nlinkGroup, found.group);
    for (const [key, value] of Object.entries(wanted)) {
      const is = JSON.stringify(found[key as keyof Listed]);
      if (is !== JSON.stringify(value)) problems.push(`${path}: ${key} is ${is}, should be ${JSON.stringify(value)}`);
    }
  }
  return [...problems, ...[...left.keys()].map((path) => `${path} is too much`)];
};
