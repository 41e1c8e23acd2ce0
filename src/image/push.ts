/** `push`: an image to a registry, as it came, or compressed for the first time. */
import { createReadStream } from "node:fs";
import type { Platform } from "../api/platforms.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Digest } from "../base/ids.ts";
import type { Credentials } from "../registry/credentials.ts";
import type { Registries } from "../registry/registry.ts";
import type { Repository } from "../registry/repository.ts";
import { type UploadSource, uploadBlob, uploadManifest } from "../registry/upload.ts";
import type { BlobHomes } from "./blob-homes.ts";
import type { CompressedLayers } from "./compressed.ts";
import { imageError } from "./errors.ts";
import type { Images } from "./images.ts";
import { indexOver } from "./layout.ts";
import { type Descriptor, parseIndex, parseManifest } from "./manifest.ts";
import { digestOfBytes } from "./members.ts";
import { type Report, shortDigest, throttled } from "./pull-progress.ts";
import type { ImageRecord } from "./record.ts";
import { canonicalName, familiarName, type ImageName, parseName, repositoryOf } from "./reference.ts";
import type { ManifestDocument } from "./stored-image.ts";
import { inOnePiece } from "./streams.ts";

export interface PushOptions {
  readonly credentials?: Credentials | undefined;
  /** That of the name's images which is for this platform. */
  readonly platform?: Platform;
  /** Every image that the name stands for here, and the index over them; undefined: if none is missing. */
  readonly allPlatforms?: boolean | undefined;
  readonly signal?: AbortSignal;
  readonly progress?: Report;
}

/** What is the same for all that one name's push sends. */
interface Push {
  readonly name: ImageName;
  readonly repository: Repository;
  readonly signal: AbortSignal | undefined;
  readonly report: Report;
}

interface PushManifest extends ManifestDocument {
  readonly layers: readonly Pick<Descriptor, "digest" | "size">[];
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";
const configType = "application/vnd.docker.container.image.v1+json";
const layerType = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const CHUNK = 256 * 1024;

export class Pushes {
  readonly #images: Images;
  readonly #registries: Registries;
  readonly #compressed: CompressedLayers;
  readonly #homes: BlobHomes;
  readonly #clock: Clock;

  constructor(
    images: Images,
    registries: Registries,
    {
      compressed,
      homes,
      clock = systemClock,
    }: { readonly compressed: CompressedLayers; readonly homes: BlobHomes; readonly clock?: Clock },
  ) {
    this.#images = images;
    this.#registries = registries;
    this.#compressed = compressed;
    this.#homes = homes;
    this.#clock = clock;
  }

  /** Holds afterwards: the registry has what the name stands for here; of a name without a tag every tag. */
  async push(reference: string, options: PushOptions = {}): Promise<void> {
    const asked = parseName(reference);
    if (asked.digest !== undefined) throw imageError("pushDigest", {});
    const report = options.progress ?? (() => {});
    const names = this.#namesOf(asked);
    if (names.length === 0) throw imageError("noSuchTag", { name: repositoryOf(asked) });
    report({ status: `The push refers to repository [${repositoryOf(asked)}]` });
    const repository = this.#registries.target(asked, options.credentials);
    for (const name of names) {
      const { digest, bytes } = await this.#pushName(name, repository, options, report);
      report({ status: `${name.tag}: digest: ${digest} size: ${bytes.length}` });
      report({ progressDetail: {}, aux: { Tag: name.tag!, Digest: digest, Size: bytes.length } });
    }
  }

  #namesOf(asked: ImageName): readonly ImageName[] {
    const tags = this.#images.list().flatMap((image) => image.tags.map(parseName));
    const own = tags.filter((name) => repositoryOf(name) === repositoryOf(asked));
    return own
      .filter(({ tag }) => asked.tag === undefined || tag === asked.tag)
      .sort((a, b) => (canonicalName(a) < canonicalName(b) ? -1 : 1));
  }

