/** From the mounts and devices of an OCI spec to steps. */
import { basename, dirname } from "node:path";
import type { CgroupMount } from "../kernel/cgroup/mounts.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { mountAttributes, mountFlags, type Propagation, propagations } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import type { Step } from "../kernel/steps.ts";
import type { OciMount, OciSpec } from "./oci/spec.ts";

/** Where a container's root file system comes from. */
export interface RootPlace {
  /** The directory in which every layer is mounted under its short name. */
  readonly layersDirectory: string;
  /** Names of mounted layers, the topmost first; with none, `emptyName`. */
  readonly layers: readonly string[];
  /** An empty directory beneath `layersDirectory`: overlayfs wants a lower one. */
  readonly emptyName: string;
  /** "": nothing is written, and there are two layers at least. */
  readonly upper: string;
  readonly work: string;
  /** An empty directory of the host on which the root is mounted, in the container's own namespace. */
  readonly mountpoint: string;
  /** What the container writes need not survive a crash of the machine: no sync when it ends. */
  readonly volatile: boolean;
}

/** The inside of a slot's path is the host's; its name only has to be its own. */
export const mountSlot = (mount: OciMount): string => `mount ${mount.destination}`;

const attributeOf: Readonly<Record<string, number>> = {
  ro: mountAttributes.MOUNT_ATTR_RDONLY,
  rro: mountAttributes.MOUNT_ATTR_RDONLY,
  nosuid: mountAttributes.MOUNT_ATTR_NOSUID,
  nodev: mountAttributes.MOUNT_ATTR_NODEV,
  noexec: mountAttributes.MOUNT_ATTR_NOEXEC,
  noatime: mountAttributes.MOUNT_ATTR_NOATIME,
  strictatime: mountAttributes.MOUNT_ATTR_STRICTATIME,
  nodiratime: mountAttributes.MOUNT_ATTR_NODIRATIME,
  nosymfollow: mountAttributes.MOUNT_ATTR_NOSYMFOLLOW,
};

/** What is the default already, and so neither an attribute nor an option of a file system. */
const defaults = new Set(["rw", "suid", "dev", "exec", "relatime", "atime", "diratime", "async", "bind", "rbind"]);

const isPropagation = (option: string): option is Propagation => Object.hasOwn(propagations, option);

const attributesOf = (options: readonly string[]): number =>
  options.reduce((sum, option) => sum | (Object.hasOwn(attributeOf, option) ? attributeOf[option]! : 0), 0);

const dataOf = (options: readonly string[]): string =>
  options
    .filter((option) => !Object.hasOwn(attributeOf, option) && !defaults.has(option) && !isPropagation(option))
    .join(",");

/** The layers become one file system, with the container's own layer on top. */
export const planRoot = (root: RootPlace): readonly Step[] => {
  const isTooFew = root.layers.length === 0 || (root.upper === "" && root.layers.length === 1);
  const lower = isTooFew ? [...root.layers, root.emptyName] : root.layers;
  const options = [
    `lowerdir=${lower.join(":")}`,
    ...(root.upper === "" ? [] : [`upperdir=${root.upper}`, `workdir=${root.work}`]),
    // Attributes that an image could smuggle in lead nowhere; all files of a container are on one device.
    "redirect_dir=nofollow,metacopy=off,index=off,xino=on",
    ...(root.volatile && root.upper !== "" ? ["volatile"] : []),
  ];
  return [
    {
      step: "setPropagation",
      path: "/",
      flags: mountFlags.MS_REC | mountFlags.MS_PRIVATE,
      why: "nothing that is mounted here is seen by the host",
    },
    {
      step: "mount",
      at: root.layersDirectory,
      source: "overlay",
      target: root.mountpoint,
      type: "overlay",
      flags: 0,
      data: options.join(","),
      why: "the layers and the container's own changes, as one file system",
    },
    { step: "openRoot", path: root.mountpoint },
  ];
};

/** A path in another process's root: its mounts can only be copied from within its namespace. */
const foreign = /^\/proc\/(\d+)\/root(\/.*)$/;

const openForeign = (mount: OciMount, pid: number, path: string): readonly Step[] => [
  { step: "openProcess", slot: `process ${pid}`, pid, startTime: 0 },
  { step: "joinProcess", slot: `process ${pid}`, kinds: namespaces.mount.flag },
  {
    step: "openTree",
    slot: mountSlot(mount),
    path,
    recursive: 0,
    why: `what ${mount.destination} will be: another container's`,
  },
];

/** A volume is its containers': what lies in it is found by the keeper, and never leads out of it. */
const openSubpath = (mount: OciMount, path: string): Step => ({
  step: "openBeneath",
  slot: mountSlot(mount),
  directory: mount.source,
  path,
  recursive: mount.options.includes("rbind") ? 1 : 0,
  why: `what ${mount.destination} will be`,
});

const openSource = (mount: OciMount, subpath: string | undefined): readonly Step[] => {
  if (subpath !== undefined) return [openSubpath(mount, subpath)];
  const [, pid, path] = foreign.exec(mount.source) ?? [];
  if (pid !== undefined && path !== undefined) return openForeign(mount, Number(pid), path);
  return [
    {
      step: "openTree",
      slot: mountSlot(mount),
      path: mount.source,
      recursive: mount.options.includes("rbind") ? 1 : 0,
      why: `what ${mount.destination} will be, as the host sees it now`,
    },
  ];
};

