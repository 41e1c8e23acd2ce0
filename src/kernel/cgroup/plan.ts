/** From limits to steps: a container's groups, how it comes to be in them, and how they are taken away. Pure. */
import { dirname } from "node:path";
import { errno } from "../numbers/errno.ts";
import { noSlot, type Step } from "../steps.ts";
import { compileDeviceFilter } from "./device-filter.ts";
import { foldDeviceRules } from "./devices.ts";
import type { CgroupLayout } from "./layout.ts";
import type { CgroupLimits, Setting } from "./limits.ts";
import { type CgroupPaths, cgroupPaths, groupOf, joinedHierarchies } from "./paths.ts";
import { v1Settings } from "./v1.ts";
import { v2Settings } from "./v2.ts";

export interface CgroupPlan {
  /** Before the clone. */
  readonly outside: readonly Step[];
  /** While the host's hierarchies are still in sight. */
  readonly inside: readonly Step[];
  readonly after: readonly Step[];
  /** The slot that `clone` takes: the first process is born in version 2's group. */
  readonly slot: string;
  readonly paths: CgroupPaths;
}

const slot = "cgroup";
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The steps for the groups of `path`, whose parent `planCgroupParent` has made. */
export const planCgroup = (layout: CgroupLayout, path: string, limits: CgroupLimits): CgroupPlan => {
  const paths = cgroupPaths(layout, path, asksForCpuset(limits));
  const { unified, directories } = paths;
  return {
    outside: [
      ...directories.map(makeGroup),
      ...planSettings(layout, paths, limits),
      ...(unified === undefined ? [] : planBirth(unified, paths, limits)),
      ...watchOom(paths),
    ],
    inside: directories.filter((directory) => directory !== unified).map(joinGroup),
    after: [...reportOom(paths), ...killGroup(layout, paths), ...directories.toReversed().map(removeGroup)],
    slot: unified === undefined ? noSlot : slot,
    paths,
  };
};

/** After which the groups that another runtime has made in hierarchies that are not ours are gone. */
export const planOtherGroups = (layout: CgroupLayout, path: string, limits: CgroupLimits): readonly Step[] => {
  const ours = new Set(joinedHierarchies(layout, asksForCpuset(limits)));
  return layout.v1.filter((hierarchy) => !ours.has(hierarchy)).map((other) => removeGroup(groupOf(other, path)));
};

const asksForCpuset = ({ cpu }: CgroupLimits): boolean => cpu?.cpus !== undefined || cpu?.mems !== undefined;

// What a crash has left under a container's own id is its own: the limits are written anew.
const makeGroup = (path: string): Step => ({
  step: "makeDirectory",
  path,
  mode: 0o755,
  tolerate: [errno("EEXIST")],
  why: "the container's share of the machine is counted and limited here",
});

/**
 * A process that moves itself alone, as a thread, need not wait until no process of the machine is between two moments
 * (cgroup_threadgroup_rwsem, a grace period of up to 30 ms; the kernel spares it since Linux 6.0).
 */
const joinGroup = (path: string): Step => ({
  step: "write",
  path: `${path}/tasks`,
  content: text("0"),
  why: "the process, and all that come from it, are in this group",
});

/** A kill reaches also what has left the container's pid namespace, or never had one (--pid host). */
const killGroup = ({ v2 }: CgroupLayout, { unified, freezer }: CgroupPaths): readonly Step[] => {
  const sense = { tolerate: [errno("ENOENT")], why: "nothing of the container goes on running" };
  if (unified !== undefined && v2?.kill === true) return [{ step: "killCgroup", path: unified, ...sense }];
  if (freezer === undefined) return [];
  const { file, freeze, thaw } = freezer;
  return [{ step: "killFrozen", path: `${dirname(file)}/cgroup.procs`, freezer: file, freeze, thaw, ...sense }];
};

/** Where and how the kernel tells that memory ran out. */
const oomFile = ({ directory, version }: CgroupPaths["controllers"][string]): string =>
  `${directory}/${version === 1 ? "memory.oom_control" : "memory.events"}`;

// A kernel may be without it (PREEMPT_RT has no events of version 1): then the report at the end tells.
const watchOom = ({ controllers: { memory } }: CgroupPaths): readonly Step[] =>
  memory === undefined
    ? []
    : [
        {
          step: "watchMemory",
          path: oomFile(memory),
          control: memory.version === 1 ? `${memory.directory}/cgroup.event_control` : "",
          tolerate: [errno("ENOENT"), errno("EOPNOTSUPP")],
          why: "that memory ran out is told at once",
        },
      ];

/** Both versions' first files have a line `oom_kill` with a count (version 1's since Linux 4.13). */
const reportOom = ({ controllers: { memory } }: CgroupPaths): readonly Step[] =>
  memory === undefined
    ? []
    : [
        {
          step: "reportFile",
          path: oomFile(memory),
          tolerate: [errno("ENOENT")],
          why: "whether memory ran out",
        },
        {
          step: "reportFile",
          path: `${memory.directory}/${memory.version === 1 ? "memory.max_usage_in_bytes" : "memory.peak"}`,
          // Version 2 has it since Linux 5.19.
          tolerate: [errno("ENOENT")],
          why: "how much it was at most",
        },
      ];

const removeGroup = (path: string): Step => ({ step: "removeDirectory", path, tolerate: [errno("ENOENT")] });

/** Each limit is written where its controller is; what the host cannot limit is left out (the request was warned). */
export const settingsOf = (
  layout: CgroupLayout,
  paths: CgroupPaths,
  limits: CgroupLimits,
): readonly { readonly directory: string; readonly setting: Setting }[] => {
  const nameOf = ({ controller }: Setting) => (controller === "io" ? "blkio" : controller);
  const settings = [
    ...v1Settings(limits, layout.swap).map((setting) => ({ setting, version: 1 })),
    ...v2Settings(limits).map((setting) => ({ setting, version: 2 })),
  ];
  return settings.flatMap(({ setting, version }) => {
    const home = paths.controllers[nameOf(setting)];
    return home?.version === version ? [{ directory: home.directory, setting }] : [];
  });
};

const planSettings = (layout: CgroupLayout, paths: CgroupPaths, limits: CgroupLimits): readonly Step[] =>
  settingsOf(layout, paths, limits).map(({ directory, setting }) => writeSetting(directory, setting));

const writeSetting = (directory: string, { file, value, optional }: Setting): Step => ({
  step: "write",
  path: `${directory}/${file}`,
  content: text(value),
  ...(optional === true ? { tolerate: [errno("ENOENT"), errno("EOPNOTSUPP")] } : {}),
});

const planBirth = (unified: string, paths: CgroupPaths, limits: CgroupLimits): readonly Step[] => [
  {
    step: "openDirectory",
    slot,
    path: unified,
    why: "the first process is born in its group: there is no moment without limits",
  },
  ...(paths.controllers.devices === undefined ? planDeviceFilter(limits) : []),
];

const planDeviceFilter = (limits: CgroupLimits): readonly Step[] => {
  const list = foldDeviceRules(limits.devices ?? []);
  if (list.otherwise === "allow" && list.exceptions.length === 0) return [];
  return [
    {
      step: "attachDeviceFilter",
      slot,
      program: compileDeviceFilter(list),
      why: "only these devices can be used, whatever nodes the container makes",
    },
  ];
};
