/** `pull`: from a name to an image that is stored, every byte of it verified before it can be seen. */
import { formatPlatform, isFor, type Platform } from "../api/platforms.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Digest, ImageId } from "../base/ids.ts";
import type { Credentials } from "../registry/credentials.ts";
import type { Registries } from "../registry/registry.ts";
import type { ManifestBytes, Repository } from "../registry/repository.ts";
import type { BlobHomes } from "./blob-homes.ts";
import { type ImageDescription, parseConfig } from "./config.ts";
import type { NewImage } from "./creation.ts";
import { maxDocumentSize } from "./document.ts";
import { imageError } from "./errors.ts";
import type { Images } from "./images.ts";
import type { LayerFetches } from "./layer-fetch.ts";
import type { StoredLayer } from "./layers.ts";
import {
  choosePlatform,
  type Descriptor,
  isAttestation,
  isIndexType,
  isManifest,
  machineArchitecture,
  parseIndex,
  parseManifest,
} from "./manifest.ts";
import type { ArchivedLayer } from "./members.ts";
import { digestOfBytes } from "./members.ts";
import { fetchReporter, type Report, shortDigest } from "./pull-progress.ts";
import {
  familiarName,
  familiarRepository,
  type ImageName,
  nameToGive,
  parseName,
  withDefaultTag,
} from "./reference.ts";

export interface PullOptions {
  readonly platform?: Platform;
  /** Every tag of the repository. */
  readonly allTags?: boolean;
  /** Every machine's image, and not only that for this one. */
  readonly allPlatforms?: boolean;
  /** A tag that stands for an image here stays with it: what is pulled is found by its digest. */
  readonly keepsName?: boolean;
  readonly credentials?: Credentials | undefined;
  readonly signal?: AbortSignal;
  readonly progress?: Report;
}

/** An image as its registry has it. */
export interface RemoteImage {
  readonly manifest: ManifestBytes;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** How deep indexes may lie in indexes. */
const maxDepth = 4;
const maxManifests = 200;

export class Pulls {
  readonly #images: Images;
  readonly #fetches: LayerFetches;
  readonly #registries: Registries;
  readonly #homes: BlobHomes;
  readonly #clock: Clock;

  constructor(
    images: Images,
    fetches: LayerFetches,
    registries: Registries,
    { homes, clock = systemClock }: { readonly homes: BlobHomes; readonly clock?: Clock },
  ) {
    this.#homes = homes;
    this.#images = images;
    this.#fetches = fetches;
    this.#registries = registries;
    this.#clock = clock;
  }

