/** The processes of a container, as the host's ps(1) shows them. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { CgroupPaths } from "../kernel/cgroup/paths.ts";
import { containerError } from "./errors.ts";

export interface ProcessTable {
  readonly Titles: string[];
  readonly Processes: string[][];
}

const run = promisify(execFile);
const outputLimit = 16 * 1024 * 1024;

/** The pids in a container's group, as the host counts. */
export const readPids = async (paths: CgroupPaths): Promise<ReadonlySet<number>> => {
  const directory = paths.unified ?? paths.directories[0];
  if (directory === undefined) return new Set();
  const text = await readFile(`${directory}/cgroup.procs`, "utf8");
  return new Set(text.split("\n").filter(Boolean).map(Number));
};

/** The others are how to use ps(1). */
const firstLine = (text: string): string => `ps: ${text.trim().split("\n")[0]}`;

const words = (line: string): string[] => line.trim().split(/\s+/);

/** The rows of ps's table whose process is one of these; the last column keeps its blanks. */
export const parseProcesses = (output: string, pids: ReadonlySet<number>): ProcessTable | undefined => {
  const [head = "", ...lines] = output.split("\n").filter((line) => line.trim() !== "");
  const titles = words(head);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) return undefined;
  const rows = lines.map((line) => {
    const fields = words(line);
    return fields.length <= titles.length
      ? fields
      : [...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(" ")];
  });
  return { Titles: titles, Processes: rows.filter((fields) => pids.has(Number(fields[pidColumn]))) };
};

/** What Docker refuses too: the options would change what the other columns mean. */
const checkArguments = (name: string, args: readonly string[]): void => {
  const quoted = args.find(
    (arg) => /^-?o/.test(arg) && /(^|[,=o])[^,]*=/.test(arg) && !arg.toLowerCase().includes("pid"),
  );
  if (quoted !== undefined) {
    throw containerError("noProcessList", { name, reason: `specifying "${quoted}" is not allowed` });
  }
};

const ps = async (args: readonly string[]): Promise<string> =>
  (await run("ps", args, { maxBuffer: outputLimit })).stdout;

export const findProcesses = async (name: string, psArgs: string, paths: CgroupPaths): Promise<ProcessTable> => {
  const args = words(psArgs || "-ef");
  checkArguments(name, args);
  const pids = await readPids(paths);
  // Some options (f) cannot be used together with -q, which finds processes of every user and terminal.
  const output = await ps([...args, `-q${[...pids].join(",")}`])
    .catch(() => ps(args))
    .catch((cause: unknown) => {
      const reason =
        cause instanceof Error && "stderr" in cause && typeof cause.stderr === "string"
          ? firstLine(cause.stderr)
          : "ps failed";
      throw containerError("noProcessList", { name, reason }, cause);
    });
  const table = parseProcesses(output, pids);
  if (table === undefined)
    throw containerError("noProcessList", { name, reason: "couldn't find PID field in ps output" });
  return table;
};
