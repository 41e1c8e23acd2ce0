/**
 * Tables of ready answers, as the keeper reads them where a container asks for names (`docs/formats/names.md`). Deciding
 * what a name means is done when the table is written; the keeper only finds it.
 */
import { bytes, u16, u32 } from "./netlink/message.ts";

export const namesMagic = "PIERNAME";
export const namesVersion = 1;

/** Types of entries that are for the keeper itself, and answer nobody: from DNS's range for private use on. */
export const ownTypes = { ownTypes: 0xff00, table: 0xff01, server: 0xff02, resolver: 0xff03 } as const;

/** Values of one name and type, as they stand on the wire. */
export interface NameEntry {
  readonly type: number;
  /** In wire form, in lower case. */
  readonly name: Uint8Array;
  readonly values: readonly Uint8Array[];
}

const headerSize = 16;
/** What the numbers of an entry can say. */
const entryLimit = 0xffff;
const valueLimit = 255;

const encodeEntry = ({ type, name, values }: NameEntry): Uint8Array => {
  const data = bytes(...values.flatMap((value) => [u16(value.length), value]));
  const size = 6 + name.length + data.length;
  return bytes(u16(size), u16(type), Uint8Array.of(name.length, values.length), name, data);
};

/** The entries as bytes: what tables of the same entries have in common is encoded once. */
export const encodeEntries = (entries: readonly NameEntry[]): Uint8Array =>
  bytes(...entries.map((entry) => ({ ...entry, values: fitting(entry) })).map(encodeEntry));

/** A name with more addresses than an entry has room for answers with the first ones. */
const fitting = ({ name, values }: NameEntry): readonly Uint8Array[] => {
  let room = entryLimit - 6 - name.length;
  return values.slice(0, valueLimit).filter(({ length }) => {
    room -= 2 + length;
    return room >= 0;
  });
};

/** A whole table of encoded entries. */
export const encodeNameTable = (entries: readonly Uint8Array[]): Uint8Array => {
  const size = entries.reduce((sum, { length }) => sum + length, headerSize);
  return bytes(new TextEncoder().encode(namesMagic), u32(namesVersion), u32(size), ...entries);
};