const attachSource = (mount: OciMount): Step => {
  const propagation = mount.options.find(isPropagation) ?? "rprivate";
  return {
    step: "rootAttach",
    slot: mountSlot(mount),
    target: mount.destination,
    attributes: attributesOf(mount.options),
    recursive: mount.options.includes("rro") ? 1 : 0,
    propagation: propagations[propagation] & ~mountFlags.MS_REC,
    propagationRecursive: propagation.startsWith("r") ? 1 : 0,
  };
};

const fileSystemStep = (mount: OciMount): Step => ({
  step: "rootMount",
  source: mount.source,
  target: mount.destination,
  type: mount.type,
  flags: attributesOf(mount.options),
  data: dataOf(mount.options),
});

const cgroupSlotOf = (target: string): string => `groups ${target}`;

const openCgroup = ({ target, source }: CgroupMount): Step => ({
  step: "openTree",
  slot: cgroupSlotOf(target),
  path: source,
  recursive: 0,
  why: "what the container will see of the control groups: its own",
});

/** v2 has one tree; v1 one for each controller, side by side in a small file system that is made read-only at the end. */
const cgroupSteps = (mount: OciMount, hierarchies: readonly CgroupMount[]): readonly Step[] => {
  const attributes = attributesOf(mount.options);
  const own = hierarchies.map(
    ({ target }): Step => ({
      step: "rootAttach",
      slot: cgroupSlotOf(target),
      target,
      attributes,
      recursive: 0,
      propagation: mountFlags.MS_PRIVATE,
      propagationRecursive: 0,
    }),
  );
  if (hierarchies.some(({ target }) => target === mount.destination)) return own;
  const base = attributes & ~mountAttributes.MOUNT_ATTR_RDONLY;
  return [
    {
      step: "rootMount",
      source: "tmpfs",
      target: mount.destination,
      type: "tmpfs",
      flags: base,
      data: "mode=755,size=64k",
    },
    ...own,
    ...hierarchies.flatMap(({ target, links = [] }) =>
      links.map(
        (name): Step => ({ step: "rootMakeLink", path: `${dirname(target)}/${name}`, target: basename(target) }),
      ),
    ),
    ...(attributes === base
      ? []
      : [{ step: "rootRemount", path: mount.destination, set: attributes, clear: 0 } as const]),
  ];
};

/** `subpaths` are by target: what is mounted there lies beneath the mount's source. */
export const planMountSteps = (
  mounts: readonly OciMount[],
  hierarchies: readonly CgroupMount[],
  subpaths: ReadonlyMap<string, string>,
): { readonly outside: readonly Step[]; readonly inside: readonly Step[] } => {
  // Those of other processes last: opening them leaves the host's namespace.
  const binds = mounts
    .filter(({ type }) => type === "bind")
    .toSorted((a, b) => Number(foreign.test(a.source)) - Number(foreign.test(b.source)));
  const seesCgroups = mounts.some(({ type }) => type === "cgroup");
  return {
    outside: [
      ...(seesCgroups ? hierarchies.map(openCgroup) : []),
      ...binds.flatMap((mount) => openSource(mount, subpaths.get(mount.destination))),
    ],
    inside: mounts.flatMap((mount): readonly Step[] => {
      if (mount.type === "bind") return [attachSource(mount)];
      if (mount.type === "cgroup") return cgroupSteps(mount, hierarchies);
      return [fileSystemStep(mount)];
    }),
  };
};

/** What programs look for to learn that they run in a container, and where old ones look for the mounts: as Docker. */
export const planMarks = (): readonly Step[] => [
  {
    step: "rootMakeNode",
    path: "/.dockerenv",
    mode: 0o100755,
    major: 0,
    minor: 0,
    uid: 0,
    gid: 0,
    tolerate: [errnos.EEXIST.number],
    why: "an empty file: programs know by it that they are in a container",
  },
  {
    step: "rootMakeLink",
    path: "/etc/mtab",
    target: "/proc/mounts",
    tolerate: [errnos.EEXIST, errnos.ENOENT, errnos.ENOTDIR].map(({ number }) => number),
    why: "old programs look for the mounts here",
  },
];

const fileTypes = { c: 0o020000, b: 0o060000, p: 0o010000 } as const;

const links: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

/** The nodes of /dev; what an image or a bind mount has there already stays. */
export const planDeviceNodes = ({ mounts, linux: { devices } }: OciSpec): readonly Step[] => {
  // With a /dev of the host's the nodes would be made there.
  if (mounts.some(({ destination, type }) => destination === "/dev" && type === "bind")) return [];
  const tolerate = [errnos.EEXIST.number];
  return [
    ...devices.map(
      (device): Step => ({
        step: "rootMakeNode",
        path: device.path,
        mode: fileTypes[device.type] | device.fileMode,
        major: device.major,
        minor: device.minor,
        uid: device.uid,
        gid: device.gid,
        tolerate,
      }),
    ),
    ...links.map(([path, target]): Step => ({ step: "rootMakeLink", path, target, tolerate })),
  ];
};
