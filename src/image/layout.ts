/** The documents of an archive that is both an OCI layout and what `docker save` writes. Pure. */
import type { Digest } from "../base/ids.ts";
import { blobPath } from "./members.ts";
import { canonicalName, familiarName, type ImageName } from "./reference.ts";
import type { StoredManifest } from "./store.ts";

export interface LayoutLayer {
  readonly digest: Digest;
  readonly size: number;
}

export interface LayoutImage {
  readonly config: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly manifest: StoredManifest & { readonly bytes: Uint8Array };
  /** The lowest first. */
  readonly layers: readonly LayoutLayer[];
  readonly names: readonly ImageName[];
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** The manifest of an image that came without one: its layers are the tars themselves. */
export const encodePlainManifest = (config: LayoutLayer, layers: readonly LayoutLayer[]): Uint8Array =>
  json({
    schemaVersion: 2,
    mediaType: ociManifestType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size }) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size })),
  });

export const ociManifestType = "application/vnd.oci.image.manifest.v1+json";

/** The small files of the archive, by name, in the order in which they stand behind the blobs. */
export const encodeLayout = (
  images: readonly LayoutImage[],
): readonly (readonly [name: string, bytes: Uint8Array])[] => [
  ["index.json", encodeIndex(images)],
  ["manifest.json", encodeDockerManifest(images)],
  ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
];

const encodeIndex = (images: readonly LayoutImage[]): Uint8Array =>
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
