/** What is mounted in a container, in order. */
import { existsSync } from "node:fs";
import { posix } from "node:path";
import type { VolumePlace } from "../volume/record.ts";
import { containerError } from "./errors.ts";
import type { OciMount } from "./oci/spec.ts";
import type { BindRequest, CreateRequest, MountRequest, TmpfsRequest, VolumeMountRequest } from "./request.ts";

/** What stands at the source of a bind mount, on the host. */
export interface SourceFact {
  readonly kind: "directory" | "file" | "missing";
  /** Where the source is mounted and how mounts spread from there; only when propagation is asked for. */
  readonly mount?: { readonly path: string; readonly shared: boolean; readonly slave: boolean };
}

export interface MountInput {
  readonly request: CreateRequest;
  readonly sources: Readonly<Record<string, SourceFact>>;
  /** Where volumes lie, by name. */
  readonly volumes: ReadonlyMap<string, VolumePlace>;
  /** The container's own directory on the host. */
  readonly directory: string;
  /** The /dev/shm of the container whose ipc namespace is joined. */
  readonly joinedShm?: string | undefined;
  /** Where the files about names are of the container whose network namespace is joined. */
  readonly networkDirectory?: string | undefined;
}

export interface MountPlan {
  readonly mounts: readonly OciMount[];
  readonly rootfsPropagation?: "shared" | "rslave";
}

export const planMounts = (input: MountInput): MountPlan => {
  const { request } = input;
  checkTargets(request.mounts);
  // A volume gets its name when the container is created: what an image came to declare since then is not mounted.
  const named = request.mounts.filter((mount) => mount.kind !== "volume" || mount.name !== "");
  const asked = [...named.map((mount) => askedMount(mount, input)), ...sharedShm(input)];
  const taken = new Set(asked.map(({ destination }) => destination));
  const files = networkFiles(input).filter(({ destination }) => !taken.has(destination));
  const further = [...asked, ...files].sort(byDepth);
  const propagation = rootPropagation(request.mounts, input.sources);
  return {
    mounts: [...kernelMounts(request, taken), ...further],
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
  };
};

/** The volumes among what is mounted. */
export const volumeMounts = ({ mounts }: Pick<CreateRequest, "mounts">): readonly VolumeMountRequest[] =>
  mounts.filter((mount) => mount.kind === "volume");

/** What of the host's is seen in a container that does not run: its volumes, and its binds as far as they are there. */
export const planVisitMounts = (
  request: CreateRequest,
  volumes: ReadonlyMap<string, VolumePlace>,
  directory: string,
): readonly OciMount[] => {
  const mounts = request.mounts
    .filter((mount) => mount.kind === "volume" || (mount.kind === "bind" && existsSync(mount.source)))
    .map((mount) => ({ ...mount, propagation: "rprivate" as const }));
  const sources = Object.fromEntries(
    mounts.map((mount) => [mount.kind === "bind" ? mount.source : "", { kind: "directory" as const }]),
  );
  const taken = new Set(mounts.map(({ target }) => target));
  const visited = { ...request, mounts, namespaces: { ...request.namespaces, ipc: { kind: "private" as const } } };
  return planMounts({ request: visited, sources, volumes, directory }).mounts.filter(({ destination }) =>
    taken.has(destination),
  );
};

/** The /dev/shm of a running process, as whoever joins its ipc namespace gets it. */
export const shmOf = (pid: number): string => `/proc/${pid}/root/dev/shm`;

/** The files that tell a container who it is and whom to ask: made anew at every start. */
export const networkFileNames = ["resolv.conf", "hostname", "hosts"] as const;

const networkFiles = ({ directory, networkDirectory, request }: MountInput): readonly OciMount[] =>
  networkFileNames.map((name) => ({
    destination: `/etc/${name}`,
    type: "bind",
    source: posix.join(networkDirectory ?? directory, name),
    options: ["rbind", ...(request.readonlyRootfs ? ["ro"] : []), "rprivate"],
  }));

// The order and the options are Docker's (moby, daemon/pkg/oci/defaults.go).
const kernelMounts = (request: CreateRequest, taken: ReadonlySet<string>): readonly OciMount[] => {
  const { privileged, writableCgroups } = request.security;
  const writableSys = privileged ? [] : ["ro"];
  const writableCgroup = privileged || writableCgroups ? [] : ["ro"];
  const mounts: readonly OciMount[] = [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", ...writableSys] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...writableCgroup, "nosuid", "noexec", "nodev"],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${request.shmSize}`],
    },
  ];
  return mounts.filter(
    ({ destination }) =>
      !taken.has(destination) &&
      !(taken.has("/dev") && destination.startsWith("/dev/")) &&
      !(request.namespaces.ipc.kind === "none" && destination === "/dev/shm"),
  );
};

