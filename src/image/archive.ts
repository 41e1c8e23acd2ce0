/**
 * An image archive as it streams past, once, in whatever order its members come: what looks like a layer is stored
 * under a temporary name at once, what looks like a document is kept in memory, and what they are to each other is
 * found out afterwards.
 */
import { createHash } from "node:crypto";
import { PierError } from "../base/errors.ts";
import { type Digest, digestFromHex, hexOf } from "../base/ids.ts";
import { compressionOf, decompress } from "../format/compression.ts";
import { storedSize, type TarEntry } from "../format/tar/entry.ts";
import { hasChecksum } from "../format/tar/header.ts";
import { readTar } from "../format/tar/read.ts";
import { maxDocumentSize } from "./document.ts";
import { imageError } from "./errors.ts";
import { Gauge, type LayerFacts } from "./layer-writer.ts";
import type { Layers, StagedLayer, StoredLayer } from "./layers.ts";

/** A layer of the archive: new where `staged` is there, stored long since where it is not. */
export interface ArchivedLayer extends LayerFacts {
  readonly staged?: StagedLayer;
}

/** A member of the archive, by what it looks like from its first bytes. */
type Member =
  | { readonly kind: "document"; readonly bytes: Uint8Array }
  /** A layer that is new. */
  | { readonly kind: "layer"; readonly staged: StagedLayer }
  /** A blob whose layer is stored already, its digest verified. */
  | { readonly kind: "stored"; readonly layer: StoredLayer; readonly digest: Digest; readonly size: number }
  /** What went wrong matters only if an image needs it. */
  | { readonly kind: "broken"; readonly error: PierError }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "other"; readonly problem: string };

interface Found {
  /** Where links have led. */
  readonly path: string;
  readonly member: Member;
}

/** Names are kept in memory; archives of real images have some hundred members. */
const maxMembers = 20_000;
const maxKeptBytes = 64 * 1024 * 1024;
/** Of the tars of all layers together. */
const maxArchiveSize = 1024 ** 4;
const BLOCK = 512;
const maxLinks = 10;

export class ImageArchive implements AsyncDisposable {
  readonly #layers: Layers;
  readonly #progress: (member: string, bytes: number) => void;
  readonly #members = new Map<string, Member>();
  readonly #owned = new AsyncDisposableStack();
  #kept = 0;
  #staged = 0;

  private constructor(layers: Layers, progress: (member: string, bytes: number) => void) {
    this.#layers = layers;
    this.#progress = progress;
  }

  /** Reads the archive to its end; nothing of it is visible afterwards, and disposal takes away what nobody committed. */
  static async read(
    source: AsyncIterable<Uint8Array>,
    layers: Layers,
    progress: (member: string, bytes: number) => void = () => {},
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
    for await (const { entry, content } of readTar(decompress(source))) {
      const path = memberPath(Buffer.from(entry.path).toString("utf8"));
      if (this.#members.size >= maxMembers)
        throw imageError("archiveLimit", { what: "more members", limit: maxMembers });
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
      return await this.#takeFile(path, watched);
    } catch (error) {
      // Only what is wrong with the layer itself may wait until somebody asks for it.
      const isOfLayer = error instanceof PierError && error.status === 400 && watched.error === undefined;
      if (isOfLayer) return { kind: "broken", error };
      throw error;
    }
  }

  async #takeFile(path: string, content: Watched): Promise<Member> {
    const known = findKnown(path, this.#layers);
    if (known !== undefined) return this.#verify(known, content);
    const head = await content.peek(BLOCK);
    if (!isLayer(head)) return this.#keep(content);
    const counted = this.#report(path, content);
    const staged = this.#owned.use(await this.#layers.stage(counted, maxArchiveSize - this.#staged));
    this.#staged += staged.tarSize;
    return { kind: "layer", staged };
  }

  async *#report(path: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of content) {
      this.#progress(path, bytes.length);
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
      chunks.push(bytes);
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

/** Content that remembers whether it was what failed, and that can be looked into. */
class Watched implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #head: Uint8Array[] = [];
  error: unknown;

  constructor(content: AsyncIterable<Uint8Array>) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** The first `length` bytes, or all if there are fewer; they are read again afterwards. */
  async peek(length: number): Promise<Uint8Array> {
    let size = 0;
    while (size < length) {
      const bytes = await this.#next();
      if (bytes === undefined) break;
      this.#head.push(bytes);
      size += bytes.length;
    }
    return Buffer.concat(this.#head);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield* this.#head.splice(0);
    for (let bytes = await this.#next(); bytes !== undefined; bytes = await this.#next()) yield bytes;
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done === true ? undefined : value;
    } catch (error) {
      this.error = error ?? new Error("the archive could not be read");
      throw error;
    }
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

/** A name as the archive knows it: no name leads above its root. */
const memberPath = (name: string): string => {
  const names: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") names.pop();
    else if (part !== "" && part !== ".") names.push(part);
  }
  return names.join("/");
};

const unusable = (member: string, found: Member | undefined): Error =>
  imageError("archiveMember", { member: member.slice(0, 200), problem: problemOf(found) }, errorOf(found));

const errorOf = (member: Member | undefined): unknown => (member?.kind === "broken" ? member.error : undefined);

const problemOf = (member: Member | undefined): string => {
  switch (member?.kind) {
    case undefined:
      return "is missing";
    case "other":
      return member.problem;
    case "broken":
      return `cannot be used: ${member.error.message}`;
    default:
      return "is a layer, not a document";
  }
};

/** Where a name says what the bytes are, they are that. */
const checkName = (path: string, found: Digest): void => {
  const expected = digestInPath(path);
  if (expected !== undefined && expected !== found) {
    throw imageError("digestMismatch", { what: path, expected, found });
  }
};

/** The name of a blob in an archive. */
export const blobPath = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

const digestInPath = (path: string): Digest | undefined => {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  return hex === undefined ? undefined : digestFromHex(hex);
};

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export const digestOfBytes = (bytes: Uint8Array): Digest =>
  digestFromHex(createHash("sha256").update(bytes).digest("hex"));
