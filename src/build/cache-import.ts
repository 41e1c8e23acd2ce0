/** Caches of other builds: which layers they have for which keys. A layer comes when a step needs it. */
import type { Digest } from "../base/ids.ts";
import { parseName } from "../image/reference.ts";
import type { Repository } from "../registry/repository.ts";
import { type BlobRef, type CachedLayer, parseCacheConfig, parseCacheManifest, parseInline } from "./cache-config.ts";
import type { CacheImport } from "./cache-request.ts";
import { documentLimit, readDocument } from "./documents.ts";
import { buildError } from "./errors.ts";
import type { Reporter } from "./report.ts";
import type { Shop } from "./shop.ts";

/** Where the blobs of a cache come from. */
interface Source {
  document(blob: BlobRef): Promise<Uint8Array>;
  manifest(digest: Digest): Promise<Uint8Array>;
  /** Holds afterwards: the layer is stored, and is what the cache says. The caller holds it. */
  fetch(layer: CachedLayer): Promise<void>;
}

interface Offer {
  readonly layer: CachedLayer;
  readonly source: Source;
}

export class ImportedCaches {
  readonly #offers: ReadonlyMap<string, Offer>;

  private constructor(offers: ReadonlyMap<string, Offer>) {
    this.#offers = offers;
  }

  /** One that cannot be read is told of and passed over: it would only have made the build faster. */
  static async open(shop: Shop, imports: readonly CacheImport[], reporter: Reporter): Promise<ImportedCaches> {
    const offers = new Map<string, Offer>();
    for (const from of imports) {
      const text = `importing cache manifest from ${from.kind === "registry" ? from.ref : from.name}`;
      const running = reporter.begin({ stage: "", name: text, text, isMetadata: false }, false);
      try {
        for (const offer of await readCache(shop, from)) {
          if (!offers.has(offer.layer.key)) offers.set(offer.layer.key, offer);
        }
        running.end();
      } catch (error) {
        shop.signal.throwIfAborted();
        running.end(error instanceof Error ? error.message : String(error));
      }
    }
    return new ImportedCaches(offers);
  }

  /**
   * The layer of another build's step with the same key, stored and held by the caller's `hold`; undefined where there is
   * none, or where it cannot be had.
   */
  async fetch(key: string, shop: Shop): Promise<CachedLayer | undefined> {
    const offer = this.#offers.get(key);
    if (offer === undefined) return undefined;
    shop.hold(offer.layer.diffId);
    try {
      if (shop.rooms.images.layers.get(offer.layer.diffId) === undefined) await offer.source.fetch(offer.layer);
      return offer.layer;
    } catch {
      shop.signal.throwIfAborted();
      return undefined;
    }
  }
}

const readCache = async (shop: Shop, from: CacheImport): Promise<readonly Offer[]> => {
  if (from.kind === "store") {
    const source = storeSource(shop, from);
    return layersOf(source, await source.manifest(from.manifest));
  }
  const name = parseName(from.ref);
  const credentials = await shop.request.credentials(name.domain);
  const repository = shop.rooms.registries.source(name, credentials);
  const { bytes } = await repository.manifest(name.digest ?? name.tag ?? "latest", shop.signal);
  return layersOf(registrySource(shop, repository), bytes);
};

const layersOf = async (source: Source, bytes: Uint8Array, isInner = false): Promise<readonly Offer[]> => {
  const found = parseCacheManifest(bytes);
  if (found === undefined) throw buildError("noCacheManifest", {});
  if (found.kind === "images") {
    // An index of indexes is no image's.
    if (isInner) return [];
    const all: Offer[] = [];
    for (const { digest } of found.manifests)
      all.push(...(await layersOf(source, await source.manifest(digest), true)));
    return all;
  }
  const config = await source.document(found.config);
  const layers = found.kind === "cache" ? parseCacheConfig(config, found.sizes) : parseInline(config, found.layers);
  return layers.map((layer) => ({ layer, source }));
};

const registrySource = ({ rooms, signal }: Shop, repository: Repository): Source => ({
  document: (blob) => repository.document(blob, documentLimit, signal),
  manifest: async (digest) => (await repository.manifest(digest, signal)).bytes,
  fetch: async ({ blob: digest, size, diffId }) => {
    await rooms.fetches.fetch(repository, { blob: { digest, size }, diffId, position: 0 }, () => {}, signal);
  },
});

const storeSource = ({ rooms, signal }: Shop, { store }: CacheImport & { readonly kind: "store" }): Source => {
  const read = (blob: BlobRef): Promise<Uint8Array> =>
    readDocument(store, blob, signal, () => buildError("noCacheManifest", {}));
  return {
    document: read,
    manifest: (digest) => read({ digest, size: 0 }),
    fetch: async ({ blob: digest, size, diffId }) => {
      await rooms.images.layers.add(store.read({ digest, size }, signal), { digest, size, diffId });
    },
  };
};
