/** The memory of processes and of the kernel, in bytes. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** Every process of this pid namespace, which is the bench's own. */
export const pids = (): string[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name));

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It ended while we looked.
    return "";
  }
};

const kilobytes = (text: string, field: string): number =>
  1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);

export const nameOf = (pid: string): string => textOf(`/proc/${pid}/comm`).trim();

export const residentOf = (pid: string): number => kilobytes(textOf(`/proc/${pid}/status`), "VmRSS");

/** The most that it had since its counters were cleared (`5` to /proc/PID/clear_refs). */
export const highestOf = (pid: string): number => kilobytes(textOf(`/proc/${pid}/status`), "VmHWM");

/** The process's share of its own pages, without those of shared memory, which `sharedMemory` counts. */
export const proportionalOf = (pid: string): number => {
  const text = textOf(`/proc/${pid}/smaps_rollup`);
  return kilobytes(text, "Pss_Anon") + kilobytes(text, "Pss_File");
};

/** What files in memory take: tmpfs, memfds. */
export const sharedMemory = (): number => kilobytes(textOf("/proc/meminfo"), "Shmem");

const kernelMemoryNow = (): number => {
  // Dentries and inodes that nobody uses are not what a container costs.
  writeFileSync("/proc/sys/vm/drop_caches", "2");
  const text = textOf("/proc/meminfo");
  return ["Slab", "KernelStack", "PageTables", "Percpu"].reduce((sum, field) => sum + kilobytes(text, field), 0);
};

/** What the kernel itself holds for processes, mounts, networks, once it has let go of what ended before. */
export const kernelMemory = async (): Promise<number> => {
  // It frees namespaces and control groups in its own time and tells nobody: so look until there is no less.
  let least = kernelMemoryNow();
  for (let unchanged = 0; unchanged < 5; unchanged++) {
    await setTimeout(100);
    const now = kernelMemoryNow();
    if (now < least * 0.999) unchanged = 0;
    least = Math.min(least, now);
  }
  return least;
};
