/** The images of a root: what they are, what they are called, how they come and go. */

import type { ImageDeleteItem, ImageHistoryItem, ProgressLine } from "../api/answers/images.ts";
import { formatPlatform, isFor, type Platform } from "../api/platforms.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Database } from "../base/database.ts";
import type { DiffId, ImageId } from "../base/ids.ts";
import { ImageArchive } from "./archive.ts";
import { BlobFiles } from "./blob-files.ts";
import { checkStore, type Damage } from "./check.ts";
import { type CommitOptions, planCommit } from "./commit.ts";
import { type CreationRooms, createImages, type NewImage } from "./creation.ts";
import { type Heir, type RemoveOptions, removeImage, removeUnused } from "./departure.ts";
import { imageError } from "./errors.ts";
import { historyOf } from "./history.ts";
import { type ImportOptions, planImport } from "./import.ts";
import { Layers, type StackLayer } from "./layers.ts";
import { collectImages } from "./load.ts";
import { findImage, isIdentifier, missingName, nameOf } from "./lookup.ts";
import { type Descriptor, parseIndex } from "./manifest.ts";
import { digestOfBytes } from "./members.ts";
import { progressReporter } from "./progress.ts";
import type { ImageEvent, ImageRecord, ImageUser } from "./record.ts";
import { familiarName, type ImageName, nameToGive, parseName } from "./reference.ts";
import { saveImages } from "./save.ts";
import type { SaveOptions } from "./save-choice.ts";
import { ImageStore } from "./store.ts";
import type { ManifestDocument, StoredImage } from "./stored-image.ts";
import { abortable } from "./streams.ts";

export type { ImageRecord, ImageUser } from "./record.ts";

export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (line: ProgressLine) => void;
  /** Only images for this one. */
  readonly platform?: Platform;
}

/** What a name stands for. */
export interface NamedMachines {
  readonly image: ImageRecord;
  readonly index?: ManifestDocument;
  /** Those of the index that are here, the image above among them, in the index's order. */
  readonly others: readonly { readonly descriptor: Descriptor; readonly image: ImageRecord }[];
}

