/** `npm run bench`: every installed engine, measured in turns, as a table on the screen and in bench/results/. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ask } from "./commands.ts";
import { createDisk, type Disk } from "./disk.ts";
import { canBeAlone, type Engine, installed, launchEngine } from "./engines.ts";
import { machine } from "./machine.ts";
import { type Bench, type Measure, measures, type Row } from "./measures.ts";
import { page, table } from "./report.ts";

const checkout = fileURLToPath(new URL("..", import.meta.url));

const parse = (): { only: string[]; engines: string[]; quick: boolean; keep: boolean } => {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      engines: { type: "string" },
      quick: { type: "boolean", default: false },
      // A report is kept of whole measurements; of some measures when it is asked for.
      keep: { type: "boolean", default: false },
    },
  });
  const names = measures.map(({ name }) => name);
  const unknown = values.only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`no measure is called ${unknown}; there are ${names.join(", ")}`);
  return {
    only: values.only,
    engines: values.engines?.split(",") ?? installed(),
    quick: values.quick,
    keep: values.keep,
  };
};

const fixture = (name: string): string => {
  const path = join(checkout, "../shared/fixtures", name);
  if (!existsSync(path)) throw new Error(`${path} is missing: the images to measure with lie beside the checkout`);
  return path;
};

/** Every control group there is, so that those which engines leave can be told from the machine's. */
const controlGroups = (): string[] =>
  readdirSync("/sys/fs/cgroup", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));

const removeNewControlGroups = (before: ReadonlySet<string>): void => {
  const added = controlGroups().filter((path) => !before.has(path) && /\/(docker|libpod\w*|pier)(\/|$)/.test(path));
  // The deepest first.
  for (const path of added.sort((a, b) => b.length - a.length)) {
    try {
      rmdirSync(path);
    } catch {
      // In use: somebody else's container began meanwhile.
    }
  }
};

const measure = async (bench: Bench, chosen: readonly Measure[]): Promise<Row[]> => {
  const rows: Row[] = [];
  for (const each of chosen) {
    console.error(`bench: ${each.name}`);
    const measured = await each.run(bench);
    // Said at once: the whole takes long, and may be broken off.
    console.error(table(measured, bench.clients));
    rows.push(...measured);
  }
  return rows;
};

const chosenOf = (only: readonly string[], isAlone: boolean): Measure[] =>
  measures.filter(({ name, alone = false }) => alone === isAlone && (only.length === 0 || only.includes(name)));

/** Every row that was asked for, in the order of the table of measures. */
const measureAll = async (bench: Bench, only: readonly string[], isAlone: boolean): Promise<Row[]> => {
  const chosen = chosenOf(only, isAlone);
  const first = await measure(
    bench,
    chosen.filter((each) => each.first === true),
  );
  for (const { clients } of bench.engines)
    for (const client of clients.slice(0, 1)) ask(client, "load", "-i", fixture("busybox.docker-archive.tar"));
  return [
    ...first,
    ...(await measure(
      bench,
      chosen.filter((each) => each.first !== true),
    )),
  ];
};

interface Chosen {
  readonly only: readonly string[];
  readonly engines: readonly string[];
  readonly quick: boolean;
}

/** Launches the engines, together or each on a machine of its own, and takes what is measured of them so. */
const measureEngines = async ({ only, engines: names, quick }: Chosen, isAlone: boolean): Promise<Measured> => {
  // On the disk, for /tmp may be memory.
  const directory = mkdtempSync(join(checkout, "build/bench-"));
  // Podman's monitor leaves a file where it was started.
  process.chdir(directory);
  // Short: the path of a unix socket has at most 107 bytes. /run is the bench's own, and another on other machines.
  const scratch = isAlone ? "/mnt" : "/run/bench";
  if (isAlone) execFileSync("mount", ["-t", "tmpfs", "tmpfs", scratch]);
  const disks: Disk[] = [];
  const engines: Engine[] = [];
  try {
    for (const name of names) {
      console.error(`bench: starting ${name}${isAlone ? " on a machine of its own" : ""}`);
      const disk = createDisk(join(directory, name), "16G");
      disks.push(disk);
      engines.push(await launchEngine(name, disk.path, join(scratch, name), isAlone));
    }
    const bench: Bench = { engines, clients: engines.flatMap(({ clients }) => clients), quick, fixture };
    return { engines, lines: table(await measureAll(bench, only, isAlone), bench.clients) };
  } finally {
    for (const engine of engines) await engine.stop();
    for (const disk of disks) disk.remove();
    if (isAlone) execFileSync("umount", ["--lazy", scratch]);
    rmSync(directory, { recursive: true, force: true });
  }
};

interface Measured {
  readonly engines: readonly Engine[];
  readonly lines: string;
}

const main = async (): Promise<void> => {
  const { only, engines: names, quick, keep } = parse();
  const before = new Set(controlGroups());
  const all: Measured[] = [];
  try {
    for (const isAlone of [false, true]) {
      if (chosenOf(only, isAlone).length === 0) continue;
      const engines = isAlone ? names.filter(canBeAlone) : names;
      all.push(await measureEngines({ only, engines, quick }, isAlone));
      console.log(all.at(-1)?.lines);
    }
    const lines = all.map((one) => one.lines).join("\n\n");
    if (keep || (only.length === 0 && !quick)) write(all[0]?.engines ?? [], lines);
  } finally {
    removeNewControlGroups(before);
  }
};

const write = (engines: readonly Engine[], lines: string): void => {
  const [date, time] = new Date().toISOString().split(/[T.]/);
  const results = join(checkout, "bench/results");
  mkdirSync(results, { recursive: true });
  const path = join(results, `${date}-linux-${release().split("-")[0]}.md`);
  // Another run of that day is another table: ratios are those of one run.
  const before = existsSync(path) ? `${readFileSync(path, "utf8")}\n` : "";
  writeFileSync(path, before + page(`${date}, ${time?.slice(0, 5)}`, machine(), engines, lines));
  console.error(`bench: written to ${path}`);
};

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
