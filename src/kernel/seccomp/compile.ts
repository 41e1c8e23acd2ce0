/** The door of this room: a profile becomes the filter that a container's first process is given. */
import { defaultProfile } from "./default-profile.ts";
import { parseProfile } from "./parse.ts";
import type { Profile } from "./profile.ts";
import { type Host, planRules } from "./rules.ts";
import { compileRules } from "./rules-graph.ts";

export interface SeccompFilter {
  /** struct sock_filter, eight bytes each. */
  readonly filter: Uint8Array;
  /** Flags of seccomp(2). */
  readonly flags: number;
}

/** The default profile, or the text of one in Docker's JSON format. */
export type SeccompChoice = { readonly kind: "default" } | { readonly kind: "profile"; readonly profile: string };

/** The filter of a profile, for a process with these capabilities (its bounding set) on this host. */
export const compileProfile = (profile: Profile, capabilities: readonly string[], host: Host): SeccompFilter => ({
  filter: compileRules(planRules(profile, capabilities, host)),
  flags: profile.flags,
});

const kept = 64;
const filters = new Map<string, SeccompFilter>();

/** As `compileProfile`, but remembered: the same choice has the same filter. Throws when the text is no profile. */
export const compileSeccomp = (choice: SeccompChoice, capabilities: readonly string[], host: Host): SeccompFilter => {
  const { architecture, kernelRelease } = host;
  const text = choice.kind === "default" ? "" : choice.profile;
  const key = JSON.stringify([architecture, kernelRelease, choice.kind, capabilities.toSorted(), text]);
  const known = filters.get(key);
  if (known !== undefined) return known;
  const profile = choice.kind === "default" ? defaultProfile : parseProfile(text);
  const filter = compileProfile(profile, capabilities, host);
  const [oldest] = filters.keys();
  if (filters.size >= kept && oldest !== undefined) filters.delete(oldest);
  filters.set(key, filter);
  return filter;
};
