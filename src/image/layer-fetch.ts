/**
 * Layers from registries: each is unpacked and indexed while it arrives, verified before anybody sees it, and fetched
 * once, however many wait for it. Its bytes are kept as they come, so that what breaks off is taken up there.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { systemClock } from "../base/clock.ts";
import { PierError } from "../base/errors.ts";
import { type DiffId, type Digest, digestFromHex, hexOf } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import { release } from "../base/memory.ts";
import type { Registries } from "../registry/registry.ts";
import type { BlobName, Repository } from "../registry/repository.ts";
import { imageError } from "./errors.ts";
import { checkSpace } from "./layer-writer.ts";
import type { Layers, StagedLayer, StoredLayer } from "./layers.ts";
import { type PartialBlob, Partials } from "./partials.ts";

export type FetchStage =
  | { readonly kind: "waiting" }
  | { readonly kind: "downloading"; readonly current: number; readonly total: number }
  | { readonly kind: "storing" }
  | { readonly kind: "retrying" }
  | { readonly kind: "done" };

export type FetchReport = (stage: FetchStage) => void;

export interface WantedLayer {
  readonly blob: BlobName;
  /** What the image's configuration says of it. */
  readonly diffId: DiffId;
  readonly position: number;
}

interface Flight {
  readonly work: Promise<StoredLayer>;
  readonly abort: AbortController;
  readonly reports: Set<FetchReport>;
  last: FetchStage;
}

/** How often a blob that turns out to be another is fetched anew. */
const maxAttempts = 3;
const checkEvery = 64 * 1024 * 1024;

export class LayerFetches {
  readonly #layers: Layers;
  readonly #partials: Partials;
  readonly #registries: Registries;
  readonly #locks = new Locks();
  readonly #flights = new Map<Digest, Flight>();

  private constructor(layers: Layers, partials: Partials, registries: Registries) {
    this.#layers = layers;
    this.#partials = partials;
    this.#registries = registries;
  }

  static async open(root: string, layers: Layers, registries: Registries, clock = systemClock): Promise<LayerFetches> {
    return new LayerFetches(layers, await Partials.open(root, clock.now()), registries);
  }

  /** Holds afterwards: the layer is stored. The caller holds it; who leaves while others wait leaves it to them. */
  async fetch(
    repository: Repository,
    wanted: WantedLayer,
    report: FetchReport,
    signal: AbortSignal | undefined,
  ): Promise<StoredLayer> {
    signal?.throwIfAborted();
    const { digest } = wanted.blob;
    const flight = this.#flights.get(digest) ?? this.#begin(repository, wanted);
    flight.reports.add(report);
    report(flight.last);
    const left = Promise.withResolvers<never>();
    left.promise.catch(() => {});
    const leave = (): void => left.reject(signal!.reason as Error);
    signal?.addEventListener("abort", leave, { once: true });
    try {
      const stored = await Promise.race([flight.work, left.promise]);
      checkDiffId(stored, wanted);
      return stored;
    } finally {
      signal?.removeEventListener("abort", leave);
      flight.reports.delete(report);
      if (flight.reports.size === 0) this.#leave(digest, flight);
    }
  }

  /** Who comes from now on begins anew. */
  #leave(digest: Digest, flight: Flight): void {
    if (this.#flights.get(digest) === flight) this.#flights.delete(digest);
    flight.abort.abort(new Error("nobody waits for the layer any more"));
  }

  /** Bytes of what is half fetched. */
  partialSize(): Promise<number> {
    return this.#partials.size();
  }

