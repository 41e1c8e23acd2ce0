import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, formatSubnet, parseAddress, parseSubnet, type Subnet } from "./addresses.ts";
import { defaultPools, findAddress, findSubnet, firstAddress, parseAddressPool, uniqueLocalSubnet } from "./pools.ts";

const whole = (subnet: string) => ({ subnet, range: "" });
const free = () => false;

test("the default subnets are Docker's, in Docker's order", () => {
  const taken: Subnet[] = [];
  for (let subnet = findSubnet(defaultPools, 4, taken); subnet; subnet = findSubnet(defaultPools, 4, taken)) {
    taken.push(subnet);
  }
  const texts = taken.map(formatSubnet);
  assert.equal(texts.length, 31);
  assert.deepEqual(
    [texts[0], texts[14], texts[15], texts[30]],
    ["172.17.0.0/16", "172.31.0.0/16", "192.168.0.0/20", "192.168.240.0/20"],
  );
});

test("a subnet that the host uses is passed over", () => {
  const foreign = ["172.17.5.0/24", "172.18.0.0/15"].map((text) => parseSubnet(text)!);
  assert.equal(formatSubnet(findSubnet(defaultPools, 4, foreign)!), "172.20.0.0/16");
  assert.equal(findSubnet(defaultPools, 6, []), undefined);
});

test("pools are parsed as Docker's flag has them", () => {
  const pool = parseAddressPool("base=10.10.0.0/16,size=24")!;
  assert.equal(formatSubnet(findSubnet([pool], 4, [parseSubnet("10.10.0.0/24")!])!), "10.10.1.0/24");
  assert.equal(formatSubnet(findSubnet([parseAddressPool("base=fd00:9::/48,size=64")!], 6, [])!), "fd00:9::/64");
  for (const text of [
    "",
    "10.0.0.0/8",
    "base=10.0.0.0/8,size=7",
    "base=10.0.0.0/8,size=33",
    "base=x,size=24",
    "base=::/0,size=64",
  ]) {
    assert.equal(parseAddressPool(text), undefined, text);
  }
});

test("a prefix of our own is a /64 of fd00::/8 with forty random bits and the network's number", () => {
  assert.equal(formatSubnet(uniqueLocalSubnet(0x12_3456_789an, 3n)), "fd12:3456:789a:3::/64");
});

test("addresses go round and leave out the network, the broadcast and those taken", () => {
  const taken = new Set(["10.0.0.1", "10.0.0.4"]);
  let last = parseAddress("10.0.0.0");
  const given = Array.from({ length: 7 }, () => {
    last = findAddress(whole("10.0.0.0/29"), last, (address) => taken.has(formatAddress(address)));
    return formatAddress(last!);
  });
  assert.deepEqual(given, ["10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.6", "10.0.0.2", "10.0.0.3", "10.0.0.5"]);
  assert.equal(
    findAddress(whole("10.0.0.0/29"), last, () => true),
    undefined,
  );
});

test("an address that was given out last in another subnet starts from the beginning", () => {
  const found = findAddress(whole("172.18.0.0/16"), parseAddress("172.17.4.5"), free);
  assert.equal(formatAddress(found!), "172.18.0.1");
});

test("a range is kept to, and the ends of the subnet in it are left out", () => {
  const within = (range: string, last?: string) => {
    const found = findAddress({ subnet: "10.0.0.0/24", range }, parseAddress(last ?? ""), free);
    return found && formatAddress(found);
  };
  assert.equal(within("10.0.0.128/25"), "10.0.0.128");
  assert.equal(within("10.0.0.128/25", "10.0.0.254"), "10.0.0.128", "not the broadcast address");
  assert.equal(within("10.0.0.0/25"), "10.0.0.1");
  assert.equal(within("10.0.0.4/32"), "10.0.0.4");
});

test("IPv6 has no broadcast address, and room for all", () => {
  const found = findAddress(whole("fd00::/64"), parseAddress("fd00::ffff"), free);
  assert.equal(formatAddress(found!), "fd00::1:0");
  assert.equal(formatAddress(firstAddress(parseSubnet("fd00:7::/64")!)), "fd00:7::1");
});

test("the smallest subnets have only addresses", () => {
  assert.equal(formatAddress(findAddress(whole("10.0.0.6/31"), undefined, free)!), "10.0.0.6");
  assert.equal(formatAddress(firstAddress(parseSubnet("10.0.0.6/31")!)), "10.0.0.6");
});
