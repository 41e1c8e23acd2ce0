/** The devices that a container asks for, as the host has them. */
import type { BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { posix } from "node:path";
import { errnoOf } from "../base/errors.ts";
import type { DeviceFact, DeviceFacts } from "./devices.ts";
import type { OciDevice } from "./oci/spec.ts";
import type { CreateRequest } from "./request.ts";

/** What stands at a path of the host, links followed; undefined for nothing. */
export const findStat = async (path: string): Promise<BigIntStats | undefined> => {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw error;
  }
};

/** By path: what every device of the request is. */
export const collectDevices = async (request: CreateRequest): Promise<Record<string, DeviceFacts>> => {
  const { resources } = request;
  const throttled = [
    ...resources.blkioWeightDevice,
    ...resources.blkioDeviceReadBps,
    ...resources.blkioDeviceWriteBps,
    ...resources.blkioDeviceReadIops,
    ...resources.blkioDeviceWriteIops,
  ];
  const paths = new Set([...resources.devices.map(({ source }) => source), ...throttled.map(({ path }) => path)]);
  return Object.fromEntries(
    await Promise.all([...paths].map(async (path) => [path, await deviceFacts(path)] as const)),
  );
};

const deviceFacts = async (path: string): Promise<DeviceFacts> => {
  const found = await findStat(path);
  if (found === undefined) return { missing: "no such file or directory" };
  if (!found.isDirectory()) return toDevices(found, "") ?? { missing: "not a device node" };
  return collectDeviceTree(path, "");
};

const toDevices = (found: BigIntStats, beneath: string): readonly DeviceFact[] | undefined => {
  if (!found.isCharacterDevice() && !found.isBlockDevice()) return undefined;
  return [
    {
      beneath,
      type: found.isBlockDevice() ? "b" : "c",
      ...deviceNumber(found.rdev),
      mode: Number(found.mode & 0o777n),
      uid: Number(found.uid),
      gid: Number(found.gid),
    },
  ];
};

/** glibc's gnu_dev_major and gnu_dev_minor: 12 + 20 and 8 + 24 bits, interleaved. */
export const deviceNumber = (device: bigint): { readonly major: number; readonly minor: number } => ({
  major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
  minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
});

/** What is the container's own in its /dev, or no device of the machine's (as containerd's oci.HostDevices). */
const ownDirectories: ReadonlySet<string> = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"]);
const ownNodes: ReadonlySet<string> = new Set(["console", "ptmx"]);

const collectDeviceTree = async (root: string, beneath: string): Promise<readonly DeviceFact[]> => {
  const entries = await readdir(posix.join(root, beneath), { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = `${beneath}/${entry.name}`;
      if (entry.isDirectory()) return ownDirectories.has(entry.name) ? [] : collectDeviceTree(root, path);
      if (ownNodes.has(entry.name) || !(entry.isCharacterDevice() || entry.isBlockDevice())) return [];
      const node = await findStat(posix.join(root, path));
      return (node && toDevices(node, path)) ?? [];
    }),
  );
  return found.flat().sort((a, b) => (a.beneath < b.beneath ? -1 : 1));
};

/** Every device beneath a directory of the host, but for what each container has of its own. */
export const collectHostDevices = async (root: string): Promise<readonly OciDevice[]> =>
  (await collectDeviceTree(root, "")).map(({ beneath, type, major, minor, mode, uid, gid }) => ({
    path: root + beneath,
    type,
    major,
    minor,
    fileMode: mode,
    uid,
    gid,
  }));
