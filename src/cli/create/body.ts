/** The body of `POST /containers/create`: the flags of `run` and `create`, field by field as Docker's CLI sends them. */
import type { ContainerConfig, ContainerCreateBody, Healthcheck, HostConfig, PortBinding } from "../../api/types.ts";
import type { Parsed } from "../flags.ts";
import { splitPair, withPair } from "../values/kinds.ts";
import { gatherLabels, gatherVariables } from "./env-files.ts";
import { createError } from "./errors.ts";
import type { containerFlags } from "./flags.ts";
import { planNetworks } from "./networks.ts";
import { parseExpose, parsePublish } from "./ports.ts";
import { isInterfaceDevice, parseDevice } from "./resources.ts";
import { checkNamespaces, normalCapabilities, planSecurity } from "./security.ts";
import { parseTmpfs, parseVolume } from "./volumes.ts";

type Flags = Parsed<typeof containerFlags>["values"];
type Given = Pick<Parsed<typeof containerFlags>, "values" | "positional"> & { readonly given: ReadonlySet<string> };

/** A list, or null where Go has none. */
const orNull = <T>(values: readonly T[]): readonly T[] | null => (values.length === 0 ? null : values);
const keysOf = (names: Iterable<string>): Record<string, Record<string, never>> =>
  Object.fromEntries([...names].map((name) => [name, {}]));

/** The body; env files, label files and seccomp profiles are read on the way, and wrong values throw Docker's words. */
export const planBody = (given: Given): ContainerCreateBody => {
  const { values: flags } = given;
  const swappiness = flags["memory-swappiness"];
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) throw createError("swappiness", { value: swappiness });
  const volumes = flags.volume.map(parseVolume);
  const ports = planPorts(flags);
  const devices = planDevices(flags);
  const variables = gatherVariables(flags["env-file"], flags.env);
  const labels = gatherLabels(flags["label-file"], flags.label).reduce(withPair, {});
  checkNamespaces({ pid: flags.pid, uts: flags.uts, userns: flags.userns, cgroupns: flags.cgroupns });
  const restart = planRestart(flags);
  const options = planOptions(flags);
  const health = planHealth(flags);
  const networks = planNetworks({
    network: flags.network,
    aliases: flags["network-alias"],
    links: flags.link,
    ip: flags.ip,
    ip6: flags.ip6,
    linkLocal: flags["link-local-ip"],
    hardware: flags["mac-address"],
  });
  return {
    ...planConfig(given),
    Env: orNull(variables),
    Labels: labels,
    Volumes: keysOf(volumes.flatMap(({ anonymous }) => anonymous ?? [])),
    ...(ports.exposed.size === 0 ? {} : { ExposedPorts: keysOf(ports.exposed) }),
    ...(health === undefined ? {} : { Healthcheck: health }),
    HostConfig: {
      ...planHost(given),
      ...planLimits(flags),
      ...planLists(flags),
      ...devices,
      ...options,
      Binds: orNull(volumes.flatMap(({ bind }) => bind ?? [])),
      PortBindings: ports.bindings,
      RestartPolicy: restart,
      NetworkMode: networks.mode,
    },
    NetworkingConfig: { EndpointsConfig: networks.endpoints },
  };
};

const planConfig = ({ values: flags, given, positional }: Given): ContainerConfig => {
  const [image = "", ...command] = positional;
  const all = flags.attach.length === 0;
  const attached = (stream: string) => flags.attach.includes(stream);
  const stdin = attached("stdin") || (all && flags.interactive);
  return {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    AttachStdin: stdin,
    AttachStdout: all || attached("stdout"),
    AttachStderr: all || attached("stderr"),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && stdin,
    Cmd: orNull(command),
    Image: image,
    WorkingDir: flags.workdir,
    // An empty entry point, given as such, takes the image's away.
    Entrypoint: given.has("entrypoint") ? [flags.entrypoint] : null,
    OnBuild: null,
    ...(given.has("stop-signal") && flags["stop-signal"] !== "" ? { StopSignal: flags["stop-signal"] } : {}),
    ...(given.has("stop-timeout") ? { StopTimeout: flags["stop-timeout"] } : {}),
  };
};

const planHost = ({ values: flags, given }: Given): HostConfig => ({
  ContainerIDFile: flags.cidfile,
  AutoRemove: flags.rm,
  VolumeDriver: flags["volume-driver"],
  ConsoleSize: [0, 0],
  CgroupnsMode: flags.cgroupns,
  IpcMode: flags.ipc,
  Cgroup: "",
  OomScoreAdj: flags["oom-score-adj"],
  PidMode: flags.pid,
  Privileged: flags.privileged,
  PublishAllPorts: flags["publish-all"],
  ReadonlyRootfs: flags["read-only"],
  UTSMode: flags.uts,
  UsernsMode: flags.userns,
  ShmSize: flags["shm-size"],
  Isolation: flags.isolation,
  ...(flags.runtime === "" ? {} : { Runtime: flags.runtime }),
  ...(given.has("init") ? { Init: flags.init } : {}),
  ...(given.has("annotation") ? { Annotations: flags.annotation } : {}),
  ...(given.has("sysctl") ? { Sysctls: flags.sysctl } : {}),
  ...(flags.mount.length === 0 ? {} : { Mounts: flags.mount }),
  ...(flags.tmpfs.length === 0 ? {} : { Tmpfs: Object.fromEntries(flags.tmpfs.map(parseTmpfs)) }),
});

