import { errorsFrom } from "../base/errors.ts";

/** What can go wrong between a container and its network; the sentences about addresses and ports are Docker's. */
export const networkErrors = {
  noSuchNetwork: { status: 404, sentence: "network {name} not found" },
  noAddressLeft: { status: 500, sentence: "no available IPv4 addresses on this network's address pools: {name}" },
  noSubnetLeft: {
    status: 500,
    sentence: "all predefined address pools have been fully subnetted: each overlaps with a route of this host",
    hint: "ip route",
  },
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
