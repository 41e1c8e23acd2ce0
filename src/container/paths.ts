/** Where things of a container lie. The ids are ours, so nothing in these paths comes from a client. */
import { join } from "node:path";
import type { ContainerId, ExecId } from "../base/ids.ts";

export interface ContainerPaths {
  /** The container's own directory, with everything that lives as long as it does. */
  readonly directory: string;
  readonly upper: string;
  readonly work: string;
  readonly log: string;
  /** What lives as long as its process does. */
  readonly run: string;
  readonly plan: string;
  readonly control: string;
  readonly exit: string;
}

const runPaths = (run: string): Pick<ContainerPaths, "run" | "plan" | "control" | "exit"> => ({
  run,
  plan: join(run, "plan"),
  control: join(run, "control"),
  exit: join(run, "exit"),
});

export const containersDirectory = (root: string): string => join(root, "containers");
export const runningDirectory = (run: string): string => join(run, "c");
export const execsDirectory = (run: string): string => join(run, "x");
/** Where a container's root is mounted, in its own namespace: the same empty directory for all of them. */
export const rootMountpoint = (run: string): string => join(run, "root");

export const containerPaths = (rooms: { root: string; run: string }, id: ContainerId): ContainerPaths => {
  const directory = join(containersDirectory(rooms.root), id);
  return {
    directory,
    upper: join(directory, "upper"),
    work: join(directory, "work"),
    log: join(directory, `${id}-json.log`),
    ...runPaths(join(runningDirectory(rooms.run), id)),
  };
};

/** What another runtime reads and writes of a container that it makes; it goes with `run`. */
export const bundlePath = ({ run }: Pick<ContainerPaths, "run">): string => join(run, "bundle");

export const execPaths = (
  rooms: { run: string },
  id: ExecId,
): Pick<ContainerPaths, "run" | "plan" | "control" | "exit"> => runPaths(join(execsDirectory(rooms.run), id));
