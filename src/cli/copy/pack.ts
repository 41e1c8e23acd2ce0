/** Files of this machine as an archive. */
import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { TarEntryType } from "../../format/tar/entry.ts";
import type { TarOutput } from "../../format/tar/write.ts";
import { fileFailure } from "../failure.ts";

const CHUNK = 1024 * 1024;

const typeOf = (status: Stats): TarEntryType | undefined => {
  if (status.isDirectory()) return "directory";
  if (status.isFile()) return "file";
  if (status.isSymbolicLink()) return "symlink";
  if (status.isCharacterDevice()) return "character";
  if (status.isBlockDevice()) return "block";
  return status.isFIFO() ? "fifo" : undefined;
};

/** Linux's makedev(3), undone. */
const deviceOf = (rdev: number) => ({
  major: (Math.floor(rdev / 256) & 0xfff) + Math.floor(rdev / 2 ** 32) * 0x1000,
  minor: (rdev & 0xff) + (Math.floor(rdev / 4096) & 0xfff00),
});

/** What is at the path, called `name`, and all that is in it; names of one file are links of it. */
export async function* packEntries(path: string, name: string): AsyncGenerator<TarOutput> {
  yield* pack(path, name, new Map());
}

async function* pack(path: string, name: string, known: Map<string, string>): AsyncGenerator<TarOutput> {
  const status = await lstat(path).catch((cause: unknown) => {
    throw fileFailure(path, cause);
  });
  const type = typeOf(status);
  // A socket means nothing without its process.
  if (type === undefined) return;
  const identity = `${status.dev}:${status.ino}`;
  const first = type !== "directory" && status.nlink > 1 ? known.get(identity) : undefined;
  if (first === undefined && status.nlink > 1) known.set(identity, name);
  const isFile = type === "file" && first === undefined;
  const target = type === "symlink" ? await readlink(path, "buffer") : new Uint8Array();
  yield {
    header: {
      path: Buffer.from(type === "directory" ? `${name}/` : name),
      type: first === undefined ? type : "hardlink",
      ...{ mode: status.mode & 0o7777, uid: status.uid, gid: status.gid },
      size: isFile ? status.size : 0,
      link: first === undefined ? target : Buffer.from(first),
      mtime: timeOf(status.mtimeMs),
      ...(type === "character" || type === "block" ? deviceOf(status.rdev) : { major: 0, minor: 0 }),
      xattrs: new Map(),
    },
    ...(isFile && status.size > 0 ? { content: contentOf(path, status.size) } : {}),
  };
  if (type !== "directory") return;
  for (const inner of (await readdir(path)).sort()) yield* pack(join(path, inner), `${name}/${inner}`, known);
}

const timeOf = (milliseconds: number) => {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6) % 1_000_000_000 };
};

/** Exactly so many bytes: what grows meanwhile is cut. */
const contentOf = (path: string, size: number): AsyncIterable<Uint8Array> =>
  createReadStream(path, { highWaterMark: CHUNK, end: size - 1 });
