import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSyslogAddress, parseSyslogFacility, parseSyslogFormat } from "./log-syslog.ts";

test("addresses, with the port that syslog has", () => {
  assert.deepEqual(parseSyslogAddress(""), { kind: "host" });
  assert.deepEqual(parseSyslogAddress("udp://192.0.2.1"), { kind: "udp", host: "192.0.2.1", port: 514 });
  assert.deepEqual(parseSyslogAddress("tcp://[2001:db8::1]:601"), { kind: "tcp", host: "2001:db8::1", port: 601 });
  assert.deepEqual(parseSyslogAddress("unixgram:///dev/log"), { kind: "unixgram", path: "/dev/log" });
});

test("facilities by name and by number", () => {
  assert.deepEqual(["", "kern", "ftp", "local7", "23"].map(parseSyslogFacility), [3, 0, 11, 23, 23]);
});

test("formats", () => {
  assert.deepEqual(["", "rfc3164", "rfc5424", "rfc5424micro"].map(parseSyslogFormat), [0, 1, 2, 3]);
});
