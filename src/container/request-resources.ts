/** The limits of a request, in Docker's words (moby, daemon/daemon_unix.go, verifyPlatformContainerResources). */
import { posix } from "node:path";
import type { HostConfig, Ulimit as UlimitBody, WeightDevice as WeightBody } from "../api/types.ts";
import type { PierError } from "../base/errors.ts";
import { parseRlimit } from "../kernel/numbers/rlimits.ts";
import { containerError } from "./errors.ts";
import type { DeviceRequest, DeviceRule, ResourceRequest, ThrottleDevice, Ulimit, WeightDevice } from "./request.ts";

const invalid = (problem: string): PierError => containerError("invalidResource", { problem });

export const parseResources = (host: HostConfig): ResourceRequest => ({
  ...parseMemory(host),
  ...parseCpu(host),
  // Clients say 0 or less for none.
  ...((host.PidsLimit ?? 0) > 0 ? { pidsLimit: host.PidsLimit! } : {}),
  ...parseBlockIo(host),
  ulimits: (host.Ulimits ?? []).map(parseUlimit),
  devices: parseDevices(host),
  deviceRules: (host.DeviceCgroupRules ?? []).map(parseDeviceRule),
  cgroupParent: parseCgroupParent(host.CgroupParent ?? ""),
});

/** Room for the start of a container: Docker's own limit, not the kernel's. */
const minMemory = 6 * 1024 * 1024;

