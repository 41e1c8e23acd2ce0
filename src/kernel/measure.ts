/** What a `measureTree` step reported, as a number. */

/** The sum that a `measureTree` step reported: pairs of inode and size, each inode once, and what has no other name as 0. */
export const decodeMeasure = (bytes: Buffer): number => {
  const sizes = new Map<bigint, bigint>();
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    sizes.set(bytes.readBigUInt64LE(at), bytes.readBigUInt64LE(at + 8));
  }
  return Number([...sizes.values()].reduce((sum, size) => sum + size, 0n));
};
