/** The documents of image archives and registries: Docker's manifest.json, OCI indexes and manifests. */

import { type Platform as AskedPlatform, isFor } from "../api/platforms.ts";
import {
  integer,
  list,
  map,
  nullable,
  object,
  optional,
  refuse,
  type Shape,
  type ShapeOf,
  string,
} from "../api/shape.ts";
import { type Digest, isDigest } from "../base/ids.ts";
import { parseDocument } from "./document.ts";
import { imageError } from "./errors.ts";

const digest: Shape<Digest> = (value, path) => {
  const text = string(value, path);
  return isDigest(text) ? text : refuse(path, "a sha256 digest", value);
};

const platform = object({ architecture: string, os: string, variant: string, "os.version": string });
export type Platform = ShapeOf<typeof platform>;

const descriptor = object({
  mediaType: string,
  digest,
  size: integer(0),
  annotations: nullable(map(string)),
  platform: optional(platform),
  artifactType: string,
  /** Where a layer is that registries may not give away. */
  urls: nullable(list(string)),
});
/** Names bytes by their digest and length. */
export type Descriptor = ShapeOf<typeof descriptor>;

const dockerArchive = list(
  object({ Config: string, RepoTags: nullable(list(string)), Layers: nullable(list(string)) }),
);
/** One image of a docker-archive: names of its members. */
export type ArchivedImage = ShapeOf<typeof dockerArchive>[number];

export const parseArchiveManifest = (bytes: Uint8Array): readonly ArchivedImage[] =>
  parseDocument("manifest.json", bytes, (value, path) =>
    value === undefined ? refuse(path, "a list", value) : dockerArchive(value, path),
  );

const layout = object({ imageLayoutVersion: string });

/** Throws unless the file oci-layout names a version whose layout is known. */
export const checkLayout = (bytes: Uint8Array): void => {
  const { imageLayoutVersion } = parseDocument("oci-layout", bytes, layout);
  if (!/^1\.\d+\.\d+$/.test(imageLayoutVersion)) {
    const reason = `the version ${JSON.stringify(imageLayoutVersion.slice(0, 64))} is not supported`;
    throw imageError("invalidDocument", { document: "oci-layout", reason });
  }
};

const indexTypes: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);
const manifestTypes: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
]);
const configTypes: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
]);
/** Tars, plain or compressed; what a blob is compressed with its own bytes say. EROFS images from elsewhere are not here: the kernel never mounts what pier did not write. */
const layerType =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(diff|foreign\.diff)\.tar)([.+](gzip|zstd))?$/;

export const isIndexType = (mediaType: string): boolean => indexTypes.has(mediaType);
export const isIndex = ({ mediaType }: Descriptor): boolean => isIndexType(mediaType);
export const isManifest = ({ mediaType }: Descriptor): boolean => manifestTypes.has(mediaType);

const index = object({
  schemaVersion: integer(),
  mediaType: string,
  manifests: nullable(list(descriptor)),
  layers: nullable(list(descriptor)),
  config: optional(descriptor),
});

/** The manifests that an index lists. `mediaType` is what its descriptor calls it, if it has one. */
export const parseIndex = (name: string, bytes: Uint8Array, mediaType = ""): readonly Descriptor[] => {
  const parsed = parseDocument(name, bytes, index);
  const wrong = (reason: string): Error => imageError("invalidDocument", { document: name, reason });
  if (parsed.layers !== null || parsed.config !== undefined) throw wrong("it is both an index and a manifest");
  if (parsed.manifests === null) throw wrong("it lists no manifests");
  checkMediaType(name, parsed, mediaType, indexTypes);
  return parsed.manifests;
};

const manifest = object({
  schemaVersion: integer(),
  mediaType: string,
  config: optional(descriptor),
  layers: nullable(list(descriptor)),
  manifests: nullable(list(descriptor)),
});

export interface Manifest {
  readonly config: Descriptor;
  /** The lowest first. */
  readonly layers: readonly Descriptor[];
}

/** The config and layers that a manifest names, all of kinds that pier takes. */
export const parseManifest = (name: string, bytes: Uint8Array, mediaType = ""): Manifest => {
  const parsed = parseDocument(name, bytes, manifest);
  const wrong = (reason: string): Error => imageError("invalidDocument", { document: name, reason });
  const { config, layers } = parsed;
  // Whoever reads it as the one and whoever reads it as the other would get different images (CVE-2021-41190).
  if (parsed.manifests !== null) throw wrong("it is both an index and a manifest");
  checkMediaType(name, parsed, mediaType, manifestTypes);
  if (config === undefined || layers === null) throw wrong("it names no config or no layers");
  if (!configTypes.has(config.mediaType)) throw unsupported("the config", config);
  layers.forEach((layer, position) => {
    if (!layerType.test(layer.mediaType)) throw unsupported(`layer ${position}`, layer);
  });
  return { config, layers };
};

const unsupported = (what: string, { mediaType }: Descriptor): Error =>
  imageError("unsupportedMediaType", { what, mediaType: JSON.stringify(mediaType.slice(0, 200)) });

const checkMediaType = (
  name: string,
  document: { readonly schemaVersion: number; readonly mediaType: string },
  expected: string,
  known: ReadonlySet<string>,
): void => {
  const wrong = (reason: string): Error => imageError("invalidDocument", { document: name, reason });
  if (document.schemaVersion !== 2) throw wrong(`its schemaVersion is ${document.schemaVersion}, and not 2`);
  const { mediaType } = document;
  if (mediaType === "") return;
  if (!known.has(mediaType) || (expected !== "" && mediaType !== expected)) {
    throw wrong(`its mediaType is ${JSON.stringify(mediaType.slice(0, 200))}`);
  }
};

/** BuildKit's attestations are stored as manifests of no platform beside the images that they are about. */
export const isAttestation = ({ annotations, platform }: Descriptor): boolean =>
  annotations?.["vnd.docker.reference.type"] !== undefined || platform?.architecture === "unknown";

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm: "arm", arm64: "arm64", ia32: "386" };

/** This machine's architecture by Go's name for it, which images use. */
export const machineArchitecture = architectures[process.arch] ?? process.arch;

/** The manifests for one platform, in the order of the index; those that name none fit every machine. */
export const choosePlatform = (
  manifests: readonly Descriptor[],
  asked: AskedPlatform = { os: "linux", architecture: machineArchitecture },
): readonly Descriptor[] =>
  manifests.filter(
    (manifest) => !isAttestation(manifest) && (manifest.platform === undefined || isFor(manifest.platform, asked)),
  );
