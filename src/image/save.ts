/** `save`: images as one archive, byte for byte what was pulled or loaded; the same images give the same archive. */
import { createReadStream } from "node:fs";
import type { Platform } from "../api/platforms.ts";
import type { Digest, ImageId } from "../base/ids.ts";
import { writeTar } from "../format/tar/write.ts";
import { imageError } from "./errors.ts";
import type { Images } from "./images.ts";
import type { Layers } from "./layers.ts";
import { encodeLayout, encodePlainManifest, type LayoutImage, type LayoutLayer, ociManifestType } from "./layout.ts";
import { parseManifest } from "./manifest.ts";
import { blobPath, digestOfBytes } from "./members.ts";
import { familiarName, type ImageName, parseName, repositoryOf } from "./reference.ts";

const CHUNK = 1024 * 1024;

interface ArchiveFile {
  readonly path: string;
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The archive as it is written; throws before its first byte when an image is not there. What is in it is held meanwhile. */
export const saveImages = async (
  images: Images,
  references: readonly string[],
  platform?: Platform,
): Promise<AsyncGenerator<Uint8Array>> => {
  const chosen = await chooseImages(images, references, platform);
  const layers = [...chosen.keys()].flatMap((id) => images.withId(id).layers);
  const held = images.layers.hold(layers);
  try {
    const described: LayoutImage[] = [];
    for (const [id, names] of chosen) described.push(await describe(images, id, names));
    return heldWrite(images.layers, described, held);
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
};

/** By image, in the order in which they were asked for: with the names that were meant. */
const chooseImages = async (
  images: Images,
  references: readonly string[],
  platform: Platform | undefined,
): Promise<ReadonlyMap<ImageId, readonly ImageName[]>> => {
  const chosen = new Map<ImageId, readonly ImageName[]>();
  for (const reference of references) {
    for (const { id: named, names } of meant(images, reference)) {
      // Each name of an image may stand for others' images of its own.
      const { id } = await images.forPlatform(names[0] === undefined ? named : familiarName(names[0]), platform);
      const before = chosen.get(id) ?? [];
      const known = new Set(before.map(({ domain, path, tag }) => `${domain}/${path}:${tag}`));
      chosen.set(id, [...before, ...names.filter(({ domain, path, tag }) => !known.has(`${domain}/${path}:${tag}`))]);
    }
  }
  if (chosen.size === 0) throw imageError("nothingToSave", {});
  return chosen;
};

/** A name without a tag means every tag of its repository, as in Docker; an id means the image without its names. */
const meant = (
  images: Images,
  reference: string,
): readonly { readonly id: ImageId; readonly names: readonly ImageName[] }[] => {
  const name = nameIn(reference);
  if (name !== undefined && name.tag === undefined && name.digest === undefined) {
    const repository = repositoryOf(name);
    const found = images.list().flatMap(({ id, tags }) => {
      const own = tags.map(parseName).filter((tag) => repositoryOf(tag) === repository);
      return own.length === 0 ? [] : [{ id, names: own }];
    });
    if (found.length > 0) return found;
  }
  const { id, tags } = images.get(reference);
  const own = name?.tag === undefined ? [] : tags.map(parseName).filter((tag) => isSame(tag, name));
  return [{ id, names: own }];
};

const isSame = (a: ImageName, b: ImageName): boolean => repositoryOf(a) === repositoryOf(b) && a.tag === b.tag;

const nameIn = (reference: string): ImageName | undefined => {
  try {
    return parseName(reference);
  } catch {
    // An id.
    return undefined;
  }
};

const describe = async (images: Images, id: ImageId, names: readonly ImageName[]): Promise<LayoutImage> => {
  const config = { digest: id, bytes: await images.rawConfig(id) };
  const manifest = await images.manifestOf(id);
  if (manifest !== undefined) {
    const { layers } = parseManifest(manifest.digest, manifest.bytes, manifest.mediaType);
    if (layers.every(({ digest }) => images.layers.fileOf(digest) !== undefined))
      return { config, manifest, layers, names };
  }
  const layers = images
    .withId(id)
    .layers.map((diffId) => ({ digest: diffId, size: images.layers.get(diffId)!.tarSize }));
  return describeNew(config, layers, names);
};

/** An image that has no manifest yet. */
export const describeNew = (
  config: LayoutImage["config"],
  layers: readonly LayoutLayer[],
  names: readonly ImageName[],
): LayoutImage => {
  const bytes = encodePlainManifest({ digest: config.digest, size: config.bytes.length }, layers);
  return { config, manifest: { digest: digestOfBytes(bytes), mediaType: ociManifestType, bytes }, layers, names };
};

async function* heldWrite(layers: Layers, described: readonly LayoutImage[], held: Disposable) {
  using _held = held;
  yield* writeLayout(layers, described);
}

/** The archive of these images, whose layers the caller holds. */
export async function* writeLayout(
  layers: Layers,
  described: readonly LayoutImage[],
  documents = encodeLayout(described),
): AsyncGenerator<Uint8Array> {
  const files = [...blobsOf(layers, described)].sort((a, b) => (a.path < b.path ? -1 : 1));
  const small = documents.map(([path, bytes]) => ({ path, size: bytes.length, open: () => [bytes] }));
  const directories = ["blobs/", "blobs/sha256/"].map((path) => ({ header: header(path, 0, true) }));
  const outputs = [...files, ...small].map(({ path, size, open }) => ({ header: header(path, size), open }));
  yield* writeTar(
    (function* () {
      yield* directories;
      // Opened when its turn comes: an archive may have many.
      for (const { header: own, open } of outputs) yield { header: own, content: open() };
    })(),
  );
}

/** The blobs of the images, each once. */
const blobsOf = (stored: Layers, described: readonly LayoutImage[]): Iterable<ArchiveFile> => {
  const files = new Map<Digest, ArchiveFile>();
  const small = (digest: Digest, bytes: Uint8Array): void => {
    files.set(digest, { path: blobPath(digest), size: bytes.length, open: () => [bytes] });
  };
  for (const { config, manifest, layers } of described) {
    small(config.digest, config.bytes);
    small(manifest.digest, manifest.bytes);
    for (const { digest, size } of layers) {
      const { path } = stored.fileOf(digest)!;
      const open = () => createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
      files.set(digest, { path: blobPath(digest), size, open });
    }
  }
  return files.values();
};

const header = (path: string, size: number, isDirectory = false) => ({
  path: new TextEncoder().encode(path),
  type: isDirectory ? ("directory" as const) : ("file" as const),
  mode: isDirectory ? 0o755 : 0o644,
  uid: 0,
  gid: 0,
  size,
  link: new Uint8Array(),
  mtime: { seconds: 0n, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: new Map(),
});
