/** A request held against the host: what it cannot do is refused, or left out with a warning, as Docker does. */
import type { HostFacts } from "../kernel/facts.ts";
import { containerError } from "./errors.ts";
import type { CreateRequest, ResourceRequest } from "./request.ts";
import { parseNumberList } from "./request-resources.ts";

/** What limits depend on. */
export type LimitsHost = Pick<HostFacts, "cgroup" | "cpus">;

/** Which processors and memory nodes are online: `0-3`. */
export interface Processors {
  readonly online: string;
  readonly memoryNodes: string;
}

/** The request as this host can serve it, and what the user should know about that. */
export const fitToHost = (
  request: CreateRequest,
  host: LimitsHost,
  processors: Processors,
): { readonly request: CreateRequest; readonly warnings: readonly string[] } => {
  const warnings: string[] = [];
  checkCpus(request.resources, host, processors);
  const needed = adaptations(request.resources, host).filter(({ when }) => when);
  warnings.push(...needed.map(({ warning }) => warning).filter((warning) => warning !== ""));
  const dropped = new Set<string>(needed.flatMap(({ drop }) => drop ?? []));
  const resources: ResourceRequest = Object.assign(
    Object.fromEntries(
      Object.entries(request.resources).filter(([name]) => !dropped.has(name)),
    ) as unknown as ResourceRequest,
    ...needed.map(({ change }) => change),
  );
  if (request.resources.oomKillDisable && resources.oomKillDisable && resources.memory === 0) {
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
  }
  if (request.network.mode === "host" && request.network.ports.length > 0) {
    warnings.push("Published ports are discarded when using host network mode");
  }
  return { request: { ...request, resources }, warnings };
};

const checkCpus = (resources: ResourceRequest, host: LimitsHost, processors: Processors): void => {
  if (resources.nanoCpus > host.cpus * 1e9) throw containerError("cpuRange", { cpus: host.cpus });
  const missing = (asked: string, available: string) => {
    const numbers = parseNumberList(available) ?? new Set();
    return asked !== "" && [...(parseNumberList(asked) ?? [])].some((number) => !numbers.has(number));
  };
  const { cpusetCpus, cpusetMems } = resources;
  if (missing(cpusetCpus, processors.online)) {
    throw containerError("unavailableCpus", { asked: cpusetCpus, available: processors.online });
  }
  if (missing(cpusetMems, processors.memoryNodes)) {
    throw containerError("unavailableMemoryNodes", { asked: cpusetMems, available: processors.memoryNodes });
  }
};

interface Adaptation {
  readonly when: boolean;
  readonly warning: string;
  readonly change?: Partial<ResourceRequest>;
  readonly drop?: "memorySwappiness" | "pidsLimit";
}

const adaptations = (asked: ResourceRequest, host: LimitsHost): readonly Adaptation[] => {
  const { v1, v2, swap } = host.cgroup;
  const old = v1.flatMap(({ controllers }) => controllers);
  const lacks = (controller: string) => !old.includes(controller) && v2?.controllers.includes(controller) !== true;
  // Version 2 has neither swappiness nor a way to do without the killer.
  const isOldMemory = old.includes("memory");
  const discarded = (what: string, limit: string) =>
    `Your kernel does not support ${what} or the cgroup is not mounted. ${limit} discarded.`;
  return [
    {
      when: asked.memory > 0 && lacks("memory"),
      warning: discarded("memory limit capabilities", "Limitation"),
      change: { memory: 0, memorySwap: 0 },
    },
    {
      when: asked.memory > 0 && !lacks("memory") && asked.memorySwap !== -1 && !swap,
      warning:
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
      change: { memorySwap: 0 },
    },
    {
      when: asked.memoryReservation > 0 && lacks("memory"),
      warning: discarded("memory soft limit capabilities", "Limitation"),
      change: { memoryReservation: 0 },
    },
    {
      when: asked.memorySwappiness !== undefined && !isOldMemory,
      warning: discarded("memory swappiness capabilities", "Memory swappiness"),
      drop: "memorySwappiness",
    },
    {
      when: asked.oomKillDisable && !isOldMemory,
      warning: "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
      change: { oomKillDisable: false },
    },
    {
      when: asked.pidsLimit !== undefined && lacks("pids"),
      warning: discarded("PIDs limit capabilities", "PIDs limit"),
      drop: "pidsLimit",
    },
    {
      when: asked.cpuShares > 0 && lacks("cpu"),
      warning: discarded("CPU shares", "Shares"),
      change: { cpuShares: 0 },
    },
    {
      when: (asked.cpuPeriod !== 0 || asked.cpuQuota !== 0 || asked.nanoCpus !== 0) && lacks("cpu"),
      warning: "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
      change: { cpuPeriod: 0, cpuQuota: 0, nanoCpus: 0 },
    },
    {
      when: (asked.cpusetCpus !== "" || asked.cpusetMems !== "") && lacks("cpuset"),
      warning: discarded("cpuset", "Cpuset"),
      change: { cpusetCpus: "", cpusetMems: "" },
    },
    {
      when: usesBlockIo(asked) && lacks("io") && lacks("blkio"),
      warning: discarded("Block I/O limits", "Block I/O limits"),
      change: noBlockIo,
    },
  ];
};

const noBlockIo = {
  blkioWeight: 0,
  blkioWeightDevice: [],
  blkioDeviceReadBps: [],
  blkioDeviceWriteBps: [],
  blkioDeviceReadIops: [],
  blkioDeviceWriteIops: [],
} as const satisfies Partial<ResourceRequest>;

const usesBlockIo = (asked: ResourceRequest): boolean =>
  asked.blkioWeight > 0 ||
  [
    asked.blkioWeightDevice,
    asked.blkioDeviceReadBps,
    asked.blkioDeviceWriteBps,
    asked.blkioDeviceReadIops,
    asked.blkioDeviceWriteIops,
  ].some((devices) => devices.length > 0);
