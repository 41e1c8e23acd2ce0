/**
 * What containers could leave behind on a host, by name: counted before and after every test file that runs some.
 * A leak is what was not there before and is still there when the kernel has had time to clear up.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** For each kind of thing, what there is: a name that stays the same, and words that help to find its owner. */
export type LeakSet = Readonly<Record<string, ReadonlyMap<string, string>>>;

export interface LeakScope {
  /** Every file below these is counted. */
  readonly directories?: readonly string[];
  /** The process whose open descriptors are counted. */
  readonly daemon?: number;
  /** The group of the engine that is looked at, so that those of others, who run at the same time, are left out. */
  readonly group?: string;
  /** Loop devices are counted whose files lie below this directory; default: all of the machine's. */
  readonly loopsBelow?: string;
}

// Whatever is listed here may be gone before it is read: then it is not there.
const orNothing = <T>(read: () => T, nothing: T): T => {
  try {
    return read();
  } catch {
    return nothing;
  }
};
const textOf = (path: string): string => orNothing(() => readFileSync(path, "utf8"), "");
const linesOf = (path: string): string[] =>
  textOf(path)
    .split("\n")
    .filter((line) => line !== "");
const namesIn = (path: string): string[] => orNothing(() => readdirSync(path), []);
const linkAt = (path: string): string | undefined => orNothing(() => readlinkSync(path), undefined);

interface Process {
  readonly pid: string;
  readonly name: string;
  readonly state: string;
}

const processes = (): Process[] =>
  namesIn("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      const [, name, state] = /\((.*)\) (\w)/s.exec(textOf(`/proc/${pid}/stat`)) ?? [];
      return name === undefined || state === undefined ? [] : [{ pid, name, state }];
    });

/** The mounts of the host's namespace: "/run/pier/x erofs /dev/loop0". */
const mounts = (): Map<string, string> => {
  const found = new Map<string, string>();
  for (const line of linesOf("/proc/self/mountinfo")) {
    const [before = "", after = ""] = line.split(" - ");
    const [type, source] = after.split(" ");
    found.set(`${before.split(" ")[4]} ${type} ${source}`, line);
  }
  return found;
};

const kinds = ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "user", "uts"];

const commandOf = (pid: string): string => textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trimEnd();

/** Those of a daemon, of which the next one has others: they count, and have no other name. */
const roleOf = (command: string): "holder" | "listener" | "standby" | undefined => {
  if (command.split(" ").includes("--hold")) return "holder";
  if (/ -+$/.test(command)) return "standby";
  return command.endsWith("/changes") ? "listener" : undefined;
};

