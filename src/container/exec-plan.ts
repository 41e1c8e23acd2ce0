/** A further process in a running container, as a plan: joined namespaces instead of new ones. Pure. */

import type { CgroupPlan } from "../kernel/cgroup/plan.ts";
import type { ProcessMark } from "../kernel/keeper.ts";
import type { Capability } from "../kernel/numbers/capabilities.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { type NamespaceKind, namespaceFlags, namespaces } from "../kernel/numbers/namespaces.ts";
import { noSlot, type Plan, type Step, stdinKinds, stdioKinds } from "../kernel/steps.ts";
import type { OciProcess, OciSpec } from "./oci/spec.ts";
import { type ContainerPlace, planProcess, planProfile } from "./plan.ts";
import type { ExecRequest } from "./request.ts";
import { planCapabilitySets, type SpecHost } from "./spec.ts";
import { type User, userFileLimit } from "./users.ts";

const target = "the container's first process";
const missing = (["ENOENT", "ENOTDIR", "EINVAL", "EFBIG"] as const).map((name) => errnos[name].number);

/** The files that say who the users of a container are, in the order in which they are reported. */
export const userFiles = ["/etc/passwd", "/etc/group"] as const;

const openTarget = (mark: ProcessMark): Step => ({
  step: "openProcess",
  slot: target,
  pid: mark.pid,
  startTime: mark.startTime,
});

/** What the container's own /etc/passwd and /etc/group hold now. */
export const planUserFiles = (mark: ProcessMark): Plan => ({
  outside: [openTarget(mark), { step: "clone", namespaces: 0, cgroup: noSlot }],
  inside: [
    { step: "joinProcess", slot: target, kinds: namespaces.mount.flag },
    { step: "openRoot", path: "/" },
    ...userFiles.map(
      (path, index): Step => ({ step: "readFile", index, path, limit: userFileLimit, tolerate: missing }),
    ),
  ],
  after: [],
});

/** The end of a session's process whose keeper was killed. */
export const planKill = (mark: ProcessMark): Plan => ({
  outside: [openTarget(mark), { step: "killProcess", slot: target }],
  inside: [],
  after: [],
});

const joined: readonly NamespaceKind[] = ["mount", "network", "uts", "ipc", "pid", "cgroup"];

export interface ExecPlace {
  /** Names the keyring: the container's. */
  readonly container: string;
  readonly controlPath: string;
  readonly exitPath: string;
  readonly target: ProcessMark;
  readonly cgroup: CgroupPlan;
  readonly seccomp: ContainerPlace["seccomp"];
  readonly stdio: keyof typeof stdioKinds;
  readonly stdin: keyof typeof stdinKinds;
}

/** What a session's keeper has, whoever brings its process into the container. */
export const planSession = (place: ExecPlace): readonly Step[] => [
  {
    step: "write",
    path: "/proc/self/oom_score_adj",
    content: new TextEncoder().encode("-999"),
    tolerate: [errnos.EACCES.number],
  },
  { step: "listen", path: place.controlPath },
  { step: "exitTo", path: place.exitPath },
  { step: "stdio", kind: stdioKinds[place.stdio], stdin: stdinKinds[place.stdin] },
];

export const planExec = (process: OciProcess, place: ExecPlace): Plan => {
  const groups = place.cgroup.outside;
  return {
    outside: [
      ...planSession(place),
      openTarget(place.target),
      ...groups.filter(({ step }) => step === "openDirectory"),
      { step: "clone", namespaces: 0, cgroup: place.cgroup.slot, why: "born in the container's group" },
    ],
    inside: [
      { step: "dieWithParent" },
      {
        step: "write",
        path: "/proc/self/oom_score_adj",
        content: new TextEncoder().encode(String(process.oomScoreAdj)),
      },
      { step: "notDumpable", why: "CVE-2016-9962: nobody inside reads the keeper's descriptors" },
      ...place.cgroup.inside,
      // The word for it is given through the host's proc, and kept by the child: from `enter` on nothing of the host's is left.
      ...planProfile(process),
      { step: "joinProcess", slot: target, kinds: namespaceFlags(joined) },
      { step: "enter", why: "until here nobody in the container could see the process" },
      { step: "dieWithParent", why: "the new process's own" },
      { step: "newKeyring", name: `_ses.${place.container}` },
      { step: "openRoot", path: "/" },
      ...(process.terminal
        ? [
            {
              step: "terminal",
              console: 0,
              rows: process.consoleSize?.height ?? 0,
              columns: process.consoleSize?.width ?? 0,
            } as const,
          ]
        : []),
      { step: "setUmask", mask: 0o022 },
      ...planProcess(process, { seccomp: place.seccomp, init: false }),
    ],
    after: [],
  };
};

const withoutName = (env: readonly string[], name: string): readonly string[] =>
  env.filter((entry) => !entry.startsWith(`${name}=`));

/** The process of a session: the container's, with what the session asks for instead. */
export const planExecProcess = (
  spec: OciSpec,
  request: ExecRequest,
  user: User,
  host: Pick<SpecHost, "capabilities">,
): OciProcess => {
  const { process } = spec;
  const names = new Set(request.env.map((entry) => entry.split("=")[0]!));
  const kept = process.env.filter((entry) => !names.has(entry.split("=")[0]!));
  const base = [...kept, ...request.env.filter((entry) => entry.includes("="))];
  const asked = request.env.some((entry) => entry.startsWith("HOME="));
  const env = asked || request.user === undefined ? base : [...withoutName(base, "HOME"), `HOME=${user.home}`];
  const bounding = request.privileged ? host.capabilities : (process.capabilities.bounding as readonly Capability[]);
  const size = request.consoleSize;
  const { consoleSize: _container, ...rest } = process;
  return {
    ...rest,
    terminal: request.tty,
    ...(size === undefined ? {} : { consoleSize: { height: size.rows, width: size.columns } }),
    args: request.args,
    env: request.tty && !env.some((entry) => entry.startsWith("TERM=")) ? [...env, "TERM=xterm"] : env,
    cwd: request.workingDirectory ?? process.cwd,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    capabilities: planCapabilitySets(bounding, user.uid),
  };
};
