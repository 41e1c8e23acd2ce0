/** The service of the room: volumes, which outlive every container and go only when somebody says so. */
import { chmod, lchown, mkdir, opendir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Database } from "../base/database.ts";
import { createDirectory, isPendingName, Pending, syncDirectory } from "../base/durable.ts";
import { errnoOf } from "../base/errors.ts";
import { Locks } from "../base/lock.ts";
import { runErrand } from "../kernel/errand.ts";
import type { Holding } from "../kernel/holder.ts";
import { StepFailure } from "../kernel/keeper.ts";
import { measureTrees } from "../kernel/measure.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import type { Step } from "../kernel/steps.ts";
import { volumeError } from "./errors.ts";
import { mountVolume, throughHolder, unmountVolume } from "./mounts.ts";
import { parseVolumeOptions } from "./options.ts";
import { volumePaths, volumesDirectory } from "./paths.ts";
import {
  anonymousLabel,
  checkVolumeName,
  isVolumeName,
  localDriver,
  type VolumeEvent,
  type VolumePlace,
  type VolumeRecord,
  type VolumeRequest,
} from "./record.ts";
import { VolumeStore } from "./store.ts";

export interface VolumeRooms {
  readonly root: string;
  readonly run: string;
  readonly database: Database;
  readonly holder: Holding;
  readonly clock: Clock;
}

/** Who uses a volume: the ids of containers. */
export type VolumeUsers = (name: string) => readonly string[];

export class Volumes {
  readonly #rooms: VolumeRooms;
  readonly #store: VolumeStore;
  readonly #locks = new Locks();
  readonly #listeners = new Set<(event: VolumeEvent) => void>();
  /** Volumes that work under way relies on, and how often. */
  readonly #held = new Map<string, number>();
  /** The containers that run, or are about to, with each volume. */
  readonly #running = new Map<string, Set<string>>();

  private constructor(rooms: VolumeRooms) {
    this.#rooms = rooms;
    this.#store = new VolumeStore(rooms.database);
  }

