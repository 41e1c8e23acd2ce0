/** How large what lies beneath directories is: measured by an errand, because what is in them is not ours. */
import { runErrand } from "./errand.ts";
import type { Holding } from "./holder.ts";
import { errnos } from "./numbers/errno.ts";
import type { Step } from "./steps.ts";

export interface MeasuredTree {
  readonly path: string;
  /** A symbolic link in it that counts for nothing. */
  readonly without?: string;
  /** What the disk has given away counts, directories too; otherwise how long files say that they are. */
  readonly ofDisk?: boolean;
}

/** Bytes in each of these directories, every file once; one that is not there has none. */
export const measureTrees = async (
  holder: Holding,
  run: string,
  trees: readonly MeasuredTree[],
): Promise<readonly number[]> => {
  if (trees.length === 0) return [];
  await holder.wake();
  const tolerate = [errnos.ENOENT.number];
  const outside = trees.map(
    ({ path, without = "", ofDisk = false }, index): Step => ({
      ...({ step: "measureTree", index, path, without } as const),
      ...{ ofDisk: ofDisk ? 1 : 0, tolerate },
    }),
  );
  const keeper = await runErrand(holder, run, { outside, inside: [], after: [] });
  return trees.map((_, index) => decodeMeasure(keeper.bytes(index)));
};

/** The sum that a `measureTree` step reported: pairs of inode and size, each inode once, and what has no other name as 0. */
const decodeMeasure = (bytes: Buffer): number => {
  const sizes = new Map<bigint, bigint>();
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    sizes.set(bytes.readBigUInt64LE(at), bytes.readBigUInt64LE(at + 8));
  }
  return Number([...sizes.values()].reduce((sum, size) => sum + size, 0n));
};
