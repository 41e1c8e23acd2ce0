/** A request as the HostConfig that asks for it: what is not asked for has Docker's default. */
import type { HostConfig, Mount, PortBinding } from "../../api/types.ts";
import type {
  BindRequest,
  CreateRequest,
  MountRequest,
  NamespaceMode,
  PortRequest,
  TmpfsRequest,
  VolumeMountRequest,
} from "../../container/request.ts";
import { ownRuntime } from "../../container/runtimes.ts";
import { planHiddenPaths } from "../../container/spec.ts";

const orNull = <T>(values: readonly T[]): readonly T[] | null => (values.length === 0 ? null : values);

export const hostConfigAnswer = (request: CreateRequest, throttledCpus: readonly number[]): HostConfig => ({
  ...mountsAnswer(request.mounts),
  ...networkAnswer(request),
  ...securityAnswer(request, throttledCpus),
  ...resourcesAnswer(request),
  ContainerIDFile: request.idFile ?? "",
  LogConfig: { Type: request.log.driver, Config: request.log.options },
  RestartPolicy: { Name: request.restart?.name ?? "no", MaximumRetryCount: request.restart?.most ?? 0 },
  AutoRemove: request.autoRemove,
  VolumeDriver: request.volumeDriver,
  VolumesFrom: orNull(request.volumesFrom.map(({ text }) => text)),
  ConsoleSize: [request.consoleSize?.rows ?? 0, request.consoleSize?.columns ?? 0],
  ...(Object.keys(request.annotations).length === 0 ? {} : { Annotations: request.annotations }),
  ReadonlyRootfs: request.readonlyRootfs,
  ShmSize: request.shmSize,
  Runtime: request.runtime ?? ownRuntime,
  Isolation: "",
  ...(request.init ? { Init: true } : {}),
});

const mountsAnswer = (mounts: readonly MountRequest[]) => {
  const binds = mounts.filter(({ form, kind }) => form === "binds" && kind !== "tmpfs");
  const typed = mounts.filter((mount) => mount.form === "mounts").map(mountAnswer);
  const tmpfs = mounts.filter((mount) => mount.kind === "tmpfs" && mount.form === "tmpfs") as readonly TmpfsRequest[];
  return {
    Binds: orNull(binds.map(bindText)),
    ...(typed.length === 0 ? {} : { Mounts: typed }),
    ...(tmpfs.length === 0 ? {} : { Tmpfs: Object.fromEntries(tmpfs.map(({ target, mode }) => [target, mode])) }),
  };
};

const bindText = (mount: MountRequest): string => {
  if (mount.kind === "tmpfs" || (mount.kind === "volume" && mount.isAnonymous)) return mount.target;
  const source = mount.kind === "bind" ? mount.source : mount.name;
  return `${source}:${mount.target}${mount.mode === "" ? "" : `:${mount.mode}`}`;
};

const mountAnswer = (mount: MountRequest): Mount => {
  if (mount.kind === "bind") return bindAnswer(mount);
  if (mount.kind === "volume") return volumeAnswer(mount);
  return { Type: "tmpfs", Target: mount.target, ...tmpfsOptions(mount) };
};

const bindAnswer = (mount: BindRequest): Mount => {
  const options = {
    ...(mount.propagationAsked ? { Propagation: mount.propagation } : {}),
    ...(mount.recursive ? {} : { NonRecursive: true }),
    ...(mount.createSource ? { CreateMountpoint: true } : {}),
    ...(mount.readonlyRecursive === "no" ? { ReadOnlyNonRecursive: true } : {}),
    ...(mount.readonlyRecursive === "force" ? { ReadOnlyForceRecursive: true } : {}),
  };
  return {
    Type: "bind",
    Source: mount.source,
    Target: mount.target,
    ...(mount.readonly ? { ReadOnly: true } : {}),
    ...(Object.keys(options).length === 0 ? {} : { BindOptions: options }),
  };
};

const volumeAnswer = (mount: VolumeMountRequest): Mount => {
  const { copy, subpath, labels, options } = mount;
  const asked = {
    ...(copy || subpath !== "" ? {} : { NoCopy: true }),
    ...(labels === null ? {} : { Labels: labels }),
    ...(subpath === "" ? {} : { Subpath: subpath }),
    ...(options === null ? {} : { DriverConfig: { Name: mount.driver, Options: options } }),
  };
  return {
    Type: "volume",
    ...(mount.isAnonymous ? {} : { Source: mount.name }),
    Target: mount.target,
    ...(mount.readonly ? { ReadOnly: true } : {}),
    ...(Object.keys(asked).length === 0 ? {} : { VolumeOptions: asked }),
  };
};

const units: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

