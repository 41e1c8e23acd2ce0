/** What changes in a container that is there already (moby, container_unix.go, UpdateContainer). Pure. */
import { maxVersion, upgradeUpdate } from "../api/versions.ts";
import { containerError } from "./errors.ts";
import { type PublicationChange, parsePublications } from "./publications.ts";
import type { ContainerRecord } from "./record.ts";
import type { ResourceRequest, RestartPolicy } from "./request.ts";
import { updateBody } from "./request-body.ts";
import { parseResources } from "./request-resources.ts";
import { parseRestartPolicy } from "./restart.ts";

export interface UpdateRequest {
  /** What is 0 or "" stays as it is. */
  readonly resources: ResourceRequest;
  /** Memory and swap together, as it was asked for: 0 when it was not. */
  readonly swap: number;
  /** Whether the number of processes is to change; none in `resources`: no limit. */
  readonly pids: boolean;
  /** Undefined: it stays; "no": there is none any more. */
  readonly restart: RestartPolicy | "no" | undefined;
  readonly publications: PublicationChange;
}

export const parseUpdateRequest = (json: unknown, version = maxVersion): UpdateRequest => {
  const body = upgradeUpdate(version, updateBody(json ?? undefined, ""));
  const policy = body.RestartPolicy.Name === "" ? undefined : (parseRestartPolicy(body.RestartPolicy) ?? "no");
  const { KernelMemory: kernel, KernelMemoryTCP: buffers, ...rest } = body;
  if (kernel !== 0 || buffers !== 0) throw containerError("notSupported", { what: "a limit of kernel memory" });
  const { Memory: memory, MemorySwap: swap } = rest;
  // A sum without its part is checked when both are known.
  const resources = parseResources({ ...rest, MemorySwap: memory === 0 ? 0 : swap });
  const publications = parsePublications(body.PublishAdd ?? {}, body.PublishRemove ?? []);
  return { resources, swap, pids: body.PidsLimit !== null, restart: policy, publications };
};

const changeable = [
  "memoryReservation",
  "nanoCpus",
  "cpuShares",
  "cpuPeriod",
  "cpuQuota",
  "cpuRealtimePeriod",
  "cpuRealtimeRuntime",
  "cpusetCpus",
  "cpusetMems",
  "blkioWeight",
] as const satisfies readonly (keyof ResourceRequest)[];

/** The record with what is asked for; throws Docker's sentences for what cannot go together. */
export const updated = (
  record: ContainerRecord,
  { resources: asked, swap, pids, restart }: UpdateRequest,
): ContainerRecord => {
  const { restart: policy, resources: before, ...rest } = record.request;
  if (record.request.autoRemove && restart !== undefined && restart !== "no") {
    throw containerError("updateAutoRemove", {});
  }
  checkProcessors(before, asked);
  const { pidsLimit, ...limits } = before;
  const limit = pids ? asked.pidsLimit : pidsLimit;
  const resources: ResourceRequest = {
    ...limits,
    ...Object.fromEntries(changeable.filter((name) => asked[name]).map((name) => [name, asked[name]])),
    ...memoryOf(before, asked, swap),
    ...(limit === undefined ? {} : { pidsLimit: limit }),
  };
  const next = restart === undefined ? policy : restart === "no" ? undefined : restart;
  return { ...record, request: { ...rest, resources, ...(next === undefined ? {} : { restart: next }) } };
};

const conflict = (problem: string) => containerError("updateConflict", { problem });

const checkProcessors = (before: ResourceRequest, asked: ResourceRequest): void => {
  const refuse = (what: string, other: string) =>
    conflict(`Conflicting options: ${what} cannot be updated as ${other} has already been set`);
  if (asked.nanoCpus > 0 && before.cpuPeriod > 0) throw refuse("Nano CPUs", "CPU Period");
  if (asked.nanoCpus > 0 && before.cpuQuota > 0) throw refuse("Nano CPUs", "CPU Quota");
  if (asked.cpuPeriod > 0 && before.nanoCpus > 0) throw refuse("CPU Period", "NanoCPUs");
  if (asked.cpuQuota > 0 && before.nanoCpus > 0) throw refuse("CPU Quota", "NanoCPUs");
};

const memoryOf = (
  before: ResourceRequest,
  asked: ResourceRequest,
  swap: number,
): Pick<ResourceRequest, "memory" | "memorySwap"> => {
  const memory = asked.memory || before.memory;
  // Whoever has no limit yet gets with it what he would have got at the beginning: as much swap as memory.
  const usual = before.memory === 0 && before.memorySwap === 0 ? asked.memorySwap : before.memorySwap;
  const memorySwap = swap === 0 ? usual : swap;
  if (memorySwap > 0 && memory === 0) {
    throw conflict("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (memorySwap > 0 && memory > memorySwap) {
    throw conflict(
      swap === 0
        ? "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        : "Minimum memoryswap limit should be larger than memory limit, see usage",
    );
  }
  return { memory, memorySwap };
};
