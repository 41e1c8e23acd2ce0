/** The documents of an archive that is both an OCI layout and what `docker save` writes. Pure. */
import type { Digest } from "../base/ids.ts";
import { withoutNothing } from "./import.ts";
import type { Descriptor } from "./manifest.ts";
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
export const encodeLayout = (images: readonly LayoutImage[]): readonly LayoutFile[] => {
  const [index, marker] = encodeOciLayout(images);
  return [index, ["manifest.json", encodeDockerManifest(images)], marker];
};

/** The same without what only docker reads. */
export const encodeOciLayout = (images: readonly LayoutImage[]): readonly [LayoutFile, LayoutFile] => [
  ["index.json", encodeArchiveIndex(images)],
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

const encodeArchiveIndex = (images: readonly LayoutImage[]): Uint8Array =>
  json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: images.flatMap(({ manifest, names }) => {
      const { digest, mediaType, bytes } = manifest;
      const descriptor = { mediaType, digest, size: bytes.length };
      if (names.length === 0) return [descriptor];
      return names.map((name) => ({
        ...descriptor,
        annotations: {
          "io.containerd.image.name": canonicalName(name),
          "org.opencontainers.image.ref.name": name.tag!,
        },
      }));
    }),
  });

const encodeDockerManifest = (images: readonly LayoutImage[]): Uint8Array =>
  json(
    images.map(({ config, names, layers }) => ({
      Config: blobPath(config.digest),
      RepoTags: names.length === 0 ? null : names.map(familiarName),
      Layers: layers.map(({ digest }) => blobPath(digest)),
    })),
  );