  /** Holds afterwards: nothing is kept of pulls that broke off. Answers how many bytes that were. */
  prune(): Promise<number> {
    const used = new Set([...this.#flights.keys()].map(hexOf));
    return this.#partials.prune(Number.POSITIVE_INFINITY, (hex) => used.has(hex as never));
  }

  /** Settles when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#flights.values()].map(({ work }) => work));
  }

  #begin(repository: Repository, wanted: WantedLayer): Flight {
    const { digest } = wanted.blob;
    const abort = new AbortController();
    const reports = new Set<FetchReport>();
    const tell: FetchReport = (stage) => {
      flight.last = stage;
      for (const report of reports) report(stage);
    };
    // One that nobody waits for may still have the file.
    const work = this.#locks
      .run(
        digest,
        async () => this.#layers.findBlob(digest) ?? (await this.#run(repository, wanted, tell, abort.signal)),
      )
      .finally(() => {
        if (this.#flights.get(digest) === flight) this.#flights.delete(digest);
      });
    work.catch(() => {});
    const flight: Flight = { work, abort, reports, last: { kind: "waiting" } };
    this.#flights.set(digest, flight);
    return flight;
  }

  async #run(
    repository: Repository,
    wanted: WantedLayer,
    tell: FetchReport,
    signal: AbortSignal,
  ): Promise<StoredLayer> {
    using _turn = await this.#registries.downloads.take(repository.options.domain, signal);
    for (let attempt = 1; ; attempt++) {
      const stored = await this.#attempt(repository, wanted, tell, signal, attempt === maxAttempts);
      if (stored !== undefined) return stored;
      tell({ kind: "retrying" });
    }
  }

  /** Undefined when the bytes that came are not the blob's, and may be another time. */
  async #attempt(
    repository: Repository,
    { blob, diffId, position }: WantedLayer,
    tell: FetchReport,
    signal: AbortSignal,
    isLast: boolean,
  ): Promise<StoredLayer | undefined> {
    await using partial = await this.#partials.begin(blob.digest);
    const arrival = new Arrival(partial, blob, repository, tell, signal);
    let staged: StagedLayer;
    try {
      staged = await this.#layers.stage(arrival.read());
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof PierError) || arrival.failure !== undefined) throw error;
      // Bytes that cannot be unpacked are the image's fault only if they are those that it names.
      const found = await arrival.digestOfAll();
      await partial.drop();
      if (found === blob.digest) throw error;
      if (isLast)
        throw imageError("digestMismatch", { what: `layer ${position}`, expected: blob.digest, found }, error);
      return undefined;
    }
    await using layer = staged;
    if (layer.blob.digest !== blob.digest || layer.blob.size !== blob.size) {
      await partial.drop();
      if (!isLast) return undefined;
      const [what, expected, found] = [`layer ${position}`, blob.digest, layer.blob.digest];
      throw imageError("digestMismatch", { what, expected, found });
    }
    checkDiffId(layer, { diffId, position });
    tell({ kind: "storing" });
    await arrival.finished;
    const stored = await this.#commit(layer, partial);
    tell({ kind: "done" });
    return stored;
  }

  async #commit(layer: StagedLayer, partial: PartialBlob): Promise<StoredLayer> {
    // A plain blob is the tar itself.
    const isPlain = layer.blob.digest === layer.diffId;
    using _held = this.#layers.hold([layer.diffId]);
    const stored = await this.#layers.commit(isPlain ? layer : { ...layer, compressed: partial.path });
    this.#layers.lease(layer.diffId);
    if (isPlain || this.#layers.findKept(layer.blob.digest) === undefined) await partial.drop();
    return stored;
  }
}

/**
 * A blob's bytes: those that have come before from the disk, the others from the registry, and onto the disk. Each piece is
 * done with when the next is asked for.
 */
class Arrival {
  readonly #partial: PartialBlob;
  readonly #blob: BlobName;
  readonly #repository: Repository;
  readonly #tell: FetchReport;
  readonly #signal: AbortSignal;
  #at: number;
  /** What the registry or the disk could not do. */
  failure: unknown;
  /** Settles when every byte is on disk. */
  finished: Promise<void> | undefined;

  constructor(partial: PartialBlob, blob: BlobName, repository: Repository, tell: FetchReport, signal: AbortSignal) {
    this.#partial = partial;
    this.#blob = blob;
    this.#repository = repository;
    this.#tell = tell;
    this.#signal = signal;
    this.#at = partial.from;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    try {
      let count = 0;
      for await (const bytes of this.#partial.read()) {
        this.#signal.throwIfAborted();
        count += bytes.length;
        this.#progress(count);
        yield bytes;
      }
      yield* this.#rest();
      this.finished = this.#partial.finish();
      // Whoever waits for it comes later.
      this.finished.catch(() => {});
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  /** The digest of the whole blob, which is fetched to its end first. */
  async digestOfAll(): Promise<Digest> {
    for await (const _ of this.#rest());
    await (this.finished ?? this.#partial.finish());
    const hash = createHash("sha256");
    for await (const bytes of createReadStream(this.#partial.path)) hash.update(bytes as Uint8Array);
    return digestFromHex(hash.digest("hex"));
  }

  async *#rest(): AsyncGenerator<Uint8Array> {
    let nextCheck = this.#at;
    for await (const bytes of this.#repository.blob(this.#blob, this.#at, this.#signal)) {
      if (this.#at >= nextCheck) {
        await checkSpace(this.#partial.directory);
        nextCheck = this.#at + checkEvery;
      }
      await this.#partial.write(bytes);
      this.#at += bytes.length;
      this.#progress(this.#at);
      yield bytes;
      release(bytes);
    }
  }

  #progress(current: number): void {
    this.#tell({ kind: "downloading", current, total: this.#blob.size });
  }
}

const checkDiffId = (
  { diffId: found }: Pick<StoredLayer, "diffId">,
  { diffId: expected, position }: Pick<WantedLayer, "diffId" | "position">,
): void => {
  if (found !== expected) throw imageError("diffIdMismatch", { position, expected, found });
};
