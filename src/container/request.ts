/**
 * What a client asks of us when it creates a container or an exec session: parsed, checked and normalised from the
 * bodies of Docker's API. Plain data, so that the database keeps it as JSON. Texts that are "" and lists that are empty
 * mean "not asked"; a number that may be asked to be 0 is optional.
 */
import type { Attachment } from "../network/endpoint.ts";

/** The body of `POST /containers/create`. */
export interface CreateRequest {
  /** As the user wrote it. */
  readonly image: string;
  /** null: the image's; empty: none, also if the image has one. */
  readonly entrypoint: readonly string[] | null;
  /** null or empty: the image's, unless an entrypoint is asked for. */
  readonly command: readonly string[] | null;
  /** `NAME=value`, or `NAME` alone to have it removed. */
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDirectory: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly tty: boolean;
  readonly openStdin: boolean;
  /** Standard input is closed when the first client that attached to it has gone. */
  readonly stdinOnce: boolean;
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  readonly stopSignal: string;
  /** Seconds; -1: for ever. */
  readonly stopTimeout?: number;
  readonly healthcheck?: HealthcheckRequest;
  readonly shell: readonly string[];
  readonly autoRemove: boolean;
  /** Where the client has written its id: for whoever asks. */
  readonly idFile?: string;
  /** Absent: it stays as it has ended. */
  readonly restart?: RestartPolicy;
  /** Who makes it, by name; absent: the daemon's default, and in a record: our own keeper. */
  readonly runtime?: string;
  /** Our own init as the first process. */
  readonly init: boolean;
  readonly mounts: readonly MountRequest[];
  readonly volumesFrom: readonly VolumesFromRequest[];
  readonly volumeDriver: string;
  readonly readonlyRootfs: boolean;
  /** Bytes of /dev/shm. */
  readonly shmSize: number;
  readonly namespaces: NamespaceRequest;
  readonly security: SecurityRequest;
  readonly resources: ResourceRequest;
  readonly network: NetworkRequest;
  readonly log: LogRequest;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Group names or ids beside the user's own. */
  readonly groups: readonly string[];
  readonly oomScoreAdj: number;
}

export interface RestartPolicy {
  readonly name: "always" | "unless-stopped" | "on-failure";
  /** 0: as often as it fails; only with `on-failure`. */
  readonly most: number;
}

/** Nanoseconds, as in Docker's API. */
export interface HealthcheckRequest {
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly startPeriod: number;
  readonly startInterval: number;
}

export type Propagation = "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave";

/** How a client wrote a mount: so that `inspect` shows it the same way. */
export type MountForm = "binds" | "mounts" | "tmpfs" | "volumes" | "from";

export interface BindRequest {
  readonly kind: "bind";
  readonly form: MountForm;
  /** An absolute path of the host. */
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  /** Read-only holds for the mounts beneath it too; every kernel that can run us can do it, so trying is forcing. */
  readonly readonlyRecursive: "no" | "try" | "force";
  /** The mounts beneath the source come along. */
  readonly recursive: boolean;
  readonly propagation: Propagation;
  /** Whether the propagation was asked for, or is the default. */
  readonly propagationAsked: boolean;
  /** A missing source is made a directory. */
  readonly createSource: boolean;
  /** The options as written (`ro,z`). */
  readonly mode: string;
}

export interface TmpfsRequest {
  readonly kind: "tmpfs";
  readonly form: MountForm;
  readonly target: string;
  /** As mount(8) has them, already checked: `size=64m`, `noexec`, … */
  readonly options: readonly string[];
  /** The options as written. */
  readonly mode: string;
}

/** A directory that outlives the container: it begins with what the image has at the target. */
export interface VolumeMountRequest {
  readonly kind: "volume";
  readonly form: MountForm;
  /** "": a new volume, which gets a name when the container is created. */
  readonly name: string;
  /** Nobody gave it a name: it may go with the container. */
  readonly isAnonymous: boolean;
  readonly target: string;
  readonly readonly: boolean;
  readonly readonlyRecursive: "no" | "try" | "force";
  readonly recursive: boolean;
  readonly propagation: Propagation;
  readonly propagationAsked: boolean;
  /** What the image has at the target is copied into it, if it is empty. */
  readonly copy: boolean;
  /** What is mounted is this directory of it. */
  readonly subpath: string;
  readonly driver: string;
  /** For a volume that is made for this container; null: none were given. */
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
  /** The options as written (`ro,z`). */
  readonly mode: string;
}

export type MountRequest = BindRequest | TmpfsRequest | VolumeMountRequest;

/** `--volumes-from`: what another container has mounted. */
export interface VolumesFromRequest {
  readonly container: string;
  readonly readonly: boolean;
  /** As written. */
  readonly text: string;
}

/** `container`: the namespace of another container, named by `ref`. */
export type NamespaceMode<Own extends string> =
  | { readonly kind: Own }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly ref: string };

