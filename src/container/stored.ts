/** A container's record as the database has it, also as earlier builds wrote it. */
import type { Endpoint } from "../network/endpoint.ts";
import { blankAttachment, decodeEndpoint } from "../network/stored.ts";
import type { ContainerRecord } from "./record.ts";
import type { NetworkRequest } from "./request.ts";

type EarlierNetwork = Omit<NetworkRequest, "attachments" | "container"> & { readonly macAddress: string };
type EarlierRecord = Omit<ContainerRecord, "endpoints" | "request"> & {
  readonly endpoint?: Endpoint;
  readonly request: Omit<ContainerRecord["request"], "network"> & { readonly network: EarlierNetwork };
};

export const decodeRecord = (text: string): ContainerRecord =>
  withLinks(withVolumes(withNetworks(JSON.parse(text) as ContainerRecord | EarlierRecord)));

/** Builds refused links on the default network, and had no place for them. */
const withLinks = (record: ContainerRecord): ContainerRecord => {
  const { request } = record;
  return { ...record, request: { ...request, network: { ...request.network, links: request.network.links ?? [] } } };
};

/** A build knew one network, and no other. */
const withNetworks = (stored: ContainerRecord | EarlierRecord): ContainerRecord => {
  if ("endpoints" in stored) return stored;
  const { endpoint, ...rest } = stored;
  const { macAddress, ...network } = stored.request.network;
  const attachments = network.mode === "bridge" ? [{ ...blankAttachment, network: "bridge", macAddress }] : [];
  return {
    ...rest,
    request: { ...stored.request, network: { ...network, attachments, container: "" } },
    endpoints: endpoint === undefined ? [] : [decodeEndpoint(endpoint)],
  };
};

/**
 * A record of a build that knew no volumes. What it had for them were directories of the container's own layer: they stay
 * there, with all that is in them.
 */
const withVolumes = (record: ContainerRecord): ContainerRecord => {
  const { request } = record;
  const mounts = request.mounts.filter(({ kind }) => (kind as string) !== "anonymous");
  return {
    ...record,
    request: { ...request, volumesFrom: request.volumesFrom ?? [], volumeDriver: request.volumeDriver ?? "", mounts },
  };
};
