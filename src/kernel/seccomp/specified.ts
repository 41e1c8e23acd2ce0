/** A profile as other runtimes read it: the rules of the OCI runtime specification (`linux.seccomp`). */
import { actionName } from "./actions.ts";
import type { SeccompChoice } from "./compile.ts";
import { defaultProfile } from "./default-profile.ts";
import { parseProfile } from "./parse.ts";
import { type Condition, defaultFlags, filterFlags, type Profile } from "./profile.ts";
import { architecturesOf, type Host, rulesFor } from "./rules.ts";

type SpecifiedAction = {
  readonly action: string;
  readonly errnoRet?: number;
};

type SpecifiedCondition = {
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo?: bigint;
  readonly op: string;
};

/** `linux.seccomp` of `config.json`. */
export type SpecifiedRules = {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly (SpecifiedAction & {
    readonly names: readonly string[];
    readonly args?: readonly SpecifiedCondition[];
  })[];
};

/** The rules that hold for a process with these capabilities on this host. Throws when the text is no profile. */
export const specifyRules = (choice: SeccompChoice, capabilities: readonly string[], host: Host): SpecifiedRules => {
  const profile = choice.kind === "default" ? defaultProfile : parseProfile(choice.profile);
  const { name, number } = actionName(profile.otherwise);
  return {
    defaultAction: name,
    ...(number === undefined ? {} : { defaultErrnoRet: number }),
    architectures: architecturesOf(profile, host),
    ...flagsOf(profile),
    syscalls: rulesFor(profile, capabilities, host).map(({ names, action, conditions = [] }) => ({
      names,
      ...specifiedAction(action),
      ...(conditions.length === 0 ? {} : { args: conditions.map(specifiedCondition) }),
    })),
  };
};

const specifiedAction = (action: number): SpecifiedAction => {
  const { name, number } = actionName(action);
  return { action: name, ...(number === undefined ? {} : { errnoRet: number }) };
};

const specifiedCondition = ({ index, comparison, value, mask }: Condition): SpecifiedCondition => ({
  index,
  ...(mask === undefined ? { value } : { value: mask, valueTwo: value }),
  op: `SCMP_CMP_${comparison}`,
});

/** What every runtime takes for the usual is left to it: an older one does not know the word for it. */
const flagsOf = ({ flags }: Profile): Pick<SpecifiedRules, "flags"> =>
  flags === defaultFlags
    ? {}
    : { flags: Object.entries(filterFlags).flatMap(([name, bit]) => ((flags & bit) === 0 ? [] : [name])) };
