/**
 * From an OCI spec and a place on the host to a plan: how a container is made. Pure; every number that is needed is in
 * the arguments. The order of the inside lane is the security (`plan.test.ts` proves it).
 */

import type { CgroupMount } from "../kernel/cgroup/mounts.ts";
import type { ProcessMark } from "../kernel/keeper.ts";
import { capabilities as capabilityBits } from "../kernel/numbers/capabilities.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { mountFlags } from "../kernel/numbers/mount.ts";
import { namespaceFlags, namespaces } from "../kernel/numbers/namespaces.ts";
import { parseRlimit, rlimits } from "../kernel/numbers/rlimits.ts";
import { type Plan, points, type Step, stdinKinds, stdioKinds } from "../kernel/steps.ts";
import type { OciNamespaceType, OciProcess, OciSpec } from "./oci/spec.ts";
import { planDeviceNodes, planMarks, planMountSteps, planRoot, type RootPlace } from "./plan-mounts.ts";

const { ENOENT, ENOTDIR, EACCES, EEXIST } = errnos;
/** The slot of the process that keeps the store. */
export const holder = "the holder";
const gone = [ENOENT.number, ENOTDIR.number];

/** Steps that another room contributes, by lane. */
export interface Fragment {
  readonly outside: readonly Step[];
  readonly inside: readonly Step[];
  readonly after: readonly Step[];
}

