/**
 * From a request to an OCI spec: every decision about what a container is, and nothing that depends on how it is made.
 * Defaults are Docker's (hardening is a list of facts: moby/daemon/pkg/oci/defaults.go, moby/profiles).
 */
import type { ContainerId } from "../base/ids.ts";
import { defaultProfile, unconfined } from "../kernel/apparmor/profile.ts";
import type { HostFacts } from "../kernel/facts.ts";
import { type Capability, planCapabilities } from "../kernel/numbers/capabilities.ts";
import type { VolumePlace } from "../volume/record.ts";
import { type DeviceFacts, planDevices } from "./devices.ts";
import { planEnvironment } from "./environment.ts";
import { containerError } from "./errors.ts";
import type { LinkedContainer } from "./links.ts";
import { planMounts, type SourceFact } from "./mounts.ts";
import type { OciCapabilities, OciDevice, OciNamespace, OciProcess, OciSeccomp, OciSpec } from "./oci/spec.ts";
import type { CreateRequest, NamespaceRequest, SecurityRequest } from "./request.ts";
import { type ImageDefaults, mergeImage } from "./request-image.ts";
import { planResources } from "./resources.ts";
import { planRlimits, planSysctls } from "./spec-defaults.ts";
import { homeOf, resolveUser, type User, type UserFiles } from "./users.ts";

/** What is known of the container's surroundings before it is planned: values only. */
export interface ContainerFacts {
  readonly id: ContainerId;
  /** The container's own directory on the host. */
  readonly directory: string;
  /** The cgroup under which containers are, unless one asks for another. */
  readonly cgroupParent: string;
  /** /etc/passwd and /etc/group as the container's root has them. */
  readonly users: UserFiles;
  /** An /etc/passwd that is mounted over the root's: it knows the home. */
  readonly mountedPasswd?: Uint8Array | undefined;
  /** By the source of each bind mount. */
  readonly sources: Readonly<Record<string, SourceFact>>;
  /** Where volumes lie, by name. */
  readonly volumes: ReadonlyMap<string, VolumePlace>;
  /** By the path of each asked device. */
  readonly devices: Readonly<Record<string, DeviceFacts>>;
  /** Everything beneath the host's /dev; read for privileged containers only. */
  readonly hostDevices: readonly OciDevice[];
  /** Our own hard limit of open files. */
  readonly maxOpenFiles: number;
  /** The containers whose namespaces are joined: the pids of their first processes, and the /dev/shm that goes with ipc. */
  readonly joined?: {
    readonly pid?: number;
    readonly ipc?: number;
    readonly shm?: string;
    readonly net?: number;
    /** Where the files about names of whoever has the network namespace are. */
    readonly networkDirectory?: string;
  };
  /** The containers that it is linked to. */
  readonly linked?: readonly LinkedContainer[];
}

/** What a spec depends on of the host. */
export type SpecHost = Pick<HostFacts, "hostname" | "capabilities" | "throttledCpus" | "apparmor">;

