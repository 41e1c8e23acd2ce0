/** Endpoints and networks for tests: what a test says nothing of is as on the default bridge. */
import { formatMac, macOf, parseAddress } from "./addresses.ts";
import type { Endpoint, PublishedPort } from "./endpoint.ts";
import type { NetworkRecord } from "./record.ts";
import { hostInterfaceName, interfaceIndex } from "./steps.ts";
import { blankNetwork } from "./stored.ts";

export const testNetwork: NetworkRecord = {
  ...blankNetwork,
  name: "bridge",
  id: "0".repeat(64),
  created: 0,
  driver: "bridge",
  interface: "pier0",
  index: interfaceIndex(parseAddress("172.17.0.1")!),
  ipv4: { subnet: "172.17.0.0/16", gateway: "172.17.0.1", range: "", auxiliary: {}, asked: false },
  mtu: 1500,
};

export const testEndpoint = (
  address: string,
  ports: readonly PublishedPort[] = [],
  network: NetworkRecord = testNetwork,
): Endpoint => {
  const own = parseAddress(address)!;
  const [isIpv4, pool] = own.family === 4 ? [true, network.ipv4] : [false, network.ipv6];
  const [prefix, gateway] = [Number(pool?.subnet.split("/")[1]), network.internal ? "" : (pool?.gateway ?? "")];
  return {
    id: "e".repeat(64),
    network: network.name,
    networkId: network.id,
    driver: network.driver,
    bridge: network.interface,
    bridgeIndex: network.index,
    interface: "eth0",
    index: 100,
    hostInterface: hostInterfaceName("pier", own),
    hostIndex: interfaceIndex(own),
    address: isIpv4 ? address : "",
    prefix: isIpv4 ? prefix : 0,
    gateway: isIpv4 ? gateway : "",
    address6: isIpv4 ? "" : address,
    prefix6: isIpv4 ? 0 : prefix,
    gateway6: isIpv4 ? "" : gateway,
    linkLocal: [],
    mac: formatMac(macOf(own)),
    mtu: network.mtu,
    isolated: !network.icc,
    defaultRoute: isIpv4 && gateway !== "",
    defaultRoute6: !isIpv4 && gateway !== "",
    priority: 0,
    aliases: [],
    driverOptions: {},
    ports,
  };
};
