import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressBytes,
  bytesOf,
  formatAddress,
  formatMac,
  formatSubnet,
  macOf,
  overlaps,
  parseAddress,
  parseMac,
  parseSubnet,
} from "./addresses.ts";

test("addresses survive being parsed and printed; other texts are none", () => {
  const texts = ["0.0.0.0", "127.0.0.1", "172.17.0.2", "255.255.255.255"];
  const texts6 = ["::", "::1", "fd00::", "fe80::1:0:0:1", "2001:db8::8:800:200c:417a", "1:2:3:4:5:6:7:8", "1:0:2::3"];
  for (const text of [...texts, ...texts6]) assert.equal(formatAddress(parseAddress(text)!), text);
  assert.equal(formatAddress(parseAddress("0:0:1:0:0:0:0:A")!), "0:0:1::a");
  assert.equal(formatAddress(parseAddress("::ffff:10.0.0.1")!), "::ffff:a00:1");
  assert.equal(formatAddress(parseAddress("1:0:2:3:4:5:6:7")!), "1:0:2:3:4:5:6:7", "a single zero stays");
  for (const text of ["", "1.2.3", "1.2.3.256", "01.2.3.4", "a.b.c.d", "1.2.3.4/8", "::g", "fe80::1%eth0", "1::2::3"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("an address has its bytes in the network's order", () => {
  assert.deepEqual([...addressBytes("172.17.0.2")], [172, 17, 0, 2]);
  assert.deepEqual([...bytesOf(parseAddress("fd00::1:2")!)], [0xfd, ...Array(12).fill(0), 1, 0, 2].slice(0, 16));
});

test("a subnet is its first address and a prefix", () => {
  for (const text of ["10.0.0.0/8", "172.17.0.0/16", "fd00:1::/64", "1.2.3.4/32", "::/0"]) {
    assert.equal(formatSubnet(parseSubnet(text)!), text);
  }
  assert.equal(formatSubnet(parseSubnet("10.1.2.3/8")!), "10.0.0.0/8");
  for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "fd00::/129", "x/8", "10.0.0.0/8/8"]) {
    assert.equal(parseSubnet(text), undefined, text);
  }
});

test("subnets overlap when one holds the other", () => {
  const both = (a: string, b: string): boolean => overlaps(parseSubnet(a)!, parseSubnet(b)!);
  assert.ok(both("172.17.0.0/16", "172.17.3.0/24"));
  assert.ok(both("172.17.3.0/24", "172.16.0.0/12"));
  assert.ok(both("172.17.0.5/32", "172.17.0.0/16"));
  assert.ok(both("fd00:1::/48", "fd00:1:0:7::/64"));
  assert.ok(!both("172.17.0.0/16", "172.18.0.0/16"));
  assert.ok(!both("0.0.0.0/0", "::/0"));
});

test("a MAC follows from its address", () => {
  assert.equal(formatMac(macOf(parseAddress("172.17.0.2")!)), "02:42:ac:11:00:02");
  assert.equal(formatMac(macOf(parseAddress("fd00::ac11:2")!)), "02:42:ac:11:00:02");
  assert.deepEqual(parseMac("02:42:AC:11:00:02"), macOf(parseAddress("172.17.0.2")!));
  assert.equal(parseMac("02:42:ac:11:00"), undefined);
});
