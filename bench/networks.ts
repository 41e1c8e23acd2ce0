/** How fast containers are connected, and what they are connected by. */
import { execFileSync, spawnSync } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ask, askHost, time, timeParallel } from "./commands.ts";
import type { Client } from "./engines.ts";
import type { Bench, Row } from "./measures.ts";
import { median } from "./statistics.ts";
import { inTurns, primary } from "./turns.ts";

const image = "fixture/busybox:1.35";
const debian = "fixture/debian:bookworm";
const network = "bench-net";
const server = "bench-server";

/** The program that sends requests and questions, on the host and in containers. */
const traffic = fileURLToPath(new URL("../build/traffic", import.meta.url));
const trafficIn = (...args: readonly string[]): readonly string[] => ["-v", `${traffic}:/traffic:ro`, ...args];

/** Once for all clients of an engine. */
const withNetwork = async <T>(bench: Bench, work: () => Promise<T>): Promise<T> => {
  for (const client of primary(bench)) ask(client, "network", "create", network);
  try {
    return await work();
  } finally {
    for (const client of primary(bench)) ask(client, "network", "rm", network);
  }
};

/** With a container that serves, at a port of its own, of the host, and of the network. */
const withServer = async <T>(bench: Bench, words: readonly string[], work: () => Promise<T>): Promise<T> =>
  await withNetwork(bench, async () => {
    const publish = ["--name", server, "--network", network, "-p", "5201:5201"];
    for (const client of primary(bench)) ask(client, "run", "-d", ...publish, ...words);
    try {
      return await work();
    } finally {
      for (const client of primary(bench)) ask(client, "rm", "-f", server);
    }
  });

const hostAddress = "192.0.2.1";
const otherOf = ({ engine }: Client): string => `bench-${engine.name}`;

/** The engine's host has a neighbour: a network namespace at the other end of a cable. */
const connectNeighbour = (client: Client): void => {
  const other = otherOf(client);
  execFileSync("ip", ["netns", "add", other]);
  const here = (...words: string[]) => askHost(client, "ip", ...words);
  const there = (...words: string[]) => execFileSync("ip", ["-netns", other, ...words]);
  here("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", other);
  here("address", "add", `${hostAddress}/24`, "dev", "cable");
  here("link", "set", "cable", "up");
  there("address", "add", "192.0.2.2/24", "dev", "cable");
  there("link", "set", "cable", "up");
};

const disconnectNeighbour = (client: Client): void => {
  askHost(client, "ip", "link", "delete", "cable");
  execFileSync("ip", ["netns", "delete", otherOf(client)]);
};

const withNeighbours = async <T>(bench: Bench, work: () => Promise<T>): Promise<T> => {
  for (const client of primary(bench)) connectNeighbour(client);
  try {
    return await work();
  } finally {
    for (const client of primary(bench)) disconnectNeighbour(client);
  }
};

const until = async (holds: () => boolean): Promise<void> => {
  const giveUp = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > giveUp) throw new Error("a server in a container does not answer");
    await setTimeout(50);
  }
};

const hasSucceeded = (work: () => unknown): boolean => {
  try {
    work();
    return true;
  } catch {
    return false;
  }
};

export const runUser = (bench: Bench): Promise<Row[]> =>
  withNetwork(bench, async () => {
    const row = async (title: string, ...words: string[]): Promise<Row> => ({
      ...{ title, unit: "ms", statistic: "median", target: { atMost: 35, own: { atMost: 20 } } },
      samples: await inTurns(bench.clients, bench.quick ? 5 : 40, (client) =>
        time(client, "run", "--rm", ...words, image, "true"),
      ),
    });
    return [
      await row("`run --rm busybox true`, default bridge, on a machine of its own"),
      await row("`run --rm busybox true`, a network of one's own", "--network", network),
    ];
  });

interface Started {
  readonly atOnce: number;
  readonly each: readonly number[];
}

const startPublished = async (client: Client, count: number): Promise<Started> => {
  const program = [image, "sleep", "100000"];
  const label = ["--label", "bench"];
  const remove = () => {
    const ids = ask(client, "ps", "-q", "--filter", "label=bench").split("\n").filter(Boolean);
    ask(client, "rm", "-f", ...ids);
  };
  const atOnce = await timeParallel(client, count, 8, "run", "-d", ...label, "-p", "80", ...program);
  remove();
  const each = Array.from({ length: count }, (_, place) =>
    time(client, "run", "-d", ...label, "-p", `${20_000 + place}:80`, ...program),
  );
  remove();
  return { atOnce, each };
};

export const published = async (bench: Bench): Promise<Row[]> => {
  const count = bench.quick ? 40 : 200;
  const some = count / 10;
  const all = new Map<Client, Started>();
  for (const client of bench.clients) all.set(client, await startPublished(client, count));
  const row = (
    title: string,
    unit: Row["unit"],
    pick: (started: Started) => readonly number[],
    target: NonNullable<Row["target"]> = {},
  ): Row => ({
    ...{ title, unit, statistic: "median", target },
    samples: new Map([...all].map(([client, started]) => [client, pick(started)])),
  });
  const together = { atMost: 20 * count };
  // A twentieth is what two medians of the same differ by.
  const noSlower = { atMost: 105 };
  return [
    row(`${count} × \`run -d -p\`, 8 at a time: all`, "ms", ({ atOnce }) => [atOnce], { ...together, own: together }),
    row(`${count} × \`run -d -p\`, one after the other: each`, "ms", ({ each }) => each, { own: { atMost: 20 } }),
    row(
      `the last ${some} of them, as a part of the first ${some}`,
      "%",
      ({ each }) => [(100 * median(each.slice(-some))) / median(each.slice(0, some))],
      { ...noSlower, own: noSlower },
    ),
  ];
};

