import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Check, endedHealth, healthAfter, planCheck, probeWait, startingHealth } from "./health.ts";

const asked = (test: readonly string[], more: object = {}) => ({
  healthcheck: { test, interval: 0, timeout: 0, retries: 0, startPeriod: 0, startInterval: 0, ...more },
  shell: [],
});
const check: Check = { args: ["true"], interval: 10, timeout: 10, startPeriod: 100, startInterval: 1, retries: 2 };
const result = (exitCode: number) => ({ start: 0, end: 1, exitCode, output: "" });

describe("health", () => {
  test("a check is a command, or a line for the shell that the image names", () => {
    assert.deepEqual(planCheck(asked(["CMD", "a", "b"])), {
      args: ["a", "b"],
      interval: 30_000,
      timeout: 30_000,
      startPeriod: 0,
      startInterval: 5_000,
      retries: 3,
    });
    assert.deepEqual(planCheck(asked(["CMD-SHELL", "a b"]))?.args, ["/bin/sh", "-c", "a b"]);
    assert.deepEqual(planCheck({ ...asked(["CMD-SHELL", "a"]), shell: ["/bin/ash", "-ec"] })?.args, [
      "/bin/ash",
      "-ec",
      "a",
    ]);
    assert.equal(planCheck(asked(["CMD", "a"], { interval: 2_500_000 }))?.interval, 2.5);
  });

  test("NONE, nothing and an unknown word are no check", () => {
    for (const test of [["NONE"], [], ["SOMETIMES", "a"], ["CMD"]]) assert.equal(planCheck(asked(test)), undefined);
    assert.equal(planCheck({ shell: [] }), undefined);
  });

  test("so many failures in a row make it unhealthy, one success healthy", () => {
    let health = startingHealth(undefined);
    health = healthAfter(health, check, result(1), 200);
    assert.deepEqual([health.status, health.failingStreak], ["starting", 1]);
    health = healthAfter(health, check, result(-1), 200);
    assert.deepEqual([health.status, health.failingStreak], ["unhealthy", 2]);
    health = healthAfter(health, check, result(0), 200);
    assert.deepEqual([health.status, health.failingStreak], ["healthy", 0]);
    assert.equal(endedHealth(health).status, "unhealthy");
  });

  test("in the start period failures count for nothing, until it was well once", () => {
    let health = startingHealth(undefined);
    for (let i = 0; i < 5; i++) health = healthAfter(health, check, result(1), 50);
    assert.deepEqual([health.status, health.failingStreak, health.log.length], ["starting", 0, 5]);
    health = healthAfter(health, check, result(0), 50);
    for (let i = 0; i < 2; i++) health = healthAfter(health, check, result(1), 60);
    assert.equal(health.status, "unhealthy");
  });

  test("it is asked more often while it starts, and the last five answers are kept", () => {
    const starting = startingHealth(undefined);
    assert.deepEqual([probeWait(starting, check, 50), probeWait(starting, check, 100)], [1, 10]);
    let health = startingHealth(undefined);
    for (let code = 0; code < 9; code++) health = healthAfter(health, check, result(code), 0);
    assert.equal(probeWait(health, check, 50), 10);
    assert.deepEqual(
      health.log.map(({ exitCode }) => exitCode),
      [4, 5, 6, 7, 8],
    );
    assert.equal(startingHealth(health).log.length, 5);
  });
});
