/** What an archive's documents say: which images there are, of which layers, under which names. */
import { formatPlatform, isFor, type Platform } from "../api/platforms.ts";
import type { DiffId, Digest, ImageId } from "../base/ids.ts";
import type { ImageArchive } from "./archive.ts";
import { type ImageDescription, parseConfig } from "./config.ts";
import { imageError } from "./errors.ts";
import { checkLayer, type ExpectedLayer } from "./expected.ts";
import {
  checkLayout,
  choosePlatform,
  type Descriptor,
  isAttestation,
  isIndex,
  isManifest,
  machineArchitecture,
  parseArchiveManifest,
  parseIndex,
  parseManifest,
} from "./manifest.ts";
import { type ArchivedLayer, blobPath, digestOfBytes } from "./members.ts";
import { canonicalName, type ImageName, nameToGive, parseName } from "./reference.ts";
import type { ManifestDocument } from "./stored-image.ts";

/** An image whose every byte is verified and on disk, and that nobody can see yet. */
export interface ArchivedImage {
  readonly id: ImageId;
  readonly config: Uint8Array;
  readonly description: ImageDescription;
  /** The lowest first. */
  readonly layers: readonly ArchivedLayer[];
  readonly names: readonly ImageName[];
  /** What an OCI layout calls it by. */
  readonly manifest?: ManifestDocument;
  /** What its names stand for, where that is more than this image. */
  readonly index?: ManifestDocument;
}

/** All images of the archive; throws when anything of any of them is not as it should be. */
export const collectImages = async (archive: ImageArchive, asked?: Platform): Promise<readonly ArchivedImage[]> => {
  if (archive.has("manifest.json")) return collectDockerImages(archive, asked);
  if (archive.has("oci-layout") || archive.has("index.json")) return collectOciImages(archive, asked);
  throw imageError("notAnArchive", {});
};

const collectDockerImages = async (
  archive: ImageArchive,
  asked: Platform | undefined,
): Promise<readonly ArchivedImage[]> => {
  const listed = parseArchiveManifest(archive.document("manifest.json"));
  if (listed.length === 0) {
    throw imageError("invalidDocument", { document: "manifest.json", reason: "it lists no images" });
  }
  const images: ArchivedImage[] = [];
  const manifests = manifestsBeside(archive);
  for (const { Config, RepoTags, Layers } of listed) {
    if (asked !== undefined && !isFor(parseConfig(archive.document(Config)), asked)) continue;
    const names = (RepoTags ?? []).map(parseTag);
    const sources = (Layers ?? []).map((name) => ({ name, expected: {} }));
    const image = await collectImage(archive, archive.document(Config), sources, names);
    const manifest = manifests.get(
      manifestKey(
        image.id,
        image.layers.map(({ blob }) => blob.digest),
      ),
    );
    images.push(manifest === undefined ? image : { ...image, manifest });
  }
  if (images.length === 0) throw noImageFor(asked);
  return indexesBeside(archive).reduce<readonly ArchivedImage[]>((all, one) => underIndex(all, one, asked), images);
};

interface NamedIndex {
  readonly name: ImageName;
  readonly document: ManifestDocument;
  readonly manifests: readonly Descriptor[];
}

/** What names stand for in what `save --all-platforms` writes; as above, what is wrong with it is no error. */
const indexesBeside = (archive: ImageArchive): readonly NamedIndex[] => {
  try {
    return parseIndex("index.json", archive.document("index.json")).flatMap((descriptor) => {
      const key = nameIn(descriptor);
      if (!isIndex(descriptor) || key === undefined) return [];
      const { digest, mediaType } = descriptor;
      const document = { digest, mediaType, bytes: readBlob(archive, descriptor) };
      return [{ name: nameToGive(parseName(key)), document, manifests: expandIndex(archive, descriptor, new Set()) }];
    });
  } catch {
    return [];
  }
};

/** The name is that of the image for this machine or the asked one; those beside it are found by their digests. */
const underIndex = (
  images: readonly ArchivedImage[],
  { name, document, manifests }: NamedIndex,
  asked: Platform | undefined,
): readonly ArchivedImage[] => {
  const here = manifests.filter(({ digest }) => images.some(({ manifest }) => manifest?.digest === digest));
  const first = choosePlatform(here, asked)[0] ?? here[0];
  if (first === undefined) return images;
  const { domain, path } = name;
  return images.flatMap((image): readonly ArchivedImage[] => {
    const digest = image.manifest?.digest;
    const names = image.names.filter((one) => canonicalName(one) !== canonicalName(name));
    if (!here.some((one) => one.digest === digest)) return [{ ...image, names }];
    if (digest !== first.digest) return [{ ...image, names: [...names, { domain, path, digest: digest! }] }];
    const named = { ...image, names: [name, { domain, path, digest: document.digest }], index: document };
    // What other names stand for is not changed.
    return names.length === 0 ? [named] : [{ ...image, names }, named];
  });
};

const manifestKey = (config: Digest, layers: readonly Digest[]): string => [config, ...layers].join(" ");

/**
 * What docker writes is an OCI layout too: its manifests, by what they describe. The images do not depend on it, so
 * what is wrong with it is no error.
 */
