/** A container's share of the machine, as the runtime specification says it. */
import { blockDeviceNumber, type DeviceFacts } from "./devices.ts";
import type { OciBlockIo, OciCpu, OciMemory, OciResources } from "./oci/spec.ts";
import type { ResourceRequest, ThrottleDevice } from "./request.ts";

type Facts = Readonly<Record<string, DeviceFacts>>;

export const planResources = (request: ResourceRequest, facts: Facts): Omit<OciResources, "devices"> => {
  const { pidsLimit } = request;
  return {
    ...section("memory", planMemory(request)),
    ...section("cpu", planCpu(request)),
    ...(pidsLimit === undefined ? {} : { pids: { limit: pidsLimit } }),
    ...section("blockIO", planBlockIo(request, facts)),
  };
};

const planMemory = (request: ResourceRequest): OciMemory => ({
  ...positive("limit", request.memory),
  ...positive("reservation", request.memoryReservation),
  ...(request.memorySwap === 0 ? {} : { swap: request.memorySwap }),
  ...(request.memorySwappiness === undefined ? {} : { swappiness: request.memorySwappiness }),
  ...(request.oomKillDisable ? { disableOOMKiller: true } : {}),
});

/** `--cpus` as a quota of this period, in microseconds: the kernel's own default. */
const nanoCpuPeriod = 100_000;

const planCpu = (request: ResourceRequest): OciCpu => ({
  ...positive("shares", request.cpuShares),
  ...(request.nanoCpus > 0
    ? { quota: Math.trunc(request.nanoCpus / (1e9 / nanoCpuPeriod)), period: nanoCpuPeriod }
    : {}),
  ...(request.cpuQuota === 0 ? {} : { quota: request.cpuQuota }),
  ...positive("period", request.cpuPeriod),
  ...(request.cpuRealtimeRuntime === 0 ? {} : { realtimeRuntime: request.cpuRealtimeRuntime }),
  ...positive("realtimePeriod", request.cpuRealtimePeriod),
  ...(request.cpusetCpus === "" ? {} : { cpus: request.cpusetCpus }),
  ...(request.cpusetMems === "" ? {} : { mems: request.cpusetMems }),
});

const planBlockIo = (request: ResourceRequest, facts: Facts): OciBlockIo => {
  const throttles = (devices: readonly ThrottleDevice[]) =>
    devices.map(({ path, rate }) => ({ ...blockDeviceNumber(path, facts), rate }));
  const weights = request.blkioWeightDevice.map(({ path, weight }) => ({ ...blockDeviceNumber(path, facts), weight }));
  return {
    ...positive("weight", request.blkioWeight),
    ...filled("weightDevice", weights),
    ...filled("throttleReadBpsDevice", throttles(request.blkioDeviceReadBps)),
    ...filled("throttleWriteBpsDevice", throttles(request.blkioDeviceWriteBps)),
    ...filled("throttleReadIOPSDevice", throttles(request.blkioDeviceReadIops)),
    ...filled("throttleWriteIOPSDevice", throttles(request.blkioDeviceWriteIops)),
  };
};

/** What is not asked for is not written: the kernel's default stays. */
const positive = <K extends string>(key: K, value: number): { readonly [P in K]?: number } =>
  (value > 0 ? { [key]: value } : {}) as { readonly [P in K]?: number };

const filled = <K extends string, T>(key: K, items: readonly T[]): { readonly [P in K]?: readonly T[] } =>
  (items.length > 0 ? { [key]: items } : {}) as { readonly [P in K]?: readonly T[] };

const section = <K extends string, T extends object>(key: K, value: T): { readonly [P in K]?: T } =>
  (Object.keys(value).length > 0 ? { [key]: value } : {}) as { readonly [P in K]?: T };
