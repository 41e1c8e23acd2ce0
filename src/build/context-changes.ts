/** What of a directory is another than it was, by its list: names, kinds, modes, sizes and times. Pure. */
import { latin1 } from "../format/tar/numbers.ts";
import type { TarHeader } from "../format/tar/write.ts";

export interface ListedFile {
  /** All that is told of it: who has the same is taken to have the same content, as by rsync. */
  readonly facts: string;
  readonly isDirectory: boolean;
}

export interface ContextChanges {
  /** Which entries are to be read again, with the directories above them. */
  readonly places: readonly number[];
  /** What says that something is no more. */
  readonly whiteouts: readonly TarHeader[];
}

type Listed = readonly (TarHeader | undefined)[];

const pathOf = ({ path }: TarHeader): string => {
  const text = latin1(path);
  return text.endsWith("/") ? text.replace(/\/+$/, "") : text;
};

const above = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), 0));

export const listContext = (headers: Listed): ReadonlyMap<string, ListedFile> =>
  new Map(headers.flatMap((header) => (header === undefined ? [] : [[pathOf(header), factsOf(header)] as const])));

const factsOf = ({ type, mode, size, mtime, link }: TarHeader): ListedFile => ({
  facts: `${type} ${mode} ${size} ${mtime.seconds}.${mtime.nanoseconds} ${latin1(link)}`,
  isDirectory: type === "directory",
});

const none = new Uint8Array();

const whiteoutOf = (path: string): TarHeader => {
  const parent = above(path);
  const name = `.wh.${path.slice(parent === "" ? 0 : parent.length + 1)}`;
  return {
    ...{ path: Buffer.from(parent === "" ? name : `${parent}/${name}`, "latin1"), type: "file", mode: 0, size: 0 },
    ...{ uid: 0, gid: 0, major: 0, minor: 0, link: none, xattrs: new Map() },
    mtime: { seconds: 0n, nanoseconds: 0 },
  };
};

/** Undefined: hard links, which only all entries together say. */
export const planChanges = (before: ReadonlyMap<string, ListedFile>, headers: Listed): ContextChanges | undefined => {
  if (headers.some((header) => header?.type === "hardlink")) return undefined;
  const now = listContext(headers);
  const wanted = new Set<string>();
  const want = (path: string): void => {
    for (let at = path; at !== "" && !wanted.has(at); at = above(at)) if (now.has(at)) wanted.add(at);
  };
  for (const [path, { facts }] of now) if (before.get(path)?.facts !== facts) want(path);
  const whiteouts: TarHeader[] = [];
  for (const path of before.keys()) {
    if (now.has(path)) continue;
    const parent = above(path);
    // With a directory goes what was in it, and what takes a directory's place hides it.
    if (parent !== "" && now.get(parent)?.isDirectory !== true) continue;
    want(parent);
    whiteouts.push(whiteoutOf(path));
  }
  // Mostly nothing has changed.
  const places =
    wanted.size === 0
      ? []
      : headers.flatMap((header, place) => (header !== undefined && wanted.has(pathOf(header)) ? [place] : []));
  return { places, whiteouts };
};
