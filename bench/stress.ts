/** How an engine and its host answer while four of its containers take what they can get. */
import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ask, time, timed } from "./commands.ts";
import type { Client } from "./engines.ts";

/** What the four are made of: the flags and the script of each. */
const hostile: readonly { readonly flags: readonly string[]; readonly script: string }[] = [
  // Keeps its input until the kernel ends it, again and again.
  { flags: ["--memory", "16m"], script: "while :; do tail /dev/zero; done" },
  // Fifty processes at a time, none of which lives long.
  { flags: ["--pids-limit", "64"], script: "yes | xargs -P 50 -n 1 true" },
  { flags: [], script: "while :; do :; done" },
  { flags: [], script: "while :; do dd if=/dev/zero of=/file bs=64k count=256 conv=fsync 2>/dev/null; done" },
];

/** What the host itself answers. */
export interface HostAnswers {
  /** Of a program, from its start to its end. */
  readonly programs: readonly number[];
  /** Of a page of a file on the disk that the containers write to. */
  readonly syncs: readonly number[];
}

export interface Answers extends HostAnswers {
  readonly runs: readonly number[];
  readonly sessions: readonly number[];
  readonly pings: readonly number[];
  /** Before there was any container. */
  readonly rest: HostAnswers;
}

const sync = (path: string): void => {
  const file = openSync(path, "w");
  writeSync(file, Buffer.alloc(4096));
  fsyncSync(file);
  closeSync(file);
  rmSync(path);
};

const askHost = (disk: string) => ({
  program: timed(() => spawnSync("true")),
  sync: timed(() => sync(join(disk, "bench-sync"))),
});

const hostAnswers = (times: readonly ReturnType<typeof askHost>[]): HostAnswers => ({
  programs: times.map(({ program }) => program),
  syncs: times.map(({ sync }) => sync),
});

/** Milliseconds of each `run --rm`, `exec` and `version`, and of what the host is asked, beside the four. */
export const answersUnderStress = (client: Client, image: string, count: number): Answers => {
  const { disk } = client.engine;
  const rest = hostAnswers(Array.from({ length: count }, () => askHost(disk)));
  const name = (place: number | string): string => `bench-stress-${place}`;
  const start = (place: number | string, flags: readonly string[], ...command: string[]): string =>
    ask(client, "run", "-d", "--network", "none", "--name", name(place), ...flags, image, ...command);
  start("quiet", [], "sleep", "100000");
  for (const [place, { flags, script }] of hostile.entries()) start(place, flags, "sh", "-c", script);
  const times = Array.from({ length: count }, () => ({
    run: time(client, "run", "--rm", "--network", "none", image, "true"),
    session: time(client, "exec", name("quiet"), "true"),
    ping: time(client, "version"),
    ...askHost(disk),
  }));
  ask(client, "rm", "-f", ...["quiet", ...hostile.keys()].map(name));
  return {
    runs: times.map(({ run }) => run),
    sessions: times.map(({ session }) => session),
    pings: times.map(({ ping }) => ping),
    ...hostAnswers(times),
    rest,
  };
};