const planLists = (flags: Flags): HostConfig => ({
  VolumesFrom: orNull(flags["volumes-from"]),
  CapAdd: normalCapabilities(flags["cap-add"]),
  CapDrop: normalCapabilities(flags["cap-drop"]),
  Dns: flags.dns,
  DnsOptions: flags["dns-option"],
  DnsSearch: flags["dns-search"],
  ExtraHosts: orNull(flags["add-host"]),
  GroupAdd: orNull(flags["group-add"]),
  Links: orNull(flags.link),
});

const planLimits = (flags: Flags): HostConfig => ({
  CpuShares: flags["cpu-shares"],
  Memory: flags.memory,
  NanoCpus: flags.cpus,
  CgroupParent: flags["cgroup-parent"],
  BlkioWeight: flags["blkio-weight"],
  BlkioWeightDevice: flags["blkio-weight-device"],
  BlkioDeviceReadBps: flags["device-read-bps"],
  BlkioDeviceWriteBps: flags["device-write-bps"],
  BlkioDeviceReadIOps: flags["device-read-iops"],
  BlkioDeviceWriteIOps: flags["device-write-iops"],
  CpuPeriod: flags["cpu-period"],
  CpuQuota: flags["cpu-quota"],
  CpuRealtimePeriod: flags["cpu-rt-period"],
  CpuRealtimeRuntime: flags["cpu-rt-runtime"],
  CpusetCpus: flags["cpuset-cpus"],
  CpusetMems: flags["cpuset-mems"],
  MemoryReservation: flags["memory-reservation"],
  MemorySwap: flags["memory-swap"],
  MemorySwappiness: flags["memory-swappiness"],
  OomKillDisable: flags["oom-kill-disable"],
  PidsLimit: flags["pids-limit"],
  Ulimits: flags.ulimit,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
});

const planPorts = (flags: Flags) => {
  const bindings: Record<string, PortBinding[]> = {};
  for (const { port, binding } of flags.publish.flatMap(parsePublish)) {
    bindings[port] ??= [];
    bindings[port].push(binding);
  }
  return { bindings, exposed: new Set([...Object.keys(bindings), ...flags.expose.flatMap(parseExpose)]) };
};

const planDevices = (flags: Flags): HostConfig => {
  const named = flags.device.filter(isInterfaceDevice);
  const byInterface = { Driver: "cdi", Count: 0, DeviceIDs: named, Capabilities: null, Options: null };
  return {
    Devices: flags.device.filter((device) => !isInterfaceDevice(device)).map(parseDevice),
    DeviceCgroupRules: orNull(flags["device-cgroup-rule"]),
    DeviceRequests: orNull([...flags.gpus, ...(named.length === 0 ? [] : [byInterface])]),
  };
};

/** `on-failure:3` */
export const parseRestart = (text: string): NonNullable<HostConfig["RestartPolicy"]> => {
  const [name = "", ...more] = text.split(":");
  const count = more.join(":");
  if (more.length > 0 && name === "") throw createError("restartColon", {});
  if (!/^([+-]?\d{1,9})?$/.test(count)) throw createError("restartCount", {});
  return { Name: name, MaximumRetryCount: Number(count) };
};

const planRestart = (flags: Flags): NonNullable<HostConfig["RestartPolicy"]> => {
  const policy = parseRestart(flags.restart);
  const name = policy.Name;
  if (flags.rm && name !== "no" && name !== "") throw createError("restartAndRemove", {});
  return policy;
};

const planOptions = (flags: Flags): HostConfig => {
  const logging = { Type: flags["log-driver"], Config: flags["log-opt"] };
  if (logging.Type === "none" && Object.keys(logging.Config).length > 0) throw createError("loggingNone", {});
  const security = planSecurity(flags["security-opt"]);
  const storage = flags["storage-opt"];
  if (storage.some((option) => splitPair(option)[1] === undefined)) throw createError("storageOption", {});
  return {
    LogConfig: logging,
    ...security,
    ...(storage.length === 0 ? {} : { StorageOpt: storage.reduce(withPair, {}) }),
  };
};

const planHealth = (flags: Flags): Healthcheck | undefined => {
  const numbers = {
    Interval: "health-interval",
    Timeout: "health-timeout",
    Retries: "health-retries",
    StartPeriod: "health-start-period",
    StartInterval: "health-start-interval",
  } as const satisfies Partial<Record<keyof Healthcheck, keyof Flags>>;
  const given = Object.entries(numbers).filter(([, flag]) => flags[flag] !== 0);
  const asked = flags["health-cmd"] !== "" || given.length > 0;
  if (flags["no-healthcheck"]) {
    if (asked) throw createError("healthConflict", {});
    return { Test: ["NONE"] };
  }
  for (const [, flag] of given) if (flags[flag] < 0) throw createError("healthNegative", { flag });
  if (!asked) return undefined;
  return {
    ...(flags["health-cmd"] === "" ? {} : { Test: ["CMD-SHELL", flags["health-cmd"]] }),
    ...Object.fromEntries(given.map(([field, flag]) => [field, flags[flag]])),
  };
};
