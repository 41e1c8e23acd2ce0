/** What all steps of one build share: its rooms, its time, its place on disk, and what must go when it is over. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { ContainerId, DiffId, ImageId } from "../base/ids.ts";
import type { Jobs } from "../container/jobs.ts";
import { readUpper } from "../container/upper.ts";
import type { TarTime } from "../format/tar/entry.ts";
import { type TarOutput, writeTar } from "../format/tar/write.ts";
import type { CompressedLayers } from "../image/compressed.ts";
import type { Images } from "../image/images.ts";
import type { LayerFetches } from "../image/layer-fetch.ts";
import type { Holding } from "../kernel/holder.ts";
import type { Credentials } from "../registry/credentials.ts";
import type { Registries } from "../registry/registry.ts";
import type { BuildCache } from "./cache.ts";
import type { CachedStep } from "./cache-export.ts";
import type { ImportedCaches } from "./cache-import.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import { Part } from "./files.ts";
import type { BuildPlatform } from "./platform.ts";
import type { BuildRecords } from "./record.ts";
import type { RunningStep } from "./report.ts";
import type { BuildRequest } from "./request.ts";

export interface BuildRooms {
  readonly images: Images;
  readonly jobs: Jobs;
  readonly cache: BuildCache;
  readonly records: BuildRecords;
  readonly cacheMounts: CacheMounts;
  readonly holder: Holding;
  readonly clock: Clock;
  /** Holds afterwards: the image is here, as its registry has it; `keepsName`: the name stays that of whatever it is. */
  readonly pull: (
    name: string,
    options: {
      readonly platform: BuildPlatform;
      readonly keepsName: boolean;
      readonly credentials: Credentials | undefined;
      readonly signal: AbortSignal;
    },
  ) => Promise<readonly ImageId[]>;
  /** Holds afterwards: the registry has what the name stands for here; `allPlatforms`: with the images beside it. */
  readonly push: (
    name: string,
    options: {
      readonly allPlatforms: boolean;
      readonly credentials: Credentials | undefined;
      readonly signal: AbortSignal;
    },
  ) => Promise<void>;
  readonly compressed: CompressedLayers;
  readonly registries: Registries;
  readonly fetches: LayerFetches;
  readonly root: string;
  readonly run: string;
}

/** RFC 3339 as Go writes it, without zeroes at its end: the same image has the same bytes, whoever builds it. */
const timeText = (milliseconds: number): string =>
  new Date(milliseconds)
    .toISOString()
    .replace(/\.(\d*?)0*Z$/, (_, digits: string) => (digits === "" ? "Z" : `.${digits}Z`));

export class Shop implements AsyncDisposable {
  readonly rooms: BuildRooms;
  readonly request: BuildRequest;
  /** Aborted when the client has gone, or a step has failed. */
  readonly signal: AbortSignal;
  readonly #stopped = new AbortController();
  /** RFC 3339: when everything in the image was made. */
  readonly created: string;
  readonly time: TarTime;
  /** Nothing in a layer is younger; undefined: things are as old as they are. Seconds since 1970. */
  readonly epoch: number | undefined;
  readonly #directory: string;
  readonly #secrets: string;
  #count = 0;
  readonly #held: Disposable[] = [];
  readonly #jobs: ContainerId[] = [];
  readonly #storing: Promise<unknown>[] = [];
  readonly #steps = new Map<string, CachedStep>();
  readonly #parts = new Map<string, Promise<Part>>();
  #imported: ImportedCaches | undefined;

