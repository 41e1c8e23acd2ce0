/** What a container's groups have used, read from the kernel's files as they are now. */
import { readFileSync } from "node:fs";
import type { CgroupPaths } from "./paths.ts";
import { type IoCount, parseBlkio, parseCounts, parseIoStat, parseNumber } from "./usage-text.ts";

/** Nanoseconds. */
export interface CpuUsage {
  readonly total: number;
  readonly user: number;
  readonly kernel: number;
  /** By processor; version 1 only. */
  readonly each?: readonly number[];
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledTime: number;
}

/** Bytes. */
export interface MemoryUsage {
  readonly version: 1 | 2;
  readonly usage: number;
  /** Version 1, or the kernel since 5.19. */
  readonly peak?: number;
  /** Absent: as much as there is. */
  readonly limit?: number;
  /** How often the limit was met; version 1 only. */
  readonly failures?: number;
  /** `memory.stat`, in the version's own words. */
  readonly details: Readonly<Record<string, number>>;
}

export interface GroupUsage {
  readonly cpu?: CpuUsage;
  readonly memory?: MemoryUsage;
  readonly pids?: { readonly current: number; readonly limit?: number };
  readonly io?: { readonly bytes: readonly IoCount[]; readonly operations: readonly IoCount[] };
}

// Files of the kernel are read in less time than a thread takes to be asked for them.
const read = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
};

export const readUsage = ({ controllers, unified }: CgroupPaths): GroupUsage => {
  const { memory, pids, blkio } = controllers;
  const cpu = readCpu(controllers, unified);
  return {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memory === undefined ? {} : { memory: memory.version === 1 ? readMemory1(memory) : readMemory2(memory) }),
    ...(pids === undefined ? {} : { pids: readPids(pids) }),
    ...(blkio === undefined ? {} : { io: blkio.version === 1 ? readBlkio(blkio) : readIo(blkio) }),
  };
};

type Place = { readonly directory: string };

const readCpu = (controllers: CgroupPaths["controllers"], unified: string | undefined): CpuUsage | undefined => {
  const { cpu, cpuacct } = controllers;
  if (cpuacct !== undefined) return readCpu1(cpuacct, cpu);
  // Version 2 counts time in every group, also without the controller.
  const directory = unified;
  if (directory === undefined) return undefined;
  const counts = parseCounts(read(`${directory}/cpu.stat`));
  const nanoseconds = (name: string): number => (counts.get(name) ?? 0) * 1000;
  return {
    total: nanoseconds("usage_usec"),
    user: nanoseconds("user_usec"),
    kernel: nanoseconds("system_usec"),
    periods: counts.get("nr_periods") ?? 0,
    throttledPeriods: counts.get("nr_throttled") ?? 0,
    throttledTime: nanoseconds("throttled_usec"),
  };
};

const tick = 10_000_000;

const readCpu1 = ({ directory }: Place, cpu: Place | undefined): CpuUsage => {
  const ticks = parseCounts(read(`${directory}/cpuacct.stat`));
  const counts = cpu === undefined ? new Map<string, number>() : parseCounts(read(`${cpu.directory}/cpu.stat`));
  const each = read(`${directory}/cpuacct.usage_percpu`).trim();
  return {
    total: parseNumber(read(`${directory}/cpuacct.usage`)) ?? 0,
    user: (ticks.get("user") ?? 0) * tick,
    kernel: (ticks.get("system") ?? 0) * tick,
    each: each === "" ? [] : each.split(/\s+/).map(Number),
    periods: counts.get("nr_periods") ?? 0,
    throttledPeriods: counts.get("nr_throttled") ?? 0,
    throttledTime: counts.get("throttled_time") ?? 0,
  };
};

const optional = <K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: number };

/** Version 1 writes its largest number, a page below 2^63, for no limit. */
const endless = 2 ** 62;

const readMemory1 = ({ directory }: Place): MemoryUsage => {
  const limit = parseNumber(read(`${directory}/memory.limit_in_bytes`));
  return {
    version: 1,
    usage: parseNumber(read(`${directory}/memory.usage_in_bytes`)) ?? 0,
    ...optional("peak", parseNumber(read(`${directory}/memory.max_usage_in_bytes`))),
    ...optional("limit", limit === undefined || limit >= endless ? undefined : limit),
    ...optional("failures", parseNumber(read(`${directory}/memory.failcnt`))),
    details: details(read(`${directory}/memory.stat`)),
  };
};

const readMemory2 = ({ directory }: Place): MemoryUsage => ({
  version: 2,
  usage: parseNumber(read(`${directory}/memory.current`)) ?? 0,
  ...optional("peak", parseNumber(read(`${directory}/memory.peak`))),
  ...optional("limit", parseNumber(read(`${directory}/memory.max`))),
  details: details(read(`${directory}/memory.stat`)),
});

/** What has more digits than a double is a limit that nobody set. */
const details = (text: string): Readonly<Record<string, number>> =>
  Object.fromEntries([...parseCounts(text)].map(([name, value]) => [name, Math.min(value, Number.MAX_SAFE_INTEGER)]));

const readPids = ({ directory }: Place): { readonly current: number; readonly limit?: number } => ({
  current: parseNumber(read(`${directory}/pids.current`)) ?? 0,
  ...optional("limit", parseNumber(read(`${directory}/pids.max`))),
});

/** The files that every scheduler has first; those of BFQ and CFQ where they say more. */
const readBlkio = ({ directory }: Place): NonNullable<GroupUsage["io"]> => {
  const first = (...names: readonly string[]): readonly IoCount[] => {
    for (const name of names) {
      const found = parseBlkio(read(`${directory}/blkio.${name}`));
      if (found.length > 0) return found;
    }
    return [];
  };
  return {
    bytes: first("throttle.io_service_bytes_recursive", "bfq.io_service_bytes_recursive", "io_service_bytes_recursive"),
    operations: first("throttle.io_serviced_recursive", "bfq.io_serviced_recursive", "io_serviced_recursive"),
  };
};

const readIo = ({ directory }: Place): NonNullable<GroupUsage["io"]> => parseIoStat(read(`${directory}/io.stat`));
