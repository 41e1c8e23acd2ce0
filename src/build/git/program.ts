/** The host's `git`, as a program that knows nobody: no configuration, no hooks, no passwords of whoever runs the daemon. */
import { dirname } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import { buildError } from "../errors.ts";
import { programOutput } from "../program.ts";
import { hidePassword } from "./address.ts";

export interface GitPlace {
  /** The repository's own directory: what git calls `.git`. */
  readonly directory: string;
  /** For what is said. */
  readonly remote: string;
  readonly signal: AbortSignal;
  /** `NAME=value` of git's configuration that is in no argument: arguments are seen by everybody. */
  readonly settings: readonly (readonly [name: string, value: string])[];
}

const proxies = ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

const settings: readonly (readonly [string, string])[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.logAllRefUpdates", "false"],
  ["credential.helper", ""],
  ["fetch.recurseSubmodules", "false"],
  ["gc.auto", "0"],
  // A server that sends nothing for a minute has gone.
  ["http.lowSpeedLimit", "1"],
  ["http.lowSpeedTime", "60"],
];

const environment = (place: GitPlace): Record<string, string> => {
  const all = [...settings, ...place.settings];
  return {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_DIR: place.directory,
    GIT_WORK_TREE: dirname(place.directory),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    // What is neither asked for nor there is no password.
    GIT_ASKPASS: "/bin/false",
    // Neither files of the host nor programs that a repository names.
    GIT_ALLOW_PROTOCOL: "http:https:git",
    GIT_CONFIG_COUNT: String(all.length),
    ...Object.fromEntries(
      all.flatMap(([name, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, name],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
    ...Object.fromEntries(
      proxies.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    ),
  };
};

/** What git writes when it is given `input`; throws what git says is wrong. */
export async function* gitOutput(
  place: GitPlace,
  args: readonly string[],
  input: Iterable<string> = [],
): AsyncGenerator<Buffer> {
  const failed = (errors: string): Error => failure(place, errors);
  try {
    yield* programOutput({ name: "git", args, env: environment(place), signal: place.signal, failed }, input);
  } catch (error) {
    throw errnoOf(error) === "ENOENT" ? buildError("noGit", {}, error) : error;
  }
}

const failure = ({ remote }: GitPlace, errors: string): Error => {
  const lines = errors.split("\n").filter((line) => /^(fatal|error|remote):/.test(line));
  const reason = (lines.at(-1) ?? errors).replace(/^(fatal|error): /, "").trim();
  return buildError("git", { remote: hidePassword(remote), reason: hidePassword(reason) || "git failed" });
};

/** What git prints, one character per byte. */
export const runGit = async (place: GitPlace, ...args: readonly string[]): Promise<string> =>
  Buffer.concat(await Array.fromAsync(gitOutput(place, args))).toString("latin1");