  /** Holds afterwards: the name is that of the registry's image, and all of it is stored. */
  async pull(reference: string, options: PullOptions = {}): Promise<readonly ImageId[]> {
    const asked = parseName(reference);
    const report = options.progress ?? (() => {});
    const repository = this.#registries.source(asked, options.credentials);
    if (options.allTags !== true) return await this.#pullOne(withDefaultTag(asked), repository, options, report);
    if (asked.tag !== undefined || asked.digest !== undefined) throw imageError("tagWithAllTags", {});
    const ids: ImageId[] = [];
    for (const tag of await repository.tags(options.signal)) {
      const name = parseName(`${familiarRepository(asked)}:${tag}`);
      ids.push(...(await this.#pullOne(name, repository, options, report)));
    }
    return ids;
  }

  /** Holds afterwards: nothing is kept of pulls that broke off. Answers how many bytes that were. */
  async prune(): Promise<number> {
    const before = this.#images.diskSize();
    this.#images.layers.endLeases();
    this.#images.collectLayers();
    const { layers } = this.#images;
    this.#homes.retain((digest) => layers.findBlob(digest) !== undefined || this.#images.find(digest) !== undefined);
    return before - this.#images.diskSize() + (await this.#fetches.prune());
  }

  async #pullOne(
    name: ImageName,
    repository: Repository,
    options: PullOptions,
    report: Report,
  ): Promise<readonly ImageId[]> {
    const { signal } = options;
    nameToGive(name);
    const top = await topManifest(repository, name, signal);
    report({ status: `Pulling from ${repositoryWords(name)}`, id: name.digest ?? name.tag! });
    const chosen = await this.#choose(repository, top, options);
    const before = this.#images.find(familiarName(name))?.id;
    const ids: ImageId[] = [];
    for (const [index, manifest] of chosen.entries()) {
      // The name is that of this machine's image, which comes first; the others are found by their digests.
      const isNamed = index === 0 && options.keepsName !== true;
      const names = namesFor(name, top.digest, manifest.digest, isNamed);
      const stands = isNamed && top !== manifest ? top : undefined;
      ids.push(await this.#pullManifest(repository, manifest, { names, index: stands }, options, report));
    }
    report({ status: `Digest: ${top.digest}` });
    const isNew = before !== ids[0];
    const words = isNew ? "Downloaded newer image for" : "Image is up to date for";
    report({ status: `Status: ${words} ${familiarName(name)}` });
    return ids;
  }

  /** The manifests that are pulled: one, or with all platforms all. */
  async #choose(
    repository: Repository,
    top: ManifestBytes,
    { platform, allPlatforms, signal }: PullOptions,
  ): Promise<readonly ManifestBytes[]> {
    if (!isIndexType(top.mediaType)) return [top];
    const listed = await expand(repository, top, signal);
    const fitting = choosePlatform(listed, platform);
    const others = allPlatforms === true ? listed.filter((one) => !fitting.includes(one)) : [];
    const descriptors = allPlatforms === true ? [...fitting.slice(0, 1), ...others] : fitting.slice(0, 1);
    if (descriptors.length === 0) {
      const asked = formatPlatform(platform ?? { os: "linux", architecture: machineArchitecture });
      throw imageError("noMatchingManifest", { platform: asked });
    }
    return await Promise.all(descriptors.map((descriptor) => manifestOf(repository, descriptor, signal)));
  }

  async #pullManifest(
    repository: Repository,
    manifest: ManifestBytes,
    { names, index }: Pick<NewImage, "names" | "index">,
    options: PullOptions,
    report: Report,
  ): Promise<ImageId> {
    const { signal, platform } = options;
    const { config, layers } = parseManifest(manifest.digest, manifest.bytes, manifest.mediaType);
    const configBytes = await this.#config(repository, config, signal);
    const description = parseConfig(configBytes);
    checkPlatform(description, platform, names);
    if (layers.length !== description.layers.length) {
      throw imageError("layersMismatch", { expected: layers.length, found: description.layers.length });
    }
    using _held = this.#images.layers.hold(description.layers);
    const fetched = await this.#fetchAll(repository, layers, description, report, signal);
    signal?.throwIfAborted();
    const image: NewImage = { config: configBytes, layers: fetched, names, manifest, index };
    const [id] = await this.#images.create([image], "pull");
    this.#homes.add([config.digest, ...layers.map(({ digest }) => digest)], repository.options);
    return id!;
  }

  async #config(repository: Repository, config: Descriptor, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const known = this.#images.findConfig(config.digest as Digest as ImageId);
    const kept = await known;
    if (kept !== undefined && digestOfBytes(kept) === config.digest) return kept;
    const bytes = await repository.document(config, maxDocumentSize, signal);
    const found = digestOfBytes(bytes);
    if (found !== config.digest)
      throw imageError("digestMismatch", { what: "the config", expected: config.digest, found });
    return bytes;
  }

  /** All of them side by side; none is still under way when one has failed. */
  async #fetchAll(
    repository: Repository,
    layers: readonly Descriptor[],
    description: ImageDescription,
    report: Report,
    signal: AbortSignal | undefined,
  ): Promise<readonly ArchivedLayer[]> {
    const failed = new AbortController();
    const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    const byDigest = new Map<Digest, Promise<StoredLayer>>();
    const results = await Promise.allSettled(
      layers.map(async (blob, position): Promise<ArchivedLayer> => {
        const wanted = { blob, diffId: description.layers[position]!, position };
        const work = byDigest.get(blob.digest) ?? this.#fetch(repository, wanted, report, either);
        byDigest.set(blob.digest, work);
        const stored = await work.catch((error: unknown) => {
          failed.abort(error);
          throw error;
        });
        if (stored.diffId !== wanted.diffId) {
          throw imageError("diffIdMismatch", { position, expected: wanted.diffId, found: stored.diffId });
        }
        return { ...stored, blob };
      }),
    );
    signal?.throwIfAborted();
    if (failed.signal.aborted) throw failed.signal.reason;
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  async #fetch(
    repository: Repository,
    wanted: { readonly blob: Descriptor; readonly diffId: Digest; readonly position: number },
    report: Report,
    signal: AbortSignal,
  ): Promise<StoredLayer> {
    const { blob } = wanted;
    const id = shortDigest(blob.digest);
    const stored = this.#images.layers.findBlob(blob.digest);
    if (stored !== undefined) {
      report({ status: "Already exists", progressDetail: {}, id });
      return stored;
    }
    report({ status: "Pulling fs layer", progressDetail: {}, id });
    const reporter = fetchReporter(blob.digest, report, this.#clock);
    return await this.#fetches.fetch(repository, wanted as never, reporter, signal);
  }
}

