import { formatError } from "../errors.ts";
import type { TarEntry, TarEntryType } from "./entry.ts";
import type { RawHeader } from "./header.ts";
import { latin1, parseDecimal, toSafe } from "./numbers.ts";
import { type PaxRecord, parsePaxTime, xattrsOf } from "./pax.ts";
import { parseRunList, parseRunRecords, type SparseRun, toSize } from "./sparse.ts";

const NEVER = 1n << 64n;

const types: Readonly<Record<string, TarEntryType>> = {
  "0": "file",
  "\0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  // Contiguous files: POSIX asks that they be read as plain ones.
  "7": "file",
  S: "file",
};

/** An entry but for where its content lies, and what its headers say of that. */
export interface EntryDraft {
  readonly entry: Omit<TarEntry, "size" | "extents">;
  /** Bytes that lie behind the header. */
  readonly stored: number;
  /** Bytes that a reader of the file sees; undefined where they are the stored ones. */
  readonly realSize: number | undefined;
  readonly sparse: "none" | "old-gnu" | "blocks" | readonly SparseRun[];
}

/** Builds the draft of the entry at `offset` from its header block and the records before it (the global ones first). */
export const draftEntry = (
  header: RawHeader,
  records: readonly PaxRecord[],
  longPath: Uint8Array | undefined,
  longLink: Uint8Array | undefined,
  offset: number,
): EntryDraft => {
  const invalid = (reason: string) => formatError("tarInvalidHeader", { reason, offset });
  const pax = new Map<string, Uint8Array>();
  // A later record replaces an earlier one; an empty one takes it back.
  for (const [key, value] of records)
    if (value.length > 0) pax.set(key, value);
    else pax.delete(key);
  const text = (key: string): string | undefined => {
    const value = pax.get(key);
    return value === undefined ? undefined : latin1(value);
  };
  const decimal = (key: string): number | undefined => {
    const value = text(key);
    if (value === undefined) return undefined;
    const parsed = parseDecimal(value);
    if (parsed === undefined) throw invalid(`the PAX record ${key} is no number that fits`);
    return parsed;
  };
  const checked = (field: string, value: bigint): number => {
    const size = toSize(value);
    if (size === undefined) throw invalid(`the field ${field} is negative or too big`);
    return size;
  };
  const owner = (key: "uid" | "gid"): number => {
    // Negative ones exist (macOS has nobody as -2).
    const value = text(key);
    const parsed = toSafe(value === undefined ? header[key] : /^-?[0-9]{1,19}$/.test(value) ? BigInt(value) : NEVER);
    if (parsed === undefined) throw invalid(`the ${key} is no number that fits`);
    return parsed;
  };
  const name = (key: string): Uint8Array | undefined => {
    const value = pax.get(key);
    if (value?.includes(0)) throw invalid(`the PAX record ${key} has a NUL in it`);
    return value;
  };

  const path = longPath ?? name("GNU.sparse.name") ?? name("path") ?? header.path;
  // Archives from before POSIX have no type for directories, only the slash.
  const isOldDirectory = header.typeflag === "\0" && path.at(-1) === 0x2f;
  const type = isOldDirectory ? "directory" : types[header.typeflag];
  if (type === undefined) {
    throw formatError("tarUnsupported", { type: header.typeflag.charCodeAt(0), path: latin1(path) });
  }
  const time = text("mtime");
  const mtime = time === undefined ? header.mtime : parsePaxTime(time);
  if (mtime === undefined) throw invalid("the PAX record mtime is no time");
  const size = decimal("size") ?? checked("size", header.size);
  const isDevice = type === "character" || type === "block";
  const isLink = type === "symlink" || type === "hardlink";
  const sparse = type === "file" ? sparseOf(header, text, records, invalid) : "none";
  return {
    entry: {
      path,
      type,
      mode: header.mode,
      uid: owner("uid"),
      gid: owner("gid"),
      mtime,
      link: isLink ? (longLink ?? name("linkpath") ?? header.link) : new Uint8Array(),
      major: isDevice ? (decimal("SCHILY.devmajor") ?? checked("devmajor", header.major)) : 0,
      minor: isDevice ? (decimal("SCHILY.devminor") ?? checked("devminor", header.minor)) : 0,
      xattrs: xattrsOf(records),
    },
    // As in Go's archive/tar, so Docker: what is no file has no content, whatever its size field says.
    stored: type === "file" ? size : 0,
    realSize: sparse === "none" ? undefined : (decimal("GNU.sparse.realsize") ?? decimal("GNU.sparse.size")),
    sparse,
  };
};

const sparseOf = (
  header: RawHeader,
  text: (key: string) => string | undefined,
  records: readonly PaxRecord[],
  invalid: (reason: string) => Error,
): EntryDraft["sparse"] => {
  if (header.typeflag === "S") {
    if (!header.isGnu) throw invalid("a sparse file without GNU's magic");
    return "old-gnu";
  }
  const version = `${text("GNU.sparse.major") ?? "0"}.${text("GNU.sparse.minor") ?? "0"}`;
  if (version === "1.0") return "blocks";
  const map = text("GNU.sparse.map");
  const repeated = records
    .filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
    .map(([, value]) => latin1(value));
  const isSparse = map !== undefined || text("GNU.sparse.size") !== undefined || repeated.length > 0;
  if (!isSparse) return "none";
  if (version !== "0.0" && version !== "0.1") throw invalid(`GNU sparse files of version ${version}`);
  const runs = map === undefined ? parseRunRecords(repeated) : parseRunList(map);
  if (runs === undefined) throw invalid("the sparse map is malformed");
  return runs;
};