const tmpfsOptions = ({ mode }: TmpfsRequest): Pick<Mount, "ReadOnly" | "TmpfsOptions"> => {
  const words = mode.split(",");
  const size = words.map((word) => /^size=(\d+)([kmg]?)$/.exec(word)).find((match) => match !== null);
  const bits = words.map((word) => /^mode=([0-7]+)$/.exec(word)).find((match) => match !== null);
  const others = words.filter((word) => word === "exec" || word === "noexec").map((word) => [word]);
  const options = {
    ...(size ? { SizeBytes: Number(size[1]) * units[size[2]!]! } : {}),
    ...(bits ? { Mode: Number.parseInt(bits[1]!, 8) } : {}),
    ...(others.length === 0 ? {} : { Options: others }),
  };
  return {
    ...(words.includes("ro") ? { ReadOnly: true } : {}),
    ...(Object.keys(options).length === 0 ? {} : { TmpfsOptions: options }),
  };
};

const networkAnswer = ({ network }: CreateRequest) => ({
  NetworkMode: networkMode(network.name, network.mode),
  PortBindings: bindingsAnswer(network.ports),
  PublishAllPorts: network.publishAll,
  Dns: network.dns,
  DnsOptions: network.dnsOptions,
  DnsSearch: network.dnsSearch,
  ExtraHosts: orNull(network.extraHosts),
  Links: null,
});

/** The default network has a name of its own. */
export const networkMode = (name: string, mode: CreateRequest["network"]["mode"]): string =>
  name === "" || name === "default" ? mode : name;

const bindingsAnswer = (ports: readonly PortRequest[]): Record<string, PortBinding[]> => {
  const bindings: Record<string, PortBinding[]> = {};
  for (const port of ports) {
    const name = `${port.containerPort}/${port.protocol}`;
    bindings[name] = [...(bindings[name] ?? []), { HostIp: port.hostAddress, HostPort: rangeText(port) }];
  }
  return bindings;
};

const rangeText = ({ hostPortFirst: first, hostPortLast: last }: PortRequest): string => {
  if (first === 0) return "";
  return first === last ? String(first) : `${first}-${last}`;
};

const securityAnswer = (request: CreateRequest, throttledCpus: readonly number[]) => {
  const { security, namespaces } = request;
  const hidden = planHiddenPaths(security, { throttledCpus });
  return {
    CapAdd: orNull(security.capAdd),
    CapDrop: orNull(security.capDrop),
    CgroupnsMode: namespaces.cgroup.kind,
    GroupAdd: orNull(request.groups),
    IpcMode: modeText(namespaces.ipc, namespaces.ipc.kind),
    Cgroup: "",
    OomScoreAdj: request.oomScoreAdj,
    PidMode: modeText(namespaces.pid, ""),
    Privileged: security.privileged,
    SecurityOpt: orNull(security.options),
    UTSMode: namespaces.uts.kind === "host" ? "host" : "",
    UsernsMode: namespaces.user,
    ...(Object.keys(request.sysctls).length === 0 ? {} : { Sysctls: request.sysctls }),
    MaskedPaths: hidden.maskedPaths,
    ReadonlyPaths: hidden.readonlyPaths,
  };
};

const modeText = (mode: NamespaceMode<string>, own: string): string => {
  if ("ref" in mode) return `container:${mode.ref}`;
  return mode.kind === "host" ? "host" : own;
};

const resourcesAnswer = ({ resources }: CreateRequest) => ({
  CpuShares: resources.cpuShares,
  Memory: resources.memory,
  NanoCpus: resources.nanoCpus,
  CgroupParent: resources.cgroupParent,
  BlkioWeight: resources.blkioWeight,
  BlkioWeightDevice: resources.blkioWeightDevice.map(({ path, weight }) => ({ Path: path, Weight: weight })),
  BlkioDeviceReadBps: resources.blkioDeviceReadBps.map(throttleAnswer),
  BlkioDeviceWriteBps: resources.blkioDeviceWriteBps.map(throttleAnswer),
  BlkioDeviceReadIOps: resources.blkioDeviceReadIops.map(throttleAnswer),
  BlkioDeviceWriteIOps: resources.blkioDeviceWriteIops.map(throttleAnswer),
  CpuPeriod: resources.cpuPeriod,
  CpuQuota: resources.cpuQuota,
  CpuRealtimePeriod: resources.cpuRealtimePeriod,
  CpuRealtimeRuntime: resources.cpuRealtimeRuntime,
  CpusetCpus: resources.cpusetCpus,
  CpusetMems: resources.cpusetMems,
  Devices: resources.devices.map(({ source, target, permissions }) => ({
    PathOnHost: source,
    PathInContainer: target,
    CgroupPermissions: permissions,
  })),
  DeviceCgroupRules: orNull(
    resources.deviceRules.map(
      ({ kind, major, minor, permissions }) => `${kind} ${anyNumber(major)}:${anyNumber(minor)} ${permissions}`,
    ),
  ),
  DeviceRequests: null,
  MemoryReservation: resources.memoryReservation,
  MemorySwap: resources.memorySwap,
  MemorySwappiness: resources.memorySwappiness ?? null,
  OomKillDisable: resources.oomKillDisable,
  PidsLimit: resources.pidsLimit ?? null,
  Ulimits: resources.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
});

const throttleAnswer = ({ path, rate }: { readonly path: string; readonly rate: number }) => ({
  Path: path,
  Rate: rate,
});

const anyNumber = (number: number): string => (number === -1 ? "*" : String(number));
