/** What of control groups there is to limit and count containers with. */
import { mkdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import { compileDeviceFilter } from "../../kernel/cgroup/device-filter.ts";
import type { CgroupLayout } from "../../kernel/cgroup/layout.ts";
import { cgroupPaths, joinedHierarchies } from "../../kernel/cgroup/paths.ts";
import { errno } from "../../kernel/numbers/errno.ts";
import { type Check, type Finding, fails, works } from "./check.ts";

/** One name for all, so that what one of them left when it was killed is taken away by the next. */
const trialGroup = "pier-check";

/** The controllers under version 1's names, and what is asked of them. */
const controllers = {
  memory: { option: "CONFIG_MEMCG", serves: "--memory, and word of memory that ran out" },
  cpu: { option: "CONFIG_CGROUP_SCHED", serves: "--cpus, --cpu-shares" },
  cpuset: { option: "CONFIG_CPUSETS", serves: "--cpuset-cpus, --cpuset-mems" },
  pids: { option: "CONFIG_CGROUP_PIDS", serves: "--pids-limit" },
  blkio: { option: "CONFIG_BLK_CGROUP", serves: "--blkio-weight, --device-read-bps and the like" },
} as const;
type Controller = keyof typeof controllers;

const mountAll = "mount -t cgroup2 cgroup2 /sys/fs/cgroup";

/** A line of /proc/cgroups (cgroups(7)): whether the kernel has the controller, and whether somebody turned it off. */
export const parseController = (procCgroups: string, name: string): "on" | "off" | "unknown" => {
  const line = procCgroups.split("\n").find((text) => text.split("\t")[0] === name);
  if (line === undefined) return "unknown";
  return line.split("\t")[3] === "0" ? "off" : "on";
};

/** Where the controller is, or what brings it. */
export const judgeController = (layout: CgroupLayout, procCgroups: string, name: Controller): Finding => {
  const home = cgroupPaths(layout, "/pier").controllers[name];
  if (home !== undefined) return works(`version ${home.version}`);
  const { v1, v2 } = layout;
  if (v1.length === 0 && v2 === undefined) return fails("no control groups are mounted", mountAll);
  switch (parseController(procCgroups, name)) {
    case "unknown":
      // Of version 2's controllers a kernel need not speak there (Linux 6.12 and later).
      return fails("the kernel does not have it", `a kernel with ${controllers[name].option}`);
    case "off":
      return fails("it is turned off", `the kernel's command line with cgroup_enable=${name}`);
    case "on":
      return layout.version === "v2" && v2 !== undefined
        ? fails(`it is not passed down to ${v2.mountPoint}`, "for a systemd unit: Delegate=yes")
        : fails(
            "it is not mounted",
            `mkdir /sys/fs/cgroup/${name} && mount -t cgroup -o ${name} cgroup /sys/fs/cgroup/${name}`,
          );
  }
};

const limit = (name: Controller): Check => ({
  name,
  serves: controllers[name].serves,
  needed: false,
  look: async ({ place: { cgroup } }) => {
    const procCgroups = await readFile("/proc/cgroups", "utf8").catch(() => "");
    return judgeController(cgroup, procCgroups, name);
  },
});

/** Why a group cannot be made in this directory, or undefined. */
const reasonAgainstGroup = async (mountPoint: string): Promise<string | undefined> => {
  const group = join(mountPoint, trialGroup);
  try {
    await mkdir(group, { recursive: true });
    await rmdir(group);
    return undefined;
  } catch (error) {
    return `${mountPoint}: ${errnoOf(error) ?? (error as Error).message}`;
  }
};

const findGroups: Check["look"] = async ({ place: { cgroup } }) => {
  const hierarchies = [...joinedHierarchies(cgroup, true), ...(cgroup.v2 === undefined ? [] : [cgroup.v2])];
  if (hierarchies.length === 0) return fails("none are mounted", mountAll);
  const reasons = await Promise.all(hierarchies.map(({ mountPoint }) => reasonAgainstGroup(mountPoint)));
  const wrong = reasons.filter((reason) => reason !== undefined);
  if (wrong.length > 0) return fails(wrong.join("; "), "mount them for writing; in a container: --privileged");
  return works({ v1: "version 1", v2: "version 2", hybrid: "version 1, with version 2 beside it" }[cgroup.version]);
};

/** Version 1 has a controller; version 2 asks a program of ours. */
const findDevices: Check["look"] = async (ground) => {
  const { controllers: homes, unified } = cgroupPaths(ground.place.cgroup, `/${trialGroup}`);
  if (homes.devices !== undefined) return works("version 1");
  if (unified === undefined)
    return fails("neither a controller nor programs", "mount -t cgroup -o devices cgroup /sys/fs/cgroup/devices");
  const refusal = await ground.try({
    outside: [
      { step: "makeDirectory", path: unified, mode: 0o755, tolerate: [errno("EEXIST")] },
      { step: "openDirectory", slot: "group", path: unified },
      {
        step: "attachDeviceFilter",
        slot: "group",
        program: compileDeviceFilter({ otherwise: "deny", exceptions: [] }),
      },
    ],
    inside: [],
    after: [{ step: "removeDirectory", path: unified, tolerate: [errno("ENOENT")] }],
  });
  if (refusal === undefined) return works("version 2, by a program");
  return fails(refusal.text, "a kernel with CONFIG_CGROUP_BPF and CONFIG_BPF_SYSCALL");
};

const findEnd: Check["look"] = async ({ place: { cgroup } }) => {
  if (cgroup.v2?.kill === true) return works("cgroup.kill");
  const { freezer } = cgroupPaths(cgroup, "/pier");
  if (freezer !== undefined) return works("one by one, as they stand still");
  return fails(
    "groups can be neither killed nor frozen",
    "mkdir /sys/fs/cgroup/freezer && mount -t cgroup -o freezer cgroup /sys/fs/cgroup/freezer",
  );
};

const findSwap: Check["look"] = async ({ place: { cgroup } }) =>
  cgroup.swap
    ? works("counted with memory")
    : fails("it is not counted", "the kernel's command line with swapaccount=1");

export const cgroupChecks: readonly Check[] = [
  { name: "groups", serves: "containers", needed: true, look: findGroups },
  { name: "devices", serves: "containers that have only their own devices", needed: true, look: findDevices },
  ...(Object.keys(controllers) as Controller[]).map(limit),
  { name: "swap", serves: "--memory-swap", needed: false, look: findSwap },
  {
    name: "end of a group",
    serves: "an end of what has no pid namespace of its own (--pid host)",
    needed: false,
    look: findEnd,
  },
];
