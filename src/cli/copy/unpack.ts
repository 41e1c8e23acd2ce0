/** An archive as files of this machine: they belong to whoever unpacks them, and nothing in the archive leads out of the directory. */
import { createWriteStream } from "node:fs";
import { chmod, link, lstat, lutimes, mkdir, realpath, rm, symlink, utimes } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import type { TarEntry } from "../../format/tar/entry.ts";
import type { TarItem } from "../../format/tar/read.ts";
import { cliError } from "../errors.ts";
import { type CopyPlan, renamed } from "./places.ts";

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

/** Holds afterwards: every entry is in the plan's directory, which must be there. */
export const unpack = async (items: AsyncIterable<TarItem>, { directory, rename }: CopyPlan): Promise<void> => {
  const root = await realpath(directory);
  const filled: (readonly [path: string, entry: TarEntry])[] = [];
  for await (const { entry, content } of items) {
    const path = await placeOf(root, renamed(cleanName(entry.path), rename));
    if (path === root) continue;
    if (entry.type === "hardlink") {
      await makeRoom(path, entry);
      await link(await placeOf(root, renamed(cleanName(entry.link), rename)), path);
      continue;
    }
    await make(path, entry, content);
    if (entry.type === "directory") filled.push([path, entry]);
  }
  // What is put into a directory changes its time, and may need more rights than it shall have.
  for (const [path, entry] of filled.reverse()) {
    await chmod(path, entry.mode);
    await utimes(path, secondsOf(entry), secondsOf(entry));
  }
};

const secondsOf = ({ mtime }: TarEntry): number => Number(mtime.seconds) + mtime.nanoseconds / 1e9;

const cleanName = (name: Uint8Array): string =>
  posix.normalize(textOf(name)).replace(/^\/+/, "").replace(/\/+$/, "") || ".";

/** The path of a name; throws for one that leads out, by its own dots or by a link that came before it. */
const placeOf = async (root: string, name: string): Promise<string> => {
  const path = join(root, name);
  if (path === root) return root;
  const outside = () => cliError("archiveOutside", { name, directory: root });
  if (!path.startsWith(root === "/" ? "/" : `${root}/`)) throw outside();
  await mkdir(dirname(path), { recursive: true });
  const parent = await realpath(dirname(path));
  if (parent !== root && !parent.startsWith(root === "/" ? "/" : `${root}/`)) throw outside();
  return path;
};

/** What is there goes; a directory and what is none do not stand in for each other. */
const makeRoom = async (path: string, { type }: TarEntry): Promise<void> => {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (there.isDirectory() && type === "directory") return;
  if (there.isDirectory()) throw cliError("keepsDirectory", { path });
  if (type === "directory") throw cliError("keepsFile", { path });
  await rm(path);
};

const make = async (path: string, entry: TarEntry, content: AsyncIterable<Uint8Array>): Promise<void> => {
  await makeRoom(path, entry);
  switch (entry.type) {
    case "directory":
      await mkdir(path, { recursive: true, mode: 0o700 });
      return;
    case "file":
      await pipeline(content, createWriteStream(path, { flags: "wx", mode: 0o600, highWaterMark: 1024 * 1024 }));
      await chmod(path, entry.mode);
      await utimes(path, secondsOf(entry), secondsOf(entry));
      return;
    case "symlink":
      await symlink(textOf(entry.link), path);
      await lutimes(path, secondsOf(entry), secondsOf(entry));
      return;
    default:
      // Devices and fifos cannot be made from here.
      throw cliError("notUnpacked", { path, type: entry.type });
  }
};