/** Where and with what a container is made. */
export interface ContainerPlace {
  /** Names the keyring. */
  readonly id: string;
  /** The process in whose mount namespace the layers are mounted. */
  readonly holder: ProcessMark;
  readonly root: RootPlace;
  readonly controlPath: string;
  readonly exitPath: string;
  readonly log:
    | {
        readonly path: string;
        readonly maxSize: number;
        readonly maxFiles: number;
        /** What each record bears, as JSON. */
        readonly attributes: string | undefined;
        readonly compress?: boolean;
      }
    | undefined;
  /** Where lines go besides the file. */
  readonly logSender?: readonly Step[];
  readonly stdin: keyof typeof stdinKinds;
  /** Directories of the host that are made if they are missing, parents first. */
  readonly directories: readonly { readonly path: string; readonly mode: number }[];
  /** Files of the host that are bound into the container. */
  readonly files: readonly { readonly path: string; readonly content: string }[];
  readonly cgroup: Fragment;
  /** The slot of the cgroup in which the child is born, or none. */
  readonly cgroupSlot: string;
  readonly cgroupMounts: readonly CgroupMount[];
  /** By their target: mounts of a directory somewhere beneath their source. */
  readonly subpaths: ReadonlyMap<string, string>;
  /** `early` runs inside, before the outside lane makes any interface. */
  readonly network: Fragment & { readonly early: readonly Step[] };
  /** The compiled filter. */
  readonly seccomp: { readonly filter: Uint8Array; readonly flags: number } | undefined;
  readonly init: boolean;
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

export const planContainer = (spec: OciSpec, place: ContainerPlace): Plan => ({
  outside: [
    ...planHost(spec, place),
    ...place.cgroup.outside,
    ...planMountSteps(spec.mounts, place.cgroupMounts, place.subpaths).outside,
    { step: "joinProcess", slot: holder, kinds: namespaces.mount.flag, why: "the layers are mounted there" },
    ...planJoinedPid(spec),
    {
      step: "clone",
      namespaces: namespaceFlags(newNamespaces(spec).filter((kind) => kind !== "cgroup")),
      cgroup: place.cgroupSlot,
      why: "the container's first process is born here",
    },
    ...(place.network.early.length === 0 ? [] : [{ step: "await", point: points.namespace } as const]),
    ...place.network.outside,
    { step: "release", point: points.network },
  ],
  inside: [
    { step: "dieWithParent" },
    ...(place.network.early.length === 0
      ? []
      : [...place.network.early, { step: "release", point: points.namespace } as const]),
    ...planBirth(spec, place),
    ...planRoot(place.root),
    // Before anything is mounted: they are for the container's own layer, not for a directory of the host's.
    ...planMarks(),
    ...planMountSteps(spec.mounts, place.cgroupMounts, place.subpaths).inside,
    ...planDeviceNodes(spec),
    { step: "pivotRoot", why: "the host's files are out of reach from here on" },
    ...(spec.linux.rootfsPropagation === "shared"
      ? [{ step: "setPropagation", path: "/", flags: mountFlags.MS_SHARED } as const]
      : []),
    {
      step: "rootMakeDirectory",
      path: spec.process.cwd,
      mode: 0o755,
      uid: 0,
      gid: 0,
      why: "the working directory is made if the image has none",
    },
    ...planTerminal(spec),
    ...(spec.root.readonly ? [{ step: "rootRemount", path: "/", set: 1, clear: 0, why: "--read-only" } as const] : []),
    { step: "setUmask", mask: 0o022 },
    ...planNames(spec),
    ...planProfile(spec.process),
    { step: "await", point: points.network },
    ...place.network.inside,
    ...Object.entries(spec.linux.sysctl).map(([name, value]): Step => ({ step: "sysctl", name, value })),
    ...spec.linux.readonlyPaths.map((path): Step => ({ step: "rootReadOnly", path, tolerate: gone })),
    ...spec.linux.maskedPaths.map((path): Step => ({ step: "rootMask", path, tolerate: gone })),
    ...planProcess(spec.process, place),
  ],
  after: [...place.cgroup.after, ...place.network.after],
});

/** What is on the host before anything of the container is: shared by all who make one. */
export const planHost = (spec: OciSpec, place: ContainerPlace): readonly Step[] => [
  ...place.directories.map(
    ({ path, mode }): Step => ({
      step: "makeDirectory",
      path,
      mode,
      tolerate: [EEXIST.number],
      why: "the container's own, on the host",
    }),
  ),
  ...planKeeper(spec, place),
  ...place.files.map(
    ({ path, content }): Step => ({
      step: "createFile",
      path,
      mode: 0o644,
      content: text(content),
      why: "who the container is and whom it asks, as files",
    }),
  ),
  { step: "openProcess", slot: holder, ...place.holder },
];

/** What the keeper opens for itself, while it still sees the host as the daemon does. */
const planKeeper = (spec: OciSpec, place: ContainerPlace): readonly Step[] => [
  {
    step: "write",
    path: "/proc/self/oom_score_adj",
    content: text("-999"),
    // Without CAP_SYS_RESOURCE the keeper stays as likely a victim as any.
    tolerate: [EACCES.number],
    why: "when memory runs out, the keeper is the last to go",
  },
  { step: "listen", path: place.controlPath, why: "attach, resize and signals come in here" },
  { step: "exitTo", path: place.exitPath },
  ...(place.log === undefined
    ? []
    : [{ step: "logTo", path: place.log.path, maxSize: place.log.maxSize, maxFiles: place.log.maxFiles } as const]),
  ...(place.log?.attributes === undefined
    ? []
    : [{ step: "logAttributes", attributes: place.log.attributes } as const]),
  ...(place.log?.compress === true ? [{ step: "compressLog" } as const] : []),
  ...(place.logSender ?? []),
  {
    step: "stdio",
    kind: spec.process.terminal ? stdioKinds.terminal : stdioKinds.pipes,
    stdin: stdinKinds[place.stdin],
  },
];

const newNamespaces = (spec: OciSpec): readonly OciNamespaceType[] =>
  spec.linux.namespaces.filter(({ path }) => path === undefined).map(({ type }) => type);

const hasOwn = (spec: OciSpec, type: OciNamespaceType): boolean => newNamespaces(spec).includes(type);

/** A pid namespace is joined by the parent: only its children are in it. */
const planJoinedPid = (spec: OciSpec): readonly Step[] =>
  spec.linux.namespaces
    .filter(({ type, path }) => type === "pid" && path !== undefined)
    .map(({ path }) => ({ step: "joinNamespace", path: path!, kind: namespaces.pid.flag }));

const planJoinedOthers = (spec: OciSpec): readonly Step[] =>
  spec.linux.namespaces
    .filter(({ type, path }) => type !== "pid" && path !== undefined)
    .map(({ type, path }) => ({ step: "joinNamespace", path: path!, kind: namespaces[type].flag }));

export const planScore = ({ oomScoreAdj }: Pick<OciProcess, "oomScoreAdj">): Step => ({
  step: "write",
  path: "/proc/self/oom_score_adj",
  content: text(String(oomScoreAdj)),
  why: "the keeper's is inherited",
});

const planBirth = (spec: OciSpec, place: ContainerPlace): readonly Step[] => [
  // Before the process stops being dumpable: afterwards its own files in /proc belong to root alone.
  planScore(spec.process),
  { step: "notDumpable", why: "CVE-2016-9962" },
  ...planJoinedOthers(spec),
  ...place.cgroup.inside,
  ...(hasOwn(spec, "cgroup")
    ? [
        {
          step: "unshare",
          namespaces: namespaces.cgroup.flag,
          why: "its root is the cgroup that the process was put in",
        } as const,
      ]
    : []),
  { step: "newKeyring", name: `_ses.${place.id}`, why: "the host's keys stay with the host" },
];

const planTerminal = (spec: OciSpec): readonly Step[] =>
  spec.process.terminal
    ? [
        {
          step: "terminal",
          console: 1,
          rows: spec.process.consoleSize?.height ?? 0,
          columns: spec.process.consoleSize?.width ?? 0,
        },
      ]
    : [];

const planNames = (spec: OciSpec): readonly Step[] => [
  ...(spec.hostname === undefined || !hasOwn(spec, "uts")
    ? []
    : [{ step: "setHostname", name: spec.hostname } as const]),
  ...(spec.domainname === undefined || !hasOwn(spec, "uts")
    ? []
    : [{ step: "setDomainname", name: spec.domainname } as const]),
];

/** Shared by containers and exec sessions. */
export const planProfile = ({ apparmorProfile }: OciProcess): readonly Step[] =>
  apparmorProfile === undefined
    ? []
    : [{ step: "confine", profile: apparmorProfile, why: "it holds from exec on: what comes before needs more" }];

const maskOf = (names: readonly string[]): bigint =>
  names.reduce((mask, name) => mask | (1n << BigInt(capabilityBits[name as keyof typeof capabilityBits])), 0n);

/** Every path that a program's name may mean: itself, or one in each directory of PATH. */
export const programCandidates = (name: string, env: readonly string[], cwd: string): readonly string[] => {
  if (name.includes("/")) return [name.startsWith("/") ? name : `${cwd.replace(/\/$/, "")}/${name}`];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  return path.split(":").map((directory) => `${directory || "."}/${name}`);
};

/** The process on itself, last of all: shared by containers and exec sessions. */
export const planProcess = (process: OciProcess, place: Pick<ContainerPlace, "seccomp" | "init">): readonly Step[] => {
  const { capabilities, user } = process;
  const seccomp: readonly Step[] =
    place.seccomp === undefined
      ? []
      : [{ step: "loadSeccomp", filter: place.seccomp.filter, flags: place.seccomp.flags }];
  return [
    ...process.rlimits.map(
      ({ type, soft, hard }): Step => ({
        step: "setRlimit",
        resource: rlimits[parseRlimit(type)],
        soft,
        hard,
      }),
    ),
    ...(process.noNewPrivileges ? [{ step: "noNewPrivileges" } as const] : seccomp),
    { step: "changeDirectory", path: process.cwd, why: "CVE-2024-21626: it must lie beneath the root" },
    { step: "dropBounding", keep: maskOf(capabilities.bounding) },
    { step: "setUser", uid: user.uid, gid: user.gid, groups: user.additionalGids },
    {
      step: "setCapabilities",
      effective: maskOf(capabilities.effective),
      permitted: maskOf(capabilities.permitted),
      inheritable: maskOf(capabilities.inheritable),
      ambient: maskOf(capabilities.ambient),
    },
    { step: "dieWithParent", why: "a change of user takes it away" },
    { step: "findProgram", candidates: programCandidates(process.args[0]!, process.env, process.cwd) },
    ...(process.noNewPrivileges ? seccomp : []),
    { step: "start" },
    { step: "closeDescriptors" },
    { step: "exec", args: process.args, env: process.env, init: place.init ? 1 : 0 },
  ];
};