const sharedShm = ({ request, joinedShm }: MountInput): readonly OciMount[] => {
  const { ipc } = request.namespaces;
  if (request.mounts.some(({ target }) => target === "/dev/shm")) return [];
  const source = { private: undefined, none: undefined, shareable: undefined, host: "/dev/shm" };
  const from = ipc.kind === "container" ? joinedShm : source[ipc.kind];
  return from === undefined
    ? []
    : [{ destination: "/dev/shm", type: "bind", source: from, options: ["rbind", "rprivate"] }];
};

const askedMount = (mount: MountRequest, input: MountInput): OciMount => {
  if (mount.kind === "tmpfs") return tmpfsMount(mount);
  if (mount.kind === "bind") return bindMount(mount, input);
  // One of a container that is not made yet has no place.
  const { path, options } = input.volumes.get(mount.name) ?? { path: mount.name, options: [] };
  const readonly = mount.readonly || options.includes("ro");
  const own = options.filter((word) => word !== "ro");
  return {
    destination: mount.target,
    type: "bind",
    source: path,
    options: [...bindOptions({ ...mount, readonly }), ...own],
  };
};

const bindOptions = (mount: BindRequest | VolumeMountRequest): readonly string[] => [
  mount.recursive ? "rbind" : "bind",
  ...(mount.readonly ? [mount.readonlyRecursive === "no" ? "ro" : "rro"] : []),
  mount.propagation,
];

const tmpfsMount = ({ target, options }: TmpfsRequest): OciMount => ({
  destination: target,
  type: "tmpfs",
  source: "tmpfs",
  options,
});

const bindMount = (mount: BindRequest, { sources }: MountInput): OciMount => {
  const fact = Object.hasOwn(sources, mount.source) ? sources[mount.source]! : { kind: "missing" };
  if (fact.kind === "missing" && !mount.createSource) {
    const reason = `bind source path does not exist: ${mount.source}`;
    throw containerError("invalidMount", { type: "bind", reason });
  }
  return { destination: mount.target, type: "bind", source: mount.source, options: bindOptions(mount) };
};

/** As Docker: what spreads from a bind mount can only spread if the root lets it. */
const rootPropagation = (
  mounts: readonly MountRequest[],
  sources: Readonly<Record<string, SourceFact>>,
): "shared" | "rslave" | undefined => {
  let root: "shared" | "rslave" | undefined;
  for (const mount of mounts) {
    if (mount.kind !== "bind" || mount.propagation.endsWith("private")) continue;
    const on = Object.hasOwn(sources, mount.source) ? sources[mount.source]!.mount : undefined;
    const values = { path: mount.source, mount: on?.path ?? "/" };
    if (mount.propagation.endsWith("shared")) {
      if (on?.shared !== true) throw containerError("notShared", values);
      root = "shared";
    } else {
      if (on?.shared !== true && on?.slave !== true) throw containerError("notSharedOrSlave", values);
      root ??= "rslave";
    }
  }
  return root;
};

/** What lies above comes first; among equals, the order asked for. */
const byDepth = (a: OciMount, b: OciMount): number => depthOf(a.destination) - depthOf(b.destination);

const depthOf = (path: string): number => path.split("/").length;

/**
 * lxcfs presents the container's own limits in these; everything else beneath /proc is where security settings are
 * written (CVE-2019-16884, CVE-2019-19921, CVE-2023-28642), and /proc itself must be the kernel's. The list is runc's.
 */
const procFiles: ReadonlySet<string> = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/meminfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
  "/proc/loadavg",
  "/proc/slabinfo",
  "/proc/sys/kernel/ns_last_pid",
  "/proc/sys/crypto/fips_enabled",
]);

const isProtected = (mount: MountRequest): boolean => {
  if (mount.target === "/proc") return mount.kind !== "bind" || mount.source !== "/proc";
  return mount.target.startsWith("/proc/") && !procFiles.has(mount.target);
};

/** Throws for a target that is mounted twice, or where nothing may be mounted. */
export const checkTargets = (mounts: readonly MountRequest[]): void => {
  const seen = new Set<string>();
  for (const mount of mounts) {
    const { target } = mount;
    if (seen.has(target)) throw containerError("duplicateMount", { path: target });
    seen.add(target);
    if (isProtected(mount)) throw containerError("protectedMount", { path: target });
  }
};
