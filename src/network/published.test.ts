import assert from "node:assert/strict";
import { test } from "node:test";
import { addElements } from "../kernel/netlink/nftables.ts";
import type { Endpoint, Protocol, PublishedPort } from "./endpoint.ts";
import { portElements } from "./firewall.ts";
import { bindSteps, publishSteps, relaySteps, withdrawSteps } from "./publish.ts";
import { wayOf } from "./published.ts";
import { testEndpoint } from "./test-endpoint.ts";

const host = { name: "pier", ipv6: true, apart: [], apart6: [] };
const port = (hostAddress: string, protocol: Protocol = "tcp"): PublishedPort => ({
  protocol,
  hostAddress,
  hostPort: 8080,
  containerPort: 80,
});
const four = testEndpoint("172.17.0.2");
const both: Endpoint = { ...four, address6: "fd00::2" };
const six: Endpoint = { ...both, address: "" };

test("a port leads to the container's address of its own family, and by the keeper to the other where it has none", () => {
  assert.deepEqual(wayOf(port("0.0.0.0"), both), { by: "kernel", address: "172.17.0.2" });
  assert.deepEqual(wayOf(port("::"), both), { by: "kernel", address: "fd00::2" });
  assert.deepEqual(wayOf(port("::"), four), { by: "keeper", address: "172.17.0.2" });
  assert.deepEqual(wayOf(port("192.0.2.1"), six), { by: "keeper", address: "fd00::2" });
  assert.equal(wayOf(port("::", "sctp"), four), undefined);
});

test("only what the kernel forwards, and loopback addresses to be kept from outside, stand in the tables", () => {
  const sets = (family: "ip" | "ip6", endpoint: Endpoint, ...addresses: string[]): number =>
    portElements(
      { family, name: "pier" },
      endpoint,
      addresses.map((one) => port(one)),
      addElements,
    ).length;
  assert.equal(sets("ip", both, "0.0.0.0", "::"), 1);
  assert.equal(sets("ip6", both, "0.0.0.0", "::"), 1);
  assert.equal(sets("ip6", four, "::", "2001:db8::1"), 0);
  assert.equal(sets("ip6", both, "::1"), 0);
  assert.equal(sets("ip", six, "127.0.0.1"), 1);
});

test("every port is bound, and passed on where it can be", () => {
  const ports = [port("0.0.0.0"), port("::"), port("0.0.0.0", "sctp"), port("::", "sctp")];
  assert.equal(bindSteps(ports).length, 4);
  assert.ok(bindSteps(ports)[2]?.tolerate?.length === 2);
  const relays = relaySteps(four, ports).map((step) => (step.step === "relay" ? [...step.address].join(".") : ""));
  assert.deepEqual(relays, ["172.17.0.2", "172.17.0.2"]);
  assert.deepEqual(
    relaySteps(both, ports).map((step) => (step.step === "relay" ? step.address.length : 0)),
    [4, 16],
  );
});

test("what one port has is taken away by itself", () => {
  assert.equal(publishSteps(both, [port("0.0.0.0"), port("::"), port("0.0.0.0", "udp")], host).length, 1);
  assert.equal(withdrawSteps(both, [port("0.0.0.0"), port("::"), port("0.0.0.0", "udp")], host).length, 3);
  assert.equal(withdrawSteps(four, [port("::")], host).length, 0);
});
