/** How much containers have written: measured by an errand, because what is in their directories is theirs. */
import { measureTrees } from "../kernel/measure.ts";
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
  // One that was never started has no directory yet.
  const trees = records.map(({ id }) => ({ path: containerPaths(rooms, id).upper, without: ownLink }));
  const sizes = await measureTrees(rooms.holder, rooms.run, trees);
  return records.map(({ image }, index) => {
    const written = sizes[index] ?? 0;
    return { written, whole: written + (rooms.images.find(image.id)?.size ?? 0) };
  });
};
