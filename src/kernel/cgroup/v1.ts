/** Limits as the files of version 1's hierarchies want them (Documentation/admin-guide/cgroup-v1). Pure. */
import { deviceLine, foldDeviceRules } from "./devices.ts";
import type { BlockIoLimits, CgroupLimits, CpuLimits, MemoryLimits, Setting } from "./limits.ts";

type DeviceRules = NonNullable<CgroupLimits["devices"]>;

/** The writes, in the order in which they must be made. */
export const v1Settings = (limits: CgroupLimits, swap: boolean): readonly Setting[] => [
  ...memorySettings(limits.memory ?? {}, swap),
  ...cpuSettings(limits.cpu ?? {}),
  ...(limits.pids === undefined ? [] : set("pids", "pids.max", limits.pids.limit > 0 ? limits.pids.limit : "max")),
  ...blockIoSettings(limits.blockIO ?? {}),
  ...deviceSettings(limits.devices ?? []),
];

const set = (controller: string, file: string, value: number | string | undefined, optional = false): Setting[] =>
  value === undefined ? [] : [{ controller, file, value: String(value), ...(optional ? { optional } : {}) }];

const memorySettings = (memory: MemoryLimits, swap: boolean): readonly Setting[] => [
  // The limit of both together must never be below that of memory alone: in a new group both are endless.
  ...set("memory", "memory.limit_in_bytes", memory.limit),
  ...(swap ? set("memory", "memory.memsw.limit_in_bytes", memory.swap) : []),
  ...set("memory", "memory.soft_limit_in_bytes", memory.reservation),
  ...set("memory", "memory.kmem.tcp.limit_in_bytes", memory.kernelTCP),
  ...set("memory", "memory.swappiness", memory.swappiness),
  ...(memory.disableOOMKiller === true ? set("memory", "memory.oom_control", 1) : []),
];

const cpuSettings = (cpu: CpuLimits): readonly Setting[] => [
  ...set("cpu", "cpu.shares", cpu.shares),
  ...set("cpu", "cpu.rt_period_us", cpu.realtimePeriod),
  ...set("cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime),
  ...set("cpu", "cpu.cfs_period_us", cpu.period),
  ...set("cpu", "cpu.cfs_quota_us", cpu.quota === undefined ? undefined : Math.max(cpu.quota, -1) || -1),
  ...set("cpuset", "cpuset.cpus", cpu.cpus),
  ...set("cpuset", "cpuset.mems", cpu.mems),
];

const blockIoSettings = (io: BlockIoLimits): readonly Setting[] => [
  // CFQ's name until Linux 5.0, BFQ's since, and neither where the disk has another scheduler.
  ...set("blkio", "blkio.weight", io.weight, true),
  ...set("blkio", "blkio.bfq.weight", io.weight, true),
  ...(io.weightDevice ?? []).flatMap(({ major, minor, weight }) => [
    ...set("blkio", "blkio.weight_device", `${major}:${minor} ${weight}`, true),
    ...set("blkio", "blkio.bfq.weight_device", `${major}:${minor} ${weight}`, true),
  ]),
  ...throttles("read_bps", io.throttleReadBpsDevice),
  ...throttles("write_bps", io.throttleWriteBpsDevice),
  ...throttles("read_iops", io.throttleReadIOPSDevice),
  ...throttles("write_iops", io.throttleWriteIOPSDevice),
];

const throttles = (what: string, devices: BlockIoLimits["throttleReadBpsDevice"] = []): readonly Setting[] =>
  devices.flatMap(({ major, minor, rate }) =>
    set("blkio", `blkio.throttle.${what}_device`, `${major}:${minor} ${rate}`),
  );

const deviceSettings = (rules: DeviceRules): readonly Setting[] => {
  const { otherwise, exceptions } = foldDeviceRules(rules);
  // A new group has what its parent has; "a" into devices.allow would be refused inside a container's group.
  const all = otherwise === "deny" ? set("devices", "devices.deny", "a") : [];
  const file = otherwise === "deny" ? "devices.allow" : "devices.deny";
  return [...all, ...exceptions.flatMap((exception) => set("devices", file, deviceLine(exception)))];
};
