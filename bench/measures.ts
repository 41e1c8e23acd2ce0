/** What is measured: the table that `--only` names, and the order of the report. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { builds } from "./builds.ts";
import { ask, time, timeBeside, timeOutput, timeParallel } from "./commands.ts";
import { crowd } from "./crowd.ts";
import type { Client, Engine } from "./engines.ts";
import { api, copies, list, stops } from "./life.ts";
import { kernelMemory, nameOf, pids, proportionalOf, residentOf, sharedMemory } from "./memory.ts";
import { dns, latency, published, runUser, throughput } from "./networks.ts";
import { sum } from "./statistics.ts";
import { stress } from "./stress.ts";
import { pullLarge, pullSmall } from "./transfers.ts";
import { inTurns, primary } from "./turns.ts";

export interface Bench {
  readonly engines: readonly Engine[];
  readonly clients: readonly Client[];
  readonly quick: boolean;
  fixture(name: string): string;
}

export interface Target {
  readonly times?: number;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** One line of the report: samples by client. */
export interface Row {
  readonly title: string;
  readonly unit: "ms" | "µs" | "%" | "a second" | "Gbit/s" | "MB";
  readonly statistic: "median" | "95th percentile";
  /** What is aimed at, through Docker's command and through pier's own: so many times better than Docker, and absolutes. */
  readonly target?: Target & { readonly own?: Target };
  readonly samples: ReadonlyMap<Client, readonly number[]>;
}

export interface Measure {
  readonly name: string;
  /** Taken before the first image comes in. */
  readonly first?: true;
  /** Each engine is on a machine of its own. */
  readonly alone?: true;
  run(bench: Bench): Promise<Row[]> | Row[];
}

const image = "fixture/busybox:1.35";
const debian = "fixture/debian:bookworm";
const megabyte = 1e6;

const run = async (bench: Bench, title: string, ...words: string[]): Promise<Row> => ({
  title,
  unit: "ms",
  statistic: "median",
  target: { times: 6, own: { times: 12 } },
  samples: await inTurns(bench.clients, bench.quick ? 5 : 20, (client) =>
    time(client, "run", "--rm", ...words, image, "true"),
  ),
});

const exec = async (bench: Bench): Promise<Row> => {
  for (const { clients } of bench.engines)
    for (const client of clients.slice(0, 1))
      ask(client, "run", "-d", "--name", "bench-exec", image, "sleep", "100000");
  const samples = await inTurns(bench.clients, bench.quick ? 5 : 20, (client) =>
    time(client, "exec", "bench-exec", "true"),
  );
  for (const client of primary(bench)) ask(client, "rm", "-f", "bench-exec");
  return {
    title: "`exec` of `true`",
    unit: "ms",
    statistic: "median",
    target: { times: 4, own: { times: 4 } },
    samples,
  };
};

const parallel = async (bench: Bench): Promise<Row> => {
  const count = bench.quick ? 16 : 40;
  const samples = await inTurns(bench.clients, bench.quick ? 1 : 3, async (client) => {
    const took = await timeParallel(client, count, 8, "run", "--rm", image, "true");
    return (1000 * count) / took;
  });
  const title = `${count} \`run --rm\`, 8 at a time`;
  return { title, unit: "a second", statistic: "median", target: { times: 15, own: { times: 15 } }, samples };
};

interface Weighed {
  /** Milliseconds of every start. */
  readonly starts: readonly number[];
  /** Milliseconds to take all of them away. */
  readonly removal: number;
  /** Bytes for each container: processes beside its own, shared memory and the kernel's; and the daemon's growth. */
  readonly processes: number;
  readonly kernel: number;
  readonly daemon: number;
}

const weigh = async (client: Client, count: number): Promise<Weighed> => {
  const daemon = (): number => sum(client.engine.daemons.map(proportionalOf));
  // What only the first container brings is not what each of them costs.
  time(client, "run", "--rm", image, "true");
  const kernel = async (): Promise<number> => (await kernelMemory()) + sharedMemory();
  const before = { pids: new Set(pids()), kernel: await kernel(), daemon: daemon() };
  const names = Array.from({ length: count }, (_, index) => `bench-${index}`);
  const starts = names.map((name) => time(client, "run", "-d", "--name", name, image, "sleep", "100000"));
  // The container's own process is the same everywhere, and not the engine's.
  const beside = pids().filter((pid) => !before.pids.has(pid) && nameOf(pid) !== "sleep");
  const weighed = {
    processes: sum(beside.map(proportionalOf)) / count,
    kernel: ((await kernel()) - before.kernel) / count,
    daemon: (daemon() - before.daemon) / count,
  };
  return { starts, ...weighed, removal: time(client, "rm", "-f", ...names) };
};

const many = async (bench: Bench): Promise<Row[]> => {
  const count = bench.quick ? 10 : 50;
  const all = new Map<Client, Weighed>();
  for (const client of primary(bench)) all.set(client, await weigh(client, count));
  const row = (
    title: string,
    unit: Row["unit"],
    pick: (weighed: Weighed) => readonly number[],
    target: Row["target"] = {},
  ): Row => ({
    title,
    unit,
    statistic: "median",
    target,
    samples: new Map([...all].map(([client, weighed]) => [client, pick(weighed)])),
  });
  return [
    row(`${count} × \`run -d\`, one after the other: each`, "ms", ({ starts }) => starts, { times: 6 }),
    row(`\`rm -f\` of ${count} running`, "ms", ({ removal }) => [removal], { times: 10 }),
    row("memory of an idle container: the engine's processes (PSS)", "MB", (w) => [w.processes / megabyte], {
      atMost: 0.2,
    }),
    row("memory of an idle container: kernel and shared memory", "MB", (w) => [w.kernel / megabyte]),
    row("memory of an idle container: growth of the daemon (PSS)", "MB", (w) => [w.daemon / megabyte]),
  ];
};

