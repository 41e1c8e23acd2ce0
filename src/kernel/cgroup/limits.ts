/** What a group's processes may use: the words of the OCI runtime specification (`linux.resources`). */
import type { DeviceRule } from "./devices.ts";

export interface CgroupLimits {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: MemoryLimits;
  readonly cpu?: CpuLimits;
  /** Not above zero: no limit. */
  readonly pids?: { readonly limit: number };
  readonly blockIO?: BlockIoLimits;
}

/** In bytes, -1 for as much as there is. */
export interface MemoryLimits {
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory and swap together. */
  readonly swap?: number;
  /** Buffers of TCP; version 1 only. */
  readonly kernelTCP?: number;
  /** Version 1 only, as is `disableOOMKiller`. */
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
}

/** Times in microseconds. */
export interface CpuLimits {
  /** 2 to 262144, 1024 if not asked. */
  readonly shares?: number;
  /** Time in each period; not above zero: no limit. */
  readonly quota?: number;
  readonly period?: number;
  /** Version 1 only. */
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  /** Lists such as `0-2,7`. */
  readonly cpus?: string;
  readonly mems?: string;
}

export interface BlockIoLimits {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly weightDevice?: readonly (DeviceNumber & { readonly weight: number })[];
  readonly throttleReadBpsDevice?: readonly Throttle[];
  readonly throttleWriteBpsDevice?: readonly Throttle[];
  readonly throttleReadIOPSDevice?: readonly Throttle[];
  readonly throttleWriteIOPSDevice?: readonly Throttle[];
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

export interface Throttle extends DeviceNumber {
  /** Bytes or operations a second. */
  readonly rate: number;
}

/** One write into a file of a group. */
export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** Not every kernel has the file. */
  readonly optional?: boolean;
}
