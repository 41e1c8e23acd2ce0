import assert from "node:assert/strict";
import { test } from "node:test";
import { findHostFacts, parseCpuList, parseOsRelease } from "./facts.ts";

test("lists of processors are read as the kernel writes them", () => {
  assert.deepEqual(parseCpuList("0-2,7\n"), [0, 1, 2, 7]);
  assert.deepEqual(parseCpuList("3"), [3]);
  assert.deepEqual(parseCpuList("\n"), []);
});

test("os-release is read with and without quotes", () => {
  const text = `# a comment\nNAME=Debian\nPRETTY_NAME="A \\"small\\" system"\nVERSION_ID='12'\nEMPTY=\n`;
  const os = parseOsRelease(text);
  assert.equal(os.get("NAME"), "Debian");
  assert.equal(os.get("PRETTY_NAME"), 'A "small" system');
  assert.equal(os.get("VERSION_ID"), "12");
  assert.equal(os.get("EMPTY"), "");
});

test("this host has memory, processors, a name and an id of its start", async () => {
  const host = await findHostFacts();
  assert.ok(host.memory > 1 << 20);
  assert.ok(host.cpus >= 1);
  assert.match(host.bootId, /^[0-9a-f-]{36}$/);
  assert.match(host.kernelRelease, /^\d+\.\d+/);
  assert.ok(host.pageSize >= 4096);
  assert.notEqual(host.hostname, "");
});