/** Gigabits a second that have come to the other end, as the client of iperf3 says. */
const gigabits = (said: string): number => {
  const report = JSON.parse(said) as { readonly end: { readonly sum_received: { readonly bits_per_second: number } } };
  return report.end.sum_received.bits_per_second / 1e9;
};

/** An image of Debian with the host's programs, iperf3 among them. */
const withIperf = ["-v", "/usr:/usr:ro", debian, "iperf3"] as const;

const ways = (bench: Bench) => {
  const client = ["--json", "--time", bench.quick ? "1" : "4", "--client"] as const;
  return [
    {
      title: "from the host to a published port, by the host's address",
      times: 1,
      send: (engine: Client) => askHost(engine, "iperf3", ...client, hostAddress),
    },
    {
      title: "from the host to a published port, by 127.0.0.1 (the relay)",
      times: 1.5,
      send: (engine: Client) => askHost(engine, "iperf3", ...client, "127.0.0.1"),
    },
    {
      title: "the same, from the container to the host",
      times: 1.5,
      send: (engine: Client) => askHost(engine, "iperf3", ...client, "127.0.0.1", "--reverse"),
    },
    {
      title: "from another host to a published port",
      times: 1,
      send: (engine: Client) =>
        execFileSync("ip", ["netns", "exec", otherOf(engine), "iperf3", ...client, hostAddress], { encoding: "utf8" }),
    },
    {
      title: "from container to container",
      times: 1,
      send: (engine: Client) => ask(engine, "run", "--rm", "--network", network, ...withIperf, ...client, server),
    },
  ];
};

export const throughput = async (bench: Bench): Promise<Row[]> => {
  if (spawnSync("iperf3", ["--version"]).status !== 0)
    throw new Error("iperf3 is missing; type: apt-get install iperf3");
  for (const client of primary(bench)) ask(client, "load", "-i", bench.fixture("debian.docker-archive.tar.gz"));
  return await withNeighbours(bench, () =>
    withServer(bench, [...withIperf, "--server"], async () => {
      const rows: Row[] = [];
      for (const { title, times, send } of ways(bench)) {
        for (const client of primary(bench)) await until(() => hasSucceeded(() => send(client)));
        const samples = await inTurns(primary(bench), bench.quick ? 1 : 4, (client) => gigabits(send(client)), true);
        rows.push({ title: `iperf3 ${title}`, unit: "Gbit/s", statistic: "median", target: { times }, samples });
      }
      return rows;
    }),
  );
};

/** In microseconds, as `traffic` says them. */
interface Times {
  readonly median: number;
  readonly all: number;
}
const timesOf = (said: string): Times => JSON.parse(said) as Times;

export const latency = async (bench: Bench): Promise<Row[]> => {
  const count = bench.quick ? 200 : 3_000;
  const rowOf = async (title: string, address: string): Promise<Row> => {
    const send = (client: Client, times: number) =>
      timesOf(askHost(client, traffic, "ask", address, "5201", String(times)));
    for (const client of primary(bench)) await until(() => hasSucceeded(() => send(client, 1)));
    const samples = await inTurns(primary(bench), bench.quick ? 1 : 5, (client) => send(client, count).median);
    return { title, unit: "µs", statistic: "median", target: { times: 1 }, samples };
  };
  return await withNeighbours(bench, () =>
    withServer(bench, trafficIn(image, "/traffic", "serve", "5201"), async () => [
      await rowOf(
        "a connection, a request and its answer through a published port, by the host's address",
        hostAddress,
      ),
      await rowOf("the same by 127.0.0.1 (the relay)", "127.0.0.1"),
    ]),
  );
};

export const dns = async (bench: Bench): Promise<Row[]> =>
  await withServer(bench, trafficIn(image, "/traffic", "serve", "5201"), async () => {
    const askNames = (client: Client, count: number, atOnce: number): Times => {
      const words = ["/traffic", "names", "127.0.0.11", server, String(count), String(atOnce)];
      return timesOf(ask(client, "run", "--rm", "--network", network, ...trafficIn(image, ...words)));
    };
    const count = bench.quick ? 2_000 : 50_000;
    const rounds = bench.quick ? 1 : 4;
    const rate = (client: Client): number => (1e6 * count) / askNames(client, count, 32).all;
    const one = (client: Client): number => askNames(client, count / 10, 1).median;
    return [
      {
        title: "a container's name, asked for 32 times at once: answers",
        unit: "a second",
        statistic: "median",
        target: { atLeast: 20_000 },
        samples: await inTurns(primary(bench), rounds, rate),
      },
      {
        title: "a container's name, asked for once at a time",
        unit: "µs",
        statistic: "median",
        target: { atMost: 500 },
        samples: await inTurns(primary(bench), rounds, one),
      },
    ];
  });
