/**
 * An image archive as it streams past, once, in whatever order its members come: what looks like a layer is stored
 * under a temporary name at once, what looks like a document is kept in memory, and what they are to each other is
 * found out afterwards.
 */
import { PierError } from "../base/errors.ts";
import type { Digest } from "../base/ids.ts";
import { compressionOf, decompress } from "../format/compression.ts";
import { storedSize, type TarEntry } from "../format/tar/entry.ts";
import { hasChecksum } from "../format/tar/header.ts";
import { readTar } from "../format/tar/read.ts";
import { maxDocumentSize } from "./document.ts";
import { imageError } from "./errors.ts";
import { Gauge } from "./layer-writer.ts";
import type { Layers, StoredLayer } from "./layers.ts";
import {
  type ArchivedLayer,
  checkName,
  digestInPath,
  digestOfBytes,
  type Member,
  memberPath,
  unusable,
} from "./members.ts";
import { inOnePiece, Watched } from "./streams.ts";

/** Told of every piece of a layer: how many bytes it has, and how many the layer has in all. */
export type Progress = (member: string, bytes: number, total: number) => void;

interface Found {
  /** Where links have led. */
  readonly path: string;
  readonly member: Member;
}

/** Each is kept in memory or on disk until the end; archives of real images have some hundred members. */
const maxMembers = 20_000;
const maxKeptBytes = 64 * 1024 * 1024;
/** Of the tars of all layers together. */
const maxStagedBytes = 1024 ** 4;
const BLOCK = 512;
const maxLinks = 10;

export class ImageArchive implements AsyncDisposable {
  readonly #layers: Layers;
  readonly #progress: Progress;
  readonly #members = new Map<string, Member>();
  readonly #owned = new AsyncDisposableStack();
  #kept = 0;
  #staged = 0;

  private constructor(layers: Layers, progress: Progress) {
    this.#layers = layers;
    this.#progress = progress;
  }

  /** Reads the archive to its end; nothing of it is visible afterwards, and disposal takes away what nobody committed. */
  static async read(
    source: AsyncIterable<Uint8Array>,
    layers: Layers,
    progress: Progress = () => {},
  ): Promise<ImageArchive> {
    const archive = new ImageArchive(layers, progress);
    try {
      await archive.#read(source);
      return archive;
    } catch (error) {
      await archive[Symbol.asyncDispose]();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }

  /** True when there is something under this name, whatever it is. */
  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** The bytes of a small member; throws when it is missing, no document, or not what its name says. */
  document(name: string): Uint8Array {
    const found = this.#find(name);
    if (found?.member.kind !== "document") throw unusable(name, found?.member);
    const { bytes } = found.member;
    checkName(found.path, digestOfBytes(bytes));
    return bytes;
  }

  /** A member as a layer; throws when it is missing, no layer, or not what its name says. */
  async layer(name: string): Promise<ArchivedLayer> {
    const found = this.#find(name);
    const layer = found === undefined ? undefined : await this.#layerOf(found);
    if (found === undefined || layer === undefined) throw unusable(name, found?.member);
    checkName(found.path, layer.blob.digest);
    return layer;
  }

  /** What stands under a name, links between members followed; names lead nowhere outside of the archive. */
  #find(name: string): Found | undefined {
    let path = memberPath(name);
    for (let links = 0; links < maxLinks; links++) {
      const member = this.#members.get(path);
      if (member === undefined) return undefined;
      if (member.kind !== "link") return { path, member };
      const { target } = member;
      path = memberPath(target.startsWith("/") ? target : `${path.slice(0, path.lastIndexOf("/") + 1)}${target}`);
    }
    return { path, member: { kind: "other", problem: "is a link to a link to a link, and so on" } };
  }