const rest = (bench: Bench): Row => {
  const withDaemon = primary(bench).filter(({ engine }) => engine.daemons.length > 0);
  return {
    title: "memory of the daemon at rest (RSS)",
    unit: "MB",
    statistic: "median",
    target: { atMost: 80 },
    samples: new Map(withDaemon.map((client) => [client, [sum(client.engine.daemons.map(residentOf)) / megabyte]])),
  };
};

const load = async (bench: Bench): Promise<Row> => {
  const archive = bench.fixture("debian.docker-archive.tar.gz");
  const samples = await inTurns(bench.clients, bench.quick ? 1 : 5, (client) => {
    const took = time(client, "load", "-i", archive);
    ask(client, "rmi", debian);
    return took;
  });
  return {
    title: "`load` of a Debian image (28 MB, gzip)",
    unit: "ms",
    statistic: "median",
    target: { times: 4, own: { times: 4 } },
    samples,
  };
};

const logs = async (bench: Bench): Promise<Row[]> => {
  const lines = bench.quick ? 20_000 : 200_000;
  const rounds = bench.quick ? 1 : 3;
  const written = await inTurns(primary(bench), rounds, (client) => {
    removeIfThere(client, "bench-logs");
    return timeOutput(client, "-l", lines, "run", "--name", "bench-logs", image, "seq", String(lines));
  });
  const read = await inTurns(bench.clients, rounds, (client) => timeOutput(client, "-l", lines, "logs", "bench-logs"));
  for (const client of primary(bench)) ask(client, "rm", "-f", "bench-logs");
  const count = lines.toLocaleString("en");
  return [
    {
      title: `${count} lines written, and seen by an attached client`,
      unit: "ms",
      statistic: "median",
      samples: written,
    },
    {
      title: `\`logs\` of ${count} lines`,
      unit: "ms",
      statistic: "median",
      target: { times: 6, own: { times: 6 } },
      samples: read,
    },
  ];
};

// Not there the first time, which is no failure.
const removeIfThere = (client: Client, name: string): void => {
  if (ask(client, "ps", "-a", "--filter", `name=${name}`, "--format", "{{.Names}}").includes(name))
    ask(client, "rm", "-f", name);
};

const output = async (bench: Bench): Promise<Row> => {
  const bytes = bench.quick ? 100_000_000 : 1_000_000_000;
  // Lines of a hundred bytes.
  const script = `yes ${"pier".repeat(25).slice(1)} | head -c ${bytes}`;
  const pass = (client: Client): number =>
    timeOutput(client, "-c", bytes, "run", "--rm", "--network", "none", image, "sh", "-c", script);
  const samples = await inTurns(bench.clients, bench.quick ? 1 : 2, pass, true);
  return { title: `${bytes / 1e9} GB through standard output`, unit: "ms", statistic: "median", samples };
};

const disk = async (bench: Bench): Promise<Row> => {
  const samples = new Map<Client, readonly number[]>();
  for (const client of bench.clients) {
    const noise = join(client.engine.disk, "noise");
    const args = ["run", "--rm", "--network", "none", image, "true"];
    const other = ["dd", "if=/dev/zero", `of=${noise}`, "bs=1M", "count=1024", "conv=fsync"] as const;
    samples.set(client, await timeBeside(client, bench.quick ? 5 : 40, args, [...other]));
    rmSync(noise, { force: true });
  }
  const title = "`run --rm` without network while 1 GB is written to the same disk";
  return { title, unit: "ms", statistic: "95th percentile", samples };
};

export const measures: readonly Measure[] = [
  { name: "rest", first: true, run: (bench) => [rest(bench)] },
  {
    name: "run-none",
    run: async (bench) => [await run(bench, "`run --rm busybox true`, no network", "--network", "none")],
  },
  { name: "run-bridge", run: async (bench) => [await run(bench, "`run --rm busybox true`, default bridge")] },
  { name: "run-user", alone: true, run: runUser },
  { name: "published", alone: true, run: published },
  { name: "throughput", alone: true, run: throughput },
  { name: "latency", alone: true, run: latency },
  { name: "dns", alone: true, run: dns },
  { name: "exec", run: async (bench) => [await exec(bench)] },
  { name: "parallel", run: async (bench) => [await parallel(bench)] },
  { name: "many", run: many },
  { name: "api", run: api },
  { name: "list", run: async (bench) => [await list(bench)] },
  { name: "stops", run: async (bench) => [await stops(bench)] },
  { name: "crowd", run: crowd },
  { name: "copies", run: copies },
  { name: "load", run: async (bench) => [await load(bench)] },
  { name: "pull-large", run: pullLarge },
  { name: "pull-small", run: pullSmall },
  { name: "builds", run: builds },
  { name: "logs", run: logs },
  { name: "output", run: async (bench) => [await output(bench)] },
  { name: "disk", run: async (bench) => [await disk(bench)] },
  { name: "stress", run: stress },
];
