import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAge, parseDuration } from "./duration.ts";

test("ages are told in docker's words", () => {
  const hour = 3600;
  const day = 24 * hour;
  const cases: readonly (readonly [seconds: number, told: string])[] = [
    [0, "Less than a second"],
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "About a minute"],
    [119, "About a minute"],
    [120, "2 minutes"],
    [59 * 60 + 59, "59 minutes"],
    [hour, "About an hour"],
    [89 * 60, "About an hour"],
    [90 * 60, "2 hours"],
    [47 * hour, "47 hours"],
    [2 * day, "2 days"],
    [13 * day, "13 days"],
    [14 * day, "2 weeks"],
    [59 * day, "8 weeks"],
    [60 * day, "2 months"],
    [729 * day, "24 months"],
    [730 * day, "2 years"],
  ];
  for (const [seconds, told] of cases) assert.equal(formatAge(seconds), told, String(seconds));
});

test("durations are read as Go reads them", () => {
  assert.equal(parseDuration("1m30s"), 90e9);
  assert.equal(parseDuration("-1.5h"), -5400e9);
  assert.equal(parseDuration("100ms"), 1e8);
  assert.equal(parseDuration("0"), 0);
  assert.throws(() => parseDuration("3"), /time: missing unit in duration "3"/);
  assert.throws(() => parseDuration("3x"), /time: unknown unit "x" in duration "3x"/);
  assert.throws(() => parseDuration(""), /time: invalid duration ""/);
});
