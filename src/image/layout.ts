/** The documents of an archive that is both an OCI layout and what `docker save` writes. Pure. */
import type { Digest } from "../base/ids.ts";
import { withoutNothing } from "./import.ts";
import { type Descriptor, parseIndex } from "./manifest.ts";
import { blobPath, digestOfBytes } from "./members.ts";
import { canonicalName, familiarName, type ImageName } from "./reference.ts";
import type { ManifestDocument } from "./stored-image.ts";

export interface LayoutLayer {
  readonly digest: Digest;
  readonly size: number;
  readonly isCompressed?: boolean;
}

export interface LayoutImage {
  readonly config: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly manifest: ManifestDocument;
  /** The lowest first. */
  readonly layers: readonly LayoutLayer[];
  readonly names: readonly ImageName[];
}

/** What names stand for that is more than one image. */
export interface LayoutIndex {
  readonly document: ManifestDocument;
  /** The manifests that it lists. */
  readonly manifests: readonly Digest[];
  readonly names: readonly ImageName[];
}

export type LayoutFile = readonly [name: string, bytes: Uint8Array];

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** The manifest of an image that came without one. */
export const encodePlainManifest = (config: LayoutLayer, layers: readonly LayoutLayer[]): Uint8Array =>
  json({
    schemaVersion: 2,
    mediaType: ociManifestType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size, isCompressed }) => ({
      mediaType: `application/vnd.oci.image.layer.v1.tar${isCompressed === true ? "+gzip" : ""}`,
      digest,
      size,
    })),
  });

export const ociManifestType = "application/vnd.oci.image.manifest.v1+json";

/** The small files of the archive, by name, in the order in which they stand behind the blobs. */
export const encodeLayout = (
  images: readonly LayoutImage[],
  indexes: readonly LayoutIndex[] = [],
): readonly LayoutFile[] => {
  const [index, marker] = encodeOciLayout(images, indexes);
  return [index, ["manifest.json", encodeDockerManifest(images)], marker];
};

/** The same without what only docker reads. */
export const encodeOciLayout = (
  images: readonly LayoutImage[],
  indexes: readonly LayoutIndex[] = [],
): readonly [LayoutFile, LayoutFile] => [
  ["index.json", encodeArchiveIndex(images, indexes)],
  ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
];

/** An index over manifests, of the given kind. */
export const encodeIndex = (manifests: readonly Descriptor[], mediaType: string): ManifestDocument => {
  const listed = manifests.map(({ mediaType: type, digest, size, platform, annotations }) => ({
    ...{ mediaType: type, digest, size },
    ...(platform === undefined ? {} : { platform: withoutNothing(platform) }),
    ...(annotations === null ? {} : { annotations }),
  }));
  const bytes = json({ schemaVersion: 2, mediaType, manifests: listed });
  return { digest: digestOfBytes(bytes), mediaType, bytes };
};

/** The index as it came, if it lists exactly these manifests; otherwise one that does. */
export const indexOver = (index: ManifestDocument, manifests: readonly Descriptor[]): ManifestDocument => {
  const listed = parseIndex(index.digest, index.bytes, index.mediaType);
  const isSame =
    listed.length === manifests.length &&
    listed.every(({ digest }, position) => digest === manifests[position]?.digest);
  return isSame ? index : encodeIndex(manifests, index.mediaType);
};

/** A name stands for its index, where it has one; what an index lists is not listed again. */
const encodeArchiveIndex = (images: readonly LayoutImage[], indexes: readonly LayoutIndex[]): Uint8Array => {
  const listed = new Set(indexes.flatMap(({ manifests }) => manifests));
  const named = new Set(indexes.flatMap(({ names }) => names.map(canonicalName)));
  return json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      ...indexes.flatMap(({ document, names }) => descriptorsOf(document, names)),
      ...images.flatMap(({ manifest, names }) => {
        const own = names.filter((name) => !named.has(canonicalName(name)));
        return own.length === 0 && listed.has(manifest.digest) ? [] : descriptorsOf(manifest, own);
      }),
    ],
  });
};

const descriptorsOf = ({ digest, mediaType, bytes }: ManifestDocument, names: readonly ImageName[]) => {
  const descriptor = { mediaType, digest, size: bytes.length };
  if (names.length === 0) return [descriptor];
  return names.map((name) => ({
    ...descriptor,
    annotations: {
      "io.containerd.image.name": canonicalName(name),
      "org.opencontainers.image.ref.name": name.tag!,
    },
  }));
};

const encodeDockerManifest = (images: readonly LayoutImage[]): Uint8Array =>
  json(
    images.map(({ config, names, layers }) => ({
      Config: blobPath(config.digest),
      RepoTags: names.length === 0 ? null : names.map(familiarName),
      Layers: layers.map(({ digest }) => blobPath(digest)),
    })),
  );
