/** What a container's spec needs to know first, gathered as values: from the image's tree, and from the host it shares with. */
import { constants, readFileSync } from "node:fs";
import { open, readFile, realpath } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { VolumePlace } from "../volume/record.ts";
import { collectDevices, collectHostDevices, findStat } from "./facts-devices.ts";
import type { SourceFact } from "./mounts.ts";
import type { BindRequest, CreateRequest } from "./request.ts";
import type { Processors } from "./request-host.ts";
import type { ContainerFacts } from "./spec.ts";
import { userFileLimit } from "./users.ts";

/** The root of a container as data: regular files only, links followed beneath the root. */
export interface RootTree {
  read(path: string, limit: number): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

export interface FactsInput {
  readonly id: ContainerId;
  readonly directory: string;
  readonly cgroupParent: string;
  readonly tree: RootTree;
  /** Where volumes lie, by name. */
  readonly volumes: ReadonlyMap<string, VolumePlace>;
  readonly joined?: ContainerFacts["joined"];
  readonly linked?: ContainerFacts["linked"];
}

/** Reads, changes nothing. What is missing is a fact too; planning decides whether it matters. */
export const collectFacts = async (request: CreateRequest, input: FactsInput): Promise<ContainerFacts> => {
  const { tree, joined, linked, ...place } = input;
  const binds = request.mounts.filter((mount) => mount.kind === "bind");
  const [passwd, group, sources, devices, hostDevices, mountedPasswd] = await Promise.all([
    tree.read("/etc/passwd", userFileLimit),
    tree.read("/etc/group", userFileLimit),
    collectSources(binds),
    collectDevices(request),
    request.security.privileged ? collectHostDevices("/dev") : [],
    readMountedPasswd(binds),
  ]);
  return {
    ...place,
    users: { passwd, group },
    mountedPasswd,
    sources,
    devices,
    hostDevices,
    maxOpenFiles: parseMaxOpenFiles(readFileSync("/proc/self/limits", "utf8")),
    ...(joined === undefined ? {} : { joined }),
    ...(linked === undefined ? {} : { linked }),
  };
};

/** Which processors and memory nodes are online now. */
export const findProcessors = async (): Promise<Processors> => {
  const read = (path: string) => readFile(`/sys/devices/system/${path}/online`, "utf8").then((text) => text.trim());
  // A kernel without NUMA names no nodes, and has one.
  return { online: await read("cpu"), memoryNodes: await read("node").catch(() => "0") };
};

/** The hard limit of /proc/self/limits (proc_pid_limits(5)). */
export const parseMaxOpenFiles = (limits: string): number => {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? "unlimited";
  return hard === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(hard);
};

const collectSources = async (binds: readonly BindRequest[]): Promise<Record<string, SourceFact>> => {
  const spreads = binds.some(({ propagation }) => !propagation.endsWith("private"));
  const mounts = spreads ? parseMountInfo(await readFile("/proc/self/mountinfo", "utf8")) : [];
  const facts = binds.map(async (bind) => [bind.source, await sourceFact(bind, mounts)] as const);
  return Object.fromEntries(await Promise.all(facts));
};

const sourceFact = async (bind: BindRequest, mounts: readonly MountPoint[]): Promise<SourceFact> => {
  const found = await findStat(bind.source);
  if (found === undefined) return { kind: "missing" };
  const kind = found.isDirectory() ? "directory" : "file";
  if (bind.propagation.endsWith("private")) return { kind };
  const mount = mountOf(await realpath(bind.source), mounts);
  return mount === undefined ? { kind } : { kind, mount };
};

/** An /etc/passwd that is bound over the image's, as `-v /etc/passwd:/etc/passwd:ro` does. */
const readMountedPasswd = async (binds: readonly BindRequest[]): Promise<Uint8Array | undefined> => {
  const bind = binds.find(({ target }) => target === "/etc/passwd");
  if (bind === undefined) return undefined;
  try {
    // A FIFO would make open wait for ever.
    await using file = await open(bind.source, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile()) return undefined;
    const buffer = new Uint8Array(Math.min(status.size, userFileLimit));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
};

export interface MountPoint {
  readonly path: string;
  readonly shared: boolean;
  readonly slave: boolean;
}

/** The lines of /proc/self/mountinfo (proc_pid_mountinfo(5)); its optional fields end at a lone hyphen. */
export const parseMountInfo = (text: string): readonly MountPoint[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const fields = line.split(" ");
      const options = fields.slice(6, fields.indexOf("-", 6));
      return {
        path: fields[4]!.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
        shared: options.some((option) => option.startsWith("shared:")),
        slave: options.some((option) => option.startsWith("master:")),
      };
    });

/** Where a path is mounted: the longest mount point above it, the last mounted of several. */
const mountOf = (path: string, mounts: readonly MountPoint[]): MountPoint | undefined => {
  const above = mounts.filter((mount) => mount.path === "/" || `${path}/`.startsWith(`${mount.path}/`));
  return above.reduce<MountPoint | undefined>(
    (best, mount) => (best === undefined || mount.path.length >= best.path.length ? mount : best),
    undefined,
  );
};
