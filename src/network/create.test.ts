import assert from "node:assert/strict";
import { test } from "node:test";
import { PierError } from "../base/errors.ts";
import { parseSubnet } from "./addresses.ts";
import { parseCreateNetwork } from "./create.ts";
import { draftNetwork, type Surroundings } from "./draft.ts";
import { defaultPools } from "./pools.ts";

const refuses = (sentence: RegExp, status: number, body: object): void =>
  assert.throws(
    () => parseCreateNetwork({ Name: "net", ...body }),
    (error: unknown) => error instanceof PierError && sentence.test(error.message) && error.status === status,
    JSON.stringify(body),
  );
const ipam = (...Config: object[]) => ({ IPAM: { Config } });

const host: Surroundings = {
  id: "0123456789ab".padEnd(64, "0"),
  now: 7,
  prefix: "pier",
  ours: [parseSubnet("172.17.0.0/16")!],
  foreign: [parseSubnet("172.18.0.0/24")!],
  pools: defaultPools,
  random: 1n,
  mtu: 1450,
  isTaken: () => false,
};
const draft = (body: object, more: Partial<Surroundings> = {}) =>
  draftNetwork(parseCreateNetwork({ Name: "net", ...body }), { ...host, ...more });

test("a network that asks for nothing has the next free subnet, its first address, and a bridge of its id", () => {
  const network = draft({});
  assert.deepEqual(network.ipv4, {
    subnet: "172.19.0.0/16",
    gateway: "172.19.0.1",
    range: "",
    auxiliary: {},
    asked: false,
  });
  assert.equal(network.ipv6, undefined);
  assert.equal(network.interface, "pier-0123456789");
  assert.deepEqual([network.masquerade, network.icc, network.mtu, network.internal], [true, true, 1450, false]);
  assert.notEqual(draft({}, { isTaken: (index) => index === network.index }).index, network.index);
});

test("what is asked for is had", () => {
  const network = draft({
    EnableIPv6: true,
    Internal: true,
    Options: {
      "com.docker.network.bridge.enable_icc": "false",
      "com.docker.network.bridge.enable_ip_masquerade": "0",
      "com.docker.network.driver.mtu": "9000",
      "com.docker.network.bridge.name": "br-own",
      other: "kept",
    },
    IPAM: {
      Options: { keep: "me" },
      Config: [{ Subnet: "10.0.0.0/8", IPRange: "10.1.0.0/16", AuxiliaryAddresses: { a: "10.1.0.0" } }],
    },
  });
  assert.equal(network.ipv4?.gateway, "10.1.0.1", "the first of the range that is nobody's");
  assert.equal(network.ipv6?.subnet, "fd00:0:1::/64");
  assert.deepEqual([network.interface, network.mtu, network.icc, network.masquerade], ["br-own", 9000, false, false]);
  assert.equal(network.options.other, "kept");
  assert.deepEqual(network.ipamOptions, { keep: "me" });
});

test("a subnet that another network has is refused, one that the host uses only chosen by nobody", () => {
  assert.throws(() => draft(ipam({ Subnet: "172.17.8.0/24" })), { message: /Pool overlaps/, status: 403 });
  assert.equal(draft(ipam({ Subnet: "172.18.0.0/24" })).ipv4?.subnet, "172.18.0.0/24");
  assert.throws(() => draft({}, { foreign: [parseSubnet("0.0.0.0/0")!] }), { message: /fully subnetted/ });
});

test("what makes no network is refused with a sentence", () => {
  refuses(/invalid network name/, 400, { Name: "" });
  refuses(/invalid network name/, 400, { Name: "../x" });
  refuses(/predefined host network/, 403, { Name: "host" });
  refuses(/only one instance/, 403, { Driver: "host" });
  refuses(/plugin "x" not found/, 404, { Driver: "x" });
  refuses(/swarms/, 501, { Ingress: true });
  refuses(/config-only/, 501, { ConfigOnly: true });
  refuses(/needs a subnet/, 400, ipam({ Gateway: "10.0.0.1" }));
  refuses(/invalid subnet x/, 400, ipam({ Subnet: "x" }));
  refuses(/it should be 10\.0\.0\.0\/8/, 400, ipam({ Subnet: "10.0.0.1/8" }));
  refuses(/invalid gateway/, 400, ipam({ Subnet: "10.0.0.0/8", Gateway: "11.0.0.1" }));
  refuses(/invalid ip-range/, 400, ipam({ Subnet: "10.0.0.0/8", IPRange: "11.0.0.0/16" }));
  refuses(/invalid ip-range/, 400, ipam({ Subnet: "10.0.0.0/16", IPRange: "10.0.0.0/8" }));
  refuses(/takes one subnet of IPv4/, 400, ipam({ Subnet: "10.0.0.0/16" }, { Subnet: "10.1.0.0/16" }));
  refuses(/must be enabled/, 400, { EnableIPv4: false });
  refuses(/not enabled/, 400, { EnableIPv6: false, ...ipam({ Subnet: "fd00::/64" }) });
  refuses(/enable_icc/, 400, { Options: { "com.docker.network.bridge.enable_icc": "maybe" } });
  refuses(/mtu/, 400, { Options: { "com.docker.network.driver.mtu": "67" } });
  refuses(/bridge\.name/, 400, { Options: { "com.docker.network.bridge.name": "a/b" } });
  refuses(/gateway_mode_ipv4=routed is not supported/, 501, {
    Options: { "com.docker.network.bridge.gateway_mode_ipv4": "routed" },
  });
  refuses(/hangs on/, 400, { Driver: "macvlan" });
  for (const Driver of ["ipvlan", "overlay"]) refuses(/driver (ipvlan|overlay) is not supported/, 501, { Driver });
});
