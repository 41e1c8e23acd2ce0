/** What pier answers, with Docker's own names (API 1.51): complete, because clients rely on what is there. */
import type { ContainerConfig, EndpointSettings, HostConfig, PortBinding, Texts } from "./types.ts";

export interface ContainerCreateAnswer {
  readonly Id: string;
  readonly Warnings: readonly string[];
}

export interface ContainerWaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string };
}

export interface ContainerTopAnswer {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

export interface ContainerStateAnswer {
  readonly Status: ContainerStatus;
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly OOMKilled: boolean;
  readonly Dead: boolean;
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
  /** RFC 3339 with nanoseconds; `0001-01-01T00:00:00Z` for never. */
  readonly StartedAt: string;
  readonly FinishedAt: string;
  /** Only of containers that are asked how they are. */
  readonly Health?: HealthAnswer;
}

export interface HealthAnswer {
  readonly Status: "starting" | "healthy" | "unhealthy";
  readonly FailingStreak: number;
  readonly Log: readonly {
    readonly Start: string;
    readonly End: string;
    readonly ExitCode: number;
    readonly Output: string;
  }[];
}

export interface MountPoint {
  readonly Type: string;
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

export interface GraphDriver {
  readonly Name: string;
  readonly Data: Texts | null;
}

export interface NetworkSettings {
  readonly Bridge: string;
  readonly SandboxID: string;
  readonly SandboxKey: string;
  readonly Ports: Readonly<Record<string, readonly PortBinding[] | null>>;
  readonly HairpinMode: boolean;
  readonly LinkLocalIPv6Address: string;
  readonly LinkLocalIPv6PrefixLen: number;
  readonly SecondaryIPAddresses: null;
  readonly SecondaryIPv6Addresses: null;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly IPv6Gateway: string;
  readonly MacAddress: string;
  readonly Networks: Readonly<Record<string, EndpointSettings>>;
}

/** `GET /containers/{id}/json` */
export interface ContainerInspect {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: ContainerStateAnswer;
  readonly Image: string;
  readonly ResolvConfPath: string;
  readonly HostnamePath: string;
  readonly HostsPath: string;
  readonly LogPath: string;
  readonly Name: string;
  readonly RestartCount: number;
  readonly Driver: string;
  readonly Platform: string;
  readonly MountLabel: string;
  readonly ProcessLabel: string;
  readonly AppArmorProfile: string;
  readonly ExecIDs: readonly string[] | null;
  readonly HostConfig: HostConfig;
  readonly GraphDriver: GraphDriver;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Mounts: readonly MountPoint[];
  readonly Config: ContainerConfig;
  readonly NetworkSettings: NetworkSettings;
}

export interface PortSummary {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

/** One of `GET /containers/json` */
export interface ContainerSummary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly Ports: readonly PortSummary[];
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Labels: Texts;
  readonly State: ContainerStatus;
  readonly Status: string;
  readonly HostConfig: { readonly NetworkMode: string; readonly Annotations?: Texts };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointSettings>> };
  readonly Mounts: readonly MountPoint[];
}

/** `GET /exec/{id}/json` */
export interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly ProcessConfig: {
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[];
    readonly privileged: boolean;
    readonly user?: string;
  };
  readonly OpenStdin: boolean;
  readonly OpenStderr: boolean;
  readonly OpenStdout: boolean;
  readonly CanRemove: boolean;
  readonly ContainerID: string;
  readonly DetachKeys: string;
  readonly Pid: number;
}

/** One of `GET /images/json` */
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize: number;
  readonly Labels: Texts | null;
  readonly Containers: number;
}

/** `GET /images/{name}/json` */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  readonly Created?: string;
  readonly DockerVersion: string;
  readonly Author: string;
  readonly Config: ContainerConfig;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly OsVersion?: string;
  readonly Size: number;
  readonly GraphDriver: GraphDriver;
  readonly RootFS: { readonly Type: "layers"; readonly Layers: readonly string[] };
  readonly Metadata: { readonly LastTagTime: string };
}

