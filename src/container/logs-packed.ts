/** The files of a log that the keeper has compressed (keeper/pack.c): gzip, with a note of what they were. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { decompress } from "../format/compression.ts";

export interface LogNote {
  /** The number that the file had before. */
  readonly inode: bigint;
  /** Bytes. */
  readonly size: number;
}

/** Magic, method, flags (a further field and nothing else), time, extra flags, system; then the field's length and name. */
const noteAt = 16;
const headSize = 32;

/** Undefined for a file that is not ours. */
export const readNote = async (handle: FileHandle): Promise<LogNote | undefined> => {
  const head = Buffer.alloc(headSize);
  const { bytesRead } = await handle.read(head, 0, headSize, 0);
  const isOurs =
    bytesRead === headSize && head.readUInt32BE(0) === 0x1f8b0804 && head.toString("latin1", 12, 14) === "PI";
  if (!isOurs) return undefined;
  return { inode: head.readBigUInt64LE(noteAt), size: Number(head.readBigUInt64LE(noteAt + 8)) };
};

/** Its contents, in a file without a name: they may be more than fits into memory, and are read from their end. */
export const inflate = async (packed: FileHandle, beside: string): Promise<FileHandle> => {
  const name = `${beside}.${randomBytes(6).toString("hex")}`;
  const inflated = await open(name, "wx+", 0o600);
  try {
    await unlink(name);
    await inflated.writeFile(decompress(packed.createReadStream({ start: 0, autoClose: false })));
    return inflated;
  } catch (error) {
    await inflated.close();
    throw error;
  }
};
