/** A process's environment, in Docker's order: the defaults, then what overrides or follows them. */
import { containerError } from "./errors.ts";

export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvironmentInput {
  readonly hostname: string;
  readonly tty: boolean;
  /** What it is told of the containers that it is linked to. */
  readonly linked?: readonly string[];
  /** The container's, the image's included. */
  readonly env: readonly string[];
  /** An exec session's: over the container's. */
  readonly exec?: readonly string[];
  /** The user's home, unless the environment has another. */
  readonly home: string;
}

export const planEnvironment = (input: EnvironmentInput): readonly string[] => {
  const { hostname, tty, linked = [], env, exec = [], home } = input;
  const defaults = [`PATH=${defaultPath}`, `HOSTNAME=${hostname}`, ...(tty ? ["TERM=xterm"] : []), ...linked];
  const planned = override(override(defaults, env), exec);
  // As runc: an empty HOME counts as none.
  const kept = planned.filter((entry) => entry !== "HOME=");
  return kept.some((entry) => entry.startsWith("HOME=")) ? kept : [...kept, `HOME=${home}`];
};

/** `over` replaces what `entries` has of the same name, follows it otherwise; a name without `=` removes. */
const override = (entries: readonly string[], over: readonly string[]): readonly string[] => {
  const named = new Map(entries.map((entry) => [nameOf(entry), entry]));
  for (const entry of over) {
    if (entry.includes("=")) named.set(nameOf(entry), entry);
    else named.delete(entry);
  }
  return [...named.values()];
};

/** What the user asks for, followed by what the image has under other names: as `inspect` shows it. */
export const mergeImageEnv = (asked: readonly string[], image: readonly string[]): readonly string[] => {
  const names = new Set(asked.map(nameOf));
  return [...asked, ...image.filter((entry) => !names.has(nameOf(entry)))];
};

/** Throws Docker's `invalid environment variable` for an entry without a name. */
export const checkEnv = (env: readonly string[]): void => {
  const nameless = env.find((entry) => nameOf(entry) === "");
  if (nameless !== undefined) throw containerError("invalidEnvironment", { entry: nameless });
};

const nameOf = (entry: string): string => entry.split("=", 1)[0]!;