  async #layerOf({ path, member }: Found): Promise<ArchivedLayer | undefined> {
    switch (member.kind) {
      case "layer":
        return { ...member.staged, staged: member.staged };
      case "stored": {
        const { layer, digest, size } = member;
        return { ...layer, blob: { digest, size } };
      }
      case "document": {
        // A tar of no entries, nothing but zeroes, does not look like one.
        const staged = this.#owned.use(await this.#layers.stage(inOnePiece(member.bytes)));
        this.#members.set(path, { kind: "layer", staged });
        return { ...staged, staged };
      }
      default:
        return undefined;
    }
  }

  async #read(source: AsyncIterable<Uint8Array>): Promise<void> {
    let count = 0;
    for await (const { entry, content } of readTar(decompress(source, { isLent: true }))) {
      const path = memberPath(Buffer.from(entry.path).toString("utf8"));
      if (++count > maxMembers) throw imageError("archiveLimit", { what: "more members", limit: maxMembers });
      this.#members.set(path, await this.#take(path, entry, content));
    }
  }

  async #take(path: string, entry: TarEntry, content: AsyncIterable<Uint8Array>): Promise<Member> {
    const target = Buffer.from(entry.link).toString("utf8");
    if (entry.type === "symlink") return { kind: "link", target };
    if (entry.type === "hardlink") return { kind: "link", target: `/${target}` };
    if (entry.type !== "file") return { kind: "other", problem: `is a ${entry.type}, not a file` };
    // Holes cost an archive nothing, and whoever stores it everything.
    if (storedSize(entry) !== entry.size) return { kind: "other", problem: "is a sparse file" };
    const watched = new Watched(content);
    try {
      return await this.#takeFile(path, watched, entry.size);
    } catch (error) {
      // Only what is wrong with the layer itself may wait until somebody asks for it.
      const isOfLayer = error instanceof PierError && error.status === 400 && watched.error === undefined;
      if (isOfLayer) return { kind: "broken", error };
      throw error;
    }
  }

  async #takeFile(path: string, content: Watched, size: number): Promise<Member> {
    const known = findKnown(path, this.#layers);
    if (known !== undefined) return this.#verify(known, content);
    const head = await content.peek(BLOCK);
    if (!isLayer(head)) return this.#keep(content);
    const counted = this.#report(path, content, size);
    const staged = this.#owned.use(await this.#layers.stage(counted, { keepsCompressed: true }));
    this.#staged += staged.tarSize;
    if (this.#staged > maxStagedBytes) {
      throw imageError("archiveLimit", { what: "more bytes in its layers, unpacked", limit: maxStagedBytes });
    }
    return { kind: "layer", staged };
  }

  async *#report(path: string, content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
    for await (const bytes of content) {
      this.#progress(path, bytes.length, size);
      yield bytes;
    }
  }

  async #keep(content: AsyncIterable<Uint8Array>): Promise<Member> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const bytes of content) {
      size += bytes.length;
      if (size > maxDocumentSize) return { kind: "other", problem: `has more than ${maxDocumentSize} bytes` };
      if (this.#kept + size > maxKeptBytes) return { kind: "other", problem: "comes after too many other documents" };
      // A copy: what was inflated is gone when we ask for more.
      chunks.push(new Uint8Array(bytes));
    }
    this.#kept += size;
    return { kind: "document", bytes: Buffer.concat(chunks) };
  }

  async #verify(known: { layer: StoredLayer; digest: Digest }, content: AsyncIterable<Uint8Array>): Promise<Member> {
    this.#owned.use(this.#layers.hold([known.layer.diffId]));
    const gauge = new Gauge();
    for await (const bytes of content) gauge.add(bytes);
    const { layer, digest: expected } = known;
    const digest = gauge.digest();
    if (digest !== expected) throw imageError("digestMismatch", { what: "a layer", expected, found: digest });
    return { kind: "stored", layer, digest, size: gauge.size };
  }
}

const isLayer = (head: Uint8Array): boolean =>
  compressionOf(head) !== "none" || (head.length >= BLOCK && hasChecksum(head.subarray(0, BLOCK)));

/** A blob that is named by its digest need not be unpacked again when its layer is stored. */
const findKnown = (path: string, layers: Layers): { layer: StoredLayer; digest: Digest } | undefined => {
  const digest = digestInPath(path);
  const layer = digest === undefined ? undefined : layers.findBlob(digest);
  return digest === undefined || layer === undefined ? undefined : { layer, digest };
};
