import assert from "node:assert/strict";
import { test } from "node:test";
import type { PortRequest } from "./endpoint.ts";
import { Ports, parsePortRange } from "./ports.ts";

const request = (text: string, containerPort = 80): PortRequest => {
  const [, hostAddress = "", first, last, protocol] = /^(?:([\d.]+):)?(\d+)(?:-(\d+))?\/(tcp|udp)$/.exec(text)!;
  return {
    protocol: protocol as "tcp" | "udp",
    containerPort,
    hostAddress,
    hostPortFirst: Number(first),
    hostPortLast: Number(last ?? first),
  };
};
const open = (): Ports => new Ports({ first: 40_000, last: 40_002 });
const numbers = (ports: Ports, ...texts: string[]): number[] =>
  ports.take(texts.map((text) => request(text))).map(({ hostPort }) => hostPort);

test("a port is held by one container at a time, and said so in Docker's words", () => {
  const ports = open();
  const taken = ports.take([request("8080/tcp")]);
  assert.deepEqual(taken, [{ protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8080, containerPort: 80 }]);
  assert.throws(() => ports.take([request("8080/tcp")]), {
    message: "Bind for 0.0.0.0:8080 failed: port is already allocated",
  });
  ports.release(taken);
  assert.deepEqual(numbers(ports, "8080/tcp"), [8080]);
});

test("protocols and addresses have their own ports, but every address is all of them", () => {
  const ports = open();
  numbers(ports, "10.0.0.1:80/tcp", "10.0.0.2:80/tcp", "80/udp");
  assert.throws(() => numbers(ports, "80/tcp"), /already allocated/);
  assert.throws(() => numbers(ports, "10.0.0.9:80/udp"), /Bind for 10\.0\.0\.9:80 failed/);
  assert.throws(() => numbers(ports, "10.0.0.1:80/tcp"), /already allocated/);
});

test("without an address both families have the same port; the network may say another address", () => {
  const ports = open();
  const addresses = (text: string, address: string): string[] =>
    ports.take([request(text)], [], { address, ipv6: true }).map((port) => `${port.hostAddress} ${port.hostPort}`);
  assert.deepEqual(addresses("80/tcp", "0.0.0.0"), ["0.0.0.0 80", ":: 80"]);
  assert.deepEqual(addresses("0/tcp", "0.0.0.0"), ["0.0.0.0 40000", ":: 40000"]);
  assert.deepEqual(addresses("81/tcp", "10.0.0.1"), ["10.0.0.1 81"]);
  assert.deepEqual(addresses("10.0.0.2:81/tcp", "10.0.0.1"), ["10.0.0.2 81"]);
});

test("families have their own ports", () => {
  const ports = open();
  const six = (hostAddress: string) => ({ ...request("90/tcp"), hostAddress });
  ports.take([six("::1")]);
  assert.deepEqual(numbers(ports, "90/tcp"), [90]);
  assert.throws(() => ports.take([six("::")]), /Bind for :::90 failed|already allocated/);
  assert.equal(ports.take([six("::2")]).length, 1);
});

test("of a range the first free port is taken", () => {
  const ports = open();
  assert.deepEqual(numbers(ports, "8000-8001/tcp", "8000-8001/tcp"), [8000, 8001]);
  assert.throws(() => numbers(ports, "8000-8001/tcp"), {
    message: "Bind for 0.0.0.0:8000-8001 failed: all ports of the range are already allocated",
  });
});

test("free ports are given out one after the other, until there are none", () => {
  const ports = open();
  const [first] = ports.take([request("0/tcp")]);
  assert.equal(first!.hostPort, 40_000);
  ports.release([first!]);
  assert.deepEqual(numbers(ports, "0/tcp", "0/tcp", "0/tcp"), [40_001, 40_002, 40_000]);
  assert.throws(() => numbers(ports, "0/tcp"), { message: "all ports are allocated" });
});

test("when one port cannot be had, none is held", () => {
  const ports = open();
  numbers(ports, "81/tcp");
  assert.throws(() => numbers(ports, "80/tcp", "81/tcp"), /already allocated/);
  assert.deepEqual(numbers(ports, "80/tcp"), [80]);
});

test("ports that others hold are gone around, where the request leaves a choice", () => {
  const ports = open();
  const avoid = ports.take([request("8000/tcp")]);
  ports.release(avoid);
  assert.equal(ports.take([request("8000-8005/tcp")], avoid)[0]!.hostPort, 8001);
  assert.throws(() => ports.take([request("10.0.0.1:8000/tcp")], avoid), /already allocated/);
});

test("a range of ports that makes no sense is the kernel's default", () => {
  assert.deepEqual(parsePortRange("1024\t65000\n"), { first: 1024, last: 65_000 });
  for (const text of ["", "x y", "5 4", "1 70000"]) {
    assert.deepEqual(parsePortRange(text), { first: 32_768, last: 60_999 });
  }
});
