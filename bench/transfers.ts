/** Images from and to a registry on this machine: how long, how long until all is on disk, and how much memory. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, time, timed } from "./commands.ts";
import type { Client } from "./engines.ts";
import { idle } from "./idle.ts";
import type { Bench, Row } from "./measures.ts";
import { highestOf } from "./memory.ts";
import { BenchRegistry } from "./registry.ts";
import { primary } from "./turns.ts";

const megabyte = 1e6;

/** Podman takes no registry for insecure that it is not told of. */
const insecure = (client: Client): readonly string[] => (client.command === "podman" ? ["--tls-verify=false"] : []);

const run = (command: string, ...args: readonly string[]) => execFileSync(command, args, { stdio: "ignore" });

interface Taken {
  readonly pull: number[];
  readonly sync: number[];
  readonly push: number[];
  readonly removal: number[];
  readonly memory: number[];
}

/** The image is pulled into an engine that has nothing of it, pushed under another name, and removed. */
const round = async (client: Client, name: string, target: string, taken: Taken): Promise<void> => {
  await idle();
  for (const pid of client.engine.daemons) writeFileSync(`/proc/${pid}/clear_refs`, "5");
  taken.pull.push(time(client, "pull", ...insecure(client), "--quiet", name));
  taken.sync.push(timed(() => run("sync", "--file-system", client.engine.disk)));
  ask(client, "tag", name, target);
  await idle();
  taken.push.push(time(client, "push", ...insecure(client), "--quiet", target));
  taken.memory.push(client.engine.daemons.reduce((sum, pid) => sum + highestOf(pid), 0) / megabyte);
  await idle();
  ask(client, "rmi", target);
  taken.removal.push(time(client, "rmi", name));
};

const rowsOf = (what: string, all: ReadonlyMap<Client, Taken>, isLarge: boolean): Row[] => {
  const row = (
    title: string,
    unit: Row["unit"],
    pick: (taken: Taken) => readonly number[],
    target: Row["target"] = {},
  ): Row => ({
    ...{ title, unit, statistic: "median" as const, target },
    samples: new Map([...all].map(([client, taken]) => [client, pick(taken)])),
  });
  const daemons = ([client]: readonly [Client, Taken]): boolean => client.engine.daemons.length > 0;
  return [
    row(`\`pull\` of ${what} from a registry on this machine`, "ms", ({ pull }) => pull, { times: 4 }),
    row("`sync` behind it", "ms", ({ sync }) => sync),
    row("`push` of it to another registry", "ms", ({ push }) => push, { times: 2 }),
    row("`rmi` of it", "ms", ({ removal }) => removal, isLarge ? { atMost: 50 } : {}),
    {
      ...row("highest memory of the daemon meanwhile (RSS)", "MB", ({ memory }) => memory, { atMost: 150 }),
      samples: new Map([...all].filter(daemons).map(([client, { memory }]) => [client, memory])),
    },
  ];
};

const measured = async (
  bench: Bench,
  put: (registry: BenchRegistry) => Promise<{ readonly name: string; readonly file?: string }>,
  what: string,
): Promise<Row[]> => {
  const directory = mkdtempSync(join(tmpdir(), "pier-bench-registry-"));
  const registry = await BenchRegistry.start(join(directory, "from"), 5998);
  try {
    const { name, file } = await put(registry);
    const all = new Map(
      primary(bench).map((client): [Client, Taken] => [
        client,
        { pull: [], sync: [], push: [], removal: [], memory: [] },
      ]),
    );
    const plain: number[] = [];
    for (let number = 0; number < (bench.quick ? 1 : 3); number++) {
      for (const [client, taken] of all) {
        // Where nothing of it is, so that all of it is sent.
        const place = join(directory, `to-${client.engine.name}-${number}`);
        const other = await BenchRegistry.start(place, 5999);
        try {
          await round(client, name, `${other.host}/app:${number}`, taken);
        } finally {
          other.stop();
          rmSync(place, { recursive: true, force: true });
        }
      }
      if (file !== undefined) plain.push(timed(() => run("sh", "-c", 'gunzip -c "$0" | sha256sum', file)));
    }
    const rows = rowsOf(what, all, file !== undefined);
    if (file === undefined) return rows;
    const samples = new Map([...all].map(([client]) => [client, plain]));
    return [
      ...rows,
      {
        title: "`gunzip -c` of the same layer `| sha256sum`, for comparison",
        unit: "ms",
        statistic: "median",
        samples,
      },
    ];
  } finally {
    registry.stop();
    rmSync(directory, { recursive: true, force: true });
  }
};

export const pullLarge = (bench: Bench): Promise<Row[]> => {
  const megabytes = bench.quick ? 200 : 990;
  return measured(bench, (registry) => registry.putLarge(megabytes), `a layer of ${megabytes} MB (gzip)`);
};

export const pullSmall = (bench: Bench): Promise<Row[]> => {
  const files = bench.quick ? 5_000 : 20_000;
  const put = async (registry: BenchRegistry) => ({ name: await registry.putSmall(files) });
  return measured(bench, put, `12 layers with ${files.toLocaleString("en")} small files`);
};
