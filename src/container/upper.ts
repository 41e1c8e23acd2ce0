/** What a container has written, as the tar of a layer: overlayfs' marks become those of images. */
import type { TarOutput } from "../format/tar/write.ts";
import { streamErrand } from "../kernel/errand.ts";
import { decodeTree, type ToldEntry } from "../kernel/tree-stream.ts";
import type { ContainerRooms } from "./rooms.ts";

const opaque = "trusted.overlay.opaque";
const none = new Uint8Array();

/** One character per byte. */
const bytesOf = (path: string): Uint8Array => Buffer.from(path, "latin1");

const isWhiteout = ({ kind, major, minor }: ToldEntry): boolean => kind === "character" && major === 0 && minor === 0;

/** overlayfs keeps books in attributes of this name; an image may have none of them. */
export const isBookkeeping = (name: string): boolean => name.startsWith("trusted.") || name === "security.selinux";

const marker = (path: string, like: ToldEntry): TarOutput => ({
  header: {
    ...{ path: bytesOf(path), type: "file", mode: 0, uid: 0, gid: 0, size: 0, link: none, major: 0, minor: 0 },
    mtime: like.mtime,
    xattrs: new Map(),
  },
});

const types = {
  enter: "directory",
  file: "file",
  symlink: "symlink",
  character: "character",
  block: "block",
  fifo: "fifo",
  link: "hardlink",
} as const;

/** The entries of one layer from those of an upper directory; names lie beneath the root, without a slash before them. */
export async function* layerEntries(told: AsyncIterable<ToldEntry>): AsyncGenerator<TarOutput> {
  const way: string[] = [];
  const firstNames = new Map<bigint, string>();
  for await (const entry of told) {
    if (entry.kind === "leave") {
      way.pop();
      continue;
    }
    const directory = way.length === 0 ? "" : `${way.join("/")}/`;
    const path = directory + entry.name;
    if (isWhiteout(entry)) {
      yield marker(`${directory}.wh.${entry.name}`, entry);
      continue;
    }
    const link = entry.kind === "link" ? bytesOf(firstNames.get(entry.inode) ?? "") : entry.target;
    if (entry.inode !== 0n && entry.kind !== "link") firstNames.set(entry.inode, path);
    yield {
      header: {
        path: bytesOf(entry.kind === "enter" ? `${path}/` : path),
        type: types[entry.kind],
        ...{ mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime },
        size: entry.kind === "file" ? entry.size : 0,
        link,
        major: entry.kind === "character" || entry.kind === "block" ? entry.major : 0,
        minor: entry.kind === "character" || entry.kind === "block" ? entry.minor : 0,
        xattrs: new Map([...entry.xattrs].filter(([name]) => !isBookkeeping(name))),
      },
      content: entry.content,
    };
    if (entry.kind !== "enter") continue;
    way.push(entry.name);
    if (entry.xattrs.has(opaque)) yield marker(`${path}/.wh..wh..opq`, entry);
  }
}

/** What is in an upper directory that nobody writes any more. */
export const readUpper = (rooms: Pick<ContainerRooms, "holder" | "run">, upper: string): AsyncGenerator<TarOutput> => {
  const outside = [{ step: "readTree", index: 0, path: upper } as const];
  return layerEntries(decodeTree(streamErrand(rooms.holder, rooms.run, { outside, inside: [], after: [] })));
};
