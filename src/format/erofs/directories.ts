import { latin1 } from "../tar/numbers.ts";
import { BLOCK, DIRENT, direntField } from "./format.ts";

/** Of eight: as far as Buffer writes numbers, and further than any index reaches. */
const SIX_BYTES = 6;

/** One name of a directory, as it lies on disk. Names are one character per byte. */
export interface Dirent {
  readonly name: string;
  readonly nid: number;
  readonly type: number;
}

/** How many of the names from `first` go into one block. */
const namesInBlock = (names: readonly string[], first: number): { count: number; bytes: number } => {
  let bytes = 0;
  let at = first;
  while (at < names.length && bytes + DIRENT + names[at]!.length <= BLOCK) bytes += DIRENT + names[at++]!.length;
  return { count: at - first, bytes };
};

/** Bytes of a directory with these names, sorted, `.` and `..` among them. */
export const directorySize = (names: readonly string[]): number => {
  let size = 0;
  let at = 0;
  while (at < names.length) {
    const { count, bytes } = namesInBlock(names, at);
    at += count;
    size += at === names.length ? bytes : BLOCK;
  }
  return size;
};

/** Writes a directory's blocks at `start`: in each first the entries, then their names without anything between them. */
export const putDirectory = (bytes: Buffer, start: number, dirents: readonly Dirent[]): void => {
  const names = dirents.map(({ name }) => name);
  let first = 0;
  for (let block = start; first < dirents.length; block += BLOCK) {
    const { count } = namesInBlock(names, first);
    let nameOffset = count * DIRENT;
    for (let index = 0; index < count; index++) {
      const { name, nid, type } = dirents[first + index]!;
      const at = block + index * DIRENT;
      bytes.writeUIntLE(nid, at + direntField.nid, SIX_BYTES);
      bytes.writeUInt16LE(nameOffset, at + direntField.nameOffset);
      bytes.writeUInt8(type, at + direntField.type);
      bytes.write(name, block + nameOffset, "latin1");
      nameOffset += name.length;
    }
    first += count;
  }
};

/** The entries of one block of a directory (the last may be short), or undefined when it is damaged. */
export const parseDirents = (block: Uint8Array): Dirent[] | undefined => {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (block.length < DIRENT) return undefined;
  const namesStart = view.getUint16(direntField.nameOffset, true);
  const count = namesStart / DIRENT;
  if (!Number.isInteger(count) || count === 0 || namesStart >= block.length) return undefined;
  const dirents: Dirent[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * DIRENT;
    const start = view.getUint16(at + direntField.nameOffset, true);
    const isLast = index === count - 1;
    const next = isLast ? block.length : view.getUint16(at + DIRENT + direntField.nameOffset, true);
    if (start < namesStart || next <= start || next > block.length) return undefined;
    const nul = isLast ? block.indexOf(0, start) : -1;
    const nid = view.getBigUint64(at + direntField.nid, true);
    if (nid > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const name = latin1(block.subarray(start, nul === -1 ? next : nul));
    dirents.push({ name, nid: Number(nid), type: view.getUint8(at + direntField.type) });
  }
  return dirents;
};