export class Images {
  readonly layers: Layers;
  readonly #store: ImageStore;
  readonly #files: BlobFiles;
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: ImageEvent) => void>();
  readonly #rooms: CreationRooms;

  private constructor(layers: Layers, store: ImageStore, files: BlobFiles, clock: Clock) {
    this.layers = layers;
    this.#store = store;
    this.#files = files;
    this.#clock = clock;
    this.#rooms = {
      layers,
      store,
      collect: () => this.collectLayers(),
      tell: (event) => this.#tell(event),
      now: () => this.#now(),
    };
  }

  /**
   * Holds afterwards: every image is complete, and nothing that a crash left half done is there any more. `claim` holds
   * the layers that somebody else needs, before those that nobody needs go.
   */
  static async open(
    root: string,
    database: Database,
    clock = systemClock,
    claim: (layers: Layers) => void = () => {},
  ): Promise<Images> {
    const files = await BlobFiles.open(root);
    const layers = await Layers.open(root, database, files, clock);
    claim(layers);
    const store = await ImageStore.open(database, files, (diffId) => layers.get(diffId) !== undefined);
    const images = new Images(layers, store, files, clock);
    images.collectLayers();
    // Layers first: most blobs are theirs, and the store asks the database.
    await files.clear((digest) => layers.findKept(digest) !== undefined || store.needs(digest));
    await images.settled();
    return images;
  }

  /** Settles when the bytes of all that was removed are gone. */
  async settled(): Promise<void> {
    await Promise.all([this.layers.settled(), this.#files.settled()]);
  }

  /** Stores every image of an archive under its names, or none of them. */
  async load(
    source: AsyncIterable<Uint8Array>,
    options: LoadOptions = {},
  ): Promise<readonly { readonly id: ImageId; readonly names: readonly string[] }[]> {
    const report = options.progress ?? (() => {});
    const reporter = progressReporter(report, this.#clock);
    await using archive = await ImageArchive.read(abortable(source, options.signal), this.layers, reporter);
    const found = await collectImages(archive, options.platform);
    options.signal?.throwIfAborted();
    for (const { name, before } of this.#renamings(found)) {
      const stream = `The image ${name} already exists, renaming the old one with ID ${before} to empty string\n`;
      report({ stream });
    }
    await this.create(found, "load");
    return found.map(({ id, names }) => {
      const tags = names.filter(({ digest }) => digest === undefined);
      const familiar = (tags.length === 0 ? names : tags).map(familiarName);
      for (const name of familiar) report({ stream: `Loaded image: ${name}\n` });
      if (familiar.length === 0) report({ stream: `Loaded image ID: ${id}\n` });
      return { id, names: familiar };
    });
  }

  /** Stores a root file system as an image of one layer. */
  async importRoot(source: AsyncIterable<Uint8Array>, options: ImportOptions = {}): Promise<ImageId> {
    const plan = planImport(options, new Date(this.#clock.now()));
    await using staged = await this.layers.stage(abortable(source, options.signal));
    options.signal?.throwIfAborted();
    const config = plan.config(staged.diffId);
    const [id] = await this.create([{ config, layers: [{ ...staged, staged }], names: plan.names }], "import");
    return id!;
  }

  /** Stores what a container has written as a layer, on top of its image's. */
  async commit(layer: AsyncIterable<Uint8Array>, options: CommitOptions): Promise<ImageId> {
    const plan = planCommit(options, new Date(this.#clock.now()));
    await using staged = await this.layers.stage(layer);
    const layers = staged.isEmpty ? [] : [{ ...staged, staged }];
    const [id] = await this.create([{ config: plan.config(staged), layers, names: plan.names }], "create");
    return id!;
  }

  /**
   * Holds afterwards: all these images are stored under their names, also after a power cut; or none of them.
   * Who stores them vouches for each layer's being the one that the configuration names.
   */
  create(images: readonly NewImage[], action: "load" | "import" | "pull" | "create"): Promise<readonly ImageId[]> {
    return createImages(this.#rooms, images, action);
  }

  /** By name, id, or an unambiguous beginning of the id; throws only when it is no reference at all. */
  find(reference: string): ImageRecord | undefined {
    const image = findImage(this.#store, reference);
    return image === undefined ? undefined : this.#record(image, this.#store.namesOf(image.id));
  }

  /** As `find`; throws Docker's "No such image". */
  get(reference: string): ImageRecord {
    const image = this.find(reference);
    if (image === undefined) throw imageError("noSuchImage", { name: missingName(reference) });
    return image;
  }

  /** Also an image that was removed while containers live on it. */
  withId(id: ImageId): ImageRecord {
    const image = this.#store.get(id);
    if (image === undefined) throw imageError("noSuchImage", { name: id });
    return this.#record(image, this.#store.namesOf(id));
  }

  /** Bytes of a layer's files; 0 for one that is not there. */
  layerSize(layer: DiffId): number {
    return this.layers.get(layer)?.size ?? 0;
  }

  /** Bytes that each of these layers takes of the disk. */
  async diskUse(layers: Iterable<DiffId>): Promise<ReadonlyMap<DiffId, number>> {
    const one = async (id: DiffId) => [id, await this.layers.diskUse(id)] as const;
    return new Map(await Promise.all([...new Set(layers)].map(one)));
  }

  /** The youngest first. */
  list(): readonly ImageRecord[] {
    const names = this.#store.names();
    const time = ({ description }: StoredImage): number => Date.parse(description.created) || 0;
    return [...this.#store.all()]
      .filter(({ isRemoved }) => !isRemoved)
      .sort((a, b) => time(b) - time(a) || b.number - a.number)
      .map((image) => this.#record(image, names.get(image.id)));
  }

  /** What the name stands for: one image, or with an index those of several machines, as far as they are here. */
  async machines(reference: string): Promise<NamedMachines> {
    const image = this.get(reference);
    const index = isIdentifier(reference, image.id) ? undefined : await this.#store.indexes.read(nameOf(reference));
    if (index === undefined) return { image, others: [] };
    const listed = parseIndex(index.digest, index.bytes, index.mediaType);
    const others = listed.flatMap((descriptor) => {
      const found = this.#store.withManifest(descriptor.digest);
      return found === undefined ? [] : [{ descriptor, image: this.#record(found, this.#store.namesOf(found.id)) }];
    });
    return { image, index, others };
  }

  /** The image that the name stands for on this platform, if one is asked for. Throws when it has none. */
  async forPlatform(reference: string, platform: Platform | undefined): Promise<ImageRecord> {
    if (platform === undefined) return this.get(reference);
    const { image, others } = await this.machines(reference);
    const found = [image, ...others.map((other) => other.image)].find((one) => isFor(one, platform));
    if (found === undefined) throw imageError("otherPlatform", { name: reference, asked: formatPlatform(platform) });
    return found;
  }

  /** How the image came to be, the last step first. */
  history(reference: string): readonly ImageHistoryItem[] {
    const record = this.get(reference);
    return historyOf(record, (diffId) => this.layerSize(diffId));
  }

  /** Holds afterwards: the image is known by the digest under which a registry has it now. */
  async remember(id: ImageId, { domain, path }: ImageName, manifest: ManifestDocument): Promise<void> {
    await this.#store.writeBlob(manifest.digest, manifest.bytes);
    const name = { domain, path, digest: manifest.digest };
    this.#store.transaction(() => {
      if (this.#store.get(id)?.isRemoved !== false) return;
      if (this.#store.get(id)?.manifest === undefined) this.#store.describe(id, manifest);
      if (this.#store.withName(name)?.id !== id) this.#store.name(name, id, this.#now());
    });
    this.#store.discardBlob(manifest.digest);
    this.#tell({ action: "push", id, name: familiarName({ domain, path }) });
  }

  /** An archive of these images; throws before its first byte when one is not there. */
  save(references: readonly string[], options?: SaveOptions): Promise<AsyncGenerator<Uint8Array>> {
    return saveImages(this, references, options);
  }

  /** Holds afterwards: what an index lists is known by the digest under which a registry has it now. */
  async rememberIndex(id: ImageId, { domain, path }: ImageName, index: ManifestDocument): Promise<void> {
    await this.#store.writeBlob(index.digest, index.bytes);
    this.#store.transaction(() => {
      if (this.#store.get(id)?.isRemoved !== false) return;
      this.#store.name({ domain, path, digest: index.digest }, id, this.#now(), index);
    });
    this.#store.discardBlob(index.digest);
  }

  /** The manifest that the image came with, byte for byte; undefined when it came without one. */
  manifestOf(id: ImageId): Promise<ManifestDocument | undefined> {
    return this.#store.readManifest(id);
  }

  /** The configuration of an image, if it is stored. */
  findConfig(id: ImageId): Promise<Uint8Array> | undefined {
    return this.#store.get(id) === undefined || !this.#files.has(id) ? undefined : this.#store.readConfig(id);
  }

  /** The bytes that the id is the digest of. */
  async rawConfig(id: ImageId): Promise<Uint8Array> {
    return this.#store.readConfig(id);
  }

  /** Holds afterwards: `target` names the image, whatever it named before. */
  tag(source: string, target: string): void {
    const image = this.get(source);
    const parsed = parseName(target);
    if (parsed.digest !== undefined) throw imageError("digestTag", {});
    const name = nameToGive(parsed);
    // The other machines' images go by the new name as well.
    const index = isIdentifier(source, image.id) ? undefined : this.#store.indexes.get(nameOf(source));
    const before = this.#store.indexes.get(name);
    this.#store.transaction(() => this.#store.name(name, image.id, this.#now(), index));
    if (before !== undefined) this.#store.discardBlob(before.digest);
    this.#tell({ action: "tag", id: image.id, name: familiarName(name) });
  }

  /** Removes a name, and with the last one the image and the layers that no other has. Throws Docker's conflicts. */
  remove(reference: string, options: RemoveOptions): readonly ImageDeleteItem[] {
    const { id } = this.get(reference);
    return removeImage(this.#rooms, this.#store.get(id)!, reference, options);
  }

  /**
   * Removes only what the name stands for on these platforms; it goes on naming the others that are here. Throws, and
   * removes nothing, when one of them is not.
   */
  async removePlatforms(
    reference: string,
    platforms: readonly Platform[],
    options: RemoveOptions,
  ): Promise<readonly ImageDeleteItem[]> {
    const asked: ImageId[] = [];
    for (const platform of platforms) asked.push((await this.forPlatform(reference, platform)).id);
    const removed: ImageDeleteItem[] = [];
    for (const id of new Set(asked)) {
      const { image, others } = await this.machines(reference);
      const isAll = image.id === id && others.every((other) => other.image.id === id);
      const heirs = isAll ? [] : await this.#heirs(id);
      removed.push(...this.remove(isAll ? reference : id, { ...options, heirs }));
    }
    return removed;
  }

  /** Those of an image's names that stand for others as well, each with the first of these. */
  async #heirs(id: ImageId): Promise<readonly Heir[]> {
    const heirs: Heir[] = [];
    for (const name of this.#store.namesOf(id)) {
      const { others } = await this.machines(familiarName(name));
      const other = others.find(({ image }) => image.id !== id);
      if (other !== undefined) heirs.push({ name, id: other.image.id });
    }
    return heirs;
  }

  /** Holds afterwards: images that were removed are gone for good, unless a container still lives on them. */
  collect(usedBy: (id: ImageId) => readonly ImageUser[]): void {
    removeUnused(this.#rooms, usedBy);
  }

  /** Holds afterwards: no layer is stored that no image has and nobody holds. */
  collectLayers(): void {
    this.layers.collect(
      new Set([...this.#store.all()].flatMap(({ description }): readonly DiffId[] => description.layers)),
    );
  }

  /** Calls `listener` for whatever happens to images; answers what ends that. */
  onEvent(listener: (event: ImageEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads every byte of what is stored; tells of what is not right, which the next pull or load replaces. */
  check(signal?: AbortSignal): AsyncIterable<Damage> {
    return checkStore({ layers: this.layers, store: this.#store, files: this.#files }, signal);
  }

  /** What a tree of these layers is read from. */
  stack(layers: readonly DiffId[]): readonly StackLayer[] {
    return this.layers.stack(layers);
  }

  /** Bytes of all that is stored, as it lies on the disk. */
  diskSize(): number {
    const kept = [...this.layers.allKept()].reduce((sum, { size }) => sum + size, 0);
    return this.layers.all().reduce((sum, { tarSize }) => sum + tarSize, kept);
  }

  #record({ id, description, lastTagged }: StoredImage, names: readonly ImageName[] = []): ImageRecord {
    const sizes = [...new Set(description.layers)].map((diffId) => this.layerSize(diffId));
    return {
      ...description,
      id,
      size: sizes.reduce((sum, size) => sum + size, 0),
      tags: names.filter(({ digest }) => digest === undefined).map(familiarName),
      digests: names.filter(({ digest }) => digest !== undefined).map(familiarName),
      lastTagged,
    };
  }

  #renamings(images: readonly NewImage[]): readonly { readonly name: string; readonly before: ImageId }[] {
    return images.flatMap(({ names, config }) =>
      names.flatMap((name) => {
        const before = this.#store.withName(name);
        return before === undefined || before.id === digestOfBytes(config)
          ? []
          : [{ name: familiarName(name), before: before.id }];
      }),
    );
  }

  #tell(event: ImageEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}
