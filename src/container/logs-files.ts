/** The files of a log that rotates: `log` is written, `log.1` or `log.1.gz` was before it, and so on. */
import { type FileHandle, open } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import { inflate, type LogNote, readNote } from "./logs-packed.ts";

export interface LogFile extends AsyncDisposable {
  /** How many bytes were read to the buffer's start; they stood at the offset. */
  read(buffer: Buffer, size: number, offset: number): Promise<number>;
  /** When it was opened. */
  readonly size: number;
  /** Names the file whatever it is called: while it is open no other can have the number. */
  readonly inode: bigint;
  /** What it was before it was compressed; absent when it was not. */
  readonly before?: LogNote;
  /** When it was last written to, in nanoseconds. */
  lastWritten(): Promise<bigint>;
}

/** More than any configuration keeps: the search ends at the first name that does not exist. */
const maxFiles = 100_000;

const nameOf = (path: string, number: number): string => (number === 0 ? path : `${path}.${number}`);

/** A file that we have open may have been compressed since: what it has become remembers it. */
const isSame = async (a: LogFile, b: LogFile): Promise<boolean> => {
  if (a.inode === b.inode) return true;
  const [packed, plain] = a.before === undefined ? [b, a] : [a, b];
  if (packed.before === undefined || plain.before !== undefined || packed.before.inode !== plain.inode) return false;
  // The number alone may have been an earlier file's, which is gone.
  return (await packed.lastWritten()) === (await plain.lastWritten());
};

const isAmong = async (file: LogFile, files: readonly LogFile[]): Promise<boolean> => {
  for (const other of files) if (await isSame(file, other)) return true;
  return false;
};

/**
 * Opens the files that are newer than the known one, oldest first; all of them when it is not there. The search goes from
 * the newest back, so that a rotation in between shows a file twice and hides none.
 */
export const openLogFiles = async (path: string, known?: LogFile): Promise<LogFile[]> => {
  const files: LogFile[] = [];
  try {
    for (let number = 0; number < maxFiles; number++) {
      // A rotation renames the oldest first: between two renames one name is free, and what had it is the next one.
      const file = (await openLogFile(nameOf(path, number))) ?? (await openLogFile(nameOf(path, ++number)));
      if (file === undefined) break;
      const isKnown = known !== undefined && (await isSame(file, known));
      if (isKnown || (await isAmong(file, files))) {
        await file[Symbol.asyncDispose]();
        if (isKnown) break;
      } else {
        files.unshift(file);
      }
    }
    return files;
  } catch (error) {
    await closeAll(files);
    throw error;
  }
};

export const closeAll = async (files: readonly LogFile[]): Promise<void> => {
  await Promise.all(files.map((file) => file[Symbol.asyncDispose]()));
};

/** A file is compressed beside its place, takes a name of its own, and only then loses the old one. */
const openLogFile = async (name: string): Promise<LogFile | undefined> =>
  (await openPlain(name)) ?? (await openPacked(`${name}.gz`));

const openPlain = async (name: string): Promise<LogFile | undefined> => {
  const handle = await openExisting(name);
  if (handle === undefined) return undefined;
  const { ino: inode, size } = await handle.stat({ bigint: true });
  return {
    read: async (buffer, room, offset) => (await handle.read(buffer, 0, room, offset)).bytesRead,
    size: Number(size),
    inode,
    lastWritten: async () => (await handle.stat({ bigint: true })).mtimeNs,
    [Symbol.asyncDispose]: () => handle.close(),
  };
};

const openPacked = async (name: string): Promise<LogFile | undefined> => {
  const handle = await openExisting(name);
  if (handle === undefined) return undefined;
  const before = await readNote(handle);
  if (before === undefined) {
    await handle.close();
    return undefined;
  }
  const { ino: inode, mtimeNs } = await handle.stat({ bigint: true });
  let inflated: Promise<FileHandle> | undefined;
  return {
    // Most that is asked for stands in newer files: nothing is inflated before it is read.
    read: async (buffer, room, offset) => {
      inflated ??= inflate(handle, name);
      return (await (await inflated).read(buffer, 0, room, offset)).bytesRead;
    },
    size: before.size,
    inode,
    before,
    lastWritten: async () => mtimeNs,
    [Symbol.asyncDispose]: async () => {
      await handle.close();
      await (await inflated?.catch(() => undefined))?.close();
    },
  };
};

const openExisting = async (name: string): Promise<FileHandle | undefined> => {
  try {
    return await open(name, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
};

const blockSize = 256 * 1024;
const newline = 0x0a;

/** Where the last `count` lines begin in the files (oldest first): the index of a file, and an offset in it. */
export const findTail = async (
  files: readonly LogFile[],
  count: number,
): Promise<{ readonly index: number; readonly offset: number }> => {
  let wanted = count;
  for (let index = files.length - 1; index >= 0; index--) {
    const found = await findLines(files[index]!, wanted);
    if (found.offset !== undefined) return { index, offset: found.offset };
    wanted -= found.lines;
  }
  return { index: 0, offset: 0 };
};

/** Where the last `count` lines of a file begin, or how many lines it has when they are fewer. */
const findLines = async (
  file: LogFile,
  count: number,
): Promise<{ readonly offset?: number; readonly lines: number }> => {
  const { size } = file;
  if (count <= 0) return { offset: size, lines: 0 };
  const block = Buffer.allocUnsafe(Math.min(blockSize, Math.max(size, 1)));
  let lines = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - block.length);
    const bytesRead = await file.read(block, end - start, start);
    // A file only grows; less is what is there.
    for (let at = block.lastIndexOf(newline, bytesRead - 1); at >= 0; ) {
      // The newline before the first wanted line; the last line's own does not count.
      const isLast = start + at === size - 1;
      if (!isLast && ++lines === count) return { offset: start + at + 1, lines };
      at = at === 0 ? -1 : block.lastIndexOf(newline, at - 1);
    }
    end = start;
  }
  const total = size > 0 ? lines + 1 : 0;
  return total >= count ? { offset: 0, lines: total } : { lines: total };
};
