/** By which names a build asks for secrets: those of its steps, and those by which repositories are fetched. */
import { posix } from "node:path";
import type { RunMount } from "./dockerfile/mounts.ts";
import { parseGitAddress } from "./git/address.ts";

export type Secrets = ReadonlyMap<string, Uint8Array>;

/** Those of these ids that there are. */
export type SecretFinder = (ids: readonly string[]) => Promise<Secrets>;

export const secretId = ({ id, target, env }: RunMount): string => id ?? env ?? posix.basename(target ?? "");

/** By which the client may say who asks for the repository; none for what is no repository on the web. */
export const gitSecretIds = (address: string): readonly string[] => {
  const remote = parseGitAddress(address)?.remote ?? "";
  if (!/^https?:/i.test(remote) || !URL.canParse(remote)) return [];
  const { host } = new URL(remote);
  return ["GIT_AUTH_TOKEN", "GIT_AUTH_HEADER"].flatMap((name) => [name, `${name}.${host}`]);
};