const manifestsBeside = (archive: ImageArchive): ReadonlyMap<string, ManifestDocument> => {
  const found = new Map<string, ManifestDocument>();
  try {
    const listed = parseIndex("index.json", archive.document("index.json"));
    const seen = new Set<Digest>();
    const known = listed.filter((one) => isManifest(one) || isIndex(one));
    for (const descriptor of known.flatMap((one) => expandIndex(archive, one, seen))) {
      if (!archive.has(blobPath(descriptor.digest))) continue;
      const { digest, mediaType } = descriptor;
      const bytes = readBlob(archive, descriptor);
      const { config, layers } = parseManifest(blobPath(digest), bytes, mediaType);
      const key = manifestKey(
        config.digest,
        layers.map((layer) => layer.digest),
      );
      found.set(key, { digest, mediaType, bytes });
    }
  } catch {
    // Then there are none.
  }
  return found;
};

const noImageFor = (asked: Platform | undefined): Error =>
  imageError("noPlatform", { platform: formatPlatform(asked ?? { os: "linux", architecture: machineArchitecture }) });

const parseTag = (text: string): ImageName => {
  const name = parseName(text);
  if (name.tag === undefined || name.digest !== undefined) throw imageError("invalidTag", { tag: text });
  return nameToGive(name);
};

const collectOciImages = async (
  archive: ImageArchive,
  asked: Platform | undefined,
): Promise<readonly ArchivedImage[]> => {
  checkLayout(archive.document("oci-layout"));
  const listed = parseIndex("index.json", archive.document("index.json"));
  if (listed.length === 0) {
    throw imageError("invalidDocument", { document: "index.json", reason: "it lists no manifests" });
  }
  const images: ArchivedImage[] = [];
  for (const { names, manifest } of chooseManifests(archive, listed, asked)) {
    const bytes = readBlob(archive, manifest);
    const { config, layers } = parseManifest(blobPath(manifest.digest), bytes, manifest.mediaType);
    if (asked !== undefined && !isFor(parseConfig(readBlob(archive, config)), asked)) continue;
    const sources = layers.map(({ digest, size }) => ({ name: blobPath(digest), expected: { digest, size } }));
    const image = await collectImage(archive, readBlob(archive, config), sources, names);
    images.push({ ...image, manifest: { digest: manifest.digest, mediaType: manifest.mediaType, bytes } });
  }
  if (images.length === 0) throw noImageFor(asked);
  return images;
};

interface ChosenManifest {
  readonly names: readonly ImageName[];
  readonly manifest: Descriptor;
}

/** One manifest for each name: that for this machine or the asked one, or the only one that there is. */
const chooseManifests = (
  archive: ImageArchive,
  listed: readonly Descriptor[],
  asked: Platform | undefined,
): readonly ChosenManifest[] => {
  const groups = new Map<string, Descriptor[]>();
  for (const descriptor of listed) {
    if (isAttestation(descriptor)) continue;
    const key = nameIn(descriptor) ?? `@${descriptor.digest}`;
    groups.set(key, [...(groups.get(key) ?? []), descriptor]);
  }
  const chosen = [...groups].flatMap(([key, descriptors]): readonly ChosenManifest[] => {
    const seen = new Set<Digest>();
    const manifests = descriptors.flatMap((descriptor) => expandIndex(archive, descriptor, seen));
    const manifest = choosePlatform(manifests, asked)[0] ?? (manifests.length === 1 ? manifests[0] : undefined);
    if (manifest === undefined) return [];
    return [{ manifest, names: key.startsWith("@") ? [] : [nameToGive(parseName(key))] }];
  });
  if (chosen.length === 0) throw noImageFor(asked);
  return chosen;
};

/** What the archive calls an image. A name without tag or path, as in the specification's examples, is only a tag. */
const nameIn = ({ annotations }: Descriptor): string | undefined => {
  const full = annotations?.["io.containerd.image.name"];
  if (full !== undefined) return full;
  const name = annotations?.["org.opencontainers.image.ref.name"];
  return name !== undefined && /[/:]/.test(name) ? name : undefined;
};

/** The manifests that a descriptor leads to. Each index is read once, however often others name it. */
const expandIndex = (archive: ImageArchive, descriptor: Descriptor, seen: Set<Digest>): readonly Descriptor[] => {
  if (seen.has(descriptor.digest)) return [];
  seen.add(descriptor.digest);
  if (isManifest(descriptor)) return [descriptor];
  const path = blobPath(descriptor.digest);
  if (!isIndex(descriptor)) {
    throw imageError("unsupportedMediaType", { what: path, mediaType: JSON.stringify(descriptor.mediaType) });
  }
  return parseIndex(path, readBlob(archive, descriptor), descriptor.mediaType)
    .filter((listed) => !isAttestation(listed))
    .flatMap((listed) => expandIndex(archive, listed, seen));
};

/** The bytes that a descriptor names: their length and digest are those that it says. */
const readBlob = (archive: ImageArchive, { digest, size }: Descriptor): Uint8Array => {
  const what = blobPath(digest);
  const bytes = archive.document(what);
  if (bytes.length !== size) throw imageError("sizeMismatch", { what, expected: size, found: bytes.length });
  return bytes;
};

interface LayerSource {
  readonly name: string;
  readonly expected: ExpectedLayer;
}

const collectImage = async (
  archive: ImageArchive,
  config: Uint8Array,
  sources: readonly LayerSource[],
  names: readonly ImageName[],
): Promise<ArchivedImage> => {
  const description = parseConfig(config);
  const expected = description.layers.length;
  if (sources.length !== expected) throw imageError("layersMismatch", { expected: sources.length, found: expected });
  const layers: ArchivedLayer[] = [];
  for (const [position, source] of sources.entries()) {
    const layer = await archive.layer(source.name);
    const diffId = description.layers[position] as DiffId;
    checkLayer(layer, { ...source.expected, diffId }, position);
    layers.push(layer);
  }
  const id = digestOfBytes(config) as Digest as ImageId;
  return { id, config, description, layers, names };
};
