/** What `version` and `info` say of the daemon and its host. */
import { readdirSync } from "node:fs";
import type { InfoAnswer, VersionAnswer } from "../../api/answers/system.ts";
import { maxVersion, minVersion, pierVersion } from "../../api/versions.ts";
import { ownRuntime, type Runtimes } from "../../container/runtimes.ts";
import { isUp, wordOf } from "../../container/state.ts";
import type { HostFacts } from "../../kernel/facts.ts";
import type { Services } from "../services.ts";
import { storageDriver } from "./container.ts";
import { toldAnswer } from "./told.ts";

/** Go's names for what uname(2) calls the machine. */
const goArchitectures: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  armv7l: "arm",
  i686: "386",
};

export const versionAnswer = ({ architecture, kernelRelease }: HostFacts): VersionAnswer => ({
  Platform: { Name: "pier" },
  Components: [
    {
      Name: "Engine",
      Version: pierVersion,
      Details: {
        ApiVersion: maxVersion,
        Arch: goArchitectures[architecture] ?? architecture,
        BuildTime: "",
        Experimental: "false",
        GitCommit: "",
        GoVersion: "",
        KernelVersion: kernelRelease,
        MinAPIVersion: minVersion,
        Os: "linux",
        Runtime: runtimeName(),
      },
    },
  ],
  Version: pierVersion,
  ApiVersion: maxVersion,
  MinAPIVersion: minVersion,
  GitCommit: "",
  GoVersion: "",
  Os: "linux",
  Arch: goArchitectures[architecture] ?? architecture,
  KernelVersion: kernelRelease,
  BuildTime: "",
});

const runtimeName = (): string => {
  const { bun } = process.versions;
  return bun === undefined ? `node ${process.versions.node}` : `bun ${bun}`;
};

type Desk = Pick<
  Services,
  | "containers"
  | "images"
  | "host"
  | "root"
  | "id"
  | "events"
  | "log"
  | "logDefaults"
  | "addressPools"
  | "registries"
  | "runtimes"
>;

export const infoAnswer = (desk: Desk): InfoAnswer => {
  const { containers, images, host, root, id, events, log, logDefaults, addressPools, registries, runtimes } = desk;
  const records = containers.list();
  const paused = records.filter(({ state }) => wordOf(state) === "paused").length;
  const running = records.filter(({ state }) => isUp(state)).length - paused;
  return {
    ...constants,
    ...limitsAnswer(host),
    ...toldAnswer(registries.settings, addressPools ?? []),
    ID: id,
    Containers: records.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: records.length - running - paused,
    Images: images.list().length,
    DriverStatus: [["Layers", layerFormats[host.layerFormat]]],
    IPv4Forwarding: host.ipv4Forwarding,
    Debug: log.level === "debug",
    NFd: readdirSync("/proc/self/fd").length,
    SystemTime: new Date().toISOString(),
    CgroupVersion: host.cgroup.version === "v2" ? "2" : "1",
    NEventsListener: events.listeners,
    LoggingDriver: logDefaults?.driver ?? "json-file",
    KernelVersion: host.kernelRelease,
    OperatingSystem: host.osName,
    OSVersion: host.osVersion,
    Architecture: host.architecture,
    NCPU: host.cpus,
    MemTotal: host.memory,
    DockerRootDir: root,
    Name: host.hostname,
    SecurityOptions: securityOptions(host),
    Runtimes: runtimesAnswer(runtimes),
    DefaultRuntime: runtimes.default,
    Warnings: [],
  };
};

const runtimesAnswer = (runtimes: Runtimes): InfoAnswer["Runtimes"] => ({
  [ownRuntime]: { path: ownRuntime },
  ...Object.fromEntries(
    [...runtimes.list()].map(([name, { path, args }]) => [
      name,
      { path, ...(args.length === 0 ? {} : { runtimeArgs: args }) },
    ]),
  ),
});

const layerFormats: Readonly<Record<HostFacts["layerFormat"], string>> = {
  file: "erofs over the tars, from files",
  loop: "erofs over the tars, through loop devices",
  directory: "extracted directories",
};

/** What is the same on every host. */
const constants = {
  Driver: storageDriver,
  Plugins: {
    Volume: ["local"],
    Network: ["bridge", "host", "macvlan", "null"],
    Authorization: null,
    Log: ["journald", "json-file", "local", "none", "syslog"],
  },
  NGoroutines: 0,
  CgroupDriver: "cgroupfs",
  OSType: "linux",
  IndexServerAddress: "https://index.docker.io/v1/",
  GenericResources: null,
  Labels: [],
  ExperimentalBuild: false,
  ServerVersion: pierVersion,
  Swarm: {
    NodeID: "",
    NodeAddr: "",
    LocalNodeState: "inactive",
    ControlAvailable: false,
    Error: "",
    RemoteManagers: null,
  },
  // Containers never need a daemon.
  LiveRestoreEnabled: true,
  Isolation: "",
  InitBinary: "keeper",
  ContainerdCommit: { ID: "" },
  RuncCommit: { ID: "" },
  InitCommit: { ID: "" },
  CDISpecDirs: [],
} as const;

const limitsAnswer = ({ cgroup }: HostFacts) => {
  const controllers = new Set([
    ...cgroup.v1.flatMap((hierarchy) => hierarchy.controllers),
    ...(cgroup.v2?.controllers ?? []),
  ]);
  const cpu = controllers.has("cpu");
  return {
    MemoryLimit: controllers.has("memory"),
    SwapLimit: cgroup.swap,
    CpuCfsPeriod: cpu,
    CpuCfsQuota: cpu,
    CPUShares: cpu,
    CPUSet: controllers.has("cpuset"),
    PidsLimit: controllers.has("pids"),
    // Version 2 has no such switch.
    OomKillDisable: cgroup.version !== "v2" && controllers.has("memory"),
  };
};

const securityOptions = (host: HostFacts): string[] => [
  ...(host.apparmor ? ["name=apparmor"] : []),
  ...(host.seccompActions.length > 0 ? ["name=seccomp,profile=builtin"] : []),
  ...(host.selinux === "absent" ? [] : ["name=selinux"]),
  "name=cgroupns",
];
