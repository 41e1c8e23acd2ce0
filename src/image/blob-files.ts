/** `blobs/sha256`: manifests and configurations, and layers as they came, compressed, each under its digest. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createDirectory, Removals, removeDurably, renameDurably, writeDurably } from "../base/durable.ts";
import { errnoOf } from "../base/errors.ts";
import { type Digest, digestFromHex, hexOf } from "../base/ids.ts";
import { digestOfBytes } from "./members.ts";

export class BlobFiles {
  readonly #directory: string;
  readonly #removals = new Removals();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(root: string): Promise<BlobFiles> {
    const files = new BlobFiles(join(root, "blobs", "sha256"));
    await createDirectory(files.#directory);
    return files;
  }

  path(digest: Digest): string {
    return join(this.#directory, hexOf(digest));
  }

  has(digest: Digest): boolean {
    return existsSync(this.path(digest));
  }

  read(digest: Digest): Promise<Uint8Array> {
    return readFile(this.path(digest));
  }

  /** Undefined when it is not there, or is not what its name says any more. */
  async find(digest: Digest): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.read(digest);
      return digestOfBytes(bytes) === digest ? bytes : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Holds afterwards: the blob is on disk; nothing refers to it yet. */
  write(digest: Digest, bytes: Uint8Array): Promise<void> {
    return writeDurably(this.path(digest), bytes);
  }

  /** Holds afterwards: the file, whose bytes are on disk and verified, is the blob. */
  adopt(file: string, digest: Digest): Promise<void> {
    return renameDurably(file, this.path(digest));
  }

  /** Holds at once: the blob is not there any more. */
  remove(digest: Digest): void {
    this.#removals.begin(this.path(digest));
  }

  /** Settles when the bytes of all that was removed are gone. */
  settled(): Promise<void> {
    return this.#removals.settled();
  }

  /** Holds afterwards: what nobody needs, and what a crash left half done, is not there any more. */
  async clear(isNeeded: (digest: Digest) => boolean): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const isKept = /^[0-9a-f]{64}$/.test(name) && isNeeded(digestFromHex(name));
      if (!isKept) await removeDurably(join(this.#directory, name));
    }
  }
}
