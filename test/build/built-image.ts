/** What an image is, as a value to compare: its configuration, its history, and the files that its base does not have. */
import { decompress } from "../../src/format/compression.ts";
import { type IndexInode, IndexReader } from "../../src/format/erofs/reader.ts";
import { readTar } from "../../src/format/tar/read.ts";
import { collectBytes, contentOf, diffIdOf, hashOf, type IndexedLayer, indexLayer } from "../format/layers.ts";

interface ImageDocument {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly history?: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
}

export interface SavedImage {
  readonly document: ImageDocument;
  readonly layers: readonly IndexedLayer[];
}

/** What is compared: values whose JSON says all of them, with nothing in them that depends on when it was made. */
export interface BuiltImage {
  readonly image: unknown;
  readonly history: readonly string[];
  /** By path; null: the base has it, the image no more. */
  readonly files: Readonly<Record<string, string | null>>;
}

const indexed = new Map<string, IndexedLayer>();

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const layerOf = async (bytes: Uint8Array): Promise<IndexedLayer> => {
  const tar = await collectBytes(decompress(once(bytes)));
  const id = diffIdOf(tar);
  const layer = indexed.get(id) ?? indexLayer(tar);
  indexed.set(id, layer);
  return layer;
};

/** The one image of what `docker save` wrote. */
export const readSaved = async (archive: Uint8Array): Promise<SavedImage> => {
  const members = new Map<string, Uint8Array>();
  for await (const { entry, content } of readTar(once(archive))) {
    if (entry.type === "file") members.set(Buffer.from(entry.path).toString(), await collectBytes(content));
  }
  const json = (name: string) => {
    const bytes = members.get(name);
    if (bytes === undefined) throw new Error(`${name} is not among ${[...members.keys()].join(" ")}`);
    return JSON.parse(Buffer.from(bytes).toString());
  };
  const [manifest]: { Config: string; Layers: readonly string[] }[] = json("manifest.json");
  return {
    document: json(manifest!.Config),
    layers: await Promise.all(manifest!.Layers.map((name) => layerOf(members.get(name)!))),
  };
};

const isText = (content: string): boolean => content.length <= 400 && /^[\x20-\x7e\s]*$/.test(content);

/** The text of a small file, for whoever reads the difference; the digest of others. */
const contentTold = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes).toString("latin1");
  return isText(text) ? JSON.stringify(text) : `${bytes.length} ${hashOf(bytes).slice(0, 16)}`;
};

interface LayerEntry {
  readonly path: string;
  readonly isDirectory: boolean;
  /** Nothing of the layers below shows through. */
  readonly hides: boolean;
  /** undefined: it takes away what is below. */
  readonly told: string | undefined;
  /** The same for hard links. */
  readonly nid: number;
}

const told = (inode: IndexInode, tar: Uint8Array): string => {
  const { type, mode, uid, gid, target, major, minor, xattrs } = inode;
  const special = type === "character" || type === "block" ? `${major}:${minor}` : "";
  const link = type === "symlink" ? `-> ${Buffer.from(target).toString()}` : "";
  const content = type === "file" ? contentTold(contentOf(tar, inode)) : "";
  const marks =
    xattrs.size === 0
      ? ""
      : [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`).join(" ");
  return [type, mode.toString(8).padStart(4, "0"), `${uid}:${gid}`, content, link, special, marks]
    .filter((part) => part !== "")
    .join(" ");
};

const entriesOf = ({ tar, index }: IndexedLayer): readonly LayerEntry[] => {
  const reader = new IndexReader(index);
  const known = new Map<number, string>();
  const entries: LayerEntry[] = [];
  const visit = (path: string, nid: number): void => {
    const inode = reader.inode(nid);
    const isDirectory = inode.type === "directory";
    const line = inode.type === "whiteout" ? undefined : (known.get(nid) ?? told(inode, tar));
    if (line !== undefined) known.set(nid, line);
    entries.push({ path, isDirectory, hides: !isDirectory || (inode.opaque && path !== ""), told: line, nid });
    if (isDirectory) for (const { name, nid: child } of reader.readdir(nid)) visit(`${path}/${name}`, child);
  };
  visit("", reader.root);
  return entries;
};

const entries = new WeakMap<IndexedLayer, readonly LayerEntry[]>();

/** The files of a stack of layers, the lowest first, as overlayfs shows them. */
const filesOf = (layers: readonly IndexedLayer[]): ReadonlyMap<string, string> => {
  const merged = new Map<string, { readonly told: string; readonly group: string }>();
  for (const [number, layer] of layers.entries()) {
    const found = entries.get(layer) ?? entriesOf(layer);
    entries.set(layer, found);
    for (const { path, hides, told: line, nid, isDirectory } of found) {
      if (hides && merged.has(path))
        for (const known of [...merged.keys()]) if (known.startsWith(`${path}/`)) merged.delete(known);
      merged.delete(path);
      if (line !== undefined) merged.set(path, { told: line, group: isDirectory ? path : `${number}:${nid}` });
    }
  }
  const firsts = new Map<string, string>();
  const files = new Map<string, string>();
  for (const path of [...merged.keys()].sort()) {
    const { told: line, group } = merged.get(path)!;
    const first = firsts.get(group);
    if (first === undefined) firsts.set(group, path);
    files.set(path, first === undefined ? line : `${line} = ${first}`);
  }
  // The root's own attributes are those of a container's upper directory.
  files.delete("");
  return files;
};

const changedFiles = ({ layers }: SavedImage, base: SavedImage): BuiltImage["files"] => {
  const isOnBase = base.layers.every((layer, index) => layers[index] === layer);
  const [before, after] = [filesOf(isOnBase ? base.layers : []), filesOf(layers)];
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return Object.fromEntries(
    names.filter((name) => before.get(name) !== after.get(name)).map((name) => [name, after.get(name) ?? null]),
  );
};

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  );
};

const without = (value: Readonly<Record<string, unknown>>, ...names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));

const historyLine = (entry: Readonly<Record<string, unknown>>): string => {
  const mark = entry.empty_layer === true ? "-" : "+";
  const rest = sorted(without(entry, "created", "created_by", "empty_layer"));
  return `${mark} ${String(entry.created_by)} ${JSON.stringify(rest)}`;
};

/** All that is said of the image and its containers, flat. */
const fieldsOf = (document: ImageDocument): Record<string, unknown> => ({
  ...without(document, "history", "rootfs", "created", "config"),
  ...document.config,
});

/** What is said otherwise than of the base; null: nothing any more. */
const changedFields = (document: ImageDocument, base: ImageDocument): Readonly<Record<string, unknown>> => {
  const [before, after]: readonly Record<string, unknown>[] = [fieldsOf(base), fieldsOf(document)];
  const names = [...new Set([...Object.keys(before!), ...Object.keys(after!)])];
  const isSame = (name: string) => JSON.stringify(sorted(before![name])) === JSON.stringify(sorted(after![name]));
  return Object.fromEntries(names.filter((name) => !isSame(name)).map((name) => [name, after![name] ?? null]));
};

/** The image without what it has of its base, where it has that. */
export const describeBuilt = (saved: SavedImage, base: SavedImage): BuiltImage => {
  const { history = [] } = saved.document;
  const inherited = base.document.history ?? [];
  const isInherited = inherited.every(
    (entry, index) => JSON.stringify(sorted(entry)) === JSON.stringify(sorted(history[index])),
  );
  return {
    image: sorted(changedFields(saved.document, base.document)),
    history: history.slice(isInherited ? inherited.length : 0).map(historyLine),
    files: changedFiles(saved, base),
  };
};
