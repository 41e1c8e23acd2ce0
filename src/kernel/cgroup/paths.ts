/** Where the groups of a container are: one directory in each hierarchy that counts. Pure. */
import { posix } from "node:path";
import { cgroupError } from "./errors.ts";
import type { CgroupLayout, V1Hierarchy } from "./layout.ts";

/** What version 1's hierarchies are joined for: each costs about 0.1 ms, so the others are left alone. */
const joinedControllers = ["cpu", "cpuacct", "memory", "devices", "blkio", "pids"] as const;

export interface CgroupPaths {
  /** By controller, under version 1's names: where its files are; what the host has not is missing. */
  readonly controllers: Readonly<Record<string, { readonly version: 1 | 2; readonly directory: string }>>;
  /** Every group of the container, in the order in which they are made. */
  readonly directories: readonly string[];
  /** Version 2's group, where the host has it. */
  readonly unified?: string;
  /** How the whole container is stopped for a while and goes on. */
  readonly freezer?: { readonly file: string; readonly freeze: string; readonly thaw: string };
}

/** The groups of `path`: absolute from the top of the hierarchies, or relative to our own group. */
export const cgroupPaths = (layout: CgroupLayout, path: string, withCpuset = true): CgroupPaths => {
  checkCgroupPath(path);
  const v1 = joinedHierarchies(layout, withCpuset).map((hierarchy) => ({
    controllers: hierarchy.controllers,
    directory: groupOf(hierarchy, path),
  }));
  const unified = layout.v2 === undefined ? undefined : groupOf(layout.v2, path);
  const controllers: Record<string, { version: 1 | 2; directory: string }> = {};
  for (const name of layout.v2?.controllers ?? []) {
    controllers[name === "io" ? "blkio" : name] = { version: 2, directory: unified! };
  }
  for (const { controllers: names, directory } of v1) {
    for (const name of names) controllers[name] = { version: 1, directory };
  }
  const freezer = freezerOf(layout, controllers, unified);
  return {
    controllers,
    directories: [...v1.map(({ directory }) => directory), ...(unified === undefined ? [] : [unified])],
    ...(unified === undefined ? {} : { unified }),
    ...(freezer === undefined ? {} : { freezer }),
  };
};

/** The hierarchies of version 1 in which a container has a group; version 2's cgroup.freeze makes freezer superfluous. */
export const joinedHierarchies = (layout: CgroupLayout, withCpuset: boolean): readonly V1Hierarchy[] => {
  const wanted: ReadonlySet<string> = new Set([
    ...joinedControllers,
    ...(withCpuset ? ["cpuset"] : []),
    ...(layout.v2?.freeze === true ? [] : ["freezer"]),
  ]);
  return layout.v1.filter(({ controllers }) => controllers.some((name) => wanted.has(name)));
};

/** The directory of a group in a hierarchy. */
export const groupOf = (hierarchy: { readonly mountPoint: string; readonly own: string }, path: string): string =>
  path.startsWith("/") ? posix.join(hierarchy.mountPoint, path) : posix.join(hierarchy.mountPoint, hierarchy.own, path);

/** Throws unless the path names groups and nothing else. */
export const checkCgroupPath = (path: string): void => {
  const names = path.split("/").filter((name) => name !== "");
  const isGroup = (name: string) => name !== "." && name !== ".." && name.length <= 255 && !/[\0\n]/.test(name);
  if (names.length === 0 || !names.every(isGroup)) throw cgroupError("invalidPath", { path });
};

const freezerOf = (
  layout: CgroupLayout,
  controllers: CgroupPaths["controllers"],
  unified: string | undefined,
): CgroupPaths["freezer"] => {
  if (unified !== undefined && layout.v2?.freeze === true) {
    return { file: `${unified}/cgroup.freeze`, freeze: "1", thaw: "0" };
  }
  const directory = controllers.freezer?.directory;
  return directory === undefined ? undefined : { file: `${directory}/freezer.state`, freeze: "FROZEN", thaw: "THAWED" };
};
