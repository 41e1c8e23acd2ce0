/** How a host's control groups are mounted, read from /proc/self/mountinfo and /proc/self/cgroup. Pure. */

/** A hierarchy of version 1: some controllers, or none and a name (systemd's). */
export interface V1Hierarchy {
  readonly controllers: readonly string[];
  readonly name: string;
  readonly mountPoint: string;
  /** The group this process is in, beneath the mount point; "/" at its top. */
  readonly own: string;
}

/** The one hierarchy of version 2. */
export interface V2Hierarchy {
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  readonly own: string;
  /** A group can be killed at one word (Linux 5.14). */
  readonly kill: boolean;
  /** A group can be frozen at one word (Linux 5.2). */
  readonly freeze: boolean;
}

export interface CgroupLayout {
  /** hybrid: controllers in version 1, and version 2 beside them for killing, freezing and birth in a group. */
  readonly version: "v1" | "v2" | "hybrid";
  readonly v1: readonly V1Hierarchy[];
  readonly v2?: V2Hierarchy;
  /** Memory and swap can be limited together. */
  readonly swap: boolean;
}

/** A mounted hierarchy before anyone has looked into it. */
export interface CgroupMountLine {
  readonly type: "cgroup" | "cgroup2";
  readonly mountPoint: string;
  /** The group that is seen as the top: not "/" in a container without a cgroup namespace. */
  readonly root: string;
  readonly controllers: readonly string[];
  readonly name: string;
}

/** The cgroup mounts of /proc/self/mountinfo, each hierarchy once, those below /sys/fs/cgroup first. */
export const parseCgroupMounts = (
  mountinfo: string,
  knownControllers: readonly string[],
): readonly CgroupMountLine[] => {
  const mounts = mountinfo.split("\n").flatMap((line) => parseLine(line, knownControllers) ?? []);
  mounts.sort((a, b) => Number(isUsual(b.mountPoint)) - Number(isUsual(a.mountPoint)));
  const seen = new Set<string>();
  return mounts.filter((mount) => {
    const hierarchy = `${mount.type} ${mount.controllers.join(",")} ${mount.name}`;
    if (seen.has(hierarchy)) return false;
    seen.add(hierarchy);
    return true;
  });
};

const parseLine = (line: string, knownControllers: readonly string[]): CgroupMountLine | undefined => {
  const [left = "", right = ""] = line.split(" - ");
  const [, , , root = "/", mountPoint = "/"] = left.split(" ");
  const [type, , superOptions = ""] = right.split(" ");
  if (type !== "cgroup" && type !== "cgroup2") return undefined;
  const options = superOptions.split(",");
  const named = options.find((option) => option.startsWith("name="));
  return {
    type,
    mountPoint: unescapeOctal(mountPoint),
    root: unescapeOctal(root),
    controllers: type === "cgroup" ? options.filter((option) => knownControllers.includes(option)) : [],
    name: named?.slice("name=".length) ?? "",
  };
};

const isUsual = (mountPoint: string): boolean => `${mountPoint}/`.startsWith("/sys/fs/cgroup/");

/** The kernel writes blanks, tabs, newlines and backslashes of a path in octal. */
const unescapeOctal = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** The names in /proc/cgroups. */
export const parseControllers = (procCgroups: string): readonly string[] =>
  procCgroups
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t")[0]!);

/** The group of a process in a hierarchy, as seen beneath its mount point, from the text of /proc/<pid>/cgroup. */
export const parseOwnGroup = (procCgroup: string, mount: CgroupMountLine): string => {
  for (const line of procCgroup.split("\n")) {
    const [, controllers, ...rest] = line.split(":");
    if (controllers === undefined || !isHierarchyOf(controllers, mount)) continue;
    return beneath(rest.join(":"), mount.root);
  }
  return "/";
};

const isHierarchyOf = (controllers: string, mount: CgroupMountLine): boolean => {
  if (mount.type === "cgroup2") return controllers === "";
  if (mount.controllers.length === 0) return controllers === `name=${mount.name}`;
  return controllers.split(",").includes(mount.controllers[0]!);
};

// Outside of the cgroup namespace's root a path begins with "/..": nothing of ours is to be seen there.
const beneath = (path: string, root: string): string => {
  if (path.split("/").includes("..")) return "/";
  if (root === "/" || root.split("/").includes("..")) return path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : "/";
};