const repositoryWords = ({ path }: ImageName): string => path;

const namesFor = (name: ImageName, top: Digest, own: Digest, isFirst: boolean): readonly ImageName[] => {
  const { domain, path, tag } = name;
  if (!isFirst) return [{ domain, path, digest: own }];
  // As Docker: who asks for a digest gets no tag.
  return [
    ...(name.digest === undefined && tag !== undefined ? [{ domain, path, tag }] : []),
    { domain, path, digest: top },
  ];
};

/** What the name stands for now. A tag is resolved once: what follows goes by digest. */
export const topManifest = async (
  repository: Repository,
  { tag, digest }: ImageName,
  signal: AbortSignal | undefined,
): Promise<ManifestBytes> => typed(await repository.manifest(digest ?? tag!, signal));

/** A document says itself what it is, where it does; only of the others is the registry believed. */
const typed = (manifest: ManifestBytes): ManifestBytes => {
  const own = ownType(manifest.bytes);
  return own === "" ? manifest : { ...manifest, mediaType: own };
};

const ownType = (bytes: Uint8Array): string => {
  try {
    const { mediaType } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { mediaType?: unknown };
    return typeof mediaType === "string" ? mediaType : "";
  } catch {
    // Whoever parses it says what is wrong with it.
    return "";
  }
};

export const manifestOf = async (
  repository: Repository,
  { digest, size, mediaType }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<ManifestBytes> => {
  if (size > maxDocumentSize)
    throw imageError("sizeMismatch", { what: digest, expected: size, found: maxDocumentSize });
  const manifest = await repository.manifest(digest, signal);
  if (manifest.bytes.length !== size) {
    throw imageError("sizeMismatch", { what: digest, expected: size, found: manifest.bytes.length });
  }
  // The descriptor is part of what was verified; a header is not.
  return { ...manifest, mediaType };
};

/** The manifests of all machines that an index leads to. */
export const expand = async (
  repository: Repository,
  top: ManifestBytes,
  signal: AbortSignal | undefined,
  depth = 1,
  seen = new Set<Digest>(),
): Promise<readonly Descriptor[]> => {
  if (depth > maxDepth)
    throw imageError("invalidDocument", { document: top.digest, reason: "it is too deep a nest of indexes" });
  const found: Descriptor[] = [];
  for (const descriptor of parseIndex(top.digest, top.bytes, top.mediaType)) {
    if (isAttestation(descriptor) || seen.has(descriptor.digest)) continue;
    seen.add(descriptor.digest);
    if (seen.size > maxManifests) throw imageError("archiveLimit", { what: "more manifests", limit: maxManifests });
    if (isManifest(descriptor)) found.push(descriptor);
    else if (isIndexType(descriptor.mediaType)) {
      const inner = await manifestOf(repository, descriptor, signal);
      found.push(...(await expand(repository, inner, signal, depth + 1, seen)));
    }
  }
  return found;
};

/** Of a name that has but one machine's image another machine's is not there. */
const checkPlatform = (
  description: ImageDescription,
  asked: Platform | undefined,
  names: readonly ImageName[],
): void => {
  if (asked === undefined || isFor(description, asked)) return;
  const [name] = names;
  const has = formatPlatform({ os: description.os, architecture: description.architecture });
  throw imageError("wrongPlatform", {
    name: name === undefined ? "" : familiarName(name),
    has,
    asked: formatPlatform(asked),
  });
};
