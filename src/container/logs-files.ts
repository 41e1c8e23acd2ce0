/** The files of a log that rotates: `log` is written, `log.1` was before it, and so on. */
import { type FileHandle, open } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";

export interface LogFile extends AsyncDisposable {
  readonly handle: FileHandle;
  /** Names the file whatever it is called: while it is open no other can have the number. */
  readonly inode: bigint;
  /** When it was opened. */
  readonly size: number;
}

/** More than any configuration keeps: the search ends at the first name that does not exist. */
const maxFiles = 100_000;

const nameOf = (path: string, number: number): string => (number === 0 ? path : `${path}.${number}`);

/**
 * Opens the files that are newer than the one with `knownInode`, oldest first; all of them when none has it. The search
 * goes from the newest back, so that a rotation in between shows a file twice and hides none.
 */
export const openLogFiles = async (path: string, knownInode?: bigint): Promise<LogFile[]> => {
  const files: LogFile[] = [];
  try {
    for (let number = 0; number < maxFiles; number++) {
      // A rotation renames the oldest first: between two renames one name is free, and what had it is the next one.
      const file = (await openLogFile(nameOf(path, number))) ?? (await openLogFile(nameOf(path, ++number)));
      if (file === undefined) break;
      if (file.inode === knownInode || files.some(({ inode }) => inode === file.inode)) {
        await file[Symbol.asyncDispose]();
        if (file.inode === knownInode) break;
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

const openLogFile = async (path: string): Promise<LogFile | undefined> => {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const { ino: inode, size } = await handle.stat({ bigint: true });
  return { handle, inode, size: Number(size), [Symbol.asyncDispose]: () => handle.close() };
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
  { handle, size }: LogFile,
  count: number,
): Promise<{ readonly offset?: number; readonly lines: number }> => {
  if (count <= 0) return { offset: size, lines: 0 };
  const block = Buffer.allocUnsafe(Math.min(blockSize, Math.max(size, 1)));
  let lines = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - block.length);
    const { bytesRead } = await handle.read(block, 0, end - start, start);
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
