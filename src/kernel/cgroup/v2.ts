/** Limits as the files of version 2 want them (Documentation/admin-guide/cgroup-v2.rst). Pure. */
import { cgroupError } from "./errors.ts";
import type { BlockIoLimits, CgroupLimits, CpuLimits, MemoryLimits, Setting } from "./limits.ts";

/** The writes. Device rules are no files here: see `compileDeviceFilter`. */
export const v2Settings = (limits: CgroupLimits): readonly Setting[] => [
  ...memorySettings(limits.memory ?? {}),
  ...cpuSettings(limits.cpu ?? {}),
  ...(limits.pids === undefined ? [] : set("pids", "pids.max", limits.pids.limit > 0 ? limits.pids.limit : "max")),
  ...blockIoSettings(limits.blockIO ?? {}),
];

const set = (controller: string, file: string, value: number | string | undefined, optional = false): Setting[] =>
  value === undefined ? [] : [{ controller, file, value: String(value), ...(optional ? { optional } : {}) }];

const bytesOrMax = (bytes: number): string => (bytes < 0 ? "max" : String(bytes));

const memorySettings = ({ limit, swap, reservation }: MemoryLimits): readonly Setting[] => [
  ...set("memory", "memory.max", limit === undefined ? undefined : bytesOrMax(limit)),
  // A kernel may have been built or started without accounting of swap.
  ...set("memory", "memory.swap.max", swap === undefined ? undefined : bytesOrMax(swapAlone(swap, limit)), true),
  ...set("memory", "memory.low", reservation === undefined ? undefined : bytesOrMax(reservation)),
];

/** Version 2 counts swap by itself, Docker and version 1 together with memory. */
export const swapAlone = (total: number, memory: number | undefined): number => {
  if (total < 0) return -1;
  if (memory === undefined || memory < 0) throw cgroupError("swapWithoutMemory", {});
  if (total < memory) throw cgroupError("swapBelowMemory", {});
  return total - memory;
};

const defaultPeriod = 100_000;

const cpuSettings = (cpu: CpuLimits): readonly Setting[] => {
  const { shares, quota, period } = cpu;
  const max = quota === undefined && period === undefined ? undefined : cpuMax(quota, period);
  return [
    ...set("cpu", "cpu.weight", shares === undefined || shares === 0 ? undefined : weightOfShares(shares)),
    ...set("cpu", "cpu.max", max),
    ...set("cpuset", "cpuset.cpus", cpu.cpus),
    ...set("cpuset", "cpuset.mems", cpu.mems),
  ];
};

const cpuMax = (quota = 0, period = defaultPeriod): string => `${quota > 0 ? quota : "max"} ${period}`;

/**
 * Shares (2 to 262144, usually 1024) as a weight (1 to 10000, usually 100): a curve through the ends and the usual
 * values, as runc's since 1.3.2; the straight line before it made 1024 shares a weight of 39.
 */
export const weightOfShares = (shares: number): number => {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  // Rounded first: a last binary digit must not lift a whole number to the next.
  return Math.ceil(Number((10 ** ((log * log + 125 * log) / 612 - 7 / 34)).toFixed(9)));
};

/** A weight of version 1's block devices (10 to 1000) as one of version 2's (1 to 10000). */
export const weightOfBlkio = (weight: number): number => 1 + Math.trunc(((weight - 10) * 9999) / 990);

const blockIoSettings = (io: BlockIoLimits): readonly Setting[] => [
  // Which of the two exists depends on the disk's scheduler and on the kernel's configuration.
  ...set("io", "io.bfq.weight", io.weight, true),
  ...set("io", "io.weight", io.weight === undefined ? undefined : `default ${weightOfBlkio(io.weight)}`, true),
  ...(io.weightDevice ?? []).flatMap(({ major, minor, weight }) => [
    ...set("io", "io.bfq.weight", `${major}:${minor} ${weight}`, true),
    ...set("io", "io.weight", `${major}:${minor} ${weightOfBlkio(weight)}`, true),
  ]),
  ...throttles("rbps", io.throttleReadBpsDevice),
  ...throttles("wbps", io.throttleWriteBpsDevice),
  ...throttles("riops", io.throttleReadIOPSDevice),
  ...throttles("wiops", io.throttleWriteIOPSDevice),
];

const throttles = (what: string, devices: BlockIoLimits["throttleReadBpsDevice"] = []): readonly Setting[] =>
  devices.flatMap(({ major, minor, rate }) => set("io", "io.max", `${major}:${minor} ${what}=${rate}`));
