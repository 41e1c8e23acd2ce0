/** The machine in a few words, for whoever reads results later. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

const prettyName = (): string =>
  /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";

const cgroups = (): string => {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const one = / - cgroup /.test(mounts);
  const two = / - cgroup2 /.test(mounts);
  return one && two ? "version 1 and 2 (hybrid)" : one ? "version 1" : "version 2";
};

/** [what, value], in the order to show. */
export const machine = (): [string, string][] => [
  ["system", prettyName()],
  ["kernel", release()],
  ["processors", `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown"}`],
  ["memory", `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
  ["control groups", cgroups()],
  ["data of the engines", "each on a fresh ext4 file system, mounted through a loop device with direct I/O"],
];
