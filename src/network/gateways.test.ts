import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "./endpoint.ts";
import { withDefaultRoutes } from "./gateways.ts";
import { testEndpoint } from "./test-endpoint.ts";

const endpoint = (network: string, change: Partial<Endpoint> = {}): Endpoint => ({
  ...testEndpoint("172.17.0.2"),
  id: network,
  network,
  ...change,
});
const ways = (...endpoints: Endpoint[]): string[] =>
  withDefaultRoutes(endpoints).map(({ network, defaultRoute, defaultRoute6 }) =>
    [network, defaultRoute ? "4" : "", defaultRoute6 ? "6" : ""].join(""),
  );

test("the network with the highest priority leads out, then the one whose name comes first", () => {
  assert.deepEqual(ways(endpoint("b"), endpoint("a")), ["b", "a4"]);
  assert.deepEqual(ways(endpoint("b"), endpoint("c", { priority: 1 }), endpoint("a")), ["b", "c4", "a"]);
  assert.deepEqual(ways(endpoint("b"), endpoint("a", { priority: -1 })), ["b4", "a"]);
});

test("what leads nowhere is left out, each family for itself", () => {
  assert.deepEqual(ways(endpoint("a", { gateway: "" }), endpoint("b", { gateway6: "fd00::1" })), ["a", "b46"]);
  assert.deepEqual(ways(endpoint("a", { gateway6: "fd00::1", gateway: "" }), endpoint("b")), ["a6", "b4"]);
  assert.deepEqual(ways(endpoint("a", { gateway: "", priority: 9 })), ["a"]);
});
