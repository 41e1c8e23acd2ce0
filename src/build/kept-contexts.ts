/**
 * Contexts that clients have given before: of a directory that was read once, only what has changed is asked for again.
 * What is kept is a stack of archives, as an image's layers are: the first has everything, each further one what a build
 * found changed. Nothing of it outlives the daemon.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type TarHeader, type TarOutput, writeTar } from "../format/tar/write.ts";
import { Tree } from "../image/tree.ts";
import { type Context, type StoredArchive, storeArchive, whiteoutIn } from "./context.ts";
import { type ListedFile, listContext, planChanges } from "./context-changes.ts";
import { buildError } from "./errors.ts";

/** A directory of a client's, which lists it and then gives what is asked for. */
export interface ListedContext {
  /** Whose it is: of the same one only changes are asked for. */
  readonly key: string;
  /** What is in it, each directory before what is in it; an undefined place has nothing that can be in an image. */
  list(): Promise<readonly (TarHeader | undefined)[]>;
  /** These entries with their contents, in this order. To be asked once, after `list`. */
  read(places: readonly number[]): AsyncGenerator<TarOutput>;
}

/** Deeper, and finding a file costs more than reading all of them again. */
const maxDepth = 12;
const maxKept = 8;

interface Kept {
  /** The topmost first. */
  readonly layers: readonly StoredArchive["layer"][];
  readonly files: ReadonlyMap<string, ListedFile>;
  /** Of contents, by the identities that the tree gives them. */
  readonly digests: Map<string, Buffer>;
  /** Of its archives together, in bytes. */
  readonly size: number;
  readonly created: number;
  used: number;
  uses: number;
}

export interface KeptContext {
  readonly id: string;
  readonly size: number;
  readonly created: number;
  readonly used: number;
  readonly uses: number;
}

export class KeptContexts {
  readonly #directory: string;
  readonly #now: () => number;
  /** By their keys, the one that was used last at the end. */
  readonly #kept = new Map<string, Kept>();
  /** How many stacks that are kept or read have an archive. */
  readonly #holders = new Map<string, number>();
  readonly #turns = new Map<string, Promise<unknown>>();
  #count = 0;

  private constructor(directory: string, now: () => number) {
    this.#directory = directory;
    this.#now = now;
  }

  /** Holds afterwards: what an earlier daemon kept is gone. */
  static async open(directory: string, now: () => number): Promise<KeptContexts> {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new KeptContexts(directory, now);
  }

  /** The context as it is now, until it is disposed; of what was kept only changes are read. */
  async take(source: ListedContext, signal: AbortSignal): Promise<Context & AsyncDisposable> {
    // Two builds of one directory would both add to what was kept.
    const before = this.#turns.get(source.key) ?? Promise.resolve();
    const turn = before.then(() => this.#take(source, signal));
    const settled = turn.catch(() => {});
    this.#turns.set(source.key, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(source.key) === settled) this.#turns.delete(source.key);
    }
  }

  list(): readonly KeptContext[] {
    return [...this.#kept].map(([id, { size, created, used, uses }]) => ({ id, size, created, used, uses }));
  }

  /** Holds afterwards: these are read anew the next time. */
  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.#drop(key);
  }

  async #take(source: ListedContext, signal: AbortSignal): Promise<Context & AsyncDisposable> {
    const headers = await source.list();
    const wrong = headers.find((header) => header !== undefined && whiteoutIn(header.path) !== undefined);
    if (wrong !== undefined) throw buildError("whiteoutName", { path: whiteoutIn(wrong.path)! });
    const before = this.#kept.get(source.key);
    const kept =
      (before && (await this.#update(before, source, headers, signal))) ?? (await this.#read(source, headers, signal));
    kept.used = this.#now();
    kept.uses++;
    if (kept !== before) {
      this.#hold(kept);
      if (before !== undefined) await this.#release(before);
    }
    this.#kept.delete(source.key);
    this.#kept.set(source.key, kept);
    for (const key of [...this.#kept.keys()].slice(0, -maxKept)) await this.#drop(key);
    this.#hold(kept);
    return {
      tree: Tree.open(kept.layers),
      digests: kept.digests,
      [Symbol.asyncDispose]: () => this.#release(kept),
    };
  }

  /** With what has changed; undefined: all of it is to be read again. */
  async #update(
    before: Kept,
    source: ListedContext,
    headers: readonly (TarHeader | undefined)[],
    signal: AbortSignal,
  ): Promise<Kept | undefined> {
    if (before.layers.length >= maxDepth) return undefined;
    const changes = planChanges(before.files, headers);
    if (changes === undefined) return undefined;
    if (changes.places.length === 0 && changes.whiteouts.length === 0) {
      // The protocol wants its end.
      await Array.fromAsync(source.read([]));
      return before;
    }
    const added = await this.#store(source.read(changes.places), changes.whiteouts, signal);
    return {
      ...before,
      ...{ layers: [added.layer, ...before.layers], size: before.size + added.size, files: listContext(headers) },
    };
  }

  async #read(source: ListedContext, headers: readonly (TarHeader | undefined)[], signal: AbortSignal): Promise<Kept> {
    const places = headers.flatMap((header, place) => (header === undefined ? [] : [place]));
    const { layer, size } = await this.#store(source.read(places), [], signal);
    const created = this.#now();
    const files = listContext(headers);
    return { layers: [layer], files, digests: new Map(), size, created, used: created, uses: 0 };
  }

  async #store(
    entries: AsyncIterable<TarOutput>,
    whiteouts: readonly TarHeader[],
    signal: AbortSignal,
  ): Promise<StoredArchive> {
    const number = this.#count++;
    const directory = join(this.#directory, String(number));
    await mkdir(directory, { mode: 0o700 });
    try {
      return await storeArchive(writeTar(followed(entries, whiteouts)), directory, signal, { number });
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async #drop(key: string): Promise<void> {
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    if (kept !== undefined) await this.#release(kept);
  }

  #hold({ layers }: Kept): void {
    for (const { tar } of layers) this.#holders.set(tar, (this.#holders.get(tar) ?? 0) + 1);
  }

  async #release({ layers }: Kept): Promise<void> {
    for (const { tar, number } of layers) {
      const left = this.#holders.get(tar)! - 1;
      if (left > 0) this.#holders.set(tar, left);
      else {
        this.#holders.delete(tar);
        await rm(join(this.#directory, String(number)), { recursive: true, force: true });
      }
    }
  }
}

async function* followed(
  entries: AsyncIterable<TarOutput>,
  whiteouts: readonly TarHeader[],
): AsyncGenerator<TarOutput> {
  yield* entries;
  for (const header of whiteouts) yield { header };
}
