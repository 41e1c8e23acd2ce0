/** The containers whose namespaces another one shares. */
import type { ContainerId } from "../base/ids.ts";
import { containerError } from "./errors.ts";
import { shmOf } from "./mounts.ts";
import type { ContainerRecord } from "./record.ts";
import type { CreateRequest } from "./request.ts";
import type { ContainerFacts } from "./spec.ts";
import { hostnameOf } from "./spec.ts";

type Get = (reference: string) => ContainerRecord;

/** The processes whose namespaces the container asks to share; throws Docker's sentence when one of them does not run. */
export const joinedOf = (
  { request }: ContainerRecord,
  get: Get,
  directoryOf: (id: ContainerId) => string,
): { readonly joined?: ContainerFacts["joined"] } => {
  const { pid, ipc } = request.namespaces;
  const { network } = request;
  const ipcPid = ipc.kind === "container" ? pidOf(get(ipc.ref), "ipc") : undefined;
  const joined = {
    ...(pid.kind === "container" ? { pid: pidOf(get(pid.ref), "pid") } : {}),
    ...(ipcPid === undefined ? {} : { ipc: ipcPid, shm: shmOf(ipcPid) }),
    ...(network.mode === "container"
      ? {
          net: pidOf(get(network.container), "network"),
          networkDirectory: directoryOf(networkOwner(get(network.container), get).id),
        }
      : {}),
  };
  return Object.keys(joined).length === 0 ? {} : { joined };
};

const pidOf = (other: ContainerRecord, kind: "pid" | "ipc" | "network"): number => {
  if (other.state.status !== "running") {
    throw kind === "network"
      ? containerError("joinNetworkStopped", { id: other.id })
      : containerError("joinStopped", { id: other.id });
  }
  if (kind === "ipc" && keepsToItself(other)) throw containerError("ipcNotShared", { id: other.id });
  return other.state.pid;
};

const keepsToItself = ({ request }: ContainerRecord): boolean =>
  request.namespaces.ipc.kind === "private" || request.namespaces.ipc.kind === "none";

/** The container whose namespace it is, at the end of a chain of those who share it. */
const networkOwner = (record: ContainerRecord, get: Get): ContainerRecord => {
  const { network } = record.request;
  return network.mode === "container" ? networkOwner(get(network.container), get) : record;
};

/**
 * Who shares another container's network goes by that one's name, and remembers it by its id. That there is none is said
 * at the start: to the creation of a container, clients take every 404 for a missing image.
 */
export const withNetworkOwner = (
  request: CreateRequest,
  find: (reference: string) => ContainerRecord | undefined,
  host: { hostname: string },
): CreateRequest => {
  const { network } = request;
  const other = network.mode === "container" ? find(network.container) : undefined;
  if (other === undefined) return request;
  return {
    ...request,
    hostname: hostnameOf(other.request, other.id, host),
    domainname: other.request.domainname,
    network: { ...network, name: `container:${other.id}`, container: other.id },
  };
};
