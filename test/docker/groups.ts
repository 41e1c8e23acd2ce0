/** Where the numbers of control groups stand, on version 1 and on version 2. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import type { Engine } from "../engine.ts";
import { inspected, said } from "./containers.ts";

/** Version 2 alone: its files have other names and other units. */
export const isV2 = existsSync("/sys/fs/cgroup/cgroup.controllers");

/** The file of a limit as a container sees it: version 1's name, version 2's name. */
export const groupFile = (controller: string, v1: string, v2: string): string =>
  isV2 ? `/sys/fs/cgroup/${v2}` : `/sys/fs/cgroup/${controller}/${v1}`;

const groupOf = (pid: number, controller: string): string => {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const line = lines.find((text) =>
    isV2 ? text.startsWith("0::") : text.split(":")[1]?.split(",").includes(controller),
  );
  const path = line?.split(":").slice(2).join(":") ?? "";
  if (!isAbsolute(path)) throw new Error(`${pid} is in no group of ${controller}`);
  return path;
};

/** The directory of a running container's group, on the host. */
export const groupDirectory = async (engine: Engine, id: string, controller: string): Promise<string> => {
  const pid = Number(await inspected(engine, "{{.State.Pid}}", id));
  if (isV2) return `/sys/fs/cgroup${groupOf(pid, controller)}`;
  // Controllers may be mounted together, under all of their names.
  const hierarchy = readdirSync("/sys/fs/cgroup").find((name) => name.split(",").includes(controller));
  return `/sys/fs/cgroup/${hierarchy}${groupOf(pid, controller)}`;
};

/** A number that the kernel counts in a group's file: its only one, or the one on the line of this name. */
export const countIn = (path: string, name = ""): number => {
  const line = readFileSync(path, "utf8")
    .split("\n")
    .find((text) => text.startsWith(name));
  return Number(line?.slice(name.length));
};

/** What a container that goes on running has in a file. */
export const catIn = (engine: Engine, id: string, ...files: readonly string[]): Promise<string> =>
  said(engine, "exec", id, "cat", ...files);
