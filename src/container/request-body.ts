/** The bodies of requests for containers, from JSON to Docker's own types: the shape, and no NUL anywhere. */

import {
  boolean,
  integer,
  list,
  map,
  nullable,
  object,
  optional,
  refuse,
  type Shape,
  string,
  stringOrList,
} from "../api/shape.ts";
import type { ContainerCreateBody, ExecCreateBody } from "../api/types.ts";
import { containerError } from "./errors.ts";

/** Beneath us texts end at their first NUL: what a check saw would not be what the kernel gets. */
const text: Shape<string> = (value, path) => checked(string(value, path));

const checked = (value: string): string => {
  if (value.includes("\0")) throw containerError("nulByte", {});
  return value;
};

const texts = list(text);

const named =
  <T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> =>
  (value, path) => {
    const entries = map(item)(value, path);
    Object.keys(entries).forEach(checked);
    return entries;
  };

const textMap = named(text);
const keyMap = named(object({}));
const words: Shape<readonly string[]> = (value, path) => stringOrList(value, path).map(checked);
const number = integer();

/** Rows and columns; two zeros are no size. */
const consoleSize: Shape<readonly number[]> = (value, path) => {
  const size = list(integer(0, 65_535))(value, path);
  return size.length === 0 || size.length === 2 ? size : refuse(path, "a list of two numbers", value);
};

const healthcheck = object({
  Test: texts,
  Interval: number,
  Timeout: number,
  Retries: number,
  StartPeriod: number,
  StartInterval: number,
});

const mount = object({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: boolean,
  Consistency: text,
  BindOptions: nullable(
    object({
      Propagation: text,
      NonRecursive: boolean,
      CreateMountpoint: boolean,
      ReadOnlyNonRecursive: boolean,
      ReadOnlyForceRecursive: boolean,
    }),
  ),
  VolumeOptions: nullable(
    object({
      NoCopy: boolean,
      Labels: nullable(textMap),
      Subpath: text,
      DriverConfig: nullable(object({ Name: text, Options: nullable(textMap) })),
    }),
  ),
  ImageOptions: nullable(object({})),
  TmpfsOptions: nullable(object({ SizeBytes: number, Mode: number, Options: list(texts) })),
});

const throttles = list(object({ Path: text, Rate: number }));

const resources = {
  CpuShares: number,
  Memory: number,
  NanoCpus: number,
  CgroupParent: text,
  BlkioWeight: number,
  BlkioWeightDevice: list(object({ Path: text, Weight: number })),
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  CpuPeriod: number,
  CpuQuota: number,
  CpuRealtimePeriod: number,
  CpuRealtimeRuntime: number,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list(object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text })),
  DeviceCgroupRules: texts,
  DeviceRequests: list(object({ Driver: text, Capabilities: list(texts) })),
  KernelMemory: number,
  KernelMemoryTCP: number,
  MemoryReservation: number,
  MemorySwap: number,
  MemorySwappiness: nullable(number),
  OomKillDisable: nullable(boolean),
  PidsLimit: nullable(number),
  Ulimits: list(object({ Name: text, Soft: number, Hard: number })),
  IOMaximumIOps: number,
  IOMaximumBandwidth: number,
} as const;

const portMap = named(list(object({ HostIp: text, HostPort: text })));

const hostConfig = object({
  ...resources,
  Binds: texts,
  LogConfig: object({ Type: text, Config: textMap }),
  NetworkMode: text,
  PortBindings: portMap,
  RestartPolicy: object({ Name: text, MaximumRetryCount: number }),
  ContainerIDFile: text,
  AutoRemove: boolean,
  VolumeDriver: text,
  VolumesFrom: texts,
  Mounts: list(mount),
  ConsoleSize: consoleSize,
  Annotations: textMap,
  CapAdd: texts,
  CapDrop: texts,
  CgroupnsMode: text,
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  IpcMode: text,
  Cgroup: text,
  Links: texts,
  OomScoreAdj: number,
  PidMode: text,
  Privileged: boolean,
  PublishAllPorts: boolean,
  ReadonlyRootfs: boolean,
  SecurityOpt: texts,
  StorageOpt: textMap,
  Tmpfs: textMap,
  UTSMode: text,
  UsernsMode: text,
  ShmSize: number,
  Sysctls: textMap,
  Runtime: text,
  Isolation: text,
  Init: nullable(boolean),
  MaskedPaths: nullable(texts),
  ReadonlyPaths: nullable(texts),
});

/** What a container asks of a network; `network connect` sends it too. */
export const endpoint = object({
  IPAMConfig: nullable(object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts })),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  DriverOpts: textMap,
  GwPriority: number,
});

/** Every field of the body that means something to us. */
export const createBody = object({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  ExposedPorts: keyMap,
  Tty: boolean,
  OpenStdin: boolean,
  StdinOnce: boolean,
  Env: texts,
  Cmd: nullable(words),
  Healthcheck: nullable(healthcheck),
  Image: text,
  Volumes: keyMap,
  WorkingDir: text,
  Entrypoint: nullable(words),
  NetworkDisabled: boolean,
  MacAddress: text,
  Labels: textMap,
  StopSignal: text,
  StopTimeout: nullable(number),
  Shell: texts,
  HostConfig: hostConfig,
  NetworkingConfig: object({ EndpointsConfig: named(nullable(endpoint)) }),
}) satisfies Shape<ContainerCreateBody>;

/** `POST /containers/{id}/update` */
export const updateBody = object({
  ...resources,
  RestartPolicy: object({ Name: text, MaximumRetryCount: number }),
  // Ours: Docker cannot publish ports of a container that is there already.
  PublishAdd: portMap,
  PublishRemove: texts,
});

export const execBody = object({
  User: text,
  Privileged: boolean,
  Tty: boolean,
  ConsoleSize: consoleSize,
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  DetachKeys: text,
  Env: texts,
  WorkingDir: text,
  Cmd: words,
}) satisfies Shape<ExecCreateBody>;

/** Whether the client sent a body at all. */
export const anyBody = optional(object({}));
