/** `RUN --mount=type=cache`: directories that outlive builds, each shared, locked or private as the step asks. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, stat } from "node:fs/promises";
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

export class CacheMounts {
  readonly #rooms: MountRooms;
  readonly #directory: string;
  readonly #locks = new Locks();
  readonly #users = new Map<string, number>();

  constructor(rooms: MountRooms) {
    this.#rooms = rooms;
    this.#directory = join(rooms.root, "build", "mounts");
  }

  /** Runs the work with the directory that the mount means; with those that are locked, one after the other. */
  async use<T>(mount: RunMount, work: (path: string) => Promise<T>): Promise<T> {
    const id = createHash("sha256")
      .update(mount.id ?? mount.target ?? "")
      .digest("hex");
    if (mount.sharing === "locked") return this.#locks.run(id, () => this.#use(id, mount, work));
    if (mount.sharing === "shared") return this.#use(id, mount, work);
    for (let number = 0; ; number++) {
      const own = number === 0 ? id : `${id}-${number}`;
      if (!this.#users.has(own)) return this.#use(own, mount, work);
    }
  }

  async #use<T>(id: string, mount: RunMount, work: (path: string) => Promise<T>): Promise<T> {
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
    try {
      const path = join(this.#directory, id);
      if (!existsSync(path)) {
        await mkdir(path, { recursive: true, mode: 0o700 });
        await chmod(path, mount.mode ?? 0o755);
        await chown(path, mount.uid, mount.gid);
      }
      return await work(path);
    } finally {
      const left = this.#users.get(id)! - 1;
      if (left === 0) this.#users.delete(id);
      else this.#users.set(id, left);
    }
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
