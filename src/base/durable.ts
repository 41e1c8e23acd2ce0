/**
 * The only room that writes what must survive a power cut. Five verbs: write to a temporary name, sync, rename,
 * sync the directory, remove. Whoever needs more asks here.
 */

import { randomBytes } from "node:crypto";
import { constants, renameSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
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

/** Holds afterwards: what was written to the file, by whomever, is on disk. */
export const syncData = async (path: string): Promise<void> => {
  await using file = await open(path, "r");
  await file.datasync();
};

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

const writeBackBytes = 16 * 1024 * 1024;
const maxQueuedBytes = 4 * 1024 * 1024;
/** Below the 1,024 buffers that one writev(2) takes. */
const maxQueuedBuffers = 512;

/**
 * The one write-back that runs, of all files: each takes a thread of the few that write and inflate as well, for as long as
 * the disk does.
 */
let writeBack: Promise<void> | undefined;

/**
 * A new file that is written from front to back while its bytes are already on their way to the disk: one sync at the
 * end of a large file would take as long as everything before it.
 */
export class DurableFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #queue: Uint8Array[] = [];
  /** Those of the queue whose memory goes when they are written. */
  #given = new Set<Uint8Array>();
  #queued = 0;
  #written = 0;
  #synced = 0;
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(path: string, mode = 0o600): Promise<DurableFile> {
    return new DurableFile(await open(path, "wx", mode));
  }

  /** Goes on behind what is in the file, which is made when there is none. */
  static async append(path: string, mode = 0o600): Promise<DurableFile> {
    const opened = new DurableFile(await open(path, constants.O_RDWR | constants.O_CREAT, mode));
    opened.#written = (await opened.#file.stat()).size;
    opened.#synced = opened.#written;
    return opened;
  }

  /** Bytes in the file, or on their way there. */
  get size(): number {
    return this.#written + this.#queued;
  }

  /** Takes bytes, which nobody may change any more; waits while too many have not been written yet. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#writing ??= this.#drain();
    // A failure shows at the next wait; without a handler it would count as unhandled until then.
    this.#writing.catch(() => {});
    while (this.#queued > maxQueuedBytes || this.#queue.length > maxQueuedBuffers) await this.#writing;
  }

  /** As `write`, of bytes that nobody looks at any more when the caller's turn is over: their memory is free when they are written. */
  give(bytes: Uint8Array): Promise<void> {
    this.#given.add(bytes);
    return this.write(bytes);
  }

  /** Holds afterwards: every byte is on disk, and the file is closed. */
  async finish(): Promise<void> {
    await this.#writing;
    // A failed sync is not tried again: the kernel may have dropped the bytes (fsyncgate), so the file is lost.
    await this.#syncing;
    await this.#file.sync();
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
    await this.#file.close().catch(() => {});
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const buffers = this.#queue;
      this.#queue = [];
      const length = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
      await this.#writeAll(buffers, length);
      this.#queued -= length;
      for (const bytes of buffers) if (this.#given.delete(bytes)) release(bytes);
      this.#startWriteBack();
    }
    this.#writing = undefined;
  }

  async #writeAll(buffers: readonly Uint8Array[], length: number): Promise<void> {
    const end = this.#written + length;
    let rest = buffers;
    while (this.#written < end) {
      const { bytesWritten } = await this.#file.writev(rest, this.#written);
      if (bytesWritten === 0) throw new Error("the file takes no more bytes");
      this.#written += bytesWritten;
      rest = skip(rest, bytesWritten);
    }
  }

  #startWriteBack(): void {
    if (writeBack !== undefined || this.#syncing !== undefined) return;
    if (this.#written - this.#synced < writeBackBytes) return;
    this.#synced = this.#written;
    const syncing = this.#file.datasync().then(() => {
      this.#syncing = undefined;
    });
    this.#syncing = syncing;
    writeBack = syncing
      .catch(() => {})
      .finally(() => {
        writeBack = undefined;
      });
  }
}

/**
 * The memory of bytes that are done with is free afterwards, long before a collector would know. What was filled piece by
 * piece is done with when its last one is.
 */
const release = ({ buffer, byteOffset, byteLength }: Uint8Array): void => {
  if (buffer instanceof ArrayBuffer && byteOffset + byteLength === buffer.byteLength) buffer.transfer(0);
};

const skip = (buffers: readonly Uint8Array[], length: number): readonly Uint8Array[] => {
  let left = length;
  return buffers.flatMap((buffer) => {
    const rest = buffer.subarray(Math.min(left, buffer.length));
    left -= buffer.length - rest.length;
    return rest.length === 0 ? [] : [rest];
  });
};

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