export interface NamespaceRequest {
  readonly pid: NamespaceMode<"private">;
  /** `none`: private, and no /dev/shm; `shareable`: others may join. */
  readonly ipc: NamespaceMode<"private" | "shareable" | "none">;
  readonly uts: { readonly kind: "private" | "host" };
  readonly cgroup: { readonly kind: "private" | "host" };
  /** As written: "" or "host". */
  readonly user: "" | "host";
}

/** A profile is the text of Docker's JSON format. */
export type SeccompRequest =
  | { readonly kind: "default" }
  | { readonly kind: "unconfined" }
  | { readonly kind: "profile"; readonly profile: string };

export interface SecurityRequest {
  /** `CAP_…` names, or `ALL`. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  readonly seccomp: SeccompRequest;
  /** "": the default profile, where the host has AppArmor. */
  readonly apparmor: string;
  /** SELinux label options. */
  readonly labels: readonly string[];
  readonly writableCgroups: boolean;
  /** null: the default list. */
  readonly maskedPaths: readonly string[] | null;
  readonly readonlyPaths: readonly string[] | null;
  /** The options as written. */
  readonly options: readonly string[];
}

export interface Ulimit {
  /** Without `RLIMIT_`, lower case. */
  readonly name: string;
  /** -1: unlimited. */
  readonly soft: number;
  readonly hard: number;
}

export interface DeviceRequest {
  readonly source: string;
  readonly target: string;
  /** Some of `rwm`. */
  readonly permissions: string;
}

export interface DeviceRule {
  readonly kind: "a" | "b" | "c";
  /** -1: any. */
  readonly major: number;
  readonly minor: number;
  readonly permissions: string;
}

export interface WeightDevice {
  readonly path: string;
  readonly weight: number;
}

export interface ThrottleDevice {
  readonly path: string;
  readonly rate: number;
}

/** 0, "" and empty lists: not asked. Memory in bytes, cpu times in microseconds. */
export interface ResourceRequest {
  readonly memory: number;
  /** Memory and swap together; -1: as much swap as there is. */
  readonly memorySwap: number;
  readonly memoryReservation: number;
  readonly memorySwappiness?: number;
  readonly oomKillDisable: boolean;
  /** Billionths of a CPU. */
  readonly nanoCpus: number;
  readonly cpuShares: number;
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuRealtimePeriod: number;
  readonly cpuRealtimeRuntime: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly pidsLimit?: number;
  readonly blkioWeight: number;
  readonly blkioWeightDevice: readonly WeightDevice[];
  readonly blkioDeviceReadBps: readonly ThrottleDevice[];
  readonly blkioDeviceWriteBps: readonly ThrottleDevice[];
  readonly blkioDeviceReadIops: readonly ThrottleDevice[];
  readonly blkioDeviceWriteIops: readonly ThrottleDevice[];
  readonly ulimits: readonly Ulimit[];
  readonly devices: readonly DeviceRequest[];
  readonly deviceRules: readonly DeviceRule[];
  readonly cgroupParent: string;
}

export type PortProtocol = "tcp" | "udp" | "sctp";

export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  /** "": every address of the host. */
  readonly hostAddress: string;
  /** 0 to 0: any free port; otherwise the first free one of the range. */
  readonly hostPortFirst: number;
  readonly hostPortLast: number;
}

/** Another container by an alias. */
export interface LinkRequest {
  /** As written; from the creation on its id. */
  readonly container: string;
  readonly alias: string;
}

export interface NetworkRequest {
  /** `bridge`: a network namespace of its own, connected to the networks of its attachments. */
  readonly mode: "none" | "host" | "bridge" | "container";
  /** As written: "default" is the bridge. */
  readonly name: string;
  /** In the order of its interfaces; none but for `bridge`. */
  readonly attachments: readonly Attachment[];
  /** Whose network namespace is shared, as written; "" but for `container`. */
  readonly container: string;
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  readonly ports: readonly PortRequest[];
  readonly publishAll: boolean;
  /** On the default network; those on others are with their attachments. */
  readonly links: readonly LinkRequest[];
  /** `name:address`; the address may be `host-gateway`. */
  readonly extraHosts: readonly string[];
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
}

export interface LogRequest {
  /** `local` keeps the same file and shows it to nobody; so do those that send each line away as well. */
  readonly driver: "json-file" | "local" | "none" | "syslog" | "journald";
  /** Bytes; -1: one file without end. */
  readonly maxSize: number;
  /** 0: there is no file. */
  readonly maxFiles: number;
  /** What is rotated away; absent in records of earlier builds, which did not. */
  readonly compress?: boolean;
  /** The options as written. */
  readonly options: Readonly<Record<string, string>>;
}

/** The body of `POST /containers/{id}/exec`. */
export interface ExecRequest {
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Absent: the container's. */
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly privileged: boolean;
  readonly detachKeys?: string;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
}

/** Only the first process of its own pid namespace can be an init. */
export const hasInit = ({ init, namespaces }: CreateRequest): boolean => init && namespaces.pid.kind === "private";
