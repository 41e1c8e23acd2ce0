/** Archives of what is in a container, and what an archive puts there: tar entries on one side, the keeper's stream on the other. Pure. */
import { posix } from "node:path";
import type { TarItem } from "../format/tar/read.ts";
import type { TarOutput } from "../format/tar/write.ts";
import { encodeRecord, type ToldEntry, type ToldKind } from "../kernel/tree-stream.ts";
import { containerError } from "./errors.ts";
import { isBookkeeping } from "./upper.ts";

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");
const none = new Uint8Array();

const types = {
  enter: "directory",
  file: "file",
  symlink: "symlink",
  character: "character",
  block: "block",
  fifo: "fifo",
  link: "hardlink",
} as const satisfies Record<Exclude<ToldKind, "leave">, string>;

/** The entries of an archive whose first one, what was asked for, is called `base`; the root itself, with "", is left out. */
export async function* archiveEntries(told: AsyncIterable<ToldEntry>, base: string): AsyncGenerator<TarOutput> {
  const way: string[] = [];
  const firstNames = new Map<bigint, string>();
  let isFirst = true;
  for await (const entry of told) {
    if (entry.kind === "leave") {
      way.pop();
      continue;
    }
    const name = isFirst ? base : entry.name;
    isFirst = false;
    const path = [...way, name].filter((part) => part !== "").join("/");
    if (entry.kind === "enter") way.push(name);
    if (path === "") continue;
    const link = entry.kind === "link" ? bytesOf(firstNames.get(entry.inode) ?? "") : entry.target;
    if (entry.inode !== 0n && entry.kind !== "link") firstNames.set(entry.inode, path);
    const isDevice = entry.kind === "character" || entry.kind === "block";
    yield {
      header: {
        path: bytesOf(entry.kind === "enter" ? `${path}/` : path),
        type: types[entry.kind],
        ...{ mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime, link },
        size: entry.kind === "file" ? entry.size : 0,
        major: isDevice ? entry.major : 0,
        minor: isDevice ? entry.minor : 0,
        xattrs: new Map([...entry.xattrs].filter(([key]) => !isBookkeeping(key))),
      },
      content: entry.content,
    };
  }
}

const kinds = {
  directory: "enter",
  file: "file",
  symlink: "symlink",
  hardlink: "link",
  character: "character",
  block: "block",
  fifo: "fifo",
} as const satisfies Record<TarItem["entry"]["type"], ToldKind>;

/** The path of a name within `directory`; throws for one that leads out of it. */
const within = (directory: string, name: string): string => {
  // An absolute name is one beneath the directory, and has nothing above it.
  const path = posix.normalize(name).replace(/^\/+/, "");
  if (path === ".." || path.startsWith("../")) throw containerError("archiveOutside", { name, directory });
  return posix.join(directory, path).replace(/(?<=.)\/+$/, "");
};

/** What the keeper's `putTree` reads: the archive's entries beneath the directory, and the times of directories once more. */
export async function* putRecords(items: AsyncIterable<TarItem>, directory: string): AsyncGenerator<Uint8Array> {
  const filled: ToldRecord[] = [];
  for await (const { entry, content } of items) {
    const name = within(directory, latin1(entry.path));
    // The directory itself is there, and stays as it is.
    if (name === directory) continue;
    const record: ToldRecord = {
      kind: kinds[entry.type],
      name,
      ...{ mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime, size: entry.size },
      target: entry.type === "hardlink" ? bytesOf(within(directory, latin1(entry.link))) : entry.link,
      ...{ major: entry.major, minor: entry.minor },
      xattrs: new Map([...entry.xattrs].filter(([key]) => !isBookkeeping(key))),
    };
    if (record.kind === "enter") filled.push(record);
    yield encodeRecord(record);
    if (record.kind === "file") yield* content;
  }
  for (const record of filled.reverse())
    yield encodeRecord({ ...record, kind: "leave", target: none, xattrs: new Map() });
}

type ToldRecord = Omit<ToldEntry, "content" | "inode">;
