/**
 * A container that another runtime makes, as a plan. Pure. Its root, its mounts' sources, its network and its groups are
 * ours, made as for any other; the runtime is given them by their paths, in a bundle. The child of the plan has the
 * runtime create the container, which is then left to the keeper (it takes over from parents that go), and at the commit
 * point has it started.
 */
import { join } from "node:path";
import { errnos } from "../kernel/numbers/errno.ts";
import { mountFlags } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import { noSlot, type Plan, points, type Step } from "../kernel/steps.ts";
import type { OciMount, OciNamespace, OciSpec } from "./oci/spec.ts";
import { type ContainerPlace, holder, planHost, planScore } from "./plan.ts";
import { mountSlot, planMarks, planMountSteps, planRoot } from "./plan-mounts.ts";
import type { RuntimeProgram } from "./runtimes.ts";

export interface RuntimePlace {
  readonly program: RuntimeProgram;
  /** What the program sees of our environment. */
  readonly env: readonly string[];
  /** A directory in `<run>`, of the container's or the session's own: what the runtime reads and writes for it. */
  readonly bundle: string;
  /** Where the runtime keeps what it knows of the container. */
  readonly state: string;
  /** The program that shall be the container's first and have the asked one run, if there shall be one. */
  readonly init: string | undefined;
  /** After which it has no groups any more in hierarchies that are not ours. */
  readonly otherGroups: readonly Step[];
}

export const terminalSlot = "the runtime's terminal";
/** It has done it already, or there is nobody any more who could. */
const cannot = [errnos.ENOENT.number, errnos.EACCES.number, errnos.EREMOTEIO.number];

/** Where the runtime tells what went wrong. */
export const runtimeLog = (bundle: string): string => join(bundle, "log");
export const pidFile = (bundle: string): string => join(bundle, "pid");
export const consoleSocket = (bundle: string): string => join(bundle, "tty");
const network = (bundle: string): string => join(bundle, "net");

const isBind = ({ type }: OciMount): boolean => type === "bind";
const makesNetwork = ({ type, path }: OciNamespace): boolean => type === "network" && path === undefined;

/** The spec as the runtime is given it: paths of the host stand where our own way has descriptors. */
export const planBundle = (
  spec: OciSpec,
  { bundle, init }: Pick<RuntimePlace, "bundle" | "init">,
  mountpoint: string,
): OciSpec => ({
  ...spec,
  process: init === undefined ? spec.process : { ...spec.process, args: [initPath, "--", ...spec.process.args] },
  root: { ...spec.root, path: mountpoint },
  mounts: [
    ...spec.mounts.map((mount, index) =>
      isBind(mount) ? { ...mount, source: join(bundle, sourcePath(index)) } : mount,
    ),
    ...(init === undefined ? [] : [initMount(init)]),
  ],
  linux: {
    ...spec.linux,
    namespaces: spec.linux.namespaces.map((namespace) =>
      makesNetwork(namespace) ? { ...namespace, path: network(bundle) } : namespace,
    ),
  },
});

/** Where Docker has its own. */
const initPath = "/sbin/docker-init";
const initMount = (source: string): OciMount => ({
  destination: initPath,
  type: "bind",
  source,
  options: ["bind", "ro", "nosuid", "nodev"],
});

const sourcePath = (index: number): string => `/mounts/${index}`;

/** One of the runtime's commands. */
export const planCommand = (
  { program, env, bundle, state }: RuntimePlace,
  words: readonly string[],
  why: string,
): Step => ({
  step: "runProgram",
  program: program.path,
  args: [
    program.path,
    ...program.args,
    ...["--root", state, "--log", runtimeLog(bundle), "--log-format", "json"],
    ...words,
  ],
  env,
  why,
});

