/** Builds: of many steps and files, of what is in the cache, of a large context, of stages side by side. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { time } from "./commands.ts";
import type { Client } from "./engines.ts";
import type { Bench, Row } from "./measures.ts";
import { inTurns, primary } from "./turns.ts";

const base = "fixture/busybox:1.35";
const plugin = fileURLToPath(new URL("../build/tools/buildx/docker-buildx", import.meta.url));

/** Docker's command builds by BuildKit's protocol, as everybody's does. */
const withBuildx = (client: Client, directory: string): Client => {
  if (client.command !== "docker" || !existsSync(plugin)) return client;
  const config = join(directory, "docker");
  mkdirSync(join(config, "cli-plugins"), { recursive: true });
  if (!existsSync(join(config, "cli-plugins/docker-buildx")))
    symlinkSync(plugin, join(config, "cli-plugins/docker-buildx"));
  return { ...client, env: { ...client.env, DOCKER_CONFIG: config, BUILDX_NO_DEFAULT_ATTESTATIONS: "1" } };
};

const steps = 20;
const files = 2000;
const stages = 4;

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** A context with this Dockerfile. */
const contextOf = (directory: string, name: string, dockerfile: string): string => {
  const context = join(directory, name);
  mkdirSync(context);
  writeFileSync(join(context, "Dockerfile"), dockerfile);
  return context;
};

const manySteps = (directory: string): string => {
  const runs = range(steps).map((number) => `RUN echo ${number} > /${number}\n`);
  const context = contextOf(directory, "many", `FROM ${base}\n${runs.join("")}COPY files /files\n`);
  mkdirSync(join(context, "files"));
  for (const number of range(files)) writeFileSync(join(context, "files", `${number}.txt`), `${number}\n`);
  return context;
};

/** All of it is wanted: a file that nothing copies need not be sent at all. */
const largeContext = (directory: string, megabytes: number): string => {
  const context = contextOf(directory, "large", `FROM ${base}\nCOPY parts /parts\nCOPY changed /\n`);
  mkdirSync(join(context, "parts"));
  for (const number of range(megabytes / 100))
    writeFileSync(join(context, "parts", `${number}`), Buffer.alloc(1e8, "x"));
  return context;
};

/** What one processor does in about a second, in each. */
const sideBySide = (directory: string): string => {
  const work = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; echo $i > /done";
  const built = range(stages).map((number) => `FROM ${base} AS s${number}\nRUN ${work}\n`);
  const copied = range(stages).map((number) => `COPY --from=s${number} /done /done-${number}\n`);
  return contextOf(directory, "stages", `${built.join("")}FROM ${base}\n${copied.join("")}`);
};

/** Bytes that the engine's daemons have read so far, of files and of their clients (man 5 proc_pid_io: rchar). */
const readBy = (client: Client): number =>
  client.engine.daemons.reduce(
    (sum, pid) => sum + Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]),
    0,
  );

export const builds = async (bench: Bench): Promise<Row[]> => {
  const directory = mkdtempSync(join(tmpdir(), "pier-bench-builds-"));
  const rounds = bench.quick ? 2 : 7;
  const build = (client: Client, context: string, ...args: readonly string[]): number =>
    time(withBuildx(client, directory), "build", "-q", "--network", "none", "-t", "bench-build", ...args, context);
  const measured = async (title: string, target: Row["target"], sample: (client: Client) => number): Promise<Row> => ({
    ...{ title, unit: "ms", statistic: "median", target: target ?? {} },
    samples: await inTurns(bench.clients, rounds, sample),
  });
  try {
    const [many, split] = [manySteps(directory), sideBySide(directory)];
    const megabytes = bench.quick ? 100 : 1000;
    const large = largeContext(directory, megabytes);
    const empty = contextOf(directory, "empty", `FROM ${base}\nLABEL a=b\n`);
    const trues = contextOf(directory, "trues", `FROM ${base}\n${"RUN true\n".repeat(steps)}`);
    let turn = 0;
    const withDaemon = primary(bench).filter(({ engine }) => engine.daemons.length > 0);
    const read = new Map<Client, number[]>(withDaemon.map((client) => [client, []]));
    return [
      await measured(`\`build\` of ${steps} × RUN and a COPY of ${files} files, no cache`, { times: 5 }, (client) =>
        build(client, many, "--no-cache"),
      ),
      await measured("the same, all from the cache", { times: 4, own: { times: 4, atMost: 75 } }, (client) =>
        build(client, many),
      ),
      await measured(`\`build\` with ${megabytes} MB of context, of which one file changed`, {}, (client) => {
        writeFileSync(join(large, "changed"), String(turn++));
        const before = readBy(client);
        const took = build(client, large);
        read.get(client)?.push((readBy(client) - before) / 1e6);
        return took;
      }),
      {
        ...{ title: "what the daemon read meanwhile", unit: "MB", statistic: "median", target: { atMost: 10 } },
        // The first build reads all of it, and does not count.
        samples: new Map([...read].map(([client, values]) => [client, values.slice(1)])),
      },
      await measured(`\`build\` of ${stages} stages that compute`, {}, (client) => build(client, split, "--no-cache")),
      await measured("what a `RUN true` adds to a build", { own: { atMost: 15 } }, (client) => {
        const without = build(client, empty, "--no-cache");
        return (build(client, trues, "--no-cache") - without) / steps;
      }),
    ];
  } finally {
    rmSync(directory, { recursive: true });
  }
};