/** One of `GET /images/{name}/history` */
export interface ImageHistoryItem {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

/** One of `DELETE /images/{name}` */
export interface ImageDeleteItem {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

/** One line of the answers to load, import and pull. */
export interface ProgressLine {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  /** What a push tells those who do not read words. */
  readonly aux?: { readonly Tag: string; readonly Digest: string; readonly Size: number };
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message: string };
}

/** One line of `POST /build`. */
/** What the lines of `POST /build?version=2` are about: Docker's, and pier's own. */
export const buildLineIds = {
  /** Base64 of BuildKit's StatusResponse. */
  trace: "moby.buildkit.trace",
  image: "moby.image.id",
  /** The lines of the Dockerfile that failed, as text. */
  source: "pier.build.source",
  /** What BuildKit's clients write to their metadata file. */
  response: "pier.build.response",
} as const;

export interface BuildProgressLine {
  readonly id?: string;
  readonly stream?: string;
  readonly aux?: unknown;
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message: string };
}

/** `GET /pier/build/explain`: the last build. */
export interface BuildExplainAnswer {
  readonly Names: readonly string[];
  /** RFC 3339. */
  readonly Began: string;
  readonly Milliseconds: number;
  /** "" when it succeeded. */
  readonly Error: string;
  readonly Steps: readonly {
    readonly Name: string;
    /** Milliseconds after the build began. */
    readonly Began: number;
    readonly Ended: number;
    readonly Cached: boolean;
    /** "" for a step that no cache has. */
    readonly Why: string;
    readonly Waits: readonly { readonly For: string; readonly Milliseconds: number }[];
  }[];
}

