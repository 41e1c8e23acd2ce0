/** A tree of files as the keeper's `readTree` tells it; `docs/formats/tree-stream.md` describes the bytes. */
import { errorsFrom } from "../base/errors.ts";
import { kernelErrors } from "./errors.ts";
import type { TreeAttributes } from "./tree-list.ts";

const kernelError = errorsFrom(kernelErrors);

const kinds = [
  undefined,
  "enter",
  "leave",
  "file",
  "symlink",
  "character",
  "block",
  "fifo",
  "link",
] as const satisfies readonly (string | undefined)[];

export type ToldKind = Exclude<(typeof kinds)[number], undefined>;

/** One record. Names are one character per byte (latin1). */
export interface ToldEntry extends TreeAttributes {
  readonly kind: ToldKind;
  readonly name: string;
  readonly size: number;
  /** Of what has several names; else 0. */
  readonly inode: bigint;
  readonly target: Uint8Array;
  readonly major: number;
  readonly minor: number;
  /** Of a file: to be read before the next entry is asked for; what is not read is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

const recordSize = 64;

/** Bytes of a stream by their number: what is taken is in one piece, what is passed on is not. */
class Source {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, at most so many; empty at the end. */
  async some(limit: number): Promise<Uint8Array> {
    while (this.#held.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return this.#held;
      this.#held = next.value;
    }
    const part = this.#held.subarray(0, limit);
    this.#held = this.#held.subarray(part.length);
    return part;
  }

  /** Nobody reads on: whoever tells the rest can stop. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Exactly so many bytes; undefined where the stream has ended already. */
  async take(size: number): Promise<Buffer | undefined> {
    const bytes = Buffer.alloc(size);
    for (let done = 0; done < size; ) {
      const part = await this.some(size - done);
      if (part.length === 0) {
        if (done === 0) return undefined;
        throw kernelError("keeperProtocol", { what: "a tree that ends in the middle" });
      }
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }
}

const parseAttributes = (bytes: Buffer): Map<string, Uint8Array> => {
  const xattrs = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const [nameLength, valueLength] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    const name = at + 8;
    const value = name + nameLength;
    xattrs.set(bytes.toString("latin1", name, value), bytes.subarray(value, value + valueLength));
    at = value + valueLength;
  }
  return xattrs;
};

const parseRecord = (head: Buffer, rest: Buffer): Omit<ToldEntry, "content"> => {
  const kind = kinds[head.readUInt32LE(0)];
  if (kind === undefined) throw kernelError("keeperProtocol", { what: "a tree with an entry of no kind" });
  const [nameLength, targetLength] = [head.readUInt32LE(52), head.readUInt32LE(56)];
  return {
    kind,
    mode: head.readUInt32LE(4),
    uid: head.readUInt32LE(8),
    gid: head.readUInt32LE(12),
    mtime: { seconds: head.readBigInt64LE(16), nanoseconds: head.readUInt32LE(40) },
    size: Number(head.readBigUInt64LE(24)),
    inode: head.readBigUInt64LE(32),
    major: head.readUInt32LE(44),
    minor: head.readUInt32LE(48),
    name: rest.toString("latin1", 0, nameLength),
    target: rest.subarray(nameLength, nameLength + targetLength),
    xattrs: parseAttributes(rest.subarray(nameLength + targetLength)),
  };
};

/** What `putTree` reads of an entry, before its content: its name is a path beneath the root, one character per byte. */
export const encodeRecord = (entry: Omit<ToldEntry, "content" | "inode">): Buffer => {
  const name = Buffer.from(entry.name, "latin1");
  const attributes = Buffer.concat(
    [...entry.xattrs].map(([key, value]) => {
      const sizes = Buffer.alloc(8);
      sizes.writeUInt32LE(key.length, 0);
      sizes.writeUInt32LE(value.length, 4);
      return Buffer.concat([sizes, Buffer.from(key, "latin1"), value]);
    }),
  );
  const head = Buffer.alloc(recordSize);
  head.writeUInt32LE(kinds.indexOf(entry.kind), 0);
  head.writeUInt32LE(entry.mode, 4);
  head.writeUInt32LE(entry.uid, 8);
  head.writeUInt32LE(entry.gid, 12);
  head.writeBigInt64LE(entry.mtime.seconds, 16);
  head.writeBigUInt64LE(BigInt(entry.size), 24);
  head.writeUInt32LE(entry.mtime.nanoseconds, 40);
  head.writeUInt32LE(entry.major, 44);
  head.writeUInt32LE(entry.minor, 48);
  head.writeUInt32LE(name.length, 52);
  head.writeUInt32LE(entry.target.length, 56);
  head.writeUInt32LE(attributes.length, 60);
  return Buffer.concat([head, name, entry.target, attributes]);
};

/** What `statPath` reported: the whole mode, the link's own target, and where it leads to. */
export const decodeStat = (bytes: Buffer) => {
  const target = bytes.readUInt32LE(56);
  return {
    mode: bytes.readUInt32LE(4),
    mtime: { seconds: bytes.readBigInt64LE(16), nanoseconds: bytes.readUInt32LE(40) },
    size: Number(bytes.readBigUInt64LE(24)),
    link: bytes.toString("latin1", recordSize, recordSize + target),
    leadsTo: bytes.toString("latin1", recordSize + target),
  };
};

/** The entries of a tree in the order in which they are told. */
export async function* decodeTree(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ToldEntry> {
  const source = new Source(chunks);
  try {
    yield* decodeEntries(source);
  } finally {
    await source.close();
  }
}

async function* decodeEntries(source: Source): AsyncGenerator<ToldEntry> {
  for (;;) {
    const head = await source.take(recordSize);
    if (head === undefined) return;
    const restSize = head.readUInt32LE(52) + head.readUInt32LE(56) + head.readUInt32LE(60);
    const entry = parseRecord(head, (await source.take(restSize)) ?? Buffer.alloc(0));
    let left = entry.kind === "file" ? entry.size : 0;
    const content = async function* (): AsyncGenerator<Uint8Array> {
      while (left > 0) {
        const part = await source.some(left);
        if (part.length === 0) throw kernelError("keeperProtocol", { what: "a file that ends in the middle" });
        left -= part.length;
        yield part;
      }
    };
    yield { ...entry, content: content() };
    while (left > 0) {
      const part = await source.some(left);
      if (part.length === 0) throw kernelError("keeperProtocol", { what: "a file that ends in the middle" });
      left -= part.length;
    }
  }
}
