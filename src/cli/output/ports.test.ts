import assert from "node:assert/strict";
import { test } from "node:test";
import type { PortSummary } from "../../api/answers/containers.ts";
import { formatPorts, joinAddress } from "./ports.ts";

const exposed = (PrivatePort: number, Type = "tcp"): PortSummary => ({ PrivatePort, Type });
const published = (IP: string, PublicPort: number, PrivatePort: number, Type = "tcp"): PortSummary => ({
  IP,
  PublicPort,
  PrivatePort,
  Type,
});

// Expectations as docker 28.2.2 prints them.
test("neighbours that are only exposed, or published as themselves, make a range", () => {
  assert.equal(formatPorts([exposed(92), exposed(90), exposed(91)]), "90-92/tcp");
  assert.equal(formatPorts([exposed(80), exposed(82)]), "80/tcp, 82/tcp");
  assert.equal(formatPorts([published("0.0.0.0", 80, 80), published("0.0.0.0", 81, 81)]), "0.0.0.0:80-81->80-81/tcp");
});

test("ports that are published elsewhere stand for themselves, behind the ranges", () => {
  assert.equal(
    formatPorts([published("127.0.0.1", 8443, 443, "udp"), published("0.0.0.0", 8080, 80), exposed(90)]),
    "90/tcp, 0.0.0.0:8080->80/tcp, 127.0.0.1:8443->443/udp",
  );
});

test("no ports, no text", () => assert.equal(formatPorts([]), ""));

test("an IPv6 address stands in brackets", () => {
  assert.equal(joinAddress("::", 80), "[::]:80");
  assert.equal(formatPorts([published("::", 8080, 80)]), "[::]:8080->80/tcp");
});
