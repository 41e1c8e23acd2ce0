import { formatError } from "../errors.ts";
import type { TarEntry } from "../tar/entry.ts";
import { latin1 } from "../tar/numbers.ts";
import type { Attributes } from "./attributes.ts";
import { type ChunkMap, planChunks } from "./chunks.ts";
import { MAJOR_MAXIMUM, MINOR_MAXIMUM, TAR_MAXIMUM } from "./format.ts";
import type { LayerLimits } from "./limits.ts";
import { printable } from "./paths.ts";
import type { NodeContent } from "./tree.ts";
import { isDropped, XATTRS_MAXIMUM, type Xattrs, xattrProblem, xattrsSize } from "./xattrs.ts";

const TARGET_MAXIMUM = 4095;
const NO_OWNER = 0xffffffff;

const unsupported = (path: string, reason: string): Error =>
  formatError("layerUnsupported", { path: printable(path), reason });

/** An owner as the kernel keeps it: 32 bits without the last number, which means none; -2 is how some write 4294967294. */
const ownerOf = (owner: number, path: string): number => {
  const unsigned = owner < 0 ? owner + 2 ** 32 : owner;
  if (unsigned < 0 || unsigned >= NO_OWNER) throw unsupported(path, `${owner} is no user or group`);
  return unsigned;
};

const xattrsOf = (entry: TarEntry, path: string): Xattrs => {
  if (entry.xattrs.size === 0) return entry.xattrs;
  const hasUserXattrs = entry.type === "file" || entry.type === "directory";
  const kept = new Map<string, Uint8Array>();
  for (const [name, value] of entry.xattrs) {
    if (isDropped(name, hasUserXattrs)) continue;
    const reason = xattrProblem(name, value, entry.type === "directory");
    if (reason !== undefined) {
      throw formatError("layerXattr", { name: printable(name), path: printable(path), reason });
    }
    kept.set(name, value);
  }
  return kept;
};

/** Both sets in one, the later values winning; refused when an inode cannot hold them. */
export const mergeXattrs = (before: Xattrs, after: Xattrs, path: string): Xattrs => {
  const merged = before.size === 0 ? after : new Map([...before, ...after]);
  // Room is kept for the opaque mark, which is not known yet.
  const limit = XATTRS_MAXIMUM - 64;
  if (xattrsSize(merged) > limit) throw unsupported(path, `it has more than ${limit} bytes of extended attributes`);
  return merged;
};

const NONE: Xattrs = new Map();

/** What an entry says of the inode, checked. */
export const attributesOf = (entry: TarEntry, path: string): Attributes => ({
  // Linux knows no other mode of a symbolic link.
  mode: entry.type === "symlink" ? 0o777 : entry.mode,
  uid: ownerOf(entry.uid, path),
  gid: ownerOf(entry.gid, path),
  mtime: entry.mtime,
  xattrs: mergeXattrs(NONE, xattrsOf(entry, path), path),
});

/** What an entry makes, checked; hard links are not among them. */
export const contentOf = (entry: TarEntry, path: string, limits: LayerLimits): NodeContent => {
  switch (entry.type) {
    case "directory":
    case "fifo":
      return { type: entry.type };
    case "file":
      return { type: "file", size: entry.size, chunks: chunksOf(entry, path, limits) };
    case "symlink": {
      const target = latin1(entry.link);
      if (target === "") throw unsupported(path, "it is a symbolic link to nothing");
      if (target.length > TARGET_MAXIMUM) throw unsupported(path, "its target is too long for a symbolic link");
      if (target.includes("\0")) throw unsupported(path, "there is a NUL in its target");
      return { type: "symlink", target };
    }
    case "character":
    case "block": {
      const { type, major, minor } = entry;
      // overlayfs takes this device for a deleted file; only `.wh.` entries may say that.
      if (type === "character" && major === 0 && minor === 0) {
        throw unsupported(path, "the character device 0:0 is overlayfs' mark of a deleted file");
      }
      if (major > MAJOR_MAXIMUM || minor > MINOR_MAXIMUM) throw unsupported(path, `${major}:${minor} is no device`);
      return { type, major, minor };
    }
    case "hardlink":
      throw unsupported(path, "a hard link is no file of its own");
  }
};

const chunksOf = ({ size, extents }: TarEntry, path: string, limits: LayerLimits): ChunkMap => {
  const last = extents.at(-1);
  if (last !== undefined && last.offset + last.length > TAR_MAXIMUM) {
    throw unsupported(path, "it lies beyond the first 2 TiB of the tar");
  }
  const map = planChunks(size, extents, limits.chunks);
  if (typeof map === "string") throw unsupported(path, map);
  return map;
};
