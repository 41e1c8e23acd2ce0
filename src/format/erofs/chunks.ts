import type { TarExtent } from "../tar/entry.ts";
import { BLOCK, BLOCK_BITS, CHUNK_BITS_MASK, HOLE } from "./format.ts";

/** A file cut into chunks of `BLOCK << bits` bytes; each begins at a block of the tar or is a hole. */
export interface ChunkMap {
  readonly bits: number;
  readonly blocks: readonly number[];
}

const isAligned = (value: number): boolean => value % BLOCK === 0;

/** The number of times that two divides a multiple of a block, beyond the block's own. */
const alignmentBits = (value: number): number => {
  let bits = 0;
  for (let blocks = value / BLOCK; bits < CHUNK_BITS_MASK && blocks % 2 === 0; blocks /= 2) bits++;
  return bits;
};

/** The smallest chunk that holds a file of this size whole, or the biggest that there is. */
export const wholeBits = (size: number): number => {
  let bits = 0;
  while (bits < CHUNK_BITS_MASK && BLOCK * 2 ** bits < size) bits++;
  return bits;
};

/**
 * The biggest chunks with which every border between data and hole lies between two chunks.
 * Undefined when a border lies inside a block, or when data follows data that does not end with one.
 */
const chunkBits = (size: number, extents: readonly TarExtent[]): number | undefined => {
  let bits = wholeBits(size);
  for (const { logical, offset, length } of extents) {
    const end = logical + length;
    if (!isAligned(logical) || !isAligned(offset) || (end !== size && !isAligned(end))) return undefined;
    if (logical !== 0) bits = Math.min(bits, alignmentBits(logical));
    if (end !== size) bits = Math.min(bits, alignmentBits(end));
  }
  return bits;
};

/** The chunks of a file, or why it has none that EROFS can express. */
export const planChunks = (size: number, extents: readonly TarExtent[], limit: number): ChunkMap | string => {
  const bits = chunkBits(size, extents);
  if (bits === undefined) return "its sparse map is not aligned to blocks of 512 bytes";
  const chunkSize = BLOCK * 2 ** bits;
  const count = Math.ceil(size / chunkSize);
  if (count > limit) return `its sparse map needs ${count} chunks, the limit is ${limit}`;
  const blocks = new Array<number>(count).fill(HOLE);
  for (const { logical, offset, length } of extents) {
    const first = logical / chunkSize;
    const parts = Math.ceil(length / chunkSize);
    const start = offset / BLOCK;
    for (let part = 0; part < parts; part++) blocks[first + part] = start + part * 2 ** bits;
  }
  return { bits, blocks };
};

/** The extents that a chunk map says, neighbours joined. */
export const extentsOf = (size: number, { bits, blocks }: ChunkMap): TarExtent[] => {
  const chunkSize = 2 ** (BLOCK_BITS + bits);
  const extents: { logical: number; offset: number; length: number }[] = [];
  for (const [index, block] of blocks.entries()) {
    if (block === HOLE) continue;
    const logical = index * chunkSize;
    const offset = block * BLOCK;
    const length = Math.min(chunkSize, size - logical);
    const last = extents.at(-1);
    if (last !== undefined && last.logical + last.length === logical && last.offset + last.length === offset) {
      last.length += length;
    } else extents.push({ logical, offset, length });
  }
  return extents;
};
