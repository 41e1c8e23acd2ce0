/** Where and with what another runtime makes a container, and runs more in it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { planOtherGroups } from "../kernel/cgroup/plan.ts";
import { startTimeOf } from "../kernel/holder.ts";
import type { ProcessMark } from "../kernel/keeper.ts";
import type { OciSpec } from "./oci/spec.ts";
import { bundlePath, containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { hasInit } from "./request.ts";
import type { ContainerRooms } from "./rooms.ts";
import { pidFile, type RuntimePlace } from "./runtime-plan.ts";
import { programPath } from "./runtimes.ts";

/** Undefined for a container that our own keeper makes. Throws when the runtime's program is not there. */
export const runtimePlace = (
  rooms: ContainerRooms,
  { id, request }: ContainerRecord,
  { linux }: OciSpec,
): RuntimePlace | undefined => {
  if (request.runtime === undefined) return undefined;
  const path = programPath(process.env.PATH);
  const bundle = bundlePath(containerPaths(rooms, id));
  return {
    program: rooms.runtimes.locate(request.runtime, path),
    env: [`PATH=${path}`],
    bundle,
    state: join(bundle, "state"),
    init: hasInit(request) ? rooms.holder.file : undefined,
    otherGroups: planOtherGroups(rooms.host.cgroup, linux.cgroupsPath, linux.resources),
  };
};

/** The process that the runtime has left in the bundle's pid file; the other one where there is none. */
export const leftProcess = (bundle: string, other: ProcessMark): ProcessMark => {
  try {
    const pid = Number(readFileSync(pidFile(bundle), "utf8"));
    return { pid, startTime: startTimeOf(pid) ?? 0 };
  } catch {
    return other;
  }
};
