import type { TarTime } from "./entry.ts";
import {
  CHECKSUM_LENGTH,
  CHECKSUM_START,
  checksums,
  parseLong,
  parseNumeric,
  parseOctal,
  parseText,
} from "./numbers.ts";

type Field = readonly [offset: number, length: number];

/** Where the fields of a header block lie. Names and meanings as in POSIX pax and GNU tar's manual. */
export const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  typeflag: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  devmajor: [329, 8],
  devminor: [337, 8],
  prefix: [345, 155],
  starPrefix: [345, 131],
  starTrailer: [508, 4],
  gnuAtime: [345, 12],
  gnuCtime: [357, 12],
  gnuSparse: [386, 96],
  gnuIsExtended: [482, 1],
  gnuRealSize: [483, 12],
} as const satisfies Record<string, Field>;

/** One header block, before what PAX or GNU headers in front of it say. */
export interface RawHeader {
  readonly typeflag: string;
  readonly path: Uint8Array;
  readonly link: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: TarTime;
  readonly major: number;
  readonly minor: number;
  readonly isGnu: boolean;
}

const textIs = (block: Uint8Array, start: number, text: string): boolean => {
  for (let at = 0; at < text.length; at++) if (block[start + at] !== text.charCodeAt(at)) return false;
  return true;
};

const joinPrefix = (prefix: Uint8Array, name: Uint8Array): Uint8Array => {
  if (prefix.length === 0) return name;
  const joined = new Uint8Array(prefix.length + 1 + name.length);
  joined.set(prefix);
  joined[prefix.length] = 0x2f;
  joined.set(name, prefix.length + 1);
  return joined;
};

const isTimeField = (block: Uint8Array, [start, length]: Field): boolean =>
  parseNumeric(block, start, length) !== undefined;

const prefixOf = (block: Uint8Array, isGnu: boolean): Uint8Array => {
  if (isGnu) {
    // GNU has times at the prefix's place; but Go before 1.8 (so old Docker) put prefixes there under GNU's magic
    // (golang.org/issue/12594).
    return isTimeField(block, fields.gnuAtime) && isTimeField(block, fields.gnuCtime)
      ? new Uint8Array()
      : parseText(block, ...fields.prefix);
  }
  const isStar = textIs(block, fields.starTrailer[0], "tar\0");
  return isStar ? parseText(block, ...fields.starPrefix) : parseText(block, ...fields.prefix);
};

/** Whether the block's checksum holds, taken as unsigned bytes or, as old Sun tars did, as signed ones. */
export const hasChecksum = (block: Uint8Array): boolean => {
  const stored = parseOctal(block, CHECKSUM_START, CHECKSUM_LENGTH);
  const { unsigned, signed } = checksums(block);
  return stored === unsigned || stored === signed;
};

/** The header's fields, or the name of the one that is no number (or none that fits). */
export const parseHeader = (block: Uint8Array): RawHeader | string => {
  const isGnu = textIs(block, fields.magic[0], "ustar  \0");
  const isUstar = textIs(block, fields.magic[0], "ustar\0");
  let wrong: string | undefined;
  const number = (name: string, [start, length]: Field): number => {
    const value = parseNumeric(block, start, length);
    if (value === undefined) wrong ??= name;
    return value ?? 0;
  };
  const name = parseText(block, ...fields.name);
  const seconds = parseLong(block, ...fields.mtime);
  if (seconds === undefined) return "mtime";
  const header: RawHeader = {
    typeflag: String.fromCharCode(block[fields.typeflag[0]]!),
    path: isGnu || isUstar ? joinPrefix(prefixOf(block, isGnu), name) : name,
    link: parseText(block, ...fields.linkname),
    mode: number("mode", fields.mode) & 0o7777,
    uid: number("uid", fields.uid),
    gid: number("gid", fields.gid),
    size: number("size", fields.size),
    mtime: { seconds, nanoseconds: 0 },
    major: isGnu || isUstar ? number("devmajor", fields.devmajor) : 0,
    minor: isGnu || isUstar ? number("devminor", fields.devminor) : 0,
    isGnu,
  };
  return wrong ?? header;
};
