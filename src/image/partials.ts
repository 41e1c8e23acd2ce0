/**
 * `blobs/partial`: blobs that are on their way, as far as they have come. What breaks off is taken up there, also by the
 * next daemon. Their bytes are worth nothing until somebody has verified them from the first to the last.
 */
import { createReadStream } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createDirectory } from "../base/durable.ts";
import { DurableFile } from "../base/durable-file.ts";
import { type Digest, hexOf } from "../base/ids.ts";

/** Whoever has not come back after this long does not. */
const keptMs = 7 * 24 * 3600 * 1000;
const CHUNK = 256 * 1024;

export class Partials {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(root: string, now: number): Promise<Partials> {
    const partials = new Partials(join(root, "blobs", "partial"));
    await createDirectory(partials.#directory);
    await partials.prune(now - keptMs);
    return partials;
  }

  /** What has come of the blob, to be gone on with. One at a time: the caller sees to it. */
  async begin(digest: Digest): Promise<PartialBlob> {
    const path = join(this.#directory, hexOf(digest));
    return new PartialBlob(path, await DurableFile.append(path));
  }

  /** Bytes of all of them. */
  async size(): Promise<number> {
    let sum = 0;
    for (const { size } of await this.#list()) sum += size;
    return sum;
  }

  /** Holds afterwards: none is there that was last written to before this time. Answers how many bytes that were. */
  async prune(before: number, isUsed: (hex: string) => boolean = () => false): Promise<number> {
    let sum = 0;
    for (const { name, size, changed } of await this.#list()) {
      if (changed >= before || isUsed(name)) continue;
      await rm(join(this.#directory, name), { force: true });
      sum += size;
    }
    return sum;
  }

  async #list(): Promise<readonly { readonly name: string; readonly size: number; readonly changed: number }[]> {
    const names = await readdir(this.#directory);
    const found = await Promise.all(
      names.map(async (name) => {
        const { size, mtimeMs } = await stat(join(this.#directory, name));
        return { name, size, changed: mtimeMs };
      }),
    );
    return found;
  }
}

export class PartialBlob implements AsyncDisposable {
  readonly path: string;
  readonly directory: string;
  /** Bytes that were there at the beginning. */
  readonly from: number;
  readonly #file: DurableFile;

  constructor(path: string, file: DurableFile) {
    this.path = path;
    this.directory = dirname(path);
    this.#file = file;
    this.from = file.size;
  }

  /** What was there at the beginning. */
  async *read(): AsyncGenerator<Uint8Array> {
    if (this.from === 0) return;
    yield* createReadStream(this.path, { end: this.from - 1, highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#file.write(bytes);
  }

  /** Holds afterwards: every byte is on disk. */
  finish(): Promise<void> {
    return this.#file.finish();
  }

  /** Holds afterwards: nothing is left of it. */
  async drop(): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
    await rm(this.path, { force: true });
  }

  /** What has come stays for another time. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#file[Symbol.asyncDispose]();
  }
}
