/** The life of a container as programs drive it: by the API, many at once, and files in and out. */
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { ask, time, timed } from "./commands.ts";
import type { Client } from "./engines.ts";
import type { Bench, Row } from "./measures.ts";
import { inTurns, primary } from "./turns.ts";

const image = "fixture/busybox:1.35";

/** Where the engine listens; undefined for one without a daemon. */
export const socketOf = ({ env }: Client): string | undefined => /^unix:\/\/(.+)$/.exec(env.DOCKER_HOST ?? "")?.[1];

/** The body of an answer that is a success. */
export const call = (agent: Agent, socketPath: string, method: string, path: string, body?: object): Promise<string> =>
  new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const asked = request({ agent, socketPath, method, path: `/v1.41${path}`, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => {
        if ((answer.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${text}`));
      });
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });

export const keepAlive = (): Agent => new Agent({ keepAlive: true });

/** The work is done on each, so many at a time. */
export const atOnce = async <T>(width: number, all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> => {
  const rest = Iterator.from(all);
  const worker = async (): Promise<void> => {
    for (const one of rest) await work(one);
  };
  await Promise.all(Array.from({ length: width }, worker));
};

/** Created, started, waited for and removed, a few at once: how many in a second. */
const lives = async (client: Client, count: number, network: string): Promise<number> => {
  const socket = socketOf(client)!;
  const agent = keepAlive();
  const live = async (): Promise<void> => {
    const body = { Image: image, Cmd: ["true"], HostConfig: { NetworkMode: network } };
    const { Id } = JSON.parse(await call(agent, socket, "POST", "/containers/create", body)) as { Id: string };
    await call(agent, socket, "POST", `/containers/${Id}/start`);
    await call(agent, socket, "POST", `/containers/${Id}/wait`);
    await call(agent, socket, "DELETE", `/containers/${Id}`);
  };
  const start = performance.now();
  await atOnce(8, Array.from({ length: count }), live);
  agent.destroy();
  return (1000 * count) / (performance.now() - start);
};

export const api = async (bench: Bench): Promise<Row[]> => {
  const count = bench.quick ? 40 : 400;
  const clients = primary(bench).filter((client) => socketOf(client) !== undefined);
  const row = async (network: string, title: string, atLeast: number): Promise<Row> => ({
    title: `containers that are created, started, waited for and removed by the API, ${title}, eight at a time`,
    unit: "a second",
    statistic: "median",
    target: { times: 15, atLeast },
    samples: await inTurns(clients, bench.quick ? 1 : 5, (client) => lives(client, count, network)),
  });
  return [await row("none", "no network", 250), await row("bridge", "default bridge", 200)];
};

export const list = async (bench: Bench): Promise<Row> => {
  const count = bench.quick ? 50 : 1000;
  const names = Array.from({ length: count }, (_, index) => `bench-list-${index}`);
  for (const client of primary(bench))
    for (const name of names) ask(client, "create", "--name", name, "--network", "none", image, "true");
  const samples = await inTurns(bench.clients, bench.quick ? 3 : 20, (client) => time(client, "ps", "-a"));
  for (const client of primary(bench)) ask(client, "rm", ...names);
  return {
    title: `\`ps -a\` of ${count.toLocaleString("en")} containers`,
    unit: "ms",
    statistic: "median",
    target: { atMost: 60, own: { atMost: 60 } },
    samples,
  };
};

export const stops = async (bench: Bench): Promise<Row> => {
  const count = bench.quick ? 8 : 50;
  const names = Array.from({ length: count }, (_, index) => `bench-stop-${index}`);
  const samples = await inTurns(primary(bench), bench.quick ? 1 : 3, (client) => {
    for (const name of names) ask(client, "run", "-d", "--init", "--name", name, image, "sleep", "100000");
    const took = time(client, "stop", ...names);
    ask(client, "rm", ...names);
    return took;
  });
  return { title: `\`stop\` of ${count} at once`, unit: "ms", statistic: "median", samples };
};

/** Beside `cp` of the same file on the engine's disk, whose speed is the measure. */
export const copies = async (bench: Bench): Promise<Row[]> => {
  const size = bench.quick ? 50_000_000 : 1_000_000_000;
  const within = async (sample: (client: Client, file: string) => number): Promise<Row["samples"]> =>
    inTurns(bench.clients, bench.quick ? 1 : 3, (client) => {
      const file = join(client.engine.disk, "bench-copy");
      const handle = openSync(file, "w");
      ftruncateSync(handle, size);
      closeSync(handle);
      ask(client, "create", "--name", "bench-copy", "--network", "none", image, "true");
      const took = sample(client, file);
      ask(client, "rm", "bench-copy");
      for (const name of [file, `${file}.out`]) rmSync(name, { force: true });
      return took;
    });
  const row = (title: string, samples: Row["samples"]): Row => ({ title, unit: "ms", statistic: "median", samples });
  const much = `${size / 1e9} GB`;
  return [
    row(
      `\`cp\` of ${much} into a container`,
      await within((client, file) => time(client, "cp", file, "bench-copy:/in")),
    ),
    row(
      `\`cp\` of ${much} out of a container`,
      await within((client, file) => {
        ask(client, "cp", file, "bench-copy:/in");
        return time(client, "cp", "bench-copy:/in", `${file}.out`);
      }),
    ),
    row(
      `\`cp\` of ${much} on the same disk, without an engine`,
      await within((client, file) => timed(() => copyOnHost(client, file))),
    ),
  ];
};

const copyOnHost = (client: Client, file: string): void => {
  const ran = spawnSync("cp", ["--sparse=never", "--reflink=never", file, `${file}.out`], { env: client.env });
  if (ran.status !== 0) throw new Error(`cp: ${ran.stderr.toString()}`);
};
