/** What control groups this host has, found by looking and by trying. */
import { existsSync } from "node:fs";
import { access, mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import {
  type CgroupLayout,
  type CgroupMountLine,
  parseCgroupMounts,
  parseControllers,
  parseOwnGroup,
  type V2Hierarchy,
} from "./layout.ts";

/** Nothing has changed afterwards: a group is made for a moment, because the top one lacks the files that matter. */
export const findCgroupLayout = async (): Promise<CgroupLayout> => {
  const [mountinfo, procCgroups, own] = await Promise.all([
    readFile("/proc/self/mountinfo", "utf8"),
    // Not there in a kernel without any of version 1.
    readFile("/proc/cgroups", "utf8").catch(() => ""),
    readFile("/proc/self/cgroup", "utf8").catch(() => ""),
  ]);
  const mounts = parseCgroupMounts(mountinfo, parseControllers(procCgroups));
  const v1 = mounts
    .filter(({ type, mountPoint }) => type === "cgroup" && isToBeHad(`${mountPoint}/tasks`))
    .map((mount) => ({
      controllers: mount.controllers,
      name: mount.name,
      mountPoint: mount.mountPoint,
      own: parseOwnGroup(own, mount),
    }));
  const unified = mounts.find(
    ({ type, mountPoint }) => type === "cgroup2" && isToBeHad(`${mountPoint}/cgroup.controllers`),
  );
  const found = unified === undefined ? undefined : await findV2(unified, parseOwnGroup(own, unified));
  const controlled = v1.some(({ controllers }) => controllers.length > 0);
  return {
    version: found === undefined ? "v1" : controlled ? "hybrid" : "v2",
    v1,
    ...(found === undefined ? {} : { v2: found.hierarchy }),
    swap: (await hasV1Swap(v1)) ?? found?.swap ?? false,
  };
};

/** What is mounted may be covered by something else, and then its files are not there. */
const isToBeHad = (file: string): boolean => existsSync(file);

const findV2 = async (mount: CgroupMountLine, own: string): Promise<{ hierarchy: V2Hierarchy; swap: boolean }> => {
  const { mountPoint } = mount;
  const [controllers, files] = await Promise.all([
    readFile(`${mountPoint}/cgroup.controllers`, "utf8"),
    findGroupFiles(mountPoint),
  ]);
  return {
    hierarchy: {
      controllers: controllers.split(/\s+/).filter((name) => name !== ""),
      mountPoint,
      own,
      kill: files.includes("cgroup.kill"),
      freeze: files.includes("cgroup.freeze"),
    },
    // Before memory is enabled for the groups below the top, only the kernel's having swap at all can be seen.
    swap: files.includes("memory.max") ? files.includes("memory.swap.max") : await exists("/proc/swaps"),
  };
};

/** Another daemon may take the group away before it is looked at. */
const probeTries = 10;

/**
 * The files of a new group: empty where none can be made. It has one name for all daemons, so that what one of them left
 * when it was killed is taken away by the next.
 */
const findGroupFiles = async (mountPoint: string): Promise<readonly string[]> => {
  const probe = `${mountPoint}/pier-probe`;
  for (let tries = 0; tries < probeTries; tries++) {
    try {
      await mkdir(probe, { recursive: true });
    } catch {
      return [];
    }
    const files = await readdir(probe).catch(() => []);
    await rmdir(probe).catch(() => {});
    if (files.length > 0) return files;
  }
  return [];
};

const hasV1Swap = async (v1: CgroupLayout["v1"]): Promise<boolean | undefined> => {
  const memory = v1.find(({ controllers }) => controllers.includes("memory"));
  return memory && (await exists(`${memory.mountPoint}/memory.memsw.limit_in_bytes`));
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
