/** Limits that change while a container runs: the writes that differ, in an order that the kernel takes. Pure. */
import { errno } from "../numbers/errno.ts";
import type { Step } from "../steps.ts";
import type { CgroupLayout } from "./layout.ts";
import type { CgroupLimits } from "./limits.ts";
import type { CgroupPaths } from "./paths.ts";
import { settingsOf } from "./plan.ts";

type Placed = ReturnType<typeof settingsOf>[number];

const keyOf = ({ directory, setting }: Placed): string => `${directory}/${setting.file}`;

/** Memory alone may never be above memory and swap together, nor these below: growing, the sum goes first. */
const inOrder = (settings: readonly Placed[], grows: boolean): readonly Placed[] => {
  const isSum = ({ setting }: Placed): boolean => setting.file === "memory.memsw.limit_in_bytes";
  return grows ? [...settings.filter(isSum), ...settings.filter((placed) => !isSum(placed))] : settings;
};

const endless = Number.POSITIVE_INFINITY;
const sumOf = ({ memory }: CgroupLimits): number => {
  const swap = memory?.swap ?? -1;
  return swap < 0 ? endless : swap;
};

/** The steps that bring a group from one set of limits to another. What is no longer limited must be asked for as such. */
export const planUpdate = (
  layout: CgroupLayout,
  paths: CgroupPaths,
  before: CgroupLimits,
  after: CgroupLimits,
): readonly Step[] => {
  const had = new Map(settingsOf(layout, paths, before).map((placed) => [keyOf(placed), placed.setting.value]));
  const changed = settingsOf(layout, paths, after).filter((placed) => had.get(keyOf(placed)) !== placed.setting.value);
  return inOrder(changed, sumOf(after) > sumOf(before)).map(
    ({ directory, setting: { file, value, optional } }): Step => ({
      step: "write",
      path: `${directory}/${file}`,
      content: new TextEncoder().encode(value),
      ...(optional === true ? { tolerate: [errno("ENOENT"), errno("EOPNOTSUPP")] } : {}),
    }),
  );
};
