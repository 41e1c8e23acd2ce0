/** What a profile means here: on this machine, with this kernel, for a container with these capabilities. Pure. */
import { type Abi, abis, machineOf } from "./abis.ts";
import { type Action, letsThrough, notImplemented } from "./actions.ts";
import type { Circumstances, Condition, Profile, ProfileRule } from "./profile.ts";

export interface Host {
  /** As uname(2) calls it. */
  readonly architecture: string;
  readonly kernelRelease: string;
}

/** A condition, and whether only the lower half of the argument is compared. */
export interface HostCondition extends Condition {
  readonly isInt: boolean;
}

/** The answer to one system call: the first case whose conditions all hold, or else the rest. */
export interface Decision {
  readonly cases: readonly { readonly conditions: readonly HostCondition[]; readonly action: Action }[];
  readonly otherwise: Action;
}

/** All answers for one ABI. */
export interface AbiRules {
  readonly abi: Abi;
  readonly decisions: ReadonlyMap<number, Decision>;
  /** For the numbers without a decision of their own, up to the newest that the profile knows, … */
  readonly otherwise: Action;
  readonly newest: number;
  /** … and for those after it. */
  readonly afterNewest: Action;
}

/** The rules of every ABI that may be used, the machine's own first. */
export const planRules = (profile: Profile, capabilities: readonly string[], host: Host): readonly AbiRules[] => {
  const rules = rulesFor(profile, capabilities, host);
  return architecturesOf(profile, host).map((name) => planAbi(abis[name]!, rules, profile));
};

/** Those of a profile's rules that count here. */
export const rulesFor = (profile: Profile, capabilities: readonly string[], host: Host): readonly ProfileRule[] => {
  const holds = circumstancesHold(capabilities, machineOf(host.architecture).goName, host.kernelRelease);
  return profile.rules.filter(
    ({ includes, excludes }) =>
      (includes === undefined || holds(includes, "all")) && (excludes === undefined || !holds(excludes, "any")),
  );
};

/** libseccomp's names of the ABIs that may be used, the machine's own first. */
export const architecturesOf = (profile: Profile, host: Host): readonly string[] => {
  const { native } = machineOf(host.architecture);
  const names = new Set([native, ...(profile.architectures[native] ?? [])]);
  return [...names].filter((name) => Object.hasOwn(abis, name));
};

/** A rule is included when all that it asks for holds, and excluded as soon as any of it does. */
const circumstancesHold =
  (capabilities: readonly string[], goName: string, kernelRelease: string) =>
  (asked: Circumstances, mode: "all" | "any"): boolean => {
    const { architectures = [], capabilities: caps = [], minKernel } = asked;
    const has = (capability: string) => capabilities.includes(capability);
    const answers = [
      ...(architectures.length > 0 ? [architectures.includes(goName)] : []),
      ...(caps.length > 0 ? [mode === "all" ? caps.every(has) : caps.some(has)] : []),
      ...(minKernel === undefined ? [] : [isKernelAtLeast(kernelRelease, minKernel)]),
    ];
    return mode === "all" ? answers.every(Boolean) : answers.some(Boolean);
  };

const isKernelAtLeast = (release: string, [major, minor]: readonly [number, number]): boolean => {
  const [ourMajor = 0, ourMinor = 0] = release.split(/[^0-9]+/).map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
};

const planAbi = (abi: Abi, rules: readonly ProfileRule[], { otherwise }: Profile): AbiRules => {
  const byNumber = new Map<number, NamedRule[]>();
  for (const rule of rules) {
    for (const name of rule.names) {
      // A name that this ABI, or this table, does not know has no number to filter.
      const number = abi.syscalls.get(name);
      if (number === undefined) continue;
      const about = byNumber.get(number) ?? [];
      if (about.push({ ...rule, name }) === 1) byNumber.set(number, about);
    }
  }
  const known = [...byNumber.keys()].filter((number) => number < abi.privateFrom);
  // A profile that names nothing of an ABI says nothing about what is new in it.
  const newest = known.reduce((most, number) => Math.max(most, number), -1);
  return {
    abi,
    decisions: new Map([...byNumber].map(([number, about]) => [number, decide(about, otherwise)])),
    otherwise,
    newest,
    // A program that meets EPERM gives up; one that meets ENOSYS tries what it did before the call was invented.
    afterNewest: newest < 0 || letsThrough(otherwise) ? otherwise : notImplemented,
  };
};

interface NamedRule extends ProfileRule {
  readonly name: string;
}

/** What is said of single arguments counts more than what is said of the whole call, and of two the first. */
const decide = (rules: readonly NamedRule[], otherwise: Action): Decision => ({
  cases: rules.flatMap(({ name, conditions = [], action }) =>
    conditions.length === 0 ? [] : [{ conditions: conditions.map((asked) => onHost(name, asked)), action }],
  ),
  otherwise: rules.find(({ conditions = [] }) => conditions.length === 0)?.action ?? otherwise,
});

/**
 * Arguments that the kernel takes as an int, and so cuts off what is above 32 bits. Compared as 64 bits, as libseccomp
 * does, AF_ALG with any higher bit set is "above 40" and passes Docker's profile; TIOCSTI passed Flatpak's so
 * (CVE-2019-10063).
 */
const intArguments: Readonly<Record<string, readonly number[]>> = {
  socket: [0, 1, 2],
  socketpair: [0, 1, 2],
  ioctl: [0, 1],
  fcntl: [0, 1],
  prctl: [0],
};

const onHost = (name: string, condition: Condition): HostCondition => {
  const ints = Object.hasOwn(intArguments, name) ? intArguments[name]! : [];
  return { ...condition, isInt: ints.includes(condition.index) && condition.value <= 0xffff_ffffn };
};