  async #pushName(
    name: ImageName,
    repository: Repository,
    { platform, allPlatforms, signal }: PushOptions,
    report: Report,
  ): Promise<ManifestDocument> {
    const push = { name, repository, signal, report };
    if (allPlatforms ?? (platform === undefined && (await this.#hasAll(name)))) return await this.#pushAll(push);
    const image = await this.#images.forPlatform(familiarName(name), platform);
    return await this.#pushImage(push, image, name.tag!);
  }

  /** Whether the name stands for an index, and all that it lists is here. */
  async #hasAll(name: ImageName): Promise<boolean> {
    const { index, others } = await this.#images.machines(familiarName(name));
    if (index === undefined) return false;
    const listed = parseIndex(index.digest, index.bytes, index.mediaType);
    return listed.every(({ digest }) => others.some(({ descriptor }) => descriptor.digest === digest));
  }

  /** Every machine's image, then the index over them: as it came if all that it lists is here, and else one of what is. */
  async #pushAll(push: Push): Promise<ManifestDocument> {
    const { name, repository, signal } = push;
    const { image, index, others } = await this.#images.machines(familiarName(name));
    if (index === undefined) return await this.#pushImage(push, image, name.tag!);
    const pushed: Descriptor[] = [];
    for (const { descriptor, image: one } of others) {
      const { digest, bytes, mediaType } = await this.#pushImage(push, one, descriptor.digest);
      pushed.push({ ...descriptor, digest, size: bytes.length, mediaType });
    }
    const document = indexOver(index, pushed);
    await uploadManifest(repository, name.tag!, document, signal);
    await this.#images.rememberIndex(image.id, name, document);
    return document;
  }

  /** `reference` is the tag under which it is to be found, or the digest that it had. */
  async #pushImage(push: Push, image: ImageRecord, reference: string): Promise<PushManifest> {
    const { name, repository, signal, report } = push;
    using _held = this.#images.layers.hold(image.layers);
    const config = await this.#images.rawConfig(image.id);
    const manifest = await this.#manifestFor(image, config, signal, report);
    const unique = [...new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()];
    for (const { digest } of unique) report({ status: "Preparing", progressDetail: {}, id: shortDigest(digest) });
    await allOrNone(unique, signal, (layer, either) => this.#pushLayer(layer, name, repository, report, either));
    const source = { digest: image.id, size: config.length, open: (from: number) => inOnePiece(config.subarray(from)) };
    await uploadBlob(repository, source, { signal });
    await uploadManifest(repository, reference === name.tag ? reference : manifest.digest, manifest, signal);
    this.#homes.add([image.id, ...unique.map(({ digest }) => digest)], name);
    await this.#images.remember(image.id, name, manifest);
    return manifest;
  }

  async #pushLayer(
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    name: ImageName,
    repository: Repository,
    report: Report,
    signal: AbortSignal,
  ): Promise<void> {
    const id = shortDigest(digest);
    using _turn = await this.#registries.uploads.take(name.domain, signal);
    const mountFrom = this.#homes.find(digest, name);
    const progress = throttled(this.#clock)((current: number) =>
      report({ status: "Pushing", progressDetail: { current, total: size }, id }),
    );
    const done = await uploadBlob(repository, this.#sourceOf(digest, size), { mountFrom, progress, signal });
    const words = { exists: "Layer already exists", mounted: `Mounted from ${mountFrom}`, uploaded: "Pushed" }[done];
    report({ status: words, progressDetail: {}, id });
  }

  #sourceOf(digest: Digest, size: number): UploadSource {
    const file = this.#images.layers.fileOf(digest);
    if (file === undefined || file.size !== size) throw imageError("missingLayer", { diffId: digest });
    const open = (start: number) =>
      createReadStream(file.path, { start, highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
    return { digest, size, open };
  }

  /** That which the image came with, if its layers' bytes are here; a new one otherwise. */
  async #manifestFor(
    image: ImageRecord,
    config: Uint8Array,
    signal: AbortSignal | undefined,
    report: Report,
  ): Promise<PushManifest> {
    const known = await this.#images.manifestOf(image.id);
    if (known !== undefined) {
      const { layers } = parseManifest(known.digest, known.bytes, known.mediaType);
      // Plain layers are given away compressed.
      const isPacked = layers.every(({ digest }) => this.#images.layers.findKept(digest) !== undefined);
      if (isPacked) return { ...known, layers };
    }
    const unique = [...new Set(image.layers)];
    const packed = new Map(
      await allOrNone(unique, signal, async (diffId, either) => {
        report({ status: "Compressing", progressDetail: {}, id: shortDigest(diffId) });
        return [diffId, await this.#compressed.get(diffId, either)] as const;
      }),
    );
    const layers = image.layers.map((diffId) => packed.get(diffId)!);
    const document = {
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: configType, size: config.length, digest: image.id },
      layers: layers.map(({ digest, size }) => ({ mediaType: layerType, size, digest })),
    };
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    return { bytes, digest: digestOfBytes(bytes), mediaType: manifestType, layers };
  }
}

/** Side by side; none is still under way when one has failed. */
const allOrNone = async <T, R>(
  items: readonly T[],
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> => {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const results = await Promise.allSettled(
    items.map((item) =>
      work(item, either).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  signal?.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
};
