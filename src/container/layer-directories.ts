/** Layers as directories, for hosts that cannot mount them: made from tar and index when first needed, kept with them. */
import { existsSync, renameSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createDirectory, isPendingName, Pending } from "../base/durable.ts";
import { errnoOf, PierError } from "../base/errors.ts";
import { type DiffId, digestFromHex, hexOf } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import type { StackLayer } from "../image/layers.ts";
import { runErrand } from "../kernel/errand.ts";
import { StepFailure } from "../kernel/keeper.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { containerError } from "./errors.ts";
import { runForLayer } from "./layer-errand.ts";
import { extractedFiles, prepareExtraction } from "./layer-extraction.ts";
import type { ContainerRooms } from "./rooms.ts";

type DirectoryRooms = Pick<ContainerRooms, "root" | "run" | "holder" | "images">;

/** The keeper of a daemon that was killed may write on for a moment; each time less. */
const removalTries = 100;

export class LayerDirectories {
  readonly #rooms: DirectoryRooms;
  readonly #directory: string;
  readonly #locks = new Locks();

  private constructor(rooms: DirectoryRooms) {
    this.#rooms = rooms;
    this.#directory = join(rooms.root, "extracted");
  }

  /** Holds afterwards: every directory is whole and its layer's; what a crash left is gone. */
  static async open(rooms: DirectoryRooms): Promise<LayerDirectories> {
    const directories = new LayerDirectories(rooms);
    await createDirectory(directories.#directory);
    for (const name of await readdir(directories.#directory)) {
      const isStored = /^[0-9a-f]{64}$/.test(name) && rooms.images.layers.get(digestFromHex(name) as DiffId);
      if (isPendingName(name) || !isStored) await directories.#removeTree(join(directories.#directory, name));
    }
    return directories;
  }

  /** The directory with what is in the layer; one after the other, because each needs the whole disk. */
  get(layer: StackLayer): Promise<string> {
    return this.#locks.run("extraction", async () => {
      const path = this.#pathOf(layer.diffId);
      if (!existsSync(path)) await this.#extract(layer, path);
      return extractedFiles(path);
    });
  }

  /** Holds at once: the layer has no directory. The promise settles when its files are gone too. */
  remove(diffId: DiffId): Promise<void> {
    const path = this.#pathOf(diffId);
    const { temporary } = new Pending(path);
    try {
      renameSync(path, temporary);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return Promise.resolve();
      throw error;
    }
    return this.#removeTree(temporary);
  }

  async #extract(layer: StackLayer, path: string): Promise<void> {
    await using pending = new Pending(path);
    const { holder, run } = this.#rooms;
    try {
      await mkdir(pending.temporary, { mode: 0o700 });
      const sync = { step: "syncFileSystem", path: pending.temporary } as const;
      await runForLayer(holder, run, layer, await prepareExtraction(layer, pending.temporary, [sync]));
    } catch (error) {
      await this.#removeTree(pending.temporary);
      if (error instanceof PierError || !(error instanceof Error)) throw error;
      // The layer's files, or the disk for the list of them.
      throw containerError("layerUnmountable", { diffId: layer.diffId, reason: error.message }, error);
    }
    await pending.commit();
  }

  /** By a keeper: no path is too long for it. */
  async #removeTree(path: string): Promise<void> {
    const { holder, run } = this.#rooms;
    const step = { step: "removeTree", path, tolerate: [errnos.ENOENT.number] } as const;
    for (let tries = 1; ; tries++) {
      try {
        await runErrand(holder, run, { outside: [step], inside: [], after: [] });
        return;
      } catch (error) {
        const isFilled = error instanceof StepFailure && error.errno === errnos.ENOTEMPTY.number;
        if (!isFilled || tries === removalTries) throw error;
      }
    }
  }

  #pathOf(diffId: DiffId): string {
    return join(this.#directory, hexOf(diffId));
  }
}
