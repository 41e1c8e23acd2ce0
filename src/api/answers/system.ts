/** What pier answers of itself, its events and its disk, with Docker's own names (API 1.51). */
import type { Texts } from "../types.ts";
import type { BuildCacheAnswer } from "./builds.ts";
import type { ContainerSummary } from "./containers.ts";
import type { ImageSummary } from "./images.ts";
import type { VolumeAnswer } from "./volumes.ts";

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

export interface RegistryConfigAnswer {
  readonly InsecureRegistryCIDRs: readonly string[];
  readonly IndexConfigs: Readonly<
    Record<
      string,
      {
        readonly Name: string;
        readonly Mirrors: readonly string[];
        readonly Secure: boolean;
        readonly Official: boolean;
      }
    >
  >;
  readonly Mirrors: readonly string[];
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
  /** Null from daemons of before. */
  readonly RegistryConfig: RegistryConfigAnswer | null;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly GenericResources: null;
  readonly DockerRootDir: string;
  readonly HttpProxy: string;
  readonly HttpsProxy: string;
  readonly NoProxy: string;
  /** Absent: Docker's own. */
  readonly DefaultAddressPools?: readonly { readonly Base: string; readonly Size: number }[];
  readonly Name: string;
  readonly Labels: readonly string[];
  readonly ExperimentalBuild: boolean;
  readonly ServerVersion: string;
  readonly Runtimes: Readonly<Record<string, { readonly path: string; readonly runtimeArgs?: readonly string[] }>>;
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