export const planSpec = (
  asked: CreateRequest,
  image: ImageDefaults,
  facts: ContainerFacts,
  host: SpecHost,
): OciSpec => {
  const request = mergeImage(asked, image);
  const user = resolveUser(request.user, facts.users, request.groups);
  const capabilities = planCapabilities({
    add: request.security.capAdd,
    drop: request.security.capDrop,
    privileged: request.security.privileged,
    available: host.capabilities,
  });
  const devices = planDevices({
    asked: request.resources.devices,
    rules: request.resources.deviceRules,
    privileged: request.security.privileged,
    netAdmin: capabilities.includes("CAP_NET_ADMIN"),
    facts: facts.devices,
    hostDevices: facts.hostDevices,
  });
  const { mounts, rootfsPropagation } = planMounts({
    request,
    sources: facts.sources,
    volumes: facts.volumes,
    directory: facts.directory,
    joinedShm: facts.joined?.shm,
    networkDirectory: facts.joined?.networkDirectory,
  });
  const seccomp = planSeccomp(request.security);
  return {
    // crun of Debian 12 takes no newer one; what is newer (domainname) is ignored by who does not know it.
    ociVersion: "1.0.2",
    process: planProcess(request, user, capabilities, facts, host),
    root: { path: "rootfs", readonly: request.readonlyRootfs },
    ...names(request, facts, host),
    mounts,
    ...(Object.keys(request.annotations).length === 0 ? {} : { annotations: request.annotations }),
    linux: {
      namespaces: planNamespaces(request, facts),
      // In a directory of the host's, bound there, a node would be made on the host.
      devices: request.mounts.some(({ target, kind }) => target === "/dev" && kind !== "tmpfs") ? [] : devices.nodes,
      cgroupsPath: `${request.resources.cgroupParent || facts.cgroupParent}/${facts.id}`,
      resources: { devices: devices.rules, ...planResources(request.resources, facts.devices) },
      ...(rootfsPropagation === undefined ? {} : { rootfsPropagation }),
      sysctl: planSysctls(request),
      ...planHiddenPaths(request.security, host),
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
};

/** The command line: the entrypoint and its arguments. `request` has the image's defaults. */
export const commandOf = (request: CreateRequest): readonly string[] => {
  const { entrypoint } = request;
  // [""] is how clients say: none, and not the image's either.
  const program = entrypoint === null || (entrypoint.length === 1 && entrypoint[0] === "") ? [] : entrypoint;
  const args = [...program, ...(request.command ?? [])];
  if (args.length === 0) throw containerError("noCommand", {});
  return args;
};

/** What the container is called by itself. */
export const hostnameOf = (request: CreateRequest, id: ContainerId, host: Pick<SpecHost, "hostname">): string => {
  if (request.hostname !== "") return request.hostname;
  // The name that it would have is its own also where it uses the host's (--uts host), as in Docker.
  return request.network.mode === "host" ? host.hostname : id.slice(0, 12);
};

const names = (request: CreateRequest, facts: ContainerFacts, host: SpecHost) => {
  if (request.namespaces.uts.kind === "host") return {};
  const { domainname } = request;
  return { hostname: hostnameOf(request, facts.id, host), ...(domainname === "" ? {} : { domainname }) };
};

const planProcess = (
  request: CreateRequest,
  user: User,
  capabilities: readonly Capability[],
  facts: ContainerFacts,
  host: SpecHost,
): OciProcess => {
  const { consoleSize, security } = request;
  const home = facts.mountedPasswd === undefined ? user.home : homeOf(user.uid, facts.mountedPasswd);
  return {
    terminal: request.tty,
    ...(consoleSize === undefined ? {} : { consoleSize: { height: consoleSize.rows, width: consoleSize.columns } }),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: commandOf(request),
    env: planEnvironment({
      hostname: hostnameOf(request, facts.id, host),
      tty: request.tty,
      linked: (facts.linked ?? []).flatMap(({ env }) => env),
      env: request.env,
      home,
    }),
    cwd: request.workingDirectory || "/",
    capabilities: planCapabilitySets(capabilities, user.uid),
    rlimits: planRlimits(request.resources.ulimits, maxOpenFiles(facts, host)),
    noNewPrivileges: security.noNewPrivileges,
    // Always given: a child inherits the keeper's, which the kernel would spare.
    oomScoreAdj: request.oomScoreAdj,
    ...(host.apparmor ? { apparmorProfile: profileOf(request) } : {}),
  };
};

/** The AppArmor profile where the host has AppArmor. */
export const profileOf = ({ security }: Pick<CreateRequest, "security">): string =>
  security.privileged ? unconfined : security.apparmor || defaultProfile;

/** A user that is not root has none of them, but may gain them by a set-uid program: what execve(2) would do. */
export const planCapabilitySets = (capabilities: readonly Capability[], uid: number): OciCapabilities => {
  const held = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective: held, permitted: held, inheritable: [], ambient: [] };
};

/** A limit can only be raised by who has the capability; the kernel's own bound (fs.nr_open) is beyond our default. */
const maxOpenFiles = (facts: ContainerFacts, host: SpecHost): number =>
  host.capabilities.includes("CAP_SYS_RESOURCE") ? Number.POSITIVE_INFINITY : facts.maxOpenFiles;

const planNamespaces = (request: CreateRequest, { joined }: ContainerFacts): readonly OciNamespace[] => {
  const { pid, ipc, uts, cgroup } = request.namespaces;
  return [
    { type: "mount" },
    ...networkNamespace(request, joined?.net),
    ...(uts.kind === "host" ? [] : [{ type: "uts" } as const]),
    ...namespace("pid", pid, joined?.pid),
    ...namespace("ipc", ipc, joined?.ipc),
    // Private on cgroup v1 too, where Docker's default shows the host's tree.
    ...(cgroup.kind === "host" ? [] : [{ type: "cgroup" } as const]),
  ];
};

const networkNamespace = ({ network }: CreateRequest, joined: number | undefined): readonly OciNamespace[] => {
  if (network.mode === "host") return [];
  if (network.mode !== "container") return [{ type: "network" }];
  if (joined === undefined) throw containerError("invalidMode", { namespace: "network", mode: network.name });
  return [{ type: "network", path: `/proc/${joined}/ns/net` }];
};

const namespace = (
  type: "pid" | "ipc",
  mode: NamespaceRequest["pid"] | NamespaceRequest["ipc"],
  joined: number | undefined,
): readonly OciNamespace[] => {
  if (mode.kind === "host") return [];
  if (mode.kind !== "container") return [{ type }];
  if (joined === undefined) throw containerError("invalidMode", { namespace: type, mode: `container:${mode.ref}` });
  return [{ type, path: `/proc/${joined}/ns/${type}` }];
};

const planSeccomp = ({ seccomp, privileged }: SecurityRequest): OciSeccomp | undefined => {
  if (seccomp.kind === "unconfined" || (privileged && seccomp.kind === "default")) return undefined;
  return seccomp;
};

/** Nothing of these can be seen: each was once a way out, or tells about the host. */
const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
] as const;

const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"] as const;

/** What is masked and what is read-only; `inspect` shows it too. */
export const planHiddenPaths = (
  security: SecurityRequest,
  host: Pick<SpecHost, "throttledCpus">,
): { readonly maskedPaths: readonly string[]; readonly readonlyPaths: readonly string[] } => {
  if (security.privileged) return { maskedPaths: [], readonlyPaths: [] };
  const throttles = host.throttledCpus.map((cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`);
  return {
    maskedPaths: security.maskedPaths ?? [...maskedPaths, ...throttles],
    readonlyPaths: security.readonlyPaths ?? readonlyPaths,
  };
};
