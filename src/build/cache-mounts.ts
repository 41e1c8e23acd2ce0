/** `RUN --mount=type=cache`: directories that outlive builds, each shared, locked or private as the step asks. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { Locks } from "../base/lock.ts";
import { runErrand } from "../kernel/errand.ts";
import type { Holding } from "../kernel/holder.ts";
import { measureTrees } from "../kernel/measure.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import type { RunMount } from "./dockerfile/mounts.ts";

export interface CacheMount {
  readonly id: string;
  readonly size: number;
  readonly inUse: boolean;
  /** Milliseconds since 1970. */
  readonly created: number;
}

interface MountRooms {
  readonly root: string;
  readonly run: string;
  readonly holder: Holding;
}

/** What a cache has at its beginning. */
export interface CacheBase {
  readonly digest: string;
  /** Holds afterwards: the files lie in the directory that it answers, on the same file system, and are the caller's. */
  extract(): Promise<string>;
}

/** Another beginning is another cache. */
const idOf = ({ id, target }: RunMount, base: CacheBase | undefined): string =>
  createHash("sha256")
    .update(id ?? target ?? "")
    .update(base === undefined ? "" : `\0${base.digest}`)
    .digest("hex");

interface Cache {
  readonly mount: RunMount;
  readonly base: CacheBase | undefined;
}

/** The strictest first: of one directory that a step names twice, it counts. */
const sharings = ["locked", "private", "shared"] as const;

export class CacheMounts {
  readonly #rooms: MountRooms;
  readonly #directory: string;
  readonly #locks = new Locks();
  readonly #users = new Map<string, number>();

  constructor(rooms: MountRooms) {
    this.#rooms = rooms;
    this.#directory = join(rooms.root, "build", "mounts");
  }

  /**
   * Runs the work with the directories that the mounts of a step mean; with those that are locked, one step after the
   * other. One that waits for its turn when the signal comes waits no longer.
   */
  use<T>(
    mounts: readonly RunMount[],
    signal: AbortSignal,
    work: (pathOf: (mount: RunMount) => string) => Promise<T>,
    baseOf: (mount: RunMount) => CacheBase | undefined = () => undefined,
  ): Promise<T> {
    const keyOf = (mount: RunMount): string => idOf(mount, baseOf(mount));
    // In one order, each once: two steps never wait for each other, nor one for itself.
    const groups = [...Map.groupBy(mounts, keyOf)].sort(([a], [b]) => (a < b ? -1 : 1));
    const paths = new Map<string, string>();
    const withRest = (index: number): Promise<T> => {
      const group = groups[index];
      if (group === undefined) return work((mount) => paths.get(keyOf(mount))!);
      const [id, [first, ...others]] = group as [string, [RunMount, ...RunMount[]]];
      const sharing = sharings.find((one) => [first, ...others].some((mount) => mount.sharing === one))!;
      return this.#take(id, { mount: { ...first, sharing }, base: baseOf(first) }, signal, (path) => {
        paths.set(id, path);
        return withRest(index + 1);
      });
    };
    return withRest(0);
  }

  async #take<T>(id: string, cache: Cache, signal: AbortSignal, work: (path: string) => Promise<T>): Promise<T> {
    const { sharing } = cache.mount;
    if (sharing === "locked") return this.#inTurn(id, signal, () => this.#use(id, cache, work));
    if (sharing === "shared") return this.#use(id, cache, work);
    for (let number = 0; ; number++) {
      const own = number === 0 ? id : `${id}-${number}`;
      if (!this.#users.has(own)) return this.#use(own, cache, work);
    }
  }

  #inTurn<T>(id: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    const turn = this.#locks.run(id, async () => {
      signal.throwIfAborted();
      // From here on the work itself hears the signal, and what it has is in use until it has ended.
      signal.removeEventListener("abort", leave);
      return work();
    });
    return Promise.race([turn, gone]);
  }

  async #use<T>(id: string, cache: Cache, work: (path: string) => Promise<T>): Promise<T> {
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
    try {
      const path = join(this.#directory, id);
      if (!existsSync(path)) await this.#create(path, cache);
      return await work(path);
    } finally {
      const left = this.#users.get(id)! - 1;
      if (left === 0) this.#users.delete(id);
      else this.#users.set(id, left);
    }
  }

  async #create(path: string, { mount, base }: Cache): Promise<void> {
    if (base === undefined) {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await chmod(path, mount.mode ?? 0o755);
      await chown(path, mount.uid, mount.gid);
      return;
    }
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    // Whole from its first moment; of two steps that begin it, the first has begun it.
    await rename(await base.extract(), path).catch((error: unknown) => {
      if (!existsSync(path)) throw error;
    });
  }

  async list(): Promise<readonly CacheMount[]> {
    const ids = await readdir(this.#directory).catch(() => []);
    const trees = ids.map((id) => ({ path: join(this.#directory, id) }));
    const sizes = await measureTrees(this.#rooms.holder, this.#rooms.run, trees);
    return Promise.all(
      ids.map(async (id, index) => ({
        id,
        size: sizes[index] ?? 0,
        inUse: this.#users.has(id),
        created: (await stat(join(this.#directory, id))).birthtimeMs,
      })),
    );
  }

  /** Holds afterwards: they are gone, but for those that a build uses. */
  async remove(ids: readonly string[]): Promise<void> {
    await this.#rooms.holder.wake();
    const steps = ids
      .filter((id) => !this.#users.has(id))
      .map(
        (id) => ({ step: "removeTree", path: join(this.#directory, id), tolerate: [errnos.ENOENT.number] }) as const,
      );
    if (steps.length === 0) return;
    await runErrand(this.#rooms.holder, this.#rooms.run, { outside: steps, inside: [], after: [] });
  }
}
