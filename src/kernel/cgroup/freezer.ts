/** Stopping all of a container's processes for a while: the group's freezer, in either version. */
import { readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { cgroupError } from "./errors.ts";
import type { CgroupPaths } from "./paths.ts";

type Freezer = NonNullable<CgroupPaths["freezer"]>;

const lookAgainAfter = 1;
/** A process in the kernel (a slow disk) stands still only when it comes back. */
const patience = 10_000;

const freezerOf = ({ freezer }: CgroupPaths): Freezer => {
  if (freezer === undefined) throw cgroupError("noFreezer", {});
  return freezer;
};

const isUnified = ({ freeze }: Freezer): boolean => freeze === "1";

/** What version 2 was told is not yet what is: `cgroup.events` says that. */
const isStill = async (freezer: Freezer): Promise<boolean> => {
  if (!isUnified(freezer)) return (await readFile(freezer.file, "utf8")).startsWith("FROZEN");
  return /^frozen 1$/m.test(await readFile(`${dirname(freezer.file)}/cgroup.events`, "utf8"));
};

/** Holds afterwards: no process of the group runs; or all go on, and it throws. */
export const freeze = async (paths: CgroupPaths): Promise<void> => {
  const freezer = freezerOf(paths);
  const end = performance.now() + patience;
  await writeFile(freezer.file, freezer.freeze);
  while (!(await isStill(freezer))) {
    if (performance.now() > end) {
      await writeFile(freezer.file, freezer.thaw);
      throw cgroupError("notFrozen", { seconds: patience / 1000 });
    }
    await setTimeout(lookAgainAfter);
    // Version 1 misses processes that are born meanwhile, unless it is told again (FREEZING).
    if (!isUnified(freezer)) await writeFile(freezer.file, freezer.freeze);
  }
};

/** Holds afterwards: all processes of the group go on. */
export const thaw = async (paths: CgroupPaths): Promise<void> => {
  const { file, thaw: word } = freezerOf(paths);
  await writeFile(file, word);
};

/** Whether somebody has stopped the group. */
export const isFrozen = async ({ freezer }: CgroupPaths): Promise<boolean> => {
  if (freezer === undefined) return false;
  const text = await readFile(freezer.file, "utf8").catch(() => "");
  return text.trim() === (isUnified(freezer) ? "1" : "FROZEN");
};
