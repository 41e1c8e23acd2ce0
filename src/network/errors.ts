import { errorsFrom } from "../base/errors.ts";

/** What can go wrong between a container and its network; the sentences about addresses and ports are Docker's. */
export const networkErrors = {
  noSuchNetwork: { status: 404, sentence: "network {name} not found" },
  ambiguousNetwork: { status: 400, sentence: "network {name} is ambiguous ({count} matches found on ID prefix)" },
  noAddressLeft: { status: 500, sentence: "no available IPv4 addresses on this network's address pools: {name}" },
  networkFull: {
    status: 500,
    sentence: "network {name} is full: a bridge of Linux has {ports} ports",
    hint: "pier network create OTHER, and connect some of the containers to that",
  },
  noSubnetLeft: {
    status: 500,
    sentence: "all predefined address pools have been fully subnetted: each overlaps with a route of this host",
    hint: "ip route",
  },
  addressOnDefault: { status: 400, sentence: "user specified IP address is supported on user defined networks only" },
  addressNotConfigured: {
    status: 400,
    sentence: "user specified IP address is supported only when connecting to networks with user configured subnets",
  },
  addressOutside: { status: 400, sentence: "no configured subnet or ip-range contain the IP address {address}" },
  addressTaken: { status: 403, sentence: "Address already in use" },
  alreadyConnected: {
    status: 403,
    sentence: "endpoint with name {container} already exists in network {name}",
  },
  notConnected: { status: 404, sentence: "container {container} is not connected to the network {name}" },
  portTaken: { status: 500, sentence: "Bind for {address}:{port} failed: port is already allocated" },
  noPortLeft: { status: 500, sentence: "all ports are allocated" },
  noPortOfRange: {
    status: 500,
    sentence: "Bind for {address}:{first}-{last} failed: all ports of the range are already allocated",
  },
  connectFailed: {
    status: 500,
    sentence: "driver failed programming external connectivity on endpoint {name} ({id}): {reason}",
  },
} as const;

export const networkError = errorsFrom(networkErrors);
