/** `pier check`: whether pier can run on this host, found by trying; without a daemon, and without changing anything. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findCgroupLayout } from "../../kernel/cgroup/find-layout.ts";
import { findPrograms } from "../programs.ts";
import { cgroupChecks } from "./cgroups.ts";
import { type Check, canRun, fails, type Looked, lookAtAll } from "./check.ts";
import { Ground } from "./ground.ts";
import { kernelChecks } from "./kernel.ts";
import { networkChecks } from "./network.ts";
import { formatJson, formatText } from "./report.ts";
import { storageChecks } from "./storage.ts";

const usage = `Usage: pier check [OPTIONS]

Say whether pier can run on this host, and what brings what is missing. Everything is tried, and taken back.
Ends with 0 when containers can run, with 1 when they cannot.

Options:
      --root DIR       where images and containers are to be (default "/var/lib/pier")
      --format FORMAT  text or json (default "text")
      --help           print this
`;

/** A further check is one more entry of one of these. */
const topics = { kernel: kernelChecks, "control groups": cgroupChecks, storage: storageChecks, network: networkChecks };

/** Without these nothing can be tried. */
const preconditions = {
  root: { name: "root", serves: "containers", needed: true },
  trials: { name: "trials", serves: "containers", needed: true },
} as const;

const onlyMissing = (check: Omit<Check, "look">, found: string, remedy: string): readonly Looked[] => [
  { topic: "this process", check: { ...check, look: async () => fails(found, remedy) }, finding: fails(found, remedy) },
];

const look = async (root: string): Promise<readonly Looked[]> => {
  if (process.getuid?.() !== 0) return onlyMissing(preconditions.root, "this is another user", "sudo pier check");
  let ground: Ground;
  try {
    ground = await Ground.open(root, join(findPrograms(), "keeper"), await findCgroupLayout());
  } catch (error) {
    return onlyMissing(preconditions.trials, (error as Error).message, "another --root DIR");
  }
  await using opened = ground;
  return await lookAtAll(topics, opened);
};

const refuse = (reason: string): number => {
  process.stderr.write(`pier check: ${reason}\ntry: pier check --help\n`);
  return 125;
};

/** Answers the exit code. */
export const main = async (args: readonly string[]): Promise<number> => {
  const options = {
    root: { type: "string" },
    format: { type: "string", short: "f" },
    help: { type: "boolean", short: "h" },
  } as const;
  let values: { root?: string; format?: string; help?: boolean };
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const format = values.format ?? "text";
  if (format !== "text" && format !== "json") return refuse("--format must be text or json");
  const all = await look(values.root ?? (process.env.PIER_ROOT || "/var/lib/pier"));
  process.stdout.write(format === "json" ? formatJson(all) : formatText(all));
  return canRun(all) ? 0 : 1;
};
