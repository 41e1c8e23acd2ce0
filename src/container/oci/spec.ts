/** The OCI runtime specification (1.2): what of `config.json` a container uses. */

export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: OciRoot;
  /** Absent in the host's uts namespace. */
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: OciLinux;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: OciUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
  readonly apparmorProfile?: string;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group is among them, first: without it a group could be denied what its file's mode denies (CVE-2022-36109). */
  readonly additionalGids: readonly number[];
}

export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  /** Never anything but empty: CVE-2022-24769. */
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

export interface OciRlimit {
  /** `RLIMIT_NOFILE`. */
  readonly type: string;
  readonly soft: bigint;
  readonly hard: bigint;
}

export interface OciRoot {
  readonly path: string;
  readonly readonly: boolean;
}

export interface OciMount {
  readonly destination: string;
  /** `bind`, or a file system of the kernel's; `cgroup` stands for whichever version the host has. */
  readonly type: string;
  readonly source: string;
  /** As mount(8) has them, and `rro` (read-only with all that is mounted beneath). */
  readonly options: readonly string[];
}

export interface OciLinux {
  readonly namespaces: readonly OciNamespace[];
  readonly devices: readonly OciDevice[];
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly rootfsPropagation?: "shared" | "rslave";
  readonly sysctl: Readonly<Record<string, string>>;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp?: OciSeccomp;
}

export type OciNamespaceType = "pid" | "network" | "ipc" | "uts" | "mount" | "cgroup" | "user";

export interface OciNamespace {
  readonly type: OciNamespaceType;
  /** An existing one to join. */
  readonly path?: string;
}

export interface OciDevice {
  readonly path: string;
  readonly type: "c" | "b" | "p";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type: "a" | "b" | "c";
  /** Absent: any. */
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: OciMemory;
  readonly cpu?: OciCpu;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: OciBlockIo;
}

/** In bytes; swap is memory and swap together, -1 for as much as there is. */
export interface OciMemory {
  readonly limit?: number;
  readonly reservation?: number;
  readonly swap?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
}

/** Times in microseconds. */
export interface OciCpu {
  readonly shares?: number;
  readonly quota?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
}

export interface OciDeviceNumber {
  readonly major: number;
  readonly minor: number;
}

export interface OciBlockIo {
  readonly weight?: number;
  readonly weightDevice?: readonly (OciDeviceNumber & { readonly weight: number })[];
  readonly throttleReadBpsDevice?: readonly OciThrottle[];
  readonly throttleWriteBpsDevice?: readonly OciThrottle[];
  readonly throttleReadIOPSDevice?: readonly OciThrottle[];
  readonly throttleWriteIOPSDevice?: readonly OciThrottle[];
}

export interface OciThrottle extends OciDeviceNumber {
  readonly rate: number;
}

/**
 * What filters the system calls. In our own specs a choice, compiled for the host when the container is planned; the
 * rules of the specification are written in its place when a spec leaves the house (`encodeConfig`).
 */
export type OciSeccomp =
  | { readonly kind: "default" }
  /** The text of a profile in Docker's JSON format. */
  | { readonly kind: "profile"; readonly profile: string };
