/**
 * Protocol buffers, as much of them as gRPC's messages here need: varints, texts, bytes, messages, lists and maps. A message
 * is a table of its fields; what a table does not name is skipped, as the format wants it.
 */
import { formatError } from "./errors.ts";

export interface Kind<T> {
  readonly wire: 0 | 2;
  readonly initial: () => T;
  /** As it follows its tag. */
  write(out: Writer, value: T): void;
  /** A varint, or the bytes of the field; with what came of the same field before. */
  decode(value: bigint | Uint8Array, before: T): T;
  /** Not told at all. */
  isEmpty(value: T): boolean;
  /** Each item is a field of its own. */
  items?(value: T): Iterable<unknown>;
}

export type Fields = Readonly<Record<string, readonly [number: number, kind: Kind<unknown>]>>;
export type Message<F extends Fields> = { -readonly [K in keyof F]: F[K][1] extends Kind<infer T> ? T : never };

/** Bytes that grow at their end. */
export class Writer {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Of a number that is not negative, without the arithmetic of BigInt: divided by powers of two, none is rounded. */
  varint(value: number): void {
    this.#makeRoom(10);
    let left = value;
    for (; left > 0x7f; left = Math.floor(left / 128)) this.#bytes[this.#length++] = (left % 128) + 0x80;
    this.#bytes[this.#length++] = left;
  }

  bigVarint(value: bigint): void {
    this.#makeRoom(10);
    let left = BigInt.asUintN(64, value);
    for (; left > 0x7fn; left >>= 7n) this.#bytes[this.#length++] = Number(left & 0x7fn) + 0x80;
    this.#bytes[this.#length++] = Number(left);
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#makeRoom(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#makeRoom(length);
    this.#length += this.#bytes.write(value, this.#length);
  }

