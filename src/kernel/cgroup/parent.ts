/** The group above all containers' groups: made once, when the daemon starts, or when a container asks for another. */
import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import { errno } from "../numbers/errno.ts";
import type { Step } from "../steps.ts";
import type { CgroupLayout, V1Hierarchy, V2Hierarchy } from "./layout.ts";
import { checkCgroupPath, groupOf, joinedHierarchies } from "./paths.ts";

/** What has to be known of the groups on the way before they are made. */
export interface ParentFacts {
  /** Version 1's cpuset.cpus and cpuset.mems by directory; "" where they are not filled yet. */
  readonly cpusets: Readonly<Record<string, { readonly cpus: string; readonly mems: string }>>;
  /** Processes in version 2's top group, when that is the top of a container's view and not the machine's. */
  readonly processes: readonly number[];
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The controllers of version 2 that limit or count what we do; each more makes every new group dearer. */
const usedControllers: readonly string[] = ["cpuset", "cpu", "io", "memory", "pids"];

const controllersOf = (hierarchy: V2Hierarchy): readonly string[] =>
  hierarchy.controllers.filter((name) => usedControllers.includes(name));

/** Reads, changes nothing. */
export const findParentFacts = async (layout: CgroupLayout, path: string): Promise<ParentFacts> => {
  const cpuset = layout.v1.find(({ controllers }) => controllers.includes("cpuset"));
  const directories = cpuset === undefined ? [] : groupsOnTheWay(cpuset, path);
  const cpusets = await Promise.all(
    directories.map(async (directory) => {
      const [cpus, mems] = await Promise.all([read(`${directory}/cpuset.cpus`), read(`${directory}/cpuset.mems`)]);
      return [directory, { cpus, mems }] as const;
    }),
  );
  return {
    cpusets: Object.fromEntries(cpusets),
    processes: layout.v2 === undefined ? [] : await findTopProcesses(layout.v2),
  };
};

// Only the machine's own top group has no cgroup.type: there, processes beside groups with controllers are allowed.
const findTopProcesses = async (hierarchy: V2Hierarchy): Promise<readonly number[]> => {
  const { mountPoint } = hierarchy;
  if (controllersOf(hierarchy).length === 0 || (await read(`${mountPoint}/cgroup.type`)) === "") return [];
  const lines = (await read(`${mountPoint}/cgroup.procs`)).split("\n");
  // 0 is a process outside of our pid namespace: out of our reach.
  return lines.map(Number).filter((pid) => pid > 0);
};

const read = async (path: string): Promise<string> => {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENODEV") return "";
    throw error;
  }
};

/** The top of a hierarchy, and every group down to the path's. */
const groupsOnTheWay = (hierarchy: { readonly mountPoint: string; readonly own: string }, path: string): string[] => {
  const last = groupOf(hierarchy, path);
  const names = posix.relative(hierarchy.mountPoint, last).split("/");
  return [hierarchy.mountPoint, ...names.map((_, at) => posix.join(hierarchy.mountPoint, ...names.slice(0, at + 1)))];
};

/**
 * The steps after which containers' groups can be made below `path`; nothing happens where all is there already. Other
 * runtimes have groups in every hierarchy of version 1.
 */
export const planCgroupParent = (
  layout: CgroupLayout,
  path: string,
  facts: ParentFacts,
  everywhere = false,
): readonly Step[] => {
  checkCgroupPath(path);
  return [
    ...(everywhere ? layout.v1 : joinedHierarchies(layout, true)).flatMap((hierarchy) =>
      planV1Parent(hierarchy, path, facts),
    ),
    ...(layout.v2 === undefined ? [] : planV2Parent(layout.v2, path, facts)),
  ];
};

const makeGroup = (path: string): Step => ({
  step: "makeDirectory",
  path,
  mode: 0o755,
  tolerate: [errno("EEXIST")],
  why: "above the groups of all containers",
});

const planV1Parent = (hierarchy: V1Hierarchy, path: string, facts: ParentFacts): readonly Step[] => {
  const [top = "", ...groups] = groupsOnTheWay(hierarchy, path);
  const made = groups.map(makeGroup);
  const parent = groups.at(-1)!;
  return [
    ...made,
    ...(hierarchy.controllers.includes("cpuset") ? planCpusets(top, groups, facts) : []),
    ...(hierarchy.controllers.includes("memory") ? [countChildren(parent)] : []),
  ];
};

// Before Linux 5.11 a group's limit held for what is below it only when asked; since then always.
const countChildren = (parent: string): Step => ({
  step: "write",
  path: `${parent}/memory.use_hierarchy`,
  content: text("1"),
  tolerate: [errno("ENOENT"), errno("EBUSY"), errno("EINVAL")],
  why: "memory is limited for the group and all that is below it",
});

/** A new group of version 1's cpuset has no processors and takes no process, unless its parent hands its own down. */
const planCpusets = (top: string, groups: readonly string[], facts: ParentFacts): readonly Step[] => {
  const steps: Step[] = [];
  let { cpus, mems } = facts.cpusets[top] ?? { cpus: "", mems: "" };
  for (const group of groups) {
    const found = facts.cpusets[group];
    for (const [file, known, inherited] of [
      ["cpuset.cpus", found?.cpus, cpus],
      ["cpuset.mems", found?.mems, mems],
    ] as const) {
      if (!known) steps.push({ step: "write", path: `${group}/${file}`, content: text(inherited) });
    }
    cpus = found?.cpus || cpus;
    mems = found?.mems || mems;
  }
  steps.push({
    step: "write",
    path: `${groups.at(-1)}/cgroup.clone_children`,
    content: text("1"),
    why: "containers' groups begin with the processors of this one",
  });
  return steps;
};

/** Groups get a controller's files from their parent's subtree_control, which must not have processes of its own. */
const planV2Parent = (hierarchy: V2Hierarchy, path: string, facts: ParentFacts): readonly Step[] => {
  const [top = "", ...groups] = groupsOnTheWay(hierarchy, path);
  return [
    ...(facts.processes.length > 0 ? makeRoom(top, facts.processes) : []),
    ...[top, ...groups].flatMap((group) => [
      ...(group === top ? [] : [makeGroup(group)]),
      ...controllersOf(hierarchy).map((controller) => enableController(group, controller)),
    ]),
  ];
};

// One write each: where one is refused (cpu, with real-time processes about) the others still hold.
const enableController = (group: string, controller: string): Step => ({
  step: "write",
  path: `${group}/cgroup.subtree_control`,
  content: text(`+${controller}`),
  tolerate: [errno("ENOENT"), errno("EINVAL"), errno("EBUSY"), errno("EOPNOTSUPP")],
});

/** pier in a container is itself in the top group that it sees: everyone there moves one down. */
const makeRoom = (top: string, processes: readonly number[]): readonly Step[] => [
  { step: "makeDirectory", path: `${top}/init`, mode: 0o755, tolerate: [errno("EEXIST")] },
  ...processes.map(
    (pid): Step => ({
      step: "write",
      path: `${top}/init/cgroup.procs`,
      content: text(String(pid)),
      tolerate: [errno("ESRCH")],
      why: "groups with controllers have processes only at the ends",
    }),
  ),
];
