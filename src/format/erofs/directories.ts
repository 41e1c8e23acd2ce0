import { latin1 } from "../tar/numbers.ts";
import { DIRENT, direntField } from "./format.ts";

/** One name of a directory, as it lies on disk. Names are one character per byte. */
export interface Dirent {
  readonly name: string;
  readonly nid: number;
  readonly type: number;
}

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
