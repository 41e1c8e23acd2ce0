/** What of the kernel every container is made with. */
import { existsSync, readFileSync } from "node:fs";
import { machine, release } from "node:os";
import { findParser } from "../../kernel/apparmor/load.ts";
import { startTimeOf } from "../../kernel/holder.ts";
import { defaultCapabilities } from "../../kernel/numbers/capabilities.ts";
import { mountFlags } from "../../kernel/numbers/mount.ts";
import type { NamespaceKind } from "../../kernel/numbers/namespaces.ts";
import { compileSeccomp } from "../../kernel/seccomp/compile.ts";
import type { Step } from "../../kernel/steps.ts";
import { type Check, fails, works } from "./check.ts";
import type { Ground, Trial } from "./ground.ts";

/** What is mounted from here on is seen by nobody else. */
export const privately: Step = { step: "setPropagation", path: "/", flags: mountFlags.MS_REC | mountFlags.MS_PRIVATE };

/** A check that is one trial. */
const trial = (
  about: Pick<Check, "name" | "serves"> & { readonly found: string; readonly remedy: string },
  make: (ground: Ground) => Trial,
): Check => ({
  name: about.name,
  serves: about.serves,
  needed: true,
  look: async (ground) => {
    const refusal = await ground.try(make(ground));
    return refusal === undefined ? works(about.found) : fails(refusal.text, about.remedy);
  },
});

/** What mounts, and what pids, are a container's own; each with the option that gives it to a kernel. */
const kinds = {
  mount: "CONFIG_NAMESPACES",
  pid: "CONFIG_PID_NS",
  network: "CONFIG_NET_NS",
  uts: "CONFIG_UTS_NS",
  ipc: "CONFIG_IPC_NS",
  cgroup: "CONFIG_CGROUPS",
} as const satisfies Partial<Record<NamespaceKind, string>>;

const inContainer = "where this is a container itself: run it with --privileged";

const findNamespaces: Check["look"] = async (ground) => {
  const reasons: string[] = [];
  const options: string[] = [];
  for (const [kind, option] of Object.entries(kinds)) {
    const refusal = await ground.try({ namespaces: [kind as NamespaceKind], inside: [] });
    if (refusal === undefined) continue;
    reasons.push(`${kind}: ${refusal.text}`);
    options.push(option);
  }
  if (reasons.length === 0) return works(Object.keys(kinds).join(", "));
  return fails(reasons.join("; "), `a kernel with ${options.join(", ")}; ${inContainer}`);
};

const readFlag = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
};

const findAppArmor: Check["look"] = async () => {
  if (readFlag("/sys/module/apparmor/parameters/enabled") !== "Y") return works("not in use on this host");
  if (!existsSync("/sys/kernel/security/apparmor"))
    return fails("its files are not to be seen", "mount -t securityfs securityfs /sys/kernel/security");
  if (findParser() === undefined) return fails("apparmor_parser is missing", "apt-get install apparmor");
  return works("profiles can be loaded");
};

export const kernelChecks: readonly Check[] = [
  { name: "namespaces", serves: "containers", needed: true, look: findNamespaces },
  trial(
    {
      name: "paths beneath a root",
      serves: "containers whose links lead nowhere else",
      found: "openat2",
      remedy: `Linux 5.6 or later; ${inContainer}`,
    },
    ({ place: { store } }) => ({
      inside: [
        privately,
        { step: "openRoot", path: store },
        { step: "rootMakeDirectory", path: "/beneath", mode: 0o755, uid: 0, gid: 0 },
      ],
    }),
  ),
  trial(
    {
      name: "mounts by descriptor",
      serves: "mounts that nobody in a container can lead astray",
      found: "open_tree, move_mount, mount_setattr",
      remedy: `Linux 5.12 or later; ${inContainer}`,
    },
    ({ place: { store, run } }) => ({
      outside: [{ step: "openTree", slot: "tree", path: run, recursive: 0 }],
      inside: [
        privately,
        { step: "openRoot", path: store },
        {
          step: "rootAttach",
          slot: "tree",
          target: "/attached",
          ...{ attributes: 1, recursive: 0, propagation: mountFlags.MS_PRIVATE, propagationRecursive: 0 },
        },
      ],
    }),
  ),
  trial(
    {
      name: "processes by descriptor",
      serves: "signals that reach the one who is meant, and nobody else",
      found: "pidfd_open",
      remedy: "Linux 5.3 or later",
    },
    () => ({
      outside: [{ step: "openProcess", slot: "us", pid: process.pid, startTime: startTimeOf(process.pid) ?? 0 }],
      inside: [],
    }),
  ),
  trial(
    {
      name: "seccomp",
      serves: "the filter of system calls, which every container has unless it asks for none",
      found: "the default filter is taken",
      remedy: "a kernel with CONFIG_SECCOMP_FILTER",
    },
    () => ({
      inside: [
        {
          step: "loadSeccomp",
          ...compileSeccomp({ kind: "default" }, defaultCapabilities, {
            architecture: machine(),
            kernelRelease: release(),
          }),
        },
      ],
    }),
  ),
  trial(
    {
      name: "keyrings",
      serves: "keys of the host that stay out of containers",
      found: "one for each container",
      remedy: "a kernel with CONFIG_KEYS",
    },
    () => ({ inside: [{ step: "newKeyring", name: "_ses.check" }] }),
  ),
  { name: "AppArmor", serves: "the default profile around containers", needed: false, look: findAppArmor },
];