  /**
   * Holds afterwards: every volume has its directory and every directory its volume: one that the database does not know
   * is taken in, because data goes only when somebody says so. What a crash left half done is finished or gone.
   */
  static async open(rooms: VolumeRooms): Promise<Volumes> {
    const volumes = new Volumes(rooms);
    await createDirectory(volumesDirectory(rooms.root));
    const found = await readdir(volumesDirectory(rooms.root));
    for (const name of found) {
      if (isPendingName(name)) await volumes.#removeTree(join(volumesDirectory(rooms.root), name));
      else if (isVolumeName(name)) await volumes.#takeIn(name);
    }
    for (const { name } of volumes.#store.list()) if (!found.includes(name)) volumes.#store.remove(name);
    return volumes;
  }

  find(name: string): VolumeRecord | undefined {
    return this.#store.find(name);
  }

  get(name: string): VolumeRecord {
    const record = this.#store.find(name);
    if (record === undefined) throw volumeError("noSuchVolume", { name });
    return record;
  }

  /** By name. */
  list(): readonly VolumeRecord[] {
    return this.#store.list();
  }

  /** Where the volume's directory lies, on the host. */
  mountpoint(name: string): string {
    return volumePaths(this.#rooms.root, name).data;
  }

  onEvent(listener: (event: VolumeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Holds afterwards: a volume of that name is there, also after a power cut; one that was there is left as it is. */
  async create(request: VolumeRequest): Promise<{ readonly record: VolumeRecord; readonly isNew: boolean }> {
    const { name, driver, labels, options } = request;
    if (driver !== localDriver) throw volumeError("noVolumeDriver", { name, driver });
    checkVolumeName(name);
    parseVolumeOptions(name, options);
    return this.#locks.run(name, async () => {
      const known = this.#store.find(name);
      if (known !== undefined) return { record: known, isNew: false };
      const record = { name, created: this.#rooms.clock.now(), labels, options };
      await this.#makeDirectories(name);
      this.#store.put(record);
      this.#tell("create", name);
      return { record, isNew: true };
    });
  }

  /** Keeps these volumes, there or still to come, from being removed until the answer is disposed. */
  hold(names: readonly string[]): Disposable {
    const count = (name: string, by: number): void => {
      const held = (this.#held.get(name) ?? 0) + by;
      if (held === 0) this.#held.delete(name);
      else this.#held.set(name, held);
    };
    let held = [...names];
    for (const name of held) count(name, 1);
    return {
      [Symbol.dispose]: () => {
        for (const name of held) count(name, -1);
        held = [];
      },
    };
  }

  /** Holds afterwards: the volume and all that was in it is gone. Throws when somebody uses it. */
  async remove(name: string, usedBy: VolumeUsers): Promise<void> {
    this.get(name);
    await this.#locks.run(name, async () => {
      if (this.#store.find(name) === undefined) return;
      const users = usedBy(name);
      const isHeld = this.#held.has(name);
      if (users.length > 0 || isHeld) throw volumeError("volumeInUse", { name, users: users.join(", ") });
      const { directory, data } = volumePaths(this.#rooms.root, name);
      await this.#rooms.holder.wake();
      await unmountVolume(this.#rooms.holder, this.#rooms.run, data);
      const { temporary } = new Pending(directory);
      // From here on it is gone: what a crash leaves has a pending name, and no row brings it back.
      await rename(directory, temporary).catch(ignoreMissing);
      await syncDirectory(volumesDirectory(this.#rooms.root));
      this.#store.remove(name);
      this.#tell("destroy", name);
      await this.#removeTree(temporary).catch((cause: unknown) => {
        const reason = cause instanceof StepFailure ? errnoMessage(cause.errno) : "the keeper was lost";
        throw volumeError("volumeNotRemoved", { name, reason }, cause);
      });
    });
  }

  /** Bytes of what is in each of them, every file once; what is mounted there for a container is not looked into. */
  async sizes(names: readonly string[]): Promise<readonly number[]> {
    const { holder, run, root } = this.#rooms;
    const trees = names.map((name) => ({ path: volumePaths(root, name).data }));
    return await measureTrees(holder, run, trees);
  }

  /** Notes that a container, which runs, has the volume. */
  use(name: string, container: string): void {
    const users = this.#running.get(name) ?? new Set();
    this.#running.set(name, users.add(container));
  }

  /** Holds afterwards: what is behind the volume can be bound into the container; answers where it is, and how it is bound. */
  async prepare(name: string, container: string): Promise<VolumePlace> {
    this.use(name, container);
    const record = this.get(name);
    const { data } = volumePaths(this.#rooms.root, name);
    const source = parseVolumeOptions(name, record.options);
    if (source.kind === "directory") return { path: data, options: [] };
    if (source.kind === "bind") return { path: source.path, options: source.options };
    const { holder, run } = this.#rooms;
    await this.#locks.run(name, () => mountVolume(holder, run, name, data, source));
    return { path: throughHolder(holder, data), options: [] };
  }

  /** The container does not run any more; with the last one goes what was mounted for the volume. */
  async release(name: string, container: string): Promise<void> {
    const users = this.#running.get(name);
    users?.delete(container);
    if (users?.size === 0) this.#running.delete(name);
    const record = this.#store.find(name);
    if (record === undefined || parseVolumeOptions(name, record.options).kind !== "mount") return;
    const { holder, run, root } = this.#rooms;
    await this.#locks.run(name, async () => {
      // Somebody may have come while we waited.
      if (!this.#running.has(name)) await unmountVolume(holder, run, volumePaths(root, name).data);
    });
  }

  /**
   * Fills the volume, if it is empty and a directory of ours: `write` is given a directory to make the content in, and
   * says whether there is any beyond owner and mode; nobody sees half of it.
   */
  async fill(
    name: string,
    root: VolumeRoot,
    write: ((directory: string) => Promise<string>) | undefined,
  ): Promise<void> {
    const record = this.get(name);
    if (parseVolumeOptions(name, record.options).kind !== "directory") return;
    await this.#locks.run(name, async () => {
      const { directory, data, filling } = volumePaths(this.#rooms.root, name);
      if (!(await isEmpty(data))) return;
      if (write === undefined) {
        await lchown(data, root.uid, root.gid);
        await chmod(data, root.mode);
        return;
      }
      await using pending = new Pending(filling);
      await mkdir(pending.temporary, { mode: 0o700 });
      try {
        await rename(await write(pending.temporary), filling);
      } finally {
        await this.#removeTree(pending.temporary);
      }
      await syncDirectory(directory);
      await this.#moveIn(name);
    });
  }

  async #makeDirectories(name: string): Promise<void> {
    const { directory } = volumePaths(this.#rooms.root, name);
    await using pending = new Pending(directory);
    await mkdir(pending.temporary, { mode: 0o700 });
    await mkdir(join(pending.temporary, "data"), { mode: 0o755 });
    // Whatever umask the daemon was started with.
    await chmod(join(pending.temporary, "data"), 0o755);
    await syncDirectory(pending.temporary);
    await pending.commit();
  }

  async #takeIn(name: string): Promise<void> {
    const { directory, filling } = volumePaths(this.#rooms.root, name);
    if (this.#store.find(name) === undefined) {
      const { birthtimeMs } = await stat(directory);
      // Only names that we made look so; then nobody gave it one.
      const labels = /^[0-9a-f]{64}$/.test(name) ? { [anonymousLabel]: "" } : null;
      this.#store.put({ name, created: Math.floor(birthtimeMs), labels, options: null });
    }
    const left = await readdir(directory);
    for (const rest of left.filter(isPendingName)) await this.#removeTree(join(directory, rest));
    if (left.includes("filling")) await this.#moveIn(name).catch(() => this.#removeTree(filling));
  }

  /** Holds afterwards: what was made for the volume is in it. Done twice, it goes on where it stopped. */
  async #moveIn(name: string): Promise<void> {
    const { data, filling } = volumePaths(this.#rooms.root, name);
    await this.#errand({ step: "moveTree", from: filling, to: data });
  }

  async #removeTree(path: string): Promise<void> {
    await this.#errand({ step: "removeTree", path, tolerate: [errnos.ENOENT.number] });
  }

  async #errand(step: Step): Promise<void> {
    await this.#rooms.holder.wake();
    await runErrand(this.#rooms.holder, this.#rooms.run, { outside: [step], inside: [], after: [] });
  }

  #tell(action: VolumeEvent["action"], name: string): void {
    for (const listener of this.#listeners) listener({ action, name });
  }
}

/** Owner and mode of what an image has where a volume is mounted. */
export interface VolumeRoot {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

const ignoreMissing = (error: unknown): void => {
  if (errnoOf(error) !== "ENOENT") throw error;
};

/** Its first name is all that is read: the names are a container's. */
const isEmpty = async (path: string): Promise<boolean> => {
  const directory = await opendir(path);
  try {
    return (await directory.read()) === null;
  } finally {
    await directory.close();
  }
};
