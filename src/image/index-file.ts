/** The bytes of a stored index, for its reader. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { Recent } from "../base/recent.ts";
import type { IndexBytes } from "../format/erofs/reader.ts";

export const readExactly = (file: number, into: Uint8Array, offset: number): void => {
  for (let done = 0; done < into.length; ) {
    const count = readSync(file, into, done, into.length - done, offset + done);
    if (count === 0) throw new Error("the file is shorter than it was");
    done += count;
  }
};

const readPart = (file: number, offset: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  readExactly(file, bytes, offset);
  return bytes;
};

/** Most indexes are small, and read at once; of a large one only the pieces that are asked for. */
const smallIndex = 256 * 1024;

/** What is asked for next mostly lies beside what was asked for last. */
const pieceSize = 64 * 1024;
const keptPieces = 16;

/** For a few questions: nothing stays open. */
export const indexBytes = (path: string): IndexBytes | Uint8Array => {
  const read = (offset: number, length: number): Uint8Array => {
    const file = openSync(path, "r");
    try {
      return readPart(file, offset, length);
    } finally {
      closeSync(file);
    }
  };
  const { size } = statSync(path);
  if (size <= smallIndex) return read(0, size);
  const pieces = new Recent<Uint8Array>(keptPieces);
  return {
    size,
    read: (offset, length) => {
      const start = offset - (offset % pieceSize);
      const end = Math.min(start + pieceSize, size);
      if (offset + length > end) return read(offset, length);
      return pieces.get(start, () => read(start, end - start)).subarray(offset - start, offset - start + length);
    },
  };
};

/** For reading all of it: the file stays open until it is disposed. */
export const openIndex = (path: string): IndexBytes & Disposable => {
  const file = openSync(path, "r");
  return {
    size: fstatSync(file).size,
    read: (offset, length) => readPart(file, offset, length),
    [Symbol.dispose]: () => closeSync(file),
  };
};
