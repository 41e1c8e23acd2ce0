/** One layer, from the bytes of its blob to the two files that the kernel mounts. */
import { createHash } from "node:crypto";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../base/durable.ts";
import { DurableFile } from "../base/durable-file.ts";
import { type DiffId, type Digest, digestFromHex } from "../base/ids.ts";
import { compressionOf, decompress, longestMagic } from "../format/compression.ts";
import { IndexBuilder } from "../format/erofs/builder.ts";
import type { TarEntry } from "../format/tar/entry.ts";
import { TarParser } from "../format/tar/parser.ts";
import { imageError } from "./errors.ts";
import { Watched } from "./streams.ts";

export interface LayerFacts {
  readonly diffId: DiffId;
  /** Bytes of the tar. */
  readonly tarSize: number;
  /** Bytes of what is in it, as Docker counts an image's size: contents of files and targets of links. */
  readonly size: number;
  /** The layer changes nothing. */
  readonly isEmpty: boolean;
  /** The bytes as they came, compressed or not. */
  readonly blob: { readonly digest: Digest; readonly size: number };
}

/** The name under which a layer's compressed bytes are kept until they have one of their own. */
const compressedName = "compressed";

/** Counts and hashes bytes on their way. */
export class Gauge {
  readonly #hash = createHash("sha256");
  size = 0;

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.size += bytes.length;
  }

  /** To be asked once, at the end. */
  digest(): Digest {
    return digestFromHex(this.#hash.digest("hex"));
  }

  async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of source) {
      this.add(bytes);
      yield bytes;
    }
  }
}

async function* copyTo(file: DurableFile, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    await file.write(bytes);
    yield bytes;
  }
}

const checkEvery = 64 * 1024 * 1024;

/** A bomb must not take the room that removing it needs: fails when too little of the disk would stay free. */
export const checkSpace = async (directory: string): Promise<void> => {
  const { bsize, blocks, bavail } = await statfs(directory);
  const reserve = Math.floor(Math.min((blocks * bsize) / 50, 512 * 1024 * 1024));
  if (bavail * bsize < reserve) throw imageError("noSpace", { reserve, path: directory });
};

const sizeOf = ({ type, size, link }: TarEntry): number => {
  if (type === "file") return size;
  return type === "symlink" ? link.length : 0;
};

/** Holds afterwards: a new file at the path has these bytes, on disk. */
export const writeIndex = async (path: string, pieces: Iterable<Uint8Array>): Promise<void> => {
  await using file = await DurableFile.create(path);
  for (const piece of pieces) await file.write(piece);
  await file.finish();
};

/**
 * Holds afterwards: `directory`, which exists and is empty, has the layer's `tar` and its `index`, both on disk.
 * `limit` is in bytes of the tar. Throws when the blob is damaged, or asks for what no layer may have.
 */
export const writeLayer = async (
  source: AsyncIterable<Uint8Array>,
  directory: string,
  limit: number,
  keepsCompressed = false,
): Promise<LayerFacts & { readonly compressed?: string }> => {
  const arriving = new Watched(source);
  // What comes as it is has one digest, is hashed once, and is the tar itself.
  const blob = compressionOf(await arriving.peek(longestMagic)) === "none" ? undefined : new Gauge();
  const compressed = keepsCompressed && blob !== undefined ? join(directory, compressedName) : undefined;
  await using kept = compressed === undefined ? undefined : await DurableFile.create(compressed);
  const raw = kept === undefined ? arriving : copyTo(kept, arriving);
  const plain = new Gauge();
  const index = new IndexBuilder();
  let size = 0;
  const parser = new TarParser({
    entry: (entry) => {
      index.add(entry);
      size += sizeOf(entry);
    },
  });
  await using tar = await DurableFile.create(join(directory, "tar"));
  let nextCheck = 0;
  for await (const bytes of decompress(blob === undefined ? raw : blob.through(raw), { isLent: true })) {
    if (plain.size + bytes.length > limit) throw imageError("layerLimit", { limit });
    if (plain.size >= nextCheck) {
      await checkSpace(directory);
      nextCheck = plain.size + checkEvery;
    }
    // The write goes on in another thread while the same bytes are hashed and parsed here.
    const written = tar.write(bytes);
    plain.add(bytes);
    try {
      parser.push(bytes);
    } finally {
      await written;
    }
  }
  parser.end();
  const diffId = plain.digest() as DiffId;
  // The end of the tar goes to the disk while the index is made.
  const finished = Promise.all([tar.finish(), kept?.finish()]);
  finished.catch(() => {});
  try {
    await writeIndex(join(directory, "index"), index.finish({ diffId, tarSize: plain.size }));
  } finally {
    await finished;
  }
  await syncDirectory(directory);
  return {
    ...(compressed === undefined ? {} : { compressed }),
    diffId,
    tarSize: plain.size,
    size,
    isEmpty: index.isEmpty,
    blob: blob === undefined ? { digest: diffId, size: plain.size } : { digest: blob.digest(), size: blob.size },
  };
};
