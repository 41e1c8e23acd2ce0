import { formatError } from "../errors.ts";
import type { TarEntry, TarEntryType } from "./entry.ts";
import type { RawHeader } from "./header.ts";
import { latin1, parseDecimal } from "./numbers.ts";
import { type PaxRecord, parsePaxTime, xattrsOf } from "./pax.ts";
import type { Announced } from "./pending.ts";
import { parseRunList, parseRunRecords, type SparseRun } from "./sparse.ts";

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
  /** Bytes that a reader of a sparse file sees, where the records say so. */
  readonly realSize: number | undefined;
  readonly sparse: "none" | "old-gnu" | "blocks" | readonly SparseRun[];
}

const NOTHING = new Uint8Array();

/** The records of one entry by their keys, and their values as what they have to be. */
class Pax {
  readonly #values = new Map<string, Uint8Array>();
  readonly #offset: number;

  constructor(records: readonly PaxRecord[], offset: number) {
    this.#offset = offset;
    for (const [key, value] of records) {
      // A later record replaces an earlier one; an empty one takes it back.
      if (value.length > 0) this.#values.set(key, value);
      else this.#values.delete(key);
    }
  }

  invalid(reason: string): Error {
    return formatError("tarInvalidHeader", { reason, offset: this.#offset });
  }

  text(key: string): string | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : latin1(value);
  }

  name(key: string): Uint8Array | undefined {
    const value = this.#values.get(key);
    if (value?.includes(0)) throw this.invalid(`the PAX record ${key} has a NUL in it`);
    return value;
  }

  size(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = parseDecimal(text);
    if (value === undefined) throw this.invalid(`the PAX record ${key} is no number that fits`);
    return value;
  }

  /** Owners may be negative: macOS has nobody as -2. */
  owner(key: "uid" | "gid"): number | undefined {
    const text = this.text(key);
    return text?.startsWith("-") === true && /^-[0-9]{1,10}$/.test(text) ? Number(text) : this.size(key);
  }
}

/** Builds the draft of the entry whose header block lies at `offset`, with what headers before it said. */
export const draftEntry = (header: RawHeader, announced: Announced, offset: number): EntryDraft => {
  const { records, longPath, longLink } = announced;
  const pax = new Pax(records, offset);
  const path = longPath ?? pax.name("GNU.sparse.name") ?? pax.name("path") ?? header.path;
  // Archives from before POSIX have no type for directories, only the slash.
  const isOldDirectory = header.typeflag === "\0" && path.at(-1) === 0x2f;
  const type = isOldDirectory ? "directory" : types[header.typeflag];
  if (type === undefined) {
    throw formatError("tarUnsupported", { type: header.typeflag.charCodeAt(0), path: latin1(path) });
  }
  const time = pax.text("mtime");
  const mtime = time === undefined ? header.mtime : parsePaxTime(time);
  if (mtime === undefined) throw pax.invalid("the PAX record mtime is no time");
  const size = pax.size("size") ?? header.size;
  const isDevice = type === "character" || type === "block";
  const isLink = type === "symlink" || type === "hardlink";
  const major = isDevice ? (pax.size("SCHILY.devmajor") ?? header.major) : 0;
  const minor = isDevice ? (pax.size("SCHILY.devminor") ?? header.minor) : 0;
  if (size < 0 || major < 0 || minor < 0) throw pax.invalid("a size or device number is negative");
  return {
    entry: {
      path,
      type,
      mode: header.mode,
      mtime,
      major,
      minor,
      uid: pax.owner("uid") ?? header.uid,
      gid: pax.owner("gid") ?? header.gid,
      link: isLink ? (longLink ?? pax.name("linkpath") ?? header.link) : NOTHING,
      xattrs: xattrsOf(records),
    },
    // As in Go's archive/tar, so Docker: what is no file has no content, whatever its size field says.
    stored: type === "file" ? size : 0,
    realSize: pax.size("GNU.sparse.realsize") ?? pax.size("GNU.sparse.size"),
    sparse: type === "file" ? sparseOf(header, pax, records) : "none",
  };
};

const sparseOf = (header: RawHeader, pax: Pax, records: readonly PaxRecord[]): EntryDraft["sparse"] => {
  if (header.typeflag === "S") {
    if (!header.isGnu) throw pax.invalid("a sparse file without GNU's magic");
    return "old-gnu";
  }
  if (records.length === 0) return "none";
  const version = `${pax.text("GNU.sparse.major") ?? "0"}.${pax.text("GNU.sparse.minor") ?? "0"}`;
  if (version === "1.0") return "blocks";
  const map = pax.text("GNU.sparse.map");
  const repeated = records
    .filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
    .map(([, value]) => latin1(value));
  if (map === undefined && repeated.length === 0 && pax.text("GNU.sparse.size") === undefined) return "none";
  if (version !== "0.0" && version !== "0.1") throw pax.invalid(`GNU sparse files of version ${version}`);
  const runs = map === undefined ? parseRunRecords(repeated) : parseRunList(map);
  if (runs === undefined) throw pax.invalid("the sparse map is malformed");
  return runs;
};
