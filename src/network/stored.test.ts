import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeHeld, decodeNetwork } from "./stored.ts";
import { testEndpoint, testNetwork } from "./test-endpoint.ts";

test("a network that an earlier build wrote keeps its bridge, its subnet and its last address", () => {
  const earlier = { name: "bridge", id: testNetwork.id, created: 0, bridge: "pier0", mtu: 1500 };
  const document = { ...earlier, subnet: { network: 0xac11_0000, prefix: 16 }, last: 0xac11_0005 };
  assert.deepEqual(decodeNetwork(JSON.stringify(document)), { ...testNetwork, last: "172.17.0.5" });
  assert.deepEqual(decodeNetwork(JSON.stringify(testNetwork)), testNetwork);
});

test("a container that an earlier build connected is where it was", () => {
  const { id, network, networkId, bridge, hostInterface, address, prefix, gateway, mac, mtu, ports } =
    testEndpoint("172.17.0.2");
  const endpoint = {
    ...{ id, network, networkId, bridge, interface: "eth0", hostInterface },
    ...{ address, prefix, gateway, mac, mtu, ports },
  };
  const document = { container: "c", endpoint, request: { network: "bridge", macAddress: "", ports: [] } };
  const held = decodeHeld(JSON.stringify(document));
  assert.deepEqual(held.endpoints, [testEndpoint("172.17.0.2")]);
  assert.deepEqual(
    held.request.attachments.map((attachment) => attachment.network),
    ["bridge"],
  );
});
