/**
 * The only room that writes what must survive a power cut. Five verbs: write to a temporary name, sync, rename,
 * sync the directory, remove. Whoever needs more asks here.
 */

import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Holds afterwards: the directory's entries (creations, renames, removals) are on disk. */
export const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};

/** A file or directory that has its name only once it is complete and on disk: `commit` gives it, disposal takes it away. */
export class Pending implements AsyncDisposable {
  readonly temporary: string;
  readonly #final: string;
  #settled = false;

  constructor(final: string) {
    this.#final = final;
    this.temporary = join(dirname(final), `.${basename(final)}.${randomBytes(6).toString("hex")}.pending`);
  }

  /** Holds afterwards: the contents, already synced by the writer, are found under the final name, also after a power cut. */
  async commit(): Promise<void> {
    await rename(this.temporary, this.#final);
    this.#settled = true;
    await syncDirectory(dirname(this.#final));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#settled) await rm(this.temporary, { recursive: true, force: true });
  }
}

/** The names that `Pending` gives; whatever still has one after a crash is rubbish. */
export const isPendingName = (name: string): boolean => /^\..+\.[0-9a-f]{12}\.pending$/.test(name);

/** Holds afterwards: `path` holds exactly `data`, or what it held before, also after a power cut. */
export const writeDurably = async (path: string, data: string | Uint8Array, mode = 0o600): Promise<void> => {
  await using pending = new Pending(path);
  const file: FileHandle = await open(pending.temporary, "wx", mode);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
  await pending.commit();
};

/** Holds afterwards: nothing stands at `path`, also after a power cut; nothing there before is success. */
export const removeDurably = async (path: string): Promise<void> => {
  await rm(path, { recursive: true, force: true });
  await syncDirectory(dirname(path));
};