/** Namespaces in which a process lives, or which one holds open. */
const namespaces = (all: readonly Process[]): Map<string, string> => {
  const found = new Map<string, string>();
  // A holder has a namespace of its own, and is counted itself.
  const stores = all
    .filter(({ pid }) => roleOf(commandOf(pid)) === "holder")
    .map(({ pid }) => linkAt(`/proc/${pid}/ns/mnt`));
  for (const { pid, name } of all) {
    const held = namesIn(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
    for (const path of [...kinds.map((kind) => `/proc/${pid}/ns/${kind}`), ...held]) {
      const target = linkAt(path);
      if (
        target !== undefined &&
        !stores.includes(target) &&
        /^[a-z_]+:\[\d+\]$/.test(target) &&
        /^(?!pipe|socket)/.test(target)
      )
        found.set(target, `${path} of ${name}`);
    }
  }
  return found;
};

const links = (): Map<string, string> =>
  new Map(namesIn("/sys/class/net").map((name) => [name, textOf(`/sys/class/net/${name}/address`).trim()]));

const namedNetworks = (): Map<string, string> => new Map(namesIn("/run/netns").map((name) => [name, ""]));

// Counters and handles change while nothing leaks.
const withoutCounts = (key: string, value: unknown): unknown =>
  key === "handle" || key === "packets" || key === "bytes" || key === "metainfo" || key === "expires"
    ? undefined
    : value;

/** Every rule, chain, map and element of the packet filter. */
const rules = (): Map<string, string> => {
  const json = orNothing(
    () => execFileSync("nft", ["-j", "list", "ruleset"], { stdio: ["ignore", "pipe", "ignore"] }),
    undefined,
  );
  const found = new Map<string, string>();
  if (json === undefined) return found;
  const parsed: { nftables: Record<string, Record<string, unknown>>[] } = JSON.parse(json.toString());
  for (const entry of parsed.nftables) {
    for (const [kind, { elem, ...rest }] of Object.entries(entry)) {
      const name = `${kind} ${JSON.stringify(rest, withoutCounts)}`;
      found.set(name, "");
      for (const element of Array.isArray(elem) ? elem : [])
        found.set(
          `element ${JSON.stringify(element, withoutCounts)} of ${String(rest.table)} ${String(rest.name)}`,
          "",
        );
    }
  }
  return found;
};

const cgroupsBelow = (directory: string, ours: boolean, found: Map<string, string>): void => {
  for (const entry of orNothing(() => readdirSync(directory, { withFileTypes: true }), [])) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    const isOurs = ours || entry.name.startsWith("pier");
    if (isOurs) found.set(path, `processes: ${linesOf(join(path, "cgroup.procs")).join(" ")}`);
    cgroupsBelow(path, isOurs, found);
  }
};

const cgroups = (): Map<string, string> => {
  const found = new Map<string, string>();
  cgroupsBelow("/sys/fs/cgroup", false, found);
  return found;
};

/** The groups of engines that other tests of this machine run, each with directories of its own. */
const isOthers = (path: string, group: string): boolean => {
  const [engine] = /\bpier-pr[0-9a-f]{5}\b/.exec(path) ?? [];
  return engine !== undefined && engine !== group;
};

const without = (found: Map<string, string>, isLeftOut: (name: string) => boolean): Map<string, string> =>
  new Map([...found].filter(([name]) => !isLeftOut(name)));

/** The devices over files below the directory: "loop0 /path/of/the/file". */
export const loopDevices = (directory: string): Map<string, string> => {
  const found = new Map<string, string>();
  for (const name of namesIn("/sys/block")) {
    const file = textOf(`/sys/block/${name}/loop/backing_file`).trim();
    if (file.startsWith(`${directory}/`)) found.set(`${name} ${file}`, "");
  }
  return found;
};

const parentOf = (pid: string): string => /^PPid:\s*(\d+)/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? "";

const keepers = (all: readonly Process[]): Map<string, string> => {
  const found = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const { pid } of all) {
    const program = linkAt(`/proc/${pid}/exe`);
    if (program === undefined || !/\bkeeper\b/.test(program)) continue;
    const command = commandOf(pid);
    const role = roleOf(command);
    // An earlier build has none, and it comes and goes with a daemon: one that has lost its own is left behind.
    if (role === "standby" && parentOf(pid) !== "1") continue;
    if (role === undefined) {
      found.set(pid, command);
      continue;
    }
    counts.set(role, (counts.get(role) ?? 0) + 1);
    found.set(`${role} ${counts.get(role)}`, pid);
  }
  return found;
};

/** Ended processes that nobody has asked about; those of init are its own to take away, and some take their time. */
const zombies = (all: readonly Process[]): Map<string, string> =>
  new Map(
    all
      .filter(({ pid, state }) => state === "Z" && parentOf(pid) !== "1")
      .map(({ pid, name }) => [pid, `${name}, child of ${parentOf(pid)}`]),
  );

/** Keys per user, each with its ordinal, so that a further key is a new name. */
const keys = (): Map<string, string> => {
  const found = new Map<string, string>();
  for (const line of linesOf("/proc/key-users")) {
    const [, user, count] = /^\s*(\d+):\s+\d+\s+(\d+)\//.exec(line) ?? [];
    for (let ordinal = 1; ordinal <= Number(count ?? 0); ordinal++) found.set(`key ${ordinal} of user ${user}`, line);
  }
  return found;
};

