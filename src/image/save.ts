/** `save`: images as one archive, byte for byte what was pulled or loaded; the same images give the same archive. */
import { createReadStream } from "node:fs";
import type { Digest, ImageId } from "../base/ids.ts";
import { writeTar } from "../format/tar/write.ts";
import type { Images } from "./images.ts";
import type { Layers } from "./layers.ts";
import {
  encodeLayout,
  encodePlainManifest,
  indexOver,
  type LayoutImage,
  type LayoutIndex,
  type LayoutLayer,
  ociManifestType,
} from "./layout.ts";
import { parseManifest } from "./manifest.ts";
import { blobPath, digestOfBytes } from "./members.ts";
import type { ImageName } from "./reference.ts";
import { type ChosenIndex, chooseImages, type SaveOptions } from "./save-choice.ts";

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
  options: SaveOptions = {},
): Promise<AsyncGenerator<Uint8Array>> => {
  const chosen = await chooseImages(images, references, options);
  const layers = [...chosen.images.keys()].flatMap((id) => images.withId(id).layers);
  const held = images.layers.hold(layers);
  try {
    const described = new Map<ImageId, LayoutImage>();
    for (const [id, names] of chosen.images) described.set(id, await describe(images, id, names));
    const indexes = chosen.indexes.map((index) => describeIndex(index, described));
    return heldWrite(images.layers, [...described.values()], indexes, held);
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
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

/** Of the images that are saved, by the manifests under which they are. */
const describeIndex = (
  { name, document, listed }: ChosenIndex,
  described: ReadonlyMap<ImageId, LayoutImage>,
): LayoutIndex => {
  const manifests = listed.map(({ descriptor, id }) => {
    const { digest, mediaType, bytes } = described.get(id)!.manifest;
    return { ...descriptor, digest, mediaType, size: bytes.length };
  });
  return {
    document: indexOver(document, manifests),
    manifests: manifests.map(({ digest }) => digest),
    names: [name],
  };
};

async function* heldWrite(
  layers: Layers,
  described: readonly LayoutImage[],
  indexes: readonly LayoutIndex[],
  held: Disposable,
) {
  using _held = held;
  // Several names may stand for the same.
  const blobs = new Map(indexes.map(({ document: { digest, bytes } }) => [blobPath(digest), bytes]));
  yield* writeLayout(layers, described, [...blobs, ...encodeLayout(described, indexes)]);
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
