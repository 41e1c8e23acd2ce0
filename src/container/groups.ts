/** Where a container's control groups are while it runs. */

import { type CgroupPaths, cgroupPaths } from "../kernel/cgroup/paths.ts";
import type { HostFacts } from "../kernel/facts.ts";
import { type Live, readSpec } from "./live.ts";

/** The groups that its plan made, whatever the request says by now. */
export const findGroups = async ({ cgroup }: Pick<HostFacts, "cgroup">, { paths }: Live): Promise<CgroupPaths> => {
  const { linux } = await readSpec(paths);
  const { cpus, mems } = linux.resources.cpu ?? {};
  return cgroupPaths(cgroup, linux.cgroupsPath, cpus !== undefined || mems !== undefined);
};
