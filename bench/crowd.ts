/** Five hundred containers that run at once: how long until they do, what they weigh, and what they cost at rest. */
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { ask } from "./commands.ts";
import type { Client } from "./engines.ts";
import { idle } from "./idle.ts";
import { atOnce, call, keepAlive, socketOf } from "./life.ts";
import type { Bench, Row } from "./measures.ts";
import { kernelMemory, nameOf, pids, proportionalOf, sharedMemory } from "./memory.ts";
import { sum } from "./statistics.ts";
import { primary } from "./turns.ts";

const image = "fixture/busybox:1.35";
const program = "sleep";
const megabyte = 1e6;
const tickMs = 10;
const restMs = 10_000;

/** Milliseconds of processor time that the process has had (proc_pid_stat(5), fields 14 and 15). */
const processorTime = (pid: string): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return tickMs * (Number(fields[11]) + Number(fields[12]));
};

interface Crowd {
  /** Milliseconds until the last one ran. */
  readonly start: number;
  /** Bytes for each container: processes beside its own, and the kernel's and shared memory. */
  readonly processes: number;
  readonly kernel: number;
  /** The share of one processor that the daemons take while nothing happens, in per cent. */
  readonly processor: number;
}

const gather = async (client: Client, count: number): Promise<Crowd> => {
  const { daemons } = client.engine;
  const memory = async (): Promise<number> => (await kernelMemory()) + sharedMemory();
  const before = { pids: new Set(pids()), kernel: await memory(), daemon: sum(daemons.map(proportionalOf)) };
  const names = Array.from({ length: count }, (_, index) => `bench-crowd-${index}`);
  const agent = keepAlive();
  const socket = socketOf(client)!;
  const begin = performance.now();
  await atOnce(8, names, async (name) => {
    await call(agent, socket, "POST", `/containers/create?name=${name}`, { Image: image, Cmd: [program, "100000"] });
    await call(agent, socket, "POST", `/containers/${name}/start`);
  });
  const start = performance.now() - begin;
  agent.destroy();
  await idle();
  const beside = pids().filter((pid) => !before.pids.has(pid) && nameOf(pid) !== program);
  const processes = sum(beside.map(proportionalOf)) + sum(daemons.map(proportionalOf)) - before.daemon;
  const kernel = (await memory()) - before.kernel;
  const worked = sum(daemons.map(processorTime));
  await setTimeout(restMs);
  const processor = (100 * (sum(daemons.map(processorTime)) - worked)) / restMs;
  ask(client, "rm", "-f", ...names);
  return { start, processes: processes / count, kernel: kernel / count, processor };
};

export const crowd = async (bench: Bench): Promise<Row[]> => {
  const count = bench.quick ? 50 : 500;
  const all = new Map<Client, Crowd>();
  for (const client of primary(bench)) if (socketOf(client) !== undefined) all.set(client, await gather(client, count));
  const row = (title: string, unit: Row["unit"], pick: (crowd: Crowd) => number, target: Row["target"] = {}): Row => ({
    title,
    unit,
    statistic: "median",
    target,
    samples: new Map([...all].map(([client, one]) => [client, [pick(one)]])),
  });
  return [
    row(`${count} containers are created and started by the API, eight at a time`, "ms", ({ start }) => start, {
      atMost: 5000,
    }),
    row(`${count} running: memory of the engine for each (PSS)`, "MB", (one) => one.processes / megabyte, {
      atMost: 0.2,
    }),
    row(`${count} running: kernel and shared memory for each`, "MB", (one) => one.kernel / megabyte),
    row(`${count} running, at rest: processor time of the daemon`, "%", ({ processor }) => processor, { atMost: 0.5 }),
  ];
};
