/**
 * The only room that writes what must survive a power cut. Five verbs: write to a temporary name, sync, rename,
 * sync the directory, remove. Whoever needs more asks here. Large files: `durable-file.ts`.
 */

import { randomBytes } from "node:crypto";
import { closeSync, fdatasync, openSync, renameSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { errnoOf } from "./errors.ts";

/** Holds afterwards: the directory's entries (creations, renames, removals) are on disk. */
export const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};

const syncData = promisify(fdatasync);

/** A file that others write, and that is put on disk again and again: it stays open, for each opening is a turn of a thread. */
export class SyncedFile implements Disposable {
  readonly #path: string;
  #file: number | undefined;
  #syncing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Holds afterwards: what was written to the file is on disk. To be called one by one. */
  sync(): Promise<void> {
    this.#file ??= openSync(this.#path, "r");
    this.#syncing = syncData(this.#file);
    return this.#syncing;
  }

  [Symbol.dispose](): void {
    const file = this.#file;
    if (file === undefined) return;
    // The descriptor must not become another file's while a thread still goes by its number.
    const close = (): void => closeSync(file);
    this.#syncing.then(close, close);
  }
}

/** Holds afterwards: the directory, ours alone, exists and is found again after a power cut, and so are those above it that were missing. */
export const createDirectory = async (path: string): Promise<void> => {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
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

  /**
   * Holds afterwards: the contents, already synced by the writer, are found under the final name, also after a power cut.
   * Where the name follows from the contents it is given here: another name in the same directory.
   */
  async commit(final = this.#final): Promise<void> {
    await rename(this.temporary, final);
    this.#settled = true;
    await syncDirectory(dirname(final));
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

/** Holds afterwards: a file whose contents were synced is found under its new name and nowhere else, also after a power cut. */
export const renameDurably = async (from: string, to: string): Promise<void> => {
  await rename(from, to);
  await syncDirectory(dirname(to));
};

/**
 * Holds at once: nothing stands at `path`. The promise settles when its bytes are gone too; what a crash leaves of them
 * has a pending name.
 */
export const removeAside = (path: string): Promise<void> => {
  const { temporary } = new Pending(path);
  try {
    renameSync(path, temporary);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Promise.resolve();
    throw error;
  }
  return rm(temporary, { recursive: true, force: true });
};

/** What is removed behind an answer: nobody waits for it, but whoever must can. */
export class Removals {
  readonly #running = new Set<Promise<void>>();

  /** Holds at once: nothing stands at `path`; its bytes go in their own time. */
  begin(path: string): void {
    const removal = removeAside(path)
      .catch(() => {})
      .finally(() => this.#running.delete(removal));
    this.#running.add(removal);
  }

  /** Settles when the bytes of all that was removed are gone, as far as they could be. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** Holds afterwards: nothing stands at `path`, also after a power cut; nothing there before is success. */
export const removeDurably = async (path: string): Promise<void> => {
  await rm(path, { recursive: true, force: true });
  await syncDirectory(dirname(path));
};
