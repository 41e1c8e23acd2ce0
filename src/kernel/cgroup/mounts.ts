/** What a container sees under /sys/fs/cgroup: of each hierarchy of the host its own group, with what is below it. Pure. */
import { posix } from "node:path";
import type { CgroupLayout, V1Hierarchy, V2Hierarchy } from "./layout.ts";
import type { CgroupPaths } from "./paths.ts";

/**
 * A directory of a hierarchy as the host has it mounted. In a cgroup namespace it looks as a mount of its own would, but
 * the kernel need not make a file system for each hierarchy of each container, and take it away again.
 */
export interface CgroupMount {
  readonly target: string;
  readonly source: string;
  /** The names of its controllers, where several share the mount: links to it, beside it, as on hosts. */
  readonly links?: readonly string[];
}

/**
 * Version 2 alone is seen at the place itself; of version 1 every hierarchy, and version 2 beside them. With `paths` of
 * a container its own groups are seen, without them all groups of the host.
 */
export const cgroupMounts = (
  layout: CgroupLayout,
  paths: CgroupPaths | undefined,
  target = "/sys/fs/cgroup",
): readonly CgroupMount[] => {
  const sourceOf = ({ mountPoint, own }: V1Hierarchy | V2Hierarchy): string => {
    if (paths === undefined) return mountPoint;
    // Where the container has no group of its own it stays in ours.
    return paths.directories.find((path) => path.startsWith(`${mountPoint}/`)) ?? posix.resolve(`${mountPoint}${own}`);
  };
  const { v1, v2 } = layout;
  if (layout.version === "v2" && v2 !== undefined) return [{ target, source: sourceOf(v2) }];
  const mounts = v1.map((hierarchy): CgroupMount => {
    const name = hierarchy.controllers.length > 0 ? hierarchy.controllers.join(",") : hierarchy.name;
    const links = hierarchy.controllers.length > 1 ? { links: hierarchy.controllers } : {};
    return { target: `${target}/${name}`, source: sourceOf(hierarchy), ...links };
  });
  return v2 === undefined ? mounts : [...mounts, { target: `${target}/unified`, source: sourceOf(v2) }];
};
