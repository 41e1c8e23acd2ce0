import assert from "node:assert/strict";
import { test } from "node:test";
import { isInTheWay, parsePublications, withdrawn } from "./publications.ts";

const published = (hostAddress: string, hostPort: number, protocol: "tcp" | "udp" = "tcp") => ({
  hostAddress,
  hostPort,
  protocol,
  containerPort: 80,
});

test("ports to be withdrawn are named as the host has them", () => {
  const { remove } = parsePublications({}, ["9090", "9091/udp", "127.0.0.1:9092", "[::1]:9093/tcp"]);
  assert.deepEqual(remove, [
    { address: "", port: 9090, protocol: "tcp" },
    { address: "", port: 9091, protocol: "udp" },
    { address: "127.0.0.1", port: 9092, protocol: "tcp" },
    { address: "::1", port: 9093, protocol: "tcp" },
  ]);
  for (const text of ["", "x", "0", "80-81", "1.2.3:80", "80/icmp"]) {
    assert.throws(() => parsePublications({}, [text]), /invalid port specification/, text);
  }
});

test("a port without an address is withdrawn at all of them, one with an address there alone", () => {
  const ports = [published("0.0.0.0", 80), published("::", 80), published("10.0.0.1", 81), published("::", 80, "udp")];
  const of = (...remove: string[]) => withdrawn("web", ports, parsePublications({}, remove).remove);
  assert.deepEqual(of("80"), ports.slice(0, 2));
  assert.deepEqual(of("[::]:80"), [ports[1]]);
  assert.deepEqual(of("10.0.0.1:81", "80/udp"), ports.slice(2));
  assert.throws(() => of("82"), { message: "no port 82/tcp of the host is published by container web" });
  assert.throws(() => of("10.0.0.2:81"), /no port 81/);
});

test("what is withdrawn goes first where the new port would stand in its place, and last elsewhere", () => {
  const change = (add: string, remove: string) =>
    isInTheWay(parsePublications({ "80/tcp": [{ HostPort: add }] }, [remove]));
  assert.equal(change("8080", "8080"), true);
  assert.equal(change("8080-8090", "8085"), true);
  assert.equal(change("8080", "8081"), false);
  assert.equal(change("8080", "8080/udp"), false);
  assert.equal(change("", "8080"), false);
});