  /** What `write` writes, with its length before it: nearly always one byte has it. */
  measured(write: () => void): void {
    const start = this.skip(1);
    write();
    const length = this.#length - start - 1;
    if (length <= 0x7f) this.#bytes[start] = length;
    else {
      const content = new Uint8Array(this.#bytes.subarray(start + 1, this.#length));
      this.#length = start;
      this.bytes(content);
    }
  }

  /** Zeroes, to be set when they are known. */
  skip(count: number): number {
    this.#makeRoom(count);
    this.#bytes.fill(0, this.#length, this.#length + count);
    this.#length += count;
    return this.#length - count;
  }

  setLength(at: number, value: number): void {
    this.#bytes.writeUInt32BE(value, at);
  }

  /** All of it; nothing is to be written any more. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #makeRoom(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

const wrong = (problem: string): Error => formatError("protobuf", { problem });

const asBytes = (value: bigint | Uint8Array): Uint8Array => {
  if (typeof value === "bigint") throw wrong("a number where there should be bytes");
  return value;
};

const asNumber = (value: bigint | Uint8Array): bigint => {
  if (typeof value !== "bigint") throw wrong("bytes where there should be a number");
  return value;
};

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export const text: Kind<string> = {
  wire: 2,
  initial: () => "",
  write: (out, value) => out.text(value),
  decode: (value) => decoder.decode(asBytes(value)),
  isEmpty: (value) => value === "",
};

export const bytes: Kind<Uint8Array> = {
  wire: 2,
  initial: () => new Uint8Array(),
  write: (out, value) => out.bytes(value),
  decode: asBytes,
  isEmpty: (value) => value.length === 0,
};

/** One more than the largest that the format has. */
const limit = 2 ** 63;

/** Whole numbers; those beyond what JavaScript has exactly are the nearest that it has. */
export const integer: Kind<number> = {
  wire: 0,
  initial: () => 0,
  write: (out, value) => {
    if (value >= 0 && value < limit) out.varint(value);
    else out.bigVarint(value < 0 ? BigInt(value) : BigInt(limit) - 1n);
  },
  decode: (value) => Number(BigInt.asIntN(64, asNumber(value))),
  isEmpty: (value) => value === 0,
};

export const boolean: Kind<boolean> = {
  wire: 0,
  initial: () => false,
  write: (out, value) => out.varint(value ? 1 : 0),
  decode: (value) => asNumber(value) !== 0n,
  isEmpty: (value) => !value,
};

export const list = <T>(kind: Kind<T>): Kind<readonly T[]> => ({
  wire: kind.wire,
  initial: () => [],
  write: (out, item) => kind.write(out, item as unknown as T),
  // In place, for a message may have millions: what is there was made by `initial`, for this message alone.
  decode: (value, before) => {
    (before as T[]).push(kind.decode(value, kind.initial()));
    return before;
  },
  isEmpty: (value) => value.length === 0,
  items: (value) => value,
});

/** Absent, or a message. */
export const message = <const F extends Fields>(fields: F): Kind<Message<F> | undefined> => ({
  wire: 2,
  initial: () => undefined,
  write: (out, value) => out.measured(() => writeMessage(out, fields, value ?? {})),
  decode: (value) => decodeMessage(fields, asBytes(value)),
  isEmpty: (value) => value === undefined,
});

export const map = <T>(kind: Kind<T>): Kind<ReadonlyMap<string, T>> => {
  const entry = { key: [1, text], value: [2, kind] } as unknown as Fields;
  return {
    wire: 2,
    initial: () => new Map(),
    write: (out, item) => {
      const [key, value] = item as unknown as readonly [string, T];
      out.measured(() => writeMessage(out, entry, { key, value } as never));
    },
    decode: (value, before) => {
      const read = decodeMessage(entry, asBytes(value)) as unknown as { key: string; value: T };
      (before as Map<string, T>).set(read.key, read.value);
      return before;
    },
    isEmpty: (value) => value.size === 0,
    items: (value) => value,
  };
};

/** The message's bytes, in the order of its table; what has its initial value is left out. */
export const encodeMessage = <F extends Fields>(fields: F, value: Partial<Message<F>>): Uint8Array => {
  const out = new Writer();
  writeMessage(out, fields, value);
  return out.finish();
};

export const writeMessage = <F extends Fields>(out: Writer, fields: F, value: Partial<Message<F>>): void => {
  for (const { name, kind, tag } of tableOf(fields).inOrder) {
    const given: unknown = (value as Readonly<Record<string, unknown>>)[name];
    if (given === undefined || kind.isEmpty(given)) continue;
    for (const item of kind.items?.(given) ?? [given]) {
      out.varint(tag);
      kind.write(out, item);
    }
  }
};

interface Field {
  readonly name: string;
  readonly kind: Kind<unknown>;
  /** What stands before it. */
  readonly tag: number;
}

interface Table {
  readonly inOrder: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

/** Tables are constants, and a directory is a message for each of its files. */
const known = new WeakMap<Fields, Table>();

const tableOf = (fields: Fields): Table => {
  const before = known.get(fields);
  if (before !== undefined) return before;
  const numbered = Object.entries(fields).map(
    ([name, [number, kind]]) => [number, { name, kind, tag: number * 8 + kind.wire }] as const,
  );
  const made = { inOrder: numbered.map(([, field]) => field), byNumber: new Map(numbered) };
  known.set(fields, made);
  return made;
};

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(from: Uint8Array) {
    this.#bytes = from;
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Seven bytes of it at a time as a number, for arithmetic with these is not that of BigInt. */
  varint(): bigint {
    let [value, part, factor] = [0n, 0, 1];
    for (let count = 0; count < 10; count++) {
      const byte = this.#byte();
      part += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte < 0x80) return value | (BigInt(part) << (count < 7 ? 0n : 49n));
      if (count === 6) [value, part, factor] = [BigInt(part), 0, 1];
    }
    throw wrong("a number is too long");
  }

  /** One that a field's tag or length is: far below what a number has exactly. */
  small(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw wrong("a number is too long");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw wrong("it ends in the middle");
    return byte;
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw wrong("it ends in the middle");
    this.#at += length;
    // Not a Buffer's own, which is slower by a multiple.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#at - length, length);
  }
}

export const decodeMessage = <F extends Fields>(fields: F, from: Uint8Array): Message<F> => {
  const value: Record<string, unknown> = Object.create(null);
  const { inOrder, byNumber } = tableOf(fields);
  for (const { name, kind } of inOrder) value[name] = kind.initial();
  const reader = new Reader(from);
  while (!reader.isOver) {
    const tag = reader.small();
    const wire = tag & 7;
    const content = readContent(reader, wire);
    const field = byNumber.get(Math.floor(tag / 8));
    if (field !== undefined && content !== undefined) value[field.name] = field.kind.decode(content, value[field.name]);
  }
  return value as Message<F>;
};

/** Fixed numbers are skipped: no message here has one. */
const readContent = (reader: Reader, wire: number): bigint | Uint8Array | undefined => {
  if (wire === 0) return reader.varint();
  if (wire === 2) return reader.take(reader.small());
  if (wire !== 1 && wire !== 5) throw wrong(`it has a field of kind ${wire}`);
  reader.take(wire === 1 ? 8 : 4);
  return undefined;
};
