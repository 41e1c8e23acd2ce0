/** What a running container uses, at one moment. */
import { readFileSync } from "node:fs";
import type { CgroupPaths } from "../kernel/cgroup/paths.ts";
import { type GroupUsage, readUsage } from "../kernel/cgroup/usage.ts";
import { type InterfaceCount, parseInterfaces, parseMachine } from "../kernel/cgroup/usage-text.ts";

export interface ContainerUsage extends GroupUsage {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Nanoseconds that all processors of the host together have spent, and how many are online. */
  readonly machine: { readonly total: number; readonly cpus: number };
  /** Absent: the container has no network of its own. */
  readonly interfaces?: Readonly<Record<string, { readonly received: InterfaceCount; readonly sent: InterfaceCount }>>;
}

const readOrNothing = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
};

/** `pid` is a process in the container's network, or undefined where that is not its own. */
export const measure = (groups: CgroupPaths, pid: number | undefined, time: number): ContainerUsage => {
  const interfaces = pid === undefined ? {} : parseInterfaces(readOrNothing(`/proc/${pid}/net/dev`));
  return {
    ...readUsage(groups),
    time,
    machine: parseMachine(readOrNothing("/proc/stat")),
    ...(Object.keys(interfaces).length === 0 ? {} : { interfaces }),
  };
};
