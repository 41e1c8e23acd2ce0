import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ContainerRecord } from "./record.ts";
import { parseCreateRequest } from "./request-parse.ts";
import { parseUpdateRequest, updated } from "./update.ts";

const record = (host: object = {}): ContainerRecord =>
  ({ request: parseCreateRequest({ Image: "i", HostConfig: host }) }) as ContainerRecord;
const after = (host: object, body: object) => updated(record(host), parseUpdateRequest(body)).request;

describe("an update", () => {
  test("changes what it names, and nothing else", () => {
    const had = { Memory: 64 << 20, CpuShares: 512, PidsLimit: 10 };
    const { resources } = after(had, { CpuShares: 256 });
    assert.deepEqual([resources.memory, resources.cpuShares, resources.pidsLimit], [64 << 20, 256, 10]);
    assert.equal(after(had, { PidsLimit: 0 }).resources.pidsLimit, undefined);
    assert.equal(after(had, { PidsLimit: 20 }).resources.pidsLimit, 20);
  });

  test("keeps memory below memory and swap together", () => {
    const had = { Memory: 64 << 20 };
    assert.throws(() => after(had, { Memory: 256 << 20 }), /update the memoryswap at the same time/);
    const both = after(had, { Memory: 256 << 20, MemorySwap: 512 << 20 }).resources;
    assert.deepEqual([both.memory, both.memorySwap], [256 << 20, 512 << 20]);
    assert.equal(after(had, { MemorySwap: 80 << 20 }).resources.memorySwap, 80 << 20);
    assert.throws(() => after(had, { MemorySwap: 32 << 20 }), /should be larger than memory limit/);
    assert.throws(() => after({}, { MemorySwap: 32 << 20 }), /always set the Memory limit/);
    assert.deepEqual(after({}, { Memory: 8 << 20 }).resources.memorySwap, 16 << 20);
  });

  test("says what contradicts what is there", () => {
    assert.throws(
      () => after({ NanoCpus: 1e9 }, { CpuQuota: 5000 }),
      /CPU Quota cannot be updated as NanoCPUs has already/,
    );
    assert.throws(() => after({ CpuPeriod: 5000 }, { NanoCpus: 1e9 }), /Nano CPUs cannot be updated as CPU Period has/);
    assert.throws(() => after({ AutoRemove: true }, { RestartPolicy: { Name: "always" } }), /AutoRemove is enabled/);
  });

  test("gives a restart policy, or takes it away", () => {
    assert.deepEqual(after({}, { RestartPolicy: { Name: "always" } }).restart, { name: "always", most: 0 });
    assert.equal(after({ RestartPolicy: { Name: "always" } }, { RestartPolicy: { Name: "no" } }).restart, undefined);
    assert.deepEqual(after({ RestartPolicy: { Name: "always" } }, {}).restart, { name: "always", most: 0 });
  });
});
