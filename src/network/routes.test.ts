import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSubnet } from "./addresses.ts";
import { parseNameserverRoutes, parseRoutes, parseRoutes6 } from "./routes.ts";

const file = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
tun0	010A0A0A	00000000	0005	0	0	0	FFFFFFFF	0	0	0
`;

test("routes are read with their interfaces", () => {
  assert.deepEqual(
    parseRoutes(file).map((route) => `${route.interface} ${formatSubnet(route.subnet)}`),
    ["eth0 0.0.0.0/0", "eth0 192.0.2.0/24", "docker0 172.17.0.0/16", "tun0 10.10.10.1/32"],
  );
  assert.deepEqual(parseRoutes(""), []);
});

test("routes of IPv6 are read without those that every host has", () => {
  const line = (destination: string, prefix: string, device: string) =>
    `${destination} ${prefix} ${"0".repeat(32)} 00 ${"0".repeat(32)} 00000100 00000001 00000000 00000001     ${device}`;
  const text = [
    line("fd000000000000070000000000000000", "40", "eth0"),
    line("fe800000000000000000000000000000", "40", "eth0"),
    line("00000000000000000000000000000001", "80", "lo"),
    line("ff000000000000000000000000000000", "08", "eth0"),
    line("00000000000000000000000000000000", "00", "eth0"),
  ].join("\n");
  assert.deepEqual(
    parseRoutes6(text).map((route) => `${route.interface} ${formatSubnet(route.subnet)}`),
    ["eth0 fd00:0:0:7::/64", "eth0 ::/0"],
  );
});

test("nameservers are subnets of one address", () => {
  const subnets = parseNameserverRoutes("# nameserver 1.1.1.1\nnameserver 172.18.0.53\nnameserver ::1\nsearch x\n");
  assert.deepEqual(subnets.map(formatSubnet), ["172.18.0.53/32", "::1/128"]);
});
