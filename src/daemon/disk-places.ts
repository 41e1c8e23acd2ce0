/** What lies where beneath the root, as `du` counts it. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Holding } from "../kernel/holder.ts";
import { measureTrees } from "../kernel/measure.ts";

const directories = ["layers", "blobs", "extracted", "containers", "volumes", "build"] as const;

/** Bytes that the disk has given away for each, directories included. */
export type DiskPlaces = Readonly<Record<(typeof directories)[number] | "database", number>>;

export const measurePlaces = async ({
  root,
  run,
  holder,
}: {
  readonly root: string;
  readonly run: string;
  readonly holder: Holding;
}): Promise<DiskPlaces> => {
  const trees = directories.map((name) => ({ path: join(root, name), ofDisk: true }));
  const sizes = await measureTrees(holder, run, trees);
  const measured = Object.fromEntries(directories.map((name, index) => [name, sizes[index] ?? 0]));
  return { ...(measured as Omit<DiskPlaces, "database">), database: await filesOf(root) };
};

/** The directory itself and the files in it: the database, its log and its reserve. */
const filesOf = async (root: string): Promise<number> => {
  const names = (await readdir(root, { withFileTypes: true })).filter((entry) => !entry.isDirectory());
  const found = await Promise.all(
    [root, ...names.map(({ name }) => join(root, name))].map((path) => stat(path).catch(() => undefined)),
  );
  // stat(2) counts blocks of 512 bytes, whatever the file system's are.
  return found.reduce((sum, one) => sum + (one?.blocks ?? 0) * 512, 0);
};
