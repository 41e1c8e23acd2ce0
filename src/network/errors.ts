import { errorsFrom } from "../base/errors.ts";

/** What can go wrong between a container and its network; the sentences about addresses and ports are Docker's. */
export const networkErrors = {
  noSuchNetwork: { status: 404, sentence: "network {name} not found" },
  ambiguousNetwork: { status: 400, sentence: "network {name} is ambiguous ({count} matches found on ID prefix)" },
  // A new network, and the end of one.
  invalidName: {
    status: 400,
    sentence: "invalid network name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
  },
  nameTaken: { status: 409, sentence: "network with name {name} already exists" },
  predefined: { status: 403, sentence: "operation is not permitted on predefined {name} network" },
  notRemovable: { status: 403, sentence: "{name} is a pre-defined network and cannot be removed" },
  inUse: {
    status: 403,
    sentence: "error while removing network: network {name} has active endpoints ({endpoints})",
  },
  onlyOne: { status: 403, sentence: 'only one instance of "{name}" network is allowed' },
  driverMissing: {
    status: 501,
    sentence: "the network driver {name} is not supported by this version of pier",
    hint: "pier network create --driver macvlan -o parent=eth0 NAME",
  },
  noSuchDriver: {
    status: 404,
    sentence: 'could not find plugin {name} in v1 plugin registry: plugin "{name}" not found',
    hint: "pier network create --driver bridge NAME",
  },
  noSuchIpam: {
    status: 404,
    sentence: 'could not find plugin {name} in v1 plugin registry: plugin "{name}" not found',
  },
  noSwarm: { status: 501, sentence: "pier does not join swarms" },
  noConfigNetworks: { status: 501, sentence: "pier has no config-only networks" },
  invalidConfig: { status: 400, sentence: "invalid network config: {problem}" },
  oneSubnet: { status: 400, sentence: "the {driver} driver takes one subnet of IPv{family}" },
  noFamily: { status: 400, sentence: "IPv4 or IPv6 must be enabled" },
  familyOff: { status: 400, sentence: "a subnet was given of a family that is not enabled" },
  poolOverlaps: { status: 403, sentence: "invalid pool request: Pool overlaps with other one on this address space" },
  noIpv6: { status: 500, sentence: "this kernel has no IPv6" },
  noSuchOption: { status: 501, sentence: "the network driver option {name} is not supported by this version of pier" },
  invalidOption: { status: 400, sentence: 'invalid value for the network driver option {name}: "{value}"' },
  noParent: {
    status: 400,
    sentence: "a macvlan network needs the interface of the host that it hangs on",
    hint: "pier network create --driver macvlan -o parent=eth0 NAME",
  },
  noSuchInterface: { status: 400, sentence: "there is no interface {name}", hint: "ip link" },
  bridgeTaken: { status: 409, sentence: "the interface {name} is there already", hint: "ip link" },
  notJoined: { status: 500, sentence: "container {container} could not be connected to network {network}: {reason}" },
  notLeft: {
    status: 500,
    sentence: "container {container} could not be disconnected from network {network}: {reason}",
  },
  noWayIn: {
    status: 400,
    sentence: "no network of the container leads out by this host, so no port of it leads in",
    hint: "pier network connect bridge CONTAINER",
  },
  notHost: {
    status: 400,
    sentence: "container cannot be disconnected from host network or connected to host network",
  },
  networkNotMade: { status: 500, sentence: "network {name} could not be made: {reason}" },

  noAddressLeft: { status: 500, sentence: "no available IPv4 addresses on this network's address pools: {name}" },
  networkFull: {
    status: 500,
    sentence: "network {name} is full: a bridge of Linux has {ports} ports",
    hint: "pier network create OTHER, and connect some of the containers to that",
  },
  noSubnetLeft: {
    status: 500,
    sentence: "all predefined address pools have been fully subnetted: each overlaps with a route of this host",
    hint: "pier network create --subnet 10.20.0.0/16 NAME",
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
