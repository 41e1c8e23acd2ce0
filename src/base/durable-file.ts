/** Large files that must survive a power cut, written from front to back. */

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { errnoOf } from "./errors.ts";
import { release } from "./memory.ts";

/** Which bytes of a file go which way, and how many at a time; all of them multiples of `alignment`. */
interface Sizes {
  /**
   * So much of a file stays in the kernel's cache, for whoever reads it soon. What is behind goes to the disk around it: the
   * cache of everybody else stays what it is, and the processor does not touch gigabytes of memory that nobody reads
   * (decision 76).
   */
  readonly cached: number;
  /** A file has at most two blocks in memory: one is filled while the other is written. */
  readonly cachedBlock: number;
  /** Each takes a turn of the disk, so larger ones. */
  readonly directBlock: number;
  readonly writeBack: number;
}

const usualSizes: Sizes = {
  cached: 64 * 1024 * 1024,
  cachedBlock: 256 * 1024,
  directBlock: 1024 * 1024,
  writeBack: 16 * 1024 * 1024,
};

/** What goes around the cache begins and ends at multiples of this. */
const alignment = 4096;

let turn: Promise<unknown> = Promise.resolve();

/**
 * One after the other, of all files: what waits for the disk has one thread for so long of the few that write and inflate
 * as well.
 */
const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
  const mine = turn.then(work);
  turn = mine.catch(() => {});
  return mine;
};

/** Bytes that are written in one go. */
interface Block {
  readonly bytes: Uint8Array;
  /** Where in the file. */
  readonly start: number;
  /** How many bytes it takes: up to where one can begin that goes around the cache. */
  readonly room: number;
  filled: number;
}

/**
 * A new file whose bytes are on their way to the disk while it is written: one sync at the end of a large file would take
 * as long as everything before it.
 */
export class DurableFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #sizes: Sizes;
  /** The same file, around the cache; `refused` where the file system or the memory is not made for it. */
  #direct: FileHandle | "refused" | undefined;
  #filling: Block | undefined;
  /** Memory of a block that was written. */
  #spare: Uint8Array | undefined;
  /** The block that is being written; what failed stays here. */
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #size: number;
  /** Bytes in the cache that nobody has told to go to the disk. */
  #unsynced = 0;

  private constructor(file: FileHandle, size: number, sizes: Sizes) {
    this.#file = file;
    this.#size = size;
    this.#sizes = sizes;
  }

  static async create(path: string, mode = 0o600, sizes = usualSizes): Promise<DurableFile> {
    return new DurableFile(await open(path, "wx", mode), 0, sizes);
  }

  /** Goes on behind what is in the file, which is made when there is none. */
  static async append(path: string, mode = 0o600, sizes = usualSizes): Promise<DurableFile> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, mode);
    return new DurableFile(file, (await file.stat()).size, sizes);
  }

  /** Bytes in the file, or on their way there. */
  get size(): number {
    return this.#size;
  }

  /** Takes a copy of the bytes; waits while those before them have not been written. To be called one by one. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      while (this.#filling !== undefined && isFull(this.#filling)) await this.#writing;
      this.#filling ??= this.#begin();
      const block = this.#filling;
      const count = Math.min(block.room - block.filled, bytes.length - at);
      block.bytes.set(bytes.subarray(at, at + count), block.filled);
      block.filled += count;
      at += count;
      this.#size += count;
      this.#send();
    }
  }

  /** Holds afterwards: every byte is on disk, and the file is closed. */
  async finish(): Promise<void> {
    await this.#flush();
    // A failed sync is not tried again: the kernel may have dropped the bytes (fsyncgate), so the file is lost.
    await this.#syncing;
    await this.#file.sync();
    await this.#close();
  }

  /** Whatever was taken is in the file afterwards, as far as it goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#flush(), this.#syncing]);
    await this.#close().catch(() => {});
  }

  #begin(): Block {
    const start = this.#size;
    const { cached, cachedBlock, directBlock } = this.#sizes;
    const size = start < cached ? cachedBlock : directBlock;
    if (this.#spare !== undefined && this.#spare.length !== size) release(this.#spare);
    const bytes = this.#spare?.length === size ? this.#spare : new Uint8Array(size);
    this.#spare = undefined;
    return { bytes, start, room: size - (start % alignment), filled: 0 };
  }

  /** What can be written is on its way, unless something else is: then it follows. */
  #send(): void {
    const block = this.#filling;
    if (block === undefined || this.#writing !== undefined) return;
    // Soon in the file, so that little is lost of a slow download; around the cache, only whole.
    if (!isFull(block) && block.start >= this.#sizes.cached) return;
    this.#filling = undefined;
    this.#writing = this.#put(block).then(() => {
      this.#spare = block.bytes;
      this.#writing = undefined;
      this.#send();
    });
    // A failure shows at the next wait; without a handler it would count as unhandled until then.
    this.#writing.catch(() => {});
  }

  async #flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    const rest = this.#filling;
    this.#filling = undefined;
    if (rest !== undefined) await this.#put(rest);
  }

  async #put({ bytes, start, filled, room }: Block): Promise<void> {
    const isDirect = start >= this.#sizes.cached && start % alignment === 0 && filled === room;
    let done = isDirect ? await this.#putAround(bytes, start) : 0;
    this.#unsynced += filled - done;
    while (done < filled) {
      const { bytesWritten } = await this.#file.writev([bytes.subarray(done, filled)], start + done);
      if (bytesWritten === 0) throw new Error("the file takes no more bytes");
      done += bytesWritten;
    }
    this.#startWriteBack();
  }

  /** Answers how many of the bytes were written; all others go through the cache. */
  async #putAround(bytes: Uint8Array, start: number): Promise<number> {
    try {
      this.#direct ??= await open(`/proc/self/fd/${this.#file.fd}`, constants.O_WRONLY | constants.O_DIRECT);
      const file = this.#direct;
      if (file === "refused") return 0;
      return (await inTurn(() => file.writev([bytes], start))).bytesWritten;
    } catch (error) {
      if (errnoOf(error) !== "EINVAL") throw error;
      await this.#closeDirect();
      this.#direct = "refused";
      return 0;
    }
  }

  #startWriteBack(): void {
    if (this.#syncing !== undefined || this.#unsynced < this.#sizes.writeBack) return;
    this.#unsynced = 0;
    this.#syncing = inTurn(() => this.#file.datasync()).then(() => {
      this.#syncing = undefined;
    });
    this.#syncing.catch(() => {});
  }

  async #close(): Promise<void> {
    for (const bytes of [this.#spare, this.#filling?.bytes]) if (bytes !== undefined) release(bytes);
    this.#spare = undefined;
    await this.#closeDirect();
    await this.#file.close();
  }

  async #closeDirect(): Promise<void> {
    const file = this.#direct;
    this.#direct = undefined;
    if (file !== "refused") await file?.close();
  }
}

const isFull = ({ filled, room }: Block): boolean => filled === room;
