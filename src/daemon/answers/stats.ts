/** What a container uses, as Docker shows it: two moments, from which clients see how fast. */
import type { BlkioStatEntry, ContainerStats, CpuStats, NetworkStats } from "../../api/answers/stats.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { ContainerUsage } from "../../container/usage.ts";
import type { IoCount } from "../../kernel/cgroup/usage-text.ts";
import { formatTime } from "./time.ts";

interface Moments {
  readonly now: ContainerUsage | undefined;
  readonly before: ContainerUsage | undefined;
}

export const statsAnswer = (
  { id, name }: Pick<ContainerRecord, "id" | "name">,
  { now, before }: Moments,
  hostMemory: number,
): ContainerStats => ({
  name: `/${name}`,
  id,
  read: formatTime(now?.time),
  preread: formatTime(before?.time),
  num_procs: 0,
  storage_stats: {},
  pids_stats: now?.pids ?? {},
  blkio_stats: blkioStats(now),
  cpu_stats: cpuStats(now),
  precpu_stats: cpuStats(before),
  memory_stats: memoryStats(now, hostMemory),
  ...(now?.interfaces === undefined ? {} : { networks: networkStats(now.interfaces) }),
});

const cpuStats = (usage: ContainerUsage | undefined): CpuStats => {
  const cpu = usage?.cpu;
  return {
    cpu_usage: {
      total_usage: cpu?.total ?? 0,
      ...(cpu?.each === undefined ? {} : { percpu_usage: cpu.each }),
      usage_in_kernelmode: cpu?.kernel ?? 0,
      usage_in_usermode: cpu?.user ?? 0,
    },
    ...(usage === undefined ? {} : { system_cpu_usage: usage.machine.total, online_cpus: usage.machine.cpus }),
    throttling_data: {
      periods: cpu?.periods ?? 0,
      throttled_periods: cpu?.throttledPeriods ?? 0,
      throttled_time: cpu?.throttledTime ?? 0,
    },
  };
};

const memoryStats = (usage: ContainerUsage | undefined, hostMemory: number): ContainerStats["memory_stats"] => {
  const memory = usage?.memory;
  if (memory === undefined) return {};
  return {
    usage: memory.usage,
    // Of version 2 Docker has neither, and clients tell the versions apart by that.
    ...(memory.version === 1 && memory.peak !== undefined ? { max_usage: memory.peak } : {}),
    ...(memory.failures === undefined ? {} : { failcnt: memory.failures }),
    stats: memory.details,
    limit: Math.min(memory.limit ?? hostMemory, hostMemory),
  };
};

const entry = ({ major, minor, operation, value }: IoCount): BlkioStatEntry => ({ major, minor, op: operation, value });

const blkioStats = (usage: ContainerUsage | undefined): ContainerStats["blkio_stats"] => ({
  io_service_bytes_recursive: usage?.io?.bytes.map(entry) ?? null,
  io_serviced_recursive: usage?.memory?.version === 1 ? (usage.io?.operations.map(entry) ?? null) : null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
});

const networkStats = (interfaces: NonNullable<ContainerUsage["interfaces"]>): Record<string, NetworkStats> =>
  Object.fromEntries(
    Object.entries(interfaces).map(([name, { received, sent }]) => [
      name,
      {
        rx_bytes: received.bytes,
        rx_packets: received.packets,
        rx_errors: received.errors,
        rx_dropped: received.dropped,
        tx_bytes: sent.bytes,
        tx_packets: sent.packets,
        tx_errors: sent.errors,
        tx_dropped: sent.dropped,
      },
    ]),
  );