  constructor(
    rooms: BuildRooms,
    request: BuildRequest,
    { directory, secrets }: { readonly directory: string; readonly secrets: string },
    signal: AbortSignal,
  ) {
    this.rooms = rooms;
    this.request = request;
    this.signal = AbortSignal.any([signal, this.#stopped.signal]);
    this.#directory = directory;
    this.#secrets = secrets;
    const asked = request.args.get("SOURCE_DATE_EPOCH") ?? "";
    this.epoch = /^\d{1,12}$/.test(asked) ? Number(asked) : undefined;
    const now = this.epoch === undefined ? rooms.clock.now() : this.epoch * 1000;
    this.created = timeText(now);
    this.time = { seconds: BigInt(Math.floor(now / 1000)), nanoseconds: (now % 1000) * 1_000_000 };
  }

  /** Holds afterwards: what still goes on comes to an end; the first reason counts. */
  stop(reason: unknown): void {
    this.#stopped.abort(reason);
  }

  /** A new directory of the build's own. */
  async directory(): Promise<string> {
    const path = join(this.#directory, String(++this.#count));
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  /** Caches of other builds, as soon as they have been read. */
  import(caches: ImportedCaches): void {
    this.#imported = caches;
  }

  /** What the steps made or found so far: each key once, in an order that is the same for the same build. */
  get steps(): readonly CachedStep[] {
    return [...this.#steps.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /**
   * What the step makes, or an earlier build made from the same. Of this build's steps that are the same, in stages or
   * for platforms that do not know of each other, one does the work.
   */
  async once(key: string, running: RunningStep, make: () => Promise<Part>): Promise<Part> {
    const name = `${running.isFresh} ${key}`;
    const known = this.#parts.get(name);
    if (known !== undefined) {
      const part = await running.waitFor("the same step elsewhere", known);
      running.isCached = true;
      return part;
    }
    const find = async (): Promise<Part> => (await this.#cached(key, running)) ?? (await make());
    const part = find();
    this.#parts.set(name, part);
    return part;
  }

  /** A layer that an earlier build made from the same, or undefined; it stays until this build is over. */
  async #cached(key: string, running: RunningStep): Promise<Part | undefined> {
    if (running.isFresh) return undefined;
    // What another build's cache brings serves those that name it, and is not put into our own for everybody.
    const known = this.rooms.cache.find(key) ?? (await this.#imported?.fetch(key, this));
    if (known === undefined) return undefined;
    this.hold(known.diffId);
    running.isCached = true;
    const created = this.epoch === undefined ? timeText(known.created) : this.created;
    this.#steps.set(key, { key, diffId: known.diffId, created: Date.parse(created) });
    return new Part(Promise.resolve(known.diffId), created);
  }

  /** A layer that is new: the next build finds it. */
  part(key: string, running: RunningStep, stored: Promise<DiffId>, job?: Part["job"]): Part {
    const created = Date.parse(this.created);
    const diffId = stored.then((found) => {
      this.rooms.cache.put(key, found, running.step.name, created);
      this.#steps.set(key, { key, diffId: found, created });
      return found;
    });
    return new Part(diffId, this.created, job);
  }

  /** The same, in memory. */
  async secretDirectory(): Promise<string> {
    const path = join(this.#secrets, String(++this.#count));
    await mkdir(path, { recursive: true, mode: 0o700 });
    return path;
  }

  /** Holds afterwards, until the build is over: a layer of these entries is stored. */
  async store(entries: AsyncIterable<TarOutput> | Iterable<TarOutput>): Promise<DiffId> {
    const { layers } = this.rooms.images;
    const staging = layers.stage(writeTar(this.#clamped(entries)));
    this.#storing.push(staging);
    await using staged = await staging;
    this.hold(staged.diffId);
    await layers.commit(staged);
    return staged.diffId;
  }

  /** What a job wrote, as the entries of a layer. */
  written(upper: string): AsyncIterable<TarOutput> {
    return readUpper(this.rooms, upper);
  }

  /** What a job wrote stays until the build is over. */
  keep(job: ContainerId): void {
    this.#jobs.push(job);
  }

  hold(diffId: DiffId): void {
    this.#held.push(this.rooms.images.layers.hold([diffId]));
  }

  async *#clamped(entries: AsyncIterable<TarOutput> | Iterable<TarOutput>): AsyncGenerator<TarOutput> {
    const { epoch } = this;
    for await (const output of entries) {
      const isYounger = epoch !== undefined && output.header.mtime.seconds >= BigInt(epoch);
      if (!isYounger) yield output;
      else yield { ...output, header: { ...output.header, mtime: { seconds: BigInt(epoch), nanoseconds: 0 } } };
    }
  }

  /** Holds afterwards: nothing of the build is left but the image and the cache. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#storing);
    // By one errand; where one of them cannot be taken away, the others by their own.
    const { jobs } = this.rooms;
    await jobs.remove(this.#jobs).catch(() => Promise.allSettled(this.#jobs.map((id) => jobs.remove([id]))));
    for (const held of this.#held) held[Symbol.dispose]();
  }
}