/** `config` is the bundle's `config.json`. */
export const planByRuntime = (spec: OciSpec, place: ContainerPlace, runtime: RuntimePlace, config: string): Plan => {
  const { bundle } = runtime;
  const mounts = planMountSteps(spec.mounts, [], place.subpaths);
  const ownNetwork = spec.linux.namespaces.some(makesNetwork);
  const { early } = place.network;
  const { terminal } = spec.process;
  const wait = early.length === 0 ? [] : [{ step: "await", point: points.namespace } as const];
  const told = early.length === 0 ? [] : [...early, { step: "release", point: points.namespace } as const];
  return {
    outside: [
      ...planHost(spec, place),
      { step: "adoptOrphans", why: "the runtime leaves us the container's first process" },
      { step: "makeDirectory", path: bundle, mode: 0o700, why: "what the runtime reads and writes" },
      createFile(join(bundle, "config.json"), config),
      createFile(network(bundle), ""),
      // Which devices can be used it says to the kernel itself: of two such programs the second may be refused.
      ...place.cgroup.outside.filter(({ step }) => step !== "attachDeviceFilter"),
      ...mounts.outside,
      { step: "joinProcess", slot: holder, kinds: namespaces.mount.flag, why: "the layers are mounted there" },
      {
        step: "clone",
        namespaces: namespaces.mount.flag | (ownNetwork ? namespaces.network.flag : 0),
        cgroup: noSlot,
        why: "what the runtime is given is made here; the other namespaces are its own to make",
      },
      ...wait,
      ...place.network.outside,
      { step: "release", point: points.network },
    ],
    inside: [
      { step: "dieWithParent" },
      ...told,
      planScore(spec.process),
      ...planRoot(place.root),
      ...planMarks(),
      { step: "openRoot", path: bundle },
      ...spec.mounts.flatMap((mount, index) => (isBind(mount) ? [attachSource(mount, index)] : [])),
      { step: "await", point: points.network },
      ...place.network.inside,
      ...(ownNetwork ? keepNetwork(bundle) : []),
      ...(terminal ? [{ step: "listenTerminal", slot: terminalSlot, path: consoleSocket(bundle) } as const] : []),
      planCommand(
        runtime,
        [
          ...["create", "--bundle", bundle, "--pid-file", pidFile(bundle)],
          ...(terminal ? ["--console-socket", consoleSocket(bundle)] : []),
          place.id,
        ],
        "the container's first process is born here",
      ),
      { step: "adopt", pidFile: pidFile(bundle), terminal: terminal ? terminalSlot : noSlot },
      { step: "start" },
      planCommand(runtime, ["start", place.id], "it becomes the program"),
    ],
    after: [...place.cgroup.after, ...place.network.after, ...planForget(place.id, runtime)],
  };
};

/** Last of all: before, its groups would be gone with what they counted. */
export const planForget = (id: string, runtime: RuntimePlace): readonly Step[] => [
  {
    ...planCommand(runtime, ["delete", "--force", id], "what the runtime knows of it is forgotten"),
    tolerate: cannot,
  },
  ...runtime.otherGroups,
];

export const createFile = (path: string, content: string): Step => ({
  step: "createFile",
  path,
  mode: 0o600,
  content: new TextEncoder().encode(content),
});

/** As it is: how it is seen in the container is the runtime's to say. */
const attachSource = (mount: OciMount, index: number): Step => ({
  step: "rootAttach",
  slot: mountSlot(mount),
  target: sourcePath(index),
  attributes: 0,
  recursive: 0,
  propagation: 0,
  propagationRecursive: 0,
  why: `the runtime mounts it at ${mount.destination}`,
});

/** By a path, and seen from the host's network: who runs in the same one takes it for the host's. */
const keepNetwork = (bundle: string): readonly Step[] => [
  {
    step: "mount",
    at: "",
    source: "/proc/self/ns/net",
    target: network(bundle),
    type: "",
    flags: mountFlags.MS_BIND,
    data: "",
    why: "the container's network, by a path",
  },
  { step: "joinProcess", slot: holder, kinds: namespaces.network.flag, why: "the runtime itself is the host's" },
];
