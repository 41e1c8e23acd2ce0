import { gather } from "../../base/gather.ts";
import { formatError } from "../errors.ts";
import type { TarEntry, TarEntryType } from "./entry.ts";
import { fields } from "./header.ts";
import { BLOCK, CHECKSUM_LENGTH, CHECKSUM_START, checksums, fromLatin1, latin1, padded } from "./numbers.ts";
import { encodePax, encodePaxTime, type PaxRecord, paxXattrKey } from "./pax.ts";

/** What a writer needs of an entry: everything but where its bytes lie in some other archive. */
export type TarHeader = Omit<TarEntry, "extents">;

const typeflags: Readonly<Record<TarEntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const ZERO = 0x30;
const SPACE = 0x20;
const MAGIC = fromLatin1("ustar\x0000");

type Field = readonly [offset: number, length: number];

const isAscii = (bytes: Uint8Array): boolean => bytes.every((byte) => byte < 0x80);

const fitsOctal = (value: number | bigint, [, length]: Field): boolean => value >= 0 && value < 8 ** (length - 1);

/** Digits up to the byte before the last, which is NUL. The value fits. */
const putOctal = (block: Uint8Array, [start, length]: Field, value: number): void => {
  let left = value;
  for (let at = start + length - 2; at >= start; at--) {
    block[at] = ZERO + (left % 8);
    left = Math.floor(left / 8);
  }
};

/** A path as ustar's two fields: prefix and name, split at a slash; undefined where it does not fit. */
const splitPath = (path: Uint8Array): { prefix: Uint8Array; name: Uint8Array } | undefined => {
  const [, nameLength] = fields.name;
  const [, prefixLength] = fields.prefix;
  if (path.length <= nameLength) return { prefix: new Uint8Array(), name: path };
  // A trailing slash belongs to the name, which must not be empty.
  const slash = path.indexOf(0x2f, Math.max(1, path.length - 1 - nameLength));
  if (slash === -1 || slash >= path.length - 1 || slash > prefixLength) return undefined;
  return { prefix: path.subarray(0, slash), name: path.subarray(slash + 1) };
};

const headerBlock = (
  typeflag: string,
  header: TarHeader,
  path: { prefix: Uint8Array; name: Uint8Array },
): Uint8Array => {
  const block = new Uint8Array(BLOCK);
  const octal = (field: Field, value: number | bigint): void =>
    putOctal(block, field, fitsOctal(value, field) ? Number(value) : 0);
  block.set(path.name, fields.name[0]);
  octal(fields.mode, header.mode & 0o7777);
  octal(fields.uid, header.uid);
  octal(fields.gid, header.gid);
  octal(fields.size, header.size);
  octal(fields.mtime, header.mtime.seconds);
  block[fields.typeflag[0]] = typeflag.charCodeAt(0);
  block.set(header.link.subarray(0, fields.linkname[1]), fields.linkname[0]);
  block.set(MAGIC, fields.magic[0]);
  octal(fields.devmajor, header.major);
  octal(fields.devminor, header.minor);
  block.set(path.prefix, fields.prefix[0]);
  const { unsigned } = checksums(block);
  // One digit less than in other fields: a NUL and a space stand behind them.
  putOctal(block, [CHECKSUM_START, CHECKSUM_LENGTH - 1], unsigned);
  block[CHECKSUM_START + CHECKSUM_LENGTH - 1] = SPACE;
  return block;
};

const text = (key: string, value: string | number | bigint): PaxRecord => [key, fromLatin1(String(value))];