const sharedMemory = (): Map<string, string> => {
  const found = new Map<string, string>();
  for (const name of namesIn("/dev/shm")) found.set(`/dev/shm/${name}`, "");
  for (const kind of ["msg", "sem", "shm"])
    for (const line of linesOf(`/proc/sysvipc/${kind}`).slice(1))
      found.set(`${kind} ${line.trim().split(/\s+/).slice(0, 2).join(" ")}`, line.trim());
  return found;
};

const files = (directories: readonly string[]): Map<string, string> => {
  const found = new Map<string, string>();
  for (const directory of directories)
    for (const name of orNothing(() => readdirSync(directory, { recursive: true }), []))
      found.set(join(directory, name.toString()), "");
  return found;
};

/** The open descriptors of a process by what they are, those of one kind numbered. */
const descriptors = (pid: number): Map<string, string> => {
  const found = new Map<string, string>();
  const seen = new Map<string, number>();
  for (const fd of namesIn(`/proc/${pid}/fd`)) {
    const target = linkAt(`/proc/${pid}/fd/${fd}`);
    if (target === undefined) continue;
    const kind = target.replace(/:\[\d+\]$/, "");
    const ordinal = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, ordinal);
    found.set(`${kind} ${ordinal}`, target);
  }
  return found;
};

/** Everything there is now that a container could leave behind. */
export const leakSet = (scope: LeakScope = {}): LeakSet => {
  const all = processes();
  const { group } = scope;
  const groups = cgroups();
  const own = group === undefined ? groups : without(groups, (path) => isOthers(path, group));
  return {
    mounts: mounts(),
    namespaces: namespaces(all),
    links: links(),
    "named networks": namedNetworks(),
    rules: rules(),
    cgroups: own,
    loops: loopDevices(scope.loopsBelow ?? ""),
    keepers: keepers(all),
    zombies: zombies(all),
    // The keys of a user are the whole machine's: they say nothing while others make some.
    keys: own.size < groups.size ? new Map() : keys(),
    "shared memory": sharedMemory(),
    files: files(scope.directories ?? []),
    descriptors: scope.daemon === undefined ? new Map() : descriptors(scope.daemon),
  };
};

// An event loop opens a few descriptors of its own when it first needs them.
const tolerated: Readonly<Record<string, number>> = { descriptors: 8 };

/** What is in the second set and not in the first, one line each. */
export const leaksBetween = (before: LeakSet, after: LeakSet): string[] =>
  Object.entries(after).flatMap(([kind, now]) => {
    const lines = [...now]
      .filter(([name]) => !before[kind]?.has(name))
      .map(([name, detail]) => `${kind}: ${name}${detail === "" ? "" : ` (${detail})`}`);
    return lines.length > (tolerated[kind] ?? 0) ? lines : [];
  });

// The kernel takes network namespaces, cgroups and loop devices away in its own time, and tells nobody: so look again.
const lookAgainAfter = 25;

/** Nothing is there that was not there before; fails after the deadline (milliseconds) with the names of what is. */
export const assertNoLeaks = async (before: LeakSet, scope: LeakScope = {}, deadline = 5_000): Promise<void> => {
  const end = performance.now() + deadline;
  let leaks = leaksBetween(before, leakSet(scope));
  while (leaks.length > 0 && performance.now() < end) {
    await setTimeout(lookAgainAfter);
    const now = new Set(leaksBetween(before, leakSet(scope)));
    // What others begin and end meanwhile is theirs: a leak is there every time.
    leaks = leaks.filter((leak) => now.has(leak));
  }
  assert.deepEqual(leaks, [], `left behind:\n${leaks.join("\n")}`);
};
