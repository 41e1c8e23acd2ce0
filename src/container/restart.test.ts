import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ContainerRecord } from "./record.ts";
import { nextRestart, parseRestartPolicy, startsWithDaemon } from "./restart.ts";

const record = (restart: object | undefined, more: object = {}) =>
  ({ request: { restart }, restarts: 0, state: { status: "exited" }, ...more }) as unknown as ContainerRecord;
const always = { name: "always", most: 0 };

describe("restart policies", () => {
  test("are parsed, and refused in dockerd's words", () => {
    assert.equal(parseRestartPolicy(undefined), undefined);
    assert.equal(parseRestartPolicy({ Name: "no", MaximumRetryCount: 0 }), undefined);
    assert.deepEqual(parseRestartPolicy({ Name: "on-failure", MaximumRetryCount: 3 }), { name: "on-failure", most: 3 });
    assert.throws(() => parseRestartPolicy({ Name: "sometimes" }), /unknown policy 'sometimes'; use one of/);
    assert.throws(
      () => parseRestartPolicy({ Name: "always", MaximumRetryCount: 1 }),
      /only be used with 'on-failure'$/,
    );
    assert.throws(() => parseRestartPolicy({ MaximumRetryCount: -1 }), /'on-failure' and cannot be negative/);
    assert.throws(() => parseRestartPolicy({ Name: "on-failure", MaximumRetryCount: -1 }), /count cannot be negative/);
  });

  test("wait twice as long each time, up to a minute, and begin anew after ten good seconds", () => {
    const waits: number[] = [];
    for (let backOff: number | undefined; waits.length < 12; ) {
      backOff = nextRestart(record(always, backOff === undefined ? {} : { backOff }), 0, 9_999);
      waits.push(backOff!);
    }
    assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    assert.equal(nextRestart(record(always, { backOff: 60_000 }), 0, 10_000), 100);
  });

  test("on-failure starts what failed, so many times", () => {
    const policy = { name: "on-failure", most: 2 };
    assert.equal(nextRestart(record(policy), 0, 0), undefined);
    assert.equal(nextRestart(record(policy), 1, 0), 100);
    assert.equal(nextRestart(record(policy, { restarts: 2 }), 1, 0), undefined);
    assert.equal(nextRestart(record({ name: "on-failure", most: 0 }, { restarts: 1000 }), 1, 0), 100);
  });

  test("what somebody stopped stays so, unless it is always and another daemon comes", () => {
    const stopped = { stopped: true };
    assert.equal(nextRestart(record(always, stopped), 1, 0), undefined);
    assert.equal(nextRestart(record(undefined), 1, 0), undefined);
    assert.equal(startsWithDaemon(record(always, stopped)), true);
    assert.equal(startsWithDaemon(record({ name: "unless-stopped", most: 0 }, stopped)), false);
    assert.equal(startsWithDaemon(record(always, { state: { status: "created" } })), false);
  });
});
