/** How much containers have written: measured by an errand, because what is in their directories is theirs. */
import { runErrand } from "../kernel/errand.ts";
import { decodeMeasure } from "../kernel/measure.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import type { Step } from "../kernel/steps.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerRooms } from "./rooms.ts";

/** Bytes. */
export interface ContainerSize {
  /** What the container has written: every file once, directories for nothing, as Docker counts. */
  readonly written: number;
  /** That and the image. */
  readonly whole: number;
}

/** The one thing of ours in a container's layer that is not empty. */
const ownLink = "etc/mtab";

/** The sizes of these containers, in their order. */
export const findSizes = async (
  rooms: ContainerRooms,
  records: readonly ContainerRecord[],
): Promise<readonly ContainerSize[]> => {
  if (records.length === 0) return [];
  await rooms.holder.wake();
  // One that was never started has no directory yet.
  const tolerate = [errnos.ENOENT.number];
  const outside = records.map(
    ({ id }, index): Step => ({
      step: "measureTree",
      index,
      path: containerPaths(rooms, id).upper,
      without: ownLink,
      tolerate,
    }),
  );
  const keeper = await runErrand(rooms.holder, rooms.run, { outside, inside: [], after: [] });
  return records.map(({ image }, index) => {
    const written = decodeMeasure(keeper.bytes(index));
    return { written, whole: written + (rooms.images.find(image.id)?.size ?? 0) };
  });
};
