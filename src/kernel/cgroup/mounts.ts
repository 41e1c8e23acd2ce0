/** What a container sees under /sys/fs/cgroup: the hierarchies of the host, in its own cgroup namespace. Pure. */
import type { CgroupLayout } from "./layout.ts";

export interface CgroupMount {
  readonly target: string;
  readonly type: "cgroup" | "cgroup2";
  readonly data: string;
}

/** Version 2 alone is mounted at the place itself; of version 1 every hierarchy, and version 2 beside them. */
export const cgroupMounts = (layout: CgroupLayout, target = "/sys/fs/cgroup"): readonly CgroupMount[] => {
  if (layout.version === "v2") return [{ target, type: "cgroup2", data: "" }];
  const v1 = layout.v1.map(({ controllers, name }): CgroupMount => {
    const own = controllers.length > 0 ? controllers.join(",") : name;
    return {
      target: `${target}/${own}`,
      type: "cgroup",
      data: [...(controllers.length > 0 ? controllers : ["none"]), ...(name === "" ? [] : [`name=${name}`])].join(","),
    };
  });
  return [
    ...v1,
    ...(layout.v2 === undefined ? [] : [{ target: `${target}/unified`, type: "cgroup2" as const, data: "" }]),
  ];
};
