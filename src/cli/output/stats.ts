/** What a container uses, from the API's numbers to the columns of a table. */
import type { ContainerStats } from "../../api/answers/stats.ts";
import { formatMemory, formatSize } from "../values/bytes.ts";
import type { Row } from "./list.ts";
import { shortId } from "./table.ts";

/** Undefined: it does not run. */
export interface Sample {
  readonly id: string;
  readonly name: string;
  readonly usage?: {
    /** Percent of one processor. */
    readonly cpu: number;
    /** Bytes. */
    readonly memory: number;
    readonly limit: number;
    readonly received: number;
    readonly sent: number;
    readonly read: number;
    readonly written: number;
    readonly pids: number;
  };
}

export const emptySample = (name: string): Sample => ({ id: name, name: "--" });

export const sampleOf = (answer: ContainerStats): Sample => {
  const { id, name } = answer;
  const shown = { id, name: name.replace(/^\//, "") };
  if (answer.read.startsWith("0001")) return shown;
  const interfaces = Object.values(answer.networks ?? {});
  const blocks = (op: string): number =>
    (answer.blkio_stats.io_service_bytes_recursive ?? [])
      .filter((entry) => entry.op.toLowerCase() === op)
      .reduce((sum, { value }) => sum + value, 0);
  return {
    ...shown,
    usage: {
      cpu: cpuPercent(answer),
      memory: memoryUsed(answer),
      limit: answer.memory_stats.limit ?? 0,
      received: interfaces.reduce((sum, { rx_bytes }) => sum + rx_bytes, 0),
      sent: interfaces.reduce((sum, { tx_bytes }) => sum + tx_bytes, 0),
      read: blocks("read"),
      written: blocks("write"),
      pids: answer.pids_stats.current ?? 0,
    },
  };
};

const cpuPercent = ({ cpu_stats: now, precpu_stats: before }: ContainerStats): number => {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  // A single moment says nothing of speed.
  if (before.system_cpu_usage === undefined || used <= 0 || passed <= 0) return 0;
  return (used / passed) * (now.online_cpus ?? now.cpu_usage.percpu_usage?.length ?? 1) * 100;
};

/** What the kernel could give back at once does not count. */
const memoryUsed = ({ memory_stats: { usage = 0, stats = {} } }: ContainerStats): number => {
  const idle = stats.total_inactive_file ?? stats.inactive_file ?? 0;
  return idle < usage ? usage - idle : usage;
};

export const headings = {
  Container: "CONTAINER",
  ID: "CONTAINER ID",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
} as const;

export const columns = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"] as const;

const nothing = "--";
const both = (a: number, b: number, format: (value: number) => string): string => `${format(a)} / ${format(b)}`;

export const rowOf = ({ id, name, usage }: Sample, whole: boolean): Row => ({
  Container: () => id,
  ID: () => (whole ? id : shortId(id)),
  Name: () => name,
  CPUPerc: () => (usage === undefined ? nothing : `${usage.cpu.toFixed(2)}%`),
  MemUsage: () => (usage === undefined ? `${nothing} / ${nothing}` : both(usage.memory, usage.limit, formatMemory)),
  MemPerc: () => {
    if (usage === undefined) return nothing;
    return `${(usage.limit === 0 ? 0 : (usage.memory / usage.limit) * 100).toFixed(2)}%`;
  },
  NetIO: () => (usage === undefined ? `${nothing} / ${nothing}` : both(usage.received, usage.sent, formatSize)),
  BlockIO: () => (usage === undefined ? `${nothing} / ${nothing}` : both(usage.read, usage.written, formatSize)),
  PIDs: () => (usage === undefined ? nothing : String(usage.pids)),
});
