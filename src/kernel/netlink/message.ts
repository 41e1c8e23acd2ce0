/**
 * Netlink messages as values, and their bytes. Numbers are in the machine's byte order, which is little-endian wherever
 * pier runs; what the wire of a network needs in its own order says so (`be16`, `be32`).
 */

/** Stands for four bytes that the keeper fills in: the pid of the container's first process. */
export const firstProcess = Symbol("pid of the first process");

export type AttributeValue =
  | Uint8Array
  | typeof firstProcess
  | readonly Attribute[]
  | { readonly header: Uint8Array; readonly attributes: readonly Attribute[] };

/** A type number and what it holds; a list is a nest. */
export type Attribute = readonly [type: number, value: AttributeValue];

export interface Message {
  readonly type: number;
  readonly flags: number;
  /** The fixed part: `ifinfomsg`, `nfgenmsg`, … */
  readonly header: Uint8Array;
  readonly attributes: readonly Attribute[];
}

/** `linux/netlink.h`. */
export const flags = {
  request: 0x1,
  acknowledge: 0x4,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;
const nested = 0x8000;
const attributeHeaderSize = 4;
const messageHeaderSize = 16;

export const u8 = (value: number): Uint8Array => Uint8Array.of(value);

export const u16 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8);

export const u32 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

export const be16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value);

export const be32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

export const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

export const bytes = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

const aligned = (size: number): number => (size + 3) & ~3;

const sizeOfAll = (attributes: readonly Attribute[]): number =>
  attributes.reduce((sum, [, value]) => sum + aligned(attributeHeaderSize + sizeOf(value)), 0);

const sizeOf = (value: AttributeValue): number => {
  if (value === firstProcess) return 4;
  if (value instanceof Uint8Array) return value.length;
  if ("header" in value) return aligned(value.header.length) + sizeOfAll(value.attributes);
  return sizeOfAll(value);
};

class Writer {
  readonly bytes: Uint8Array;
  readonly pidAt: number[] = [];
  #at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  put(part: Uint8Array): void {
    this.bytes.set(part, this.#at);
    this.#at += aligned(part.length);
  }

  attributes(list: readonly Attribute[]): void {
    for (const [type, value] of list) {
      const isNest = value !== firstProcess && !(value instanceof Uint8Array);
      this.put(bytes(u16(attributeHeaderSize + sizeOf(value)), u16(isNest ? type | nested : type)));
      this.#value(value);
    }
  }

  #value(value: AttributeValue): void {
    if (value === firstProcess) {
      this.pidAt.push(this.#at);
      this.put(u32(0));
    } else if (value instanceof Uint8Array) this.put(value);
    else if ("header" in value) {
      this.put(value.header);
      this.attributes(value.attributes);
    } else this.attributes(value);
  }
}

/** What one `netlink` step sends. */
export interface EncodedMessages {
  readonly messages: Uint8Array;
  /** Where the pid of the first process belongs. */
  readonly pidAt: readonly number[];
}

/** The messages one after the other, numbered from 1. */
export const encodeMessages = (messages: readonly Message[]): EncodedMessages => {
  const sizes = messages.map(
    ({ header, attributes }) => messageHeaderSize + aligned(header.length) + sizeOfAll(attributes),
  );
  const writer = new Writer(sizes.reduce((sum, size) => sum + size, 0));
  for (const [index, message] of messages.entries()) {
    writer.put(
      bytes(u32(sizes[index]!), u16(message.type), u16(message.flags | flags.request), u32(index + 1), u32(0)),
    );
    writer.put(message.header);
    writer.attributes(message.attributes);
  }
  return { messages: writer.bytes, pidAt: writer.pidAt };
};
