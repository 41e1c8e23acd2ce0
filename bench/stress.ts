/** How an engine, its host and its other containers answer while some of its containers take what they can get. */
import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ask, time, timed } from "./commands.ts";
import type { Client } from "./engines.ts";
import type { Bench, Row } from "./measures.ts";

const image = "fixture/busybox:1.35";

/** One that takes what it can get: its name in the report, and the flags and the script of its container. */
interface Hostile {
  readonly name: string;
  readonly flags: readonly string[];
  readonly script: string;
}

const hostile: readonly Hostile[] = [
  // Keeps its input until the kernel ends it, again and again.
  { name: "a memory hog", flags: ["--memory", "16m"], script: "while :; do tail /dev/zero; done" },
  // Fifty processes at a time, none of which lives long.
  { name: "a fork storm", flags: ["--pids-limit", "64"], script: "yes | xargs -P 50 -n 1 true" },
  { name: "a spinner", flags: [], script: "while :; do :; done" },
  {
    name: "a disk writer",
    flags: [],
    script: "while :; do dd if=/dev/zero of=/file bs=64k count=256 conv=fsync 2>/dev/null; done",
  },
];

/** What the host itself answers. */
interface HostAnswers {
  /** Of a program, from its start to its end. */
  readonly programs: readonly number[];
  /** Of a page of a file on the disk that the containers write to. */
  readonly syncs: readonly number[];
}

interface Answers extends HostAnswers {
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

/** Milliseconds of each `run --rm`, `exec` and `version`, and of what the host is asked, beside all these. */
const answersBeside = (all: readonly Hostile[], client: Client, image: string, count: number): Answers => {
  const { disk } = client.engine;
  const rest = hostAnswers(Array.from({ length: count }, () => askHost(disk)));
  const name = (place: number | string): string => `bench-stress-${place}`;
  const start = (place: number | string, flags: readonly string[], ...command: string[]): string =>
    ask(client, "run", "-d", "--network", "none", "--name", name(place), ...flags, image, ...command);
  start("quiet", [], "sleep", "100000");
  for (const [place, { flags, script }] of all.entries()) start(place, flags, "sh", "-c", script);
  const times = Array.from({ length: count }, () => ({
    run: time(client, "run", "--rm", "--network", "none", image, "true"),
    session: time(client, "exec", name("quiet"), "true"),
    ping: time(client, "version"),
    ...askHost(disk),
  }));
  ask(client, "rm", "-f", ...["quiet", ...all.keys()].map(name));
  return {
    runs: times.map(({ run }) => run),
    sessions: times.map(({ session }) => session),
    pings: times.map(({ ping }) => ping),
    ...hostAnswers(times),
    rest,
  };
};

const answersOf = (bench: Bench, all: readonly Hostile[], count: number) => {
  const answers = new Map(bench.clients.map((client) => [client, answersBeside(all, client, image, count)]));
  return (title: string, pick: (answers: Answers) => readonly number[]): Row => ({
    title,
    unit: "ms",
    statistic: "95th percentile",
    samples: new Map([...answers].map(([client, answer]) => [client, pick(answer)])),
  });
};

/** The daemon, another container and the host, beside each alone. */
const besideEach = (bench: Bench): Row[] =>
  hostile.flatMap((one) => {
    const row = answersOf(bench, [one], bench.quick ? 5 : 20);
    return [
      row(`\`version\` beside ${one.name} alone`, ({ pings }) => pings),
      row(`\`exec\` of \`true\` in another container beside ${one.name} alone`, ({ sessions }) => sessions),
      row(`a program of the host's beside ${one.name} alone`, ({ programs }) => programs),
    ];
  });

export const stress = (bench: Bench): Row[] => {
  const row = answersOf(bench, hostile, bench.quick ? 5 : 40);
  const beside = "beside a memory hog, a fork storm, a spinner and a disk writer";
  return [
    row(`\`run --rm\` without network ${beside}`, ({ runs }) => runs),
    row(`\`exec\` of \`true\` ${beside}`, ({ sessions }) => sessions),
    row(`\`version\` ${beside}`, ({ pings }) => pings),
    row(`a program of the host's ${beside}`, ({ programs }) => programs),
    row("the same at rest", ({ rest }) => rest.programs),
    row(`a page synced on the containers' disk ${beside}`, ({ syncs }) => syncs),
    row("the same at rest", ({ rest }) => rest.syncs),
    ...besideEach(bench),
  ];
};
