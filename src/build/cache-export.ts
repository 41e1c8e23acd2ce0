/** The cache of a build, given away: the layers of its steps, under the keys by which another build finds them. */
import { createReadStream } from "node:fs";
import type { DiffId, Digest } from "../base/ids.ts";
import { nameToGive, parseName } from "../image/reference.ts";
import { type UploadSource, uploadBlob, uploadManifest } from "../registry/upload.ts";
import { type BlobRef, type CachedLayer, encodeCache } from "./cache-config.ts";
import type { BlobWriter, CacheExport } from "./cache-request.ts";
import type { Reporter } from "./report.ts";
import type { Shop } from "./shop.ts";

const CHUNK = 1024 * 1024;

export interface CachedStep {
  readonly key: string;
  readonly diffId: DiffId;
  /** Milliseconds since 1970. */
  readonly created: number;
}

export interface CacheDescriptor extends BlobRef {
  readonly mediaType: string;
}

/** Throws what is wrong with where it should go before anything is built. */
export const checkExports = (exports: readonly CacheExport[]): void => {
  for (const to of exports) if (to.kind === "registry") nameToGive(parseName(to.ref));
};

/** Holds afterwards: the cache is where it was asked for. Answers what the last store that is a client's should call it by. */
export const exportCaches = async (
  shop: Shop,
  { steps, diffIds }: { readonly steps: readonly CachedStep[]; readonly diffIds: readonly DiffId[] },
  reporter: Reporter,
): Promise<CacheDescriptor | undefined> => {
  let described: CacheDescriptor | undefined;
  for (const to of shop.request.cacheTo) {
    if (to.kind === "inline") continue;
    const text = `exporting cache to ${to.kind === "registry" ? `registry ${to.ref}` : "client directory"}`;
    const running = reporter.begin({ stage: "", name: text, text, isMetadata: false }, false);
    try {
      const own = steps.filter(({ diffId }) => to.mode === "max" || diffIds.includes(diffId));
      const descriptor = await exportTo(shop, own, to);
      if (to.kind === "store") described = descriptor;
      running.end();
    } catch (error) {
      running.end(error instanceof Error ? error.message : String(error));
      if (!to.ignoresErrors) throw error;
    }
  }
  return described;
};

type Place = Exclude<CacheExport, { readonly kind: "inline" }>;

const exportTo = async (shop: Shop, steps: readonly CachedStep[], to: Place): Promise<CacheDescriptor> => {
  const { rooms, signal } = shop;
  const layers: CachedLayer[] = [];
  for (const step of steps) {
    const { digest: blob, size } = await rooms.compressed.get(step.diffId, signal);
    layers.push({ ...step, blob, size });
  }
  const { config, manifest } = encodeCache(layers, to);
  const registry = to.kind === "registry" ? await registryWriter(shop, to.ref) : undefined;
  const writer = to.kind === "store" ? to.store : registry!;
  for (const { blob, size } of layers) {
    const { path } = rooms.images.layers.fileOf(blob)!;
    await writer.write({ digest: blob, size }, () => createReadStream(path, { highWaterMark: CHUNK }));
  }
  await writer.write({ digest: config.digest, size: config.bytes.length }, () => [config.bytes]);
  const { digest, mediaType, bytes } = manifest;
  if (registry !== undefined) await registry.finish(manifest);
  else await writer.write({ digest, size: bytes.length }, () => [bytes]);
  return { mediaType, digest, size: bytes.length };
};

interface RegistryWriter extends BlobWriter {
  finish(manifest: { readonly bytes: Uint8Array; readonly digest: Digest; readonly mediaType: string }): Promise<void>;
}

const registryWriter = async ({ rooms, request, signal }: Shop, ref: string): Promise<RegistryWriter> => {
  const name = nameToGive(parseName(ref));
  const repository = rooms.registries.target(name, await request.credentials(name.domain));
  return {
    write: async ({ digest, size }, open) => {
      const source: UploadSource = { digest, size, open: (from) => skip(open(), from) };
      await uploadBlob(repository, source, { signal });
    },
    finish: (manifest) => uploadManifest(repository, name.tag!, manifest, signal),
  };
};

async function* skip(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const piece of source) {
    const rest = piece.subarray(Math.min(left, piece.length));
    left -= piece.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