/** The PAX records for what ustar cannot say, sorted by key. */
const paxRecords = (header: TarHeader, isSplit: boolean): PaxRecord[] => {
  const records: PaxRecord[] = [];
  const { path, link, uid, gid, size, mtime, major, minor } = header;
  // ustar's text is ASCII; readers disagree about anything else there.
  if (!isSplit || !isAscii(path)) records.push(["path", path]);
  if (link.length > fields.linkname[1] || !isAscii(link)) records.push(["linkpath", link]);
  if (!fitsOctal(uid, fields.uid)) records.push(text("uid", uid));
  if (!fitsOctal(gid, fields.gid)) records.push(text("gid", gid));
  if (!fitsOctal(size, fields.size)) records.push(text("size", size));
  if (!fitsOctal(major, fields.devmajor)) records.push(text("SCHILY.devmajor", major));
  if (!fitsOctal(minor, fields.devminor)) records.push(text("SCHILY.devminor", minor));
  if (mtime.nanoseconds !== 0 || !fitsOctal(mtime.seconds, fields.mtime)) {
    records.push(text("mtime", encodePaxTime(mtime)));
  }
  for (const [name, value] of header.xattrs) records.push([paxXattrKey(name), value]);
  return records.sort(([a], [b]) => (a < b ? -1 : 1));
};

const unwritable = (header: TarHeader): string | undefined => {
  if (header.path.length === 0) return "its name is empty";
  if (header.path.includes(0) || header.link.includes(0)) return "there is a NUL in its name or target";
  if (header.type !== "file" && header.size !== 0) return "only files have content";
  const wrong = [...header.xattrs.keys()].find((name) => name === "" || /[=\0]/.test(name));
  if (wrong !== undefined) return `${JSON.stringify(wrong)} is no name for an extended attribute`;
  return undefined;
};

const body = (bytes: Uint8Array): Uint8Array => {
  const blocks = new Uint8Array(padded(bytes.length));
  blocks.set(bytes);
  return blocks;
};

const PAX_NAME = fromLatin1("PaxHeaders.0/");

/** The header blocks of an entry: ustar alone where it can say everything, a PAX header before it where not. */
export const encodeHeader = (header: TarHeader): Uint8Array[] => {
  const reason = unwritable(header);
  if (reason !== undefined) throw formatError("tarUnwritable", { path: latin1(header.path), reason });
  const split = splitPath(header.path);
  const records = paxRecords(header, split !== undefined);
  const shortened = { prefix: new Uint8Array(), name: header.path.subarray(0, fields.name[1]) };
  const own = headerBlock(typeflags[header.type], header, split ?? shortened);
  if (records.length === 0) return [own];
  const pax = encodePax(records);
  const path = Buffer.concat([PAX_NAME, header.path]).subarray(0, fields.name[1]);
  const paxHeader: TarHeader = {
    path,
    type: "file",
    mode: 420,
    uid: 0,
    gid: 0,
    size: pax.length,
    link: new Uint8Array(),
    mtime: {
      seconds: 0n,
      nanoseconds: 0,
    },
    major: 0,
    minor: 0,
    xattrs: new Map(),
  };
  return [headerBlock("x", paxHeader, { prefix: new Uint8Array(), name: path }), body(pax), own];
};

export interface TarOutput {
  readonly header: TarHeader;
  /** Exactly `header.size` bytes; may be left out for a size of 0. */
  readonly content?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The two zero blocks that end an archive. */
export const endBlocks = (): Uint8Array => new Uint8Array(2 * BLOCK);

/** A whole archive with its end blocks; same items, same bytes. */
export const writeTar = (items: AsyncIterable<TarOutput> | Iterable<TarOutput>): AsyncGenerator<Uint8Array> =>
  gather(blocksOf(items));

async function* blocksOf(items: AsyncIterable<TarOutput> | Iterable<TarOutput>): AsyncGenerator<Uint8Array> {
  for await (const { header, content } of items) {
    yield* encodeHeader(header);
    let written = 0;
    const wrong = (reason: string) => formatError("tarUnwritable", { path: latin1(header.path), reason });
    for await (const chunk of content ?? []) {
      written += chunk.length;
      if (written > header.size) throw wrong("its content is longer than its header says");
      yield chunk;
    }
    if (written < header.size) throw wrong("its content is shorter than its header says");
    if (written % BLOCK !== 0) yield new Uint8Array(padded(written) - written);
  }
  yield endBlocks();
}