/** `POST /build/prune` */
export interface BuildPruneAnswer {
  readonly CachesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** One line of `GET /events` */
export interface EventMessage {
  /** status, id and from: as API clients before 1.22 read them, for containers and images alone. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Texts };
  readonly scope: "local";
  readonly time: number;
  readonly timeNano: number;
}

/** `GET /networks/{id}` */
export interface NetworkAnswer {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  readonly EnableIPv4: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Texts | null;
    readonly Config:
      | readonly {
          readonly Subnet?: string;
          readonly IPRange?: string;
          readonly Gateway?: string;
          readonly AuxiliaryAddresses?: Texts;
        }[]
      | null;
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Containers: Readonly<
    Record<
      string,
      {
        readonly Name: string;
        readonly EndpointID: string;
        readonly MacAddress: string;
        readonly IPv4Address: string;
        readonly IPv6Address: string;
      }
    >
  >;
  readonly Options: Texts;
  readonly Labels: Texts;
}

/** `GET /version` */
export interface VersionAnswer {
  readonly Platform: { readonly Name: string };
  readonly Components: readonly { readonly Name: string; readonly Version: string; readonly Details: Texts }[];
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion: string;
  readonly BuildTime: string;
}

/** `GET /info`: the fields that have a value here. */
export interface InfoAnswer {
  readonly ID: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Driver: string;
  readonly DriverStatus: readonly (readonly [string, string])[];
  readonly Plugins: {
    readonly Volume: readonly string[];
    readonly Network: readonly string[];
    readonly Authorization: null;
    readonly Log: readonly string[];
  };
  readonly MemoryLimit: boolean;
  readonly SwapLimit: boolean;
  readonly CpuCfsPeriod: boolean;
  readonly CpuCfsQuota: boolean;
  readonly CPUShares: boolean;
  readonly CPUSet: boolean;
  readonly PidsLimit: boolean;
  readonly IPv4Forwarding: boolean;
  readonly Debug: boolean;
  readonly NFd: number;
  readonly OomKillDisable: boolean;
  readonly NGoroutines: number;
  readonly SystemTime: string;
  readonly LoggingDriver: string;
  readonly CgroupDriver: string;
  readonly CgroupVersion: string;
  readonly NEventsListener: number;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSVersion: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly IndexServerAddress: string;
  readonly RegistryConfig: null;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly GenericResources: null;
  readonly DockerRootDir: string;
  readonly HttpProxy: string;
  readonly HttpsProxy: string;
  readonly NoProxy: string;
  readonly Name: string;
  readonly Labels: readonly string[];
  readonly ExperimentalBuild: boolean;
  readonly ServerVersion: string;
  readonly Runtimes: Readonly<Record<string, { readonly path: string }>>;
  readonly DefaultRuntime: string;
  readonly Swarm: { readonly LocalNodeState: "inactive" } & Readonly<Record<string, unknown>>;
  readonly LiveRestoreEnabled: boolean;
  readonly Isolation: string;
  readonly InitBinary: string;
  readonly ContainerdCommit: { readonly ID: string };
  readonly RuncCommit: { readonly ID: string };
  readonly InitCommit: { readonly ID: string };
  readonly SecurityOptions: readonly string[];
  readonly CDISpecDirs: readonly string[];
  readonly Warnings: readonly string[];
}

/** `GET /volumes/{name}` */
export interface VolumeAnswer {
  readonly CreatedAt: string;
  readonly Driver: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Mountpoint: string;
  readonly Name: string;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Scope: "local";
  /** Bytes, and by how many containers it is used; only where that was asked for. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number };
}

/** `GET /volumes` */
export interface VolumeListAnswer {
  readonly Volumes: readonly VolumeAnswer[] | null;
  readonly Warnings: readonly string[] | null;
}

/** `POST /volumes/prune` */
export interface VolumePruneAnswer {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

export interface CpuStats {
  readonly cpu_usage: {
    /** Nanoseconds. */
    readonly total_usage: number;
    readonly percpu_usage?: readonly number[];
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
}

export interface BlkioStatEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

export interface NetworkStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/** One of `GET /containers/{id}/stats` */
export interface ContainerStats {
  readonly name: string;
  readonly id: string;
  readonly read: string;
  readonly preread: string;
  readonly num_procs: number;
  readonly storage_stats: object;
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats: {
    readonly io_service_bytes_recursive: readonly BlkioStatEntry[] | null;
    readonly io_serviced_recursive: readonly BlkioStatEntry[] | null;
    readonly io_queue_recursive: null;
    readonly io_service_time_recursive: null;
    readonly io_wait_time_recursive: null;
    readonly io_merged_recursive: null;
    readonly io_time_recursive: null;
    readonly sectors_recursive: null;
  };
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
    readonly failcnt?: number;
    readonly limit?: number;
  };
  readonly networks?: Readonly<Record<string, NetworkStats>>;
}

/** `POST /containers/prune` */
export interface ContainerPruneAnswer {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** `GET /system/df` */
export interface DiskUsageAnswer {
  readonly LayersSize: number;
  readonly Images: readonly ImageSummary[] | null;
  readonly Containers: readonly ContainerSummary[] | null;
  readonly Volumes: readonly VolumeAnswer[] | null;
  readonly BuildCache: readonly BuildCacheAnswer[] | null;
}

/** `GET /pier/disk`: the same, and the rest of what lies on the disk: together it is what `du` says of the root. */
export interface DiskAnswer extends DiskUsageAnswer {
  readonly Rest: readonly { readonly Description: string; readonly Size: number }[];
}

/** What the build cache holds, in `GET /system/df` */
export interface BuildCacheAnswer {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt: string;
  readonly UsageCount: number;
}

/** `GET /containers/{id}/changes` */
export interface ContainerChange {
  readonly Path: string;
  /** Modified, added, deleted. */
  readonly Kind: 0 | 1 | 2;
}

/** One of `GET /images/search` */
export interface SearchItem {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}

/** `GET /pier/why/{id}`: words for a person. */
export interface WhyAnswer {
  readonly Id: string;
  readonly Name: string;
  /** What follows the name: `ended with exit code 1 two minutes ago`. */
  readonly Headline: string;
  readonly Reasons: readonly string[];
  /** What to type next. */
  readonly Try: readonly string[];
}
