import assert from "node:assert/strict";
import { test } from "node:test";
import {
  defaultSubnets,
  findAddress,
  formatAddress,
  formatMac,
  macOf,
  overlaps,
  parseAddress,
  parseMac,
  type Subnet,
} from "./addresses.ts";

const subnet = (text: string): Subnet => {
  const [address = "", prefix] = text.split("/");
  return { network: parseAddress(address)!, prefix: Number(prefix) };
};

test("addresses survive being parsed and printed; other texts are none", () => {
  for (const text of ["0.0.0.0", "127.0.0.1", "172.17.0.2", "255.255.255.255"]) {
    assert.equal(formatAddress(parseAddress(text)!), text);
  }
  for (const text of ["", "1.2.3", "1.2.3.256", "::1", "01.2.3.4", "a.b.c.d", "1.2.3.4/8"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("subnets overlap when one holds the other", () => {
  assert.ok(overlaps(subnet("172.17.0.0/16"), subnet("172.17.3.0/24")));
  assert.ok(overlaps(subnet("172.17.3.0/24"), subnet("172.16.0.0/12")));
  assert.ok(overlaps(subnet("172.17.0.5/32"), subnet("172.17.0.0/16")));
  assert.ok(!overlaps(subnet("172.17.0.0/16"), subnet("172.18.0.0/16")));
});

test("the default subnets are Docker's, in Docker's order", () => {
  const texts = defaultSubnets.map(({ network, prefix }) => `${formatAddress(network)}/${prefix}`);
  assert.equal(texts.length, 31);
  assert.equal(texts[0], "172.17.0.0/16");
  assert.equal(texts[14], "172.31.0.0/16");
  assert.equal(texts[15], "192.168.0.0/20");
  assert.equal(texts[30], "192.168.240.0/20");
});

test("addresses go round and leave out the network, the gateway, the broadcast and those taken", () => {
  const small = subnet("10.0.0.0/29");
  const taken = new Set([parseAddress("10.0.0.4")!]);
  let last = small.network;
  const given = Array.from({ length: 7 }, () => {
    last = findAddress(small, last, (address) => taken.has(address))!;
    return formatAddress(last);
  });
  assert.deepEqual(given, ["10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.6", "10.0.0.2", "10.0.0.3", "10.0.0.5"]);
  assert.equal(
    findAddress(small, last, () => true),
    undefined,
  );
});

test("an address that was given out last in another subnet starts from the beginning", () => {
  assert.equal(
    formatAddress(findAddress(subnet("172.18.0.0/16"), parseAddress("172.17.4.5")!, () => false)!),
    "172.18.0.2",
  );
});

test("a MAC follows from its address", () => {
  assert.equal(formatMac(macOf(parseAddress("172.17.0.2")!)), "02:42:ac:11:00:02");
  assert.deepEqual(parseMac("02:42:AC:11:00:02"), macOf(parseAddress("172.17.0.2")!));
  assert.equal(parseMac("02:42:ac:11:00"), undefined);
});
