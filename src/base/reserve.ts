/**
 * Room on the disk that the database's log has before it needs it: on a full disk rows can still be changed and removed,
 * and with them what fills it. The log is used from its beginning again and again, so that it needs no more for long.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";

/** WAL-header: a log that begins with zeroes holds nothing (sqlite.org/fileformat2.html#walformat). */
const headerBytes = 32;

const nameOf = (path: string): string => `${path}-reserve`;
const logOf = (path: string): string => `${path}-wal`;

/** Before the database is opened: the log that the last daemon kept becomes this one's, empty. */
export const takeReserve = (path: string): void => {
  const reserve = nameOf(path);
  if (!existsSync(reserve)) return;
  if (existsSync(logOf(path))) {
    rmSync(reserve);
    return;
  }
  const file = openSync(reserve, "r+");
  try {
    writeSync(file, new Uint8Array(headerBytes), 0, headerBytes, 0);
    // On disk before it has the name of a log: what it says was done long ago.
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(reserve, logOf(path));
};

/** When it is open and nobody writes: the log is at least so large, where there is room. What is behind its end counts for nothing. */
export const makeReserve = (path: string, bytes: number): void => {
  const file = openSync(logOf(path), "a");
  try {
    const { size } = fstatSync(file);
    if (size >= bytes) return;
    try {
      for (let at = size; at < bytes; ) at += writeSync(file, new Uint8Array(bytes - at));
    } catch {
      ftruncateSync(file, size);
    }
  } finally {
    closeSync(file);
  }
};

/** Before the database is closed, which would remove it: the log, all of which is in the database, is kept. */
export const keepReserve = (path: string): void => renameSync(logOf(path), nameOf(path));