const parseMemory = (host: HostConfig) => {
  const { Memory: memory = 0, MemorySwap: swap = 0, MemoryReservation: reservation = 0 } = host;
  const swappiness = host.MemorySwappiness ?? -1;
  if (memory !== 0 && memory < minMemory) throw invalid("Minimum memory limit allowed is 6MB");
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memory === 0 && swap > 0) {
    throw invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (swap < -1) throw invalid("Minimum memoryswap limit is -1 (unlimited)");
  // -1 is how older clients say: not asked.
  if (swappiness < -1 || swappiness > 100) {
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (reservation !== 0 && reservation < minMemory) throw invalid("Minimum memory reservation allowed is 6MB");
  if (memory > 0 && reservation > 0 && memory < reservation) {
    throw invalid("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
  return {
    memory,
    // Docker's default: as much swap as memory.
    memorySwap: memory > 0 && swap === 0 ? memory * 2 : swap,
    memoryReservation: reservation,
    ...(swappiness === -1 ? {} : { memorySwappiness: swappiness }),
    oomKillDisable: host.OomKillDisable ?? false,
  };
};

/** What the kernel takes for shares: Docker bends a request to it. */
const shares = { min: 2, max: 262_144 } as const;

const parseCpu = (host: HostConfig) => {
  const { NanoCpus: nano = 0, CpuPeriod: period = 0, CpuQuota: quota = 0, CpuShares: asked = 0 } = host;
  const { CpuRealtimePeriod: realtimePeriod = 0, CpuRealtimeRuntime: realtimeRuntime = 0 } = host;
  if (nano > 0 && period > 0) throw invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (nano > 0 && quota > 0) throw invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (nano < 0) throw invalid("Range of CPUs is from 0.01: a negative number of CPUs cannot be had");
  if (asked < 0) throw invalid("shares: invalid argument");
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (quota > 0 && quota < 1000) throw invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (quota < -1) throw invalid("CPU cfs quota can not be less than -1 (unlimited)");
  if (realtimePeriod < 0 || realtimeRuntime < 0) throw invalid("cpu real-time values cannot be negative");
  if (realtimePeriod !== 0 && realtimeRuntime > realtimePeriod) {
    throw invalid("cpu real-time runtime cannot be higher than cpu real-time period");
  }
  return {
    nanoCpus: nano,
    cpuShares: asked === 0 ? 0 : Math.min(Math.max(asked, shares.min), shares.max),
    cpuPeriod: period,
    cpuQuota: quota,
    cpuRealtimePeriod: realtimePeriod,
    cpuRealtimeRuntime: realtimeRuntime,
    cpusetCpus: checkCpuset("cpus", host.CpusetCpus ?? ""),
    cpusetMems: checkCpuset("mems", host.CpusetMems ?? ""),
  };
};

const checkCpuset = (kind: "cpus" | "mems", value: string): string => {
  if (value !== "" && parseNumberList(value) === undefined) throw containerError("invalidCpuset", { value, kind });
  return value;
};

/** `0-3,5` as the numbers it names; undefined when it is no such list. The kernel knows no CPU beyond 8192. */
export const parseNumberList = (text: string): ReadonlySet<number> | undefined => {
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first || last >= 8192) return undefined;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
};

const parseBlockIo = (host: HostConfig) => {
  const { BlkioWeight: weight = 0, IOMaximumBandwidth: bandwidth = 0, IOMaximumIOps: operations = 0 } = host;
  if (weight !== 0 && (weight < 10 || weight > 1000)) throw invalid("Range of blkio weight is from 10 to 1000");
  if (bandwidth !== 0 || operations !== 0) {
    throw invalid("Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps");
  }
  return {
    blkioWeight: weight,
    blkioWeightDevice: (host.BlkioWeightDevice ?? []).map(parseWeightDevice),
    blkioDeviceReadBps: (host.BlkioDeviceReadBps ?? []).map(parseThrottle),
    blkioDeviceWriteBps: (host.BlkioDeviceWriteBps ?? []).map(parseThrottle),
    blkioDeviceReadIops: (host.BlkioDeviceReadIOps ?? []).map(parseThrottle),
    blkioDeviceWriteIops: (host.BlkioDeviceWriteIOps ?? []).map(parseThrottle),
  };
};

const parseWeightDevice = ({ Path: path = "", Weight: weight = 0 }: WeightBody): WeightDevice => {
  if (!path.startsWith("/")) throw invalid(`bad format for path: ${path}`);
  if (weight < 10 || weight > 1000) throw invalid("Range of blkio weight is from 10 to 1000");
  return { path, weight };
};

const parseThrottle = ({ Path: path = "", Rate: rate = 0 }: { Path?: string; Rate?: number }): ThrottleDevice => {
  if (!path.startsWith("/")) throw invalid(`bad format for path: ${path}`);
  if (rate < 0) throw invalid(`invalid rate for device: ${path}: ${rate}`);
  return { path, rate };
};

const parseUlimit = ({ Name: asked = "", Soft: soft = 0, Hard: hard = 0 }: UlimitBody): Ulimit => {
  const name = parseRlimit(asked);
  const infinite = (limit: number) => (limit < 0 ? Number.POSITIVE_INFINITY : limit);
  if (infinite(soft) > infinite(hard)) throw containerError("invalidUlimit", { soft, hard });
  return { name, soft: Math.max(soft, -1), hard: Math.max(hard, -1) };
};

const parseDevices = (host: HostConfig): readonly DeviceRequest[] => {
  const [driver] = host.DeviceRequests ?? [];
  if (driver !== undefined) {
    const capabilities = (driver.Capabilities ?? []).map((names) => `[${names.join(" ")}]`).join(" ");
    throw invalid(`could not select device driver "${driver.Driver ?? ""}" with capabilities: [${capabilities}]`);
  }
  return (host.Devices ?? []).map(({ PathOnHost: source = "", PathInContainer: target = "", CgroupPermissions }) => {
    const permissions = CgroupPermissions || "rwm";
    if (!/^[rwm]{1,3}$/.test(permissions)) throw containerError("invalidDeviceMode", { mode: permissions });
    const inside = target || source;
    const problem = [source, inside].find((path) => !path.startsWith("/"));
    if (problem !== undefined) throw containerError("noDevice", { path: problem, reason: "not an absolute path" });
    return { source: posix.normalize(source), target: posix.normalize(inside), permissions };
  });
};

const parseDeviceRule = (rule: string): DeviceRule => {
  const match = /^([acb]) (\d{1,9}|\*):(\d{1,9}|\*) ([rwm]{1,3})$/.exec(rule);
  if (match === null) throw containerError("invalidDeviceRule", { rule });
  const number = (text: string | undefined) => (text === "*" ? -1 : Number(text));
  return {
    kind: match[1] as DeviceRule["kind"],
    major: number(match[2]),
    minor: number(match[3]),
    permissions: match[4]!,
  };
};

/** Always beneath the root of the hierarchy, whatever was asked. */
const parseCgroupParent = (path: string): string => {
  if (path === "") return "";
  // Docker makes "../../x" mean "x": nobody who writes that knows what he gets.
  if (/[\n:]/.test(path) || path.split("/").includes("..")) throw containerError("invalidCgroupParent", { path });
  const clean = posix.normalize(`/${path}`).replace(/\/+$/, "");
  if (clean === "") throw containerError("invalidCgroupParent", { path });
  return clean;
};
