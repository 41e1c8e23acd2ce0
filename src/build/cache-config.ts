/**
 * BuildKit's document of an exported cache (`application/vnd.buildkit.cacheconfig.v0`), and the manifests that name it.
 * Pure. Our keys say everything that a step depends on, so our records have no inputs; those of others, which have, are
 * passed over, as ours are by them.
 */
import { integer, list, map, nullable, object, optional, parseJson, string } from "../api/shape.ts";
import { type DiffId, type Digest, isDigest } from "../base/ids.ts";
import { digestOfBytes } from "../image/members.ts";

export const cacheConfigType = "application/vnd.buildkit.cacheconfig.v0";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";
const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";

/** A step's layer, as it is exported. */
export interface CachedLayer {
  /** 64 hexadecimal digits. */
  readonly key: string;
  readonly diffId: DiffId;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly blob: Digest;
  readonly size: number;
}

export interface Document {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

const encode = (mediaType: string, value: unknown): Document => {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { mediaType, bytes, digest: digestOfBytes(bytes) };
};

const timeOf = (created: number): string => new Date(created).toISOString();

/** The configuration and the manifest that names it and the layers: as an image's, or as an index for older clients. */
export const encodeCache = (
  layers: readonly CachedLayer[],
  { asIndex }: { readonly asIndex: boolean },
): { readonly config: Document; readonly manifest: Document } => {
  const unique = [...new Map(layers.map((layer) => [layer.blob, layer])).values()];
  const config = encode(cacheConfigType, {
    layers: unique.map(({ blob, diffId, size, created }) => ({
      blob,
      parent: -1,
      annotations: { mediaType: layerType, diffID: diffId, size, createdAt: timeOf(created) },
    })),
    records: recordsOf(
      layers,
      unique.map(({ blob }) => blob),
    ),
  });
  const described = unique.map(({ blob, size, diffId, created }) => ({
    mediaType: layerType,
    digest: blob,
    size,
    annotations: { "buildkit/createdat": timeOf(created), "containerd.io/uncompressed": diffId },
  }));
  const configuration = { mediaType: cacheConfigType, digest: config.digest, size: config.bytes.length };
  const manifest = asIndex
    ? encode(indexType, { schemaVersion: 2, mediaType: indexType, manifests: [...described, configuration] })
    : encode(manifestType, {
        ...{ schemaVersion: 2, mediaType: manifestType },
        ...{ config: configuration, layers: described },
      });
  return { config, manifest };
};

const recordsOf = (layers: readonly Pick<CachedLayer, "key" | "blob" | "created">[], order: readonly string[]) =>
  layers.map(({ key, blob, created }) => ({
    layers: [{ layer: order.indexOf(blob), createdAt: timeOf(created) }],
    digest: `sha256:${key}`,
  }));

/** What an image says of the cache of its own layers: base64, as BuildKit has it in `moby.buildkit.cache.v0`. */
export const encodeInline = (
  steps: readonly { readonly key: string; readonly diffId: DiffId; readonly created: number }[],
  diffIds: readonly DiffId[],
): string => {
  const own = steps.filter(({ diffId }) => diffIds.includes(diffId));
  const layers = own.map(({ key, diffId, created }) => ({ key, blob: diffId as unknown as Digest, created }));
  return Buffer.from(JSON.stringify(recordsOf(layers, diffIds))).toString("base64");
};

const records = list(
  object({
    digest: string,
    inputs: nullable(list(nullable(list(object({ link: integer() }))))),
    layers: nullable(list(object({ layer: integer(), createdAt: string }))),
  }),
);
const cacheConfig = object({
  layers: nullable(list(object({ blob: string, annotations: optional(object({ diffID: string, size: integer(0) })) }))),
  records: nullable(records),
});

const descriptor = object({ mediaType: string, digest: string, size: integer(0), annotations: nullable(map(string)) });
const manifest = object({
  config: optional(descriptor),
  layers: nullable(list(descriptor)),
  manifests: nullable(list(descriptor)),
});

export interface BlobRef {
  readonly digest: Digest;
  readonly size: number;
}

export type CacheManifest =
  | { readonly kind: "cache"; readonly config: BlobRef; readonly sizes: ReadonlyMap<string, number> }
  | { readonly kind: "image"; readonly config: BlobRef; readonly layers: readonly BlobRef[] }
  /** Images of several platforms: whichever has a cache. */
  | { readonly kind: "images"; readonly manifests: readonly BlobRef[] };

/** What a manifest is: a cache in one of its two forms, or an image that may have one in it. Undefined: neither. */
export const parseCacheManifest = (bytes: Uint8Array): CacheManifest | undefined => {
  const { config, layers, manifests } = parseJson(manifest, bytes);
  const listed = [...(manifests ?? []), ...(layers ?? [])];
  const own = [...(config === undefined ? [] : [config]), ...(manifests ?? [])].find(
    ({ mediaType }) => mediaType === cacheConfigType,
  );
  if (own !== undefined) {
    const [found] = refsOf([own]);
    const sizes = new Map(listed.map(({ digest, size }) => [digest, size]));
    return found === undefined ? undefined : { kind: "cache", config: found, sizes };
  }
  if (manifests !== null) return { kind: "images", manifests: refsOf(manifests) };
  const [found] = config === undefined ? [] : refsOf([config]);
  return found === undefined ? undefined : { kind: "image", config: found, layers: refsOf(layers ?? []) };
};

const refsOf = (descriptors: readonly { readonly digest: string; readonly size: number }[]): readonly BlobRef[] =>
  descriptors.flatMap(({ digest, size }) => (isDigest(digest) ? [{ digest, size }] : []));

/** The layers that a configuration names, by the keys of our steps. */
export const parseCacheConfig = (bytes: Uint8Array, sizes: ReadonlyMap<string, number>): readonly CachedLayer[] => {
  const { layers, records: given } = parseJson(cacheConfig, bytes);
  const found = (layers ?? []).map(({ blob, annotations }) => ({
    ...{ blob, diffId: annotations?.diffID ?? "" },
    size: sizes.get(blob) ?? annotations?.size ?? -1,
  }));
  return layersOf(given ?? [], found);
};

const image = object({ rootfs: object({ diff_ids: list(string) }), "moby.buildkit.cache.v0": string });

/** The same of an image that has its cache in it. */
export const parseInline = (config: Uint8Array, blobs: readonly BlobRef[]): readonly CachedLayer[] => {
  const parsed = parseJson(image, config);
  const text = parsed["moby.buildkit.cache.v0"];
  const diffIds = parsed.rootfs.diff_ids;
  if (text === "" || diffIds.length !== blobs.length) return [];
  const found = blobs.map(({ digest, size }, index) => ({ blob: digest as string, size, diffId: diffIds[index]! }));
  return layersOf(parseJson(records, Buffer.from(text, "base64")), found);
};

const layersOf = (
  given: ReturnType<typeof records>,
  layers: readonly { readonly blob: string; readonly size: number; readonly diffId: string }[],
): readonly CachedLayer[] =>
  given.flatMap(({ digest, inputs, layers: results }): readonly CachedLayer[] => {
    const [result] = results ?? [];
    const layer = result === undefined ? undefined : layers[result.layer];
    if (layer === undefined || !isDigest(digest) || (inputs ?? []).length > 0) return [];
    const { blob, size, diffId } = layer;
    if (!isDigest(blob) || !isDigest(diffId) || size < 0) return [];
    const created = Date.parse(result!.createdAt) || 0;
    return [{ key: digest.slice("sha256:".length), blob, size, diffId: diffId as Digest as DiffId, created }];
  });
