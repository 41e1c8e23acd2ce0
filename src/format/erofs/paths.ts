import { formatError } from "../errors.ts";

const NAME_MAXIMUM = 255;
const PATH_MAXIMUM = 4095;
const SHOWN = 200;

/** A name of bytes as a sentence shows it: as UTF-8, without control characters, cut where it is long. */
export const printable = (name: string): string => {
  const text = Buffer.from(name, "latin1").toString("utf8");
  // A name may hold anything, also what would move a terminal's cursor.
  const visible = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd");
  return visible.length > SHOWN ? `${visible.slice(0, SHOWN)}…` : visible;
};

/** Whether a name is longer than Linux takes. */
export const isTooLong = (name: string): boolean => name.length > NAME_MAXIMUM;

/**
 * The names of an entry's path beneath the layer's root: leading slashes, `.` and inner `..` gone; none for the root itself.
 * A path that leaves the root is undefined. It is judged as text, before any link is followed, as in Docker.
 */
export const cleanPath = (path: string): string[] | undefined => {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names;
};

/** The names of an entry's path, or an error when it leaves the root or no file system could have it. */
export const parsePath = (path: string): string[] => {
  const invalid = (reason: string) => formatError("layerPath", { path: printable(path), reason });
  const names = cleanPath(path);
  if (names === undefined) throw invalid("it leaves the root of the layer");
  if (path.length > PATH_MAXIMUM || names.some(isTooLong)) throw invalid("file name too long");
  if (path.includes("\0")) throw invalid("it has a NUL in it");
  return names;
};

/** What stands before the entry's name in its path; undefined where that is not all, but for one slash behind it. */
export const directoryOf = (path: string, name: string): string | undefined => {
  const end = path.endsWith("/") ? path.length - 1 : path.length;
  const directory = path.slice(0, Math.max(end - name.length, 0));
  const isAll = path.startsWith(name, directory.length) && (directory === "" || directory.endsWith("/"));
  return isAll ? directory : undefined;
};

/** The name of a path that is nothing but this directory's text and a name which needs no further look; else undefined. */
export const nameBelow = (directory: string, path: string): string | undefined => {
  if (path.length > PATH_MAXIMUM || !path.startsWith(directory)) return undefined;
  const name = path.slice(directory.length);
  const isPlain = name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
  return isPlain && !isTooLong(name) ? name : undefined;
};
