import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDuration, formatTime } from "./time.ts";

describe("times", () => {
  it("read as Docker's", () => {
    assert.equal(formatTime(undefined), "0001-01-01T00:00:00Z");
    assert.equal(formatTime(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
  });

  it("of the past are told as go-units tells them", () => {
    const second = 1000;
    const [minute, hour, day] = [60 * second, 3600 * second, 24 * 3600 * second];
    const said: readonly (readonly [number, string])[] = [
      [450, "Less than a second"],
      [-5000, "Less than a second"],
      [47 * second, "47 seconds"],
      [second, "1 second"],
      [minute, "About a minute"],
      [3 * minute, "3 minutes"],
      [35 * minute + 40 * second, "35 minutes"],
      [hour, "About an hour"],
      [hour + 45 * minute, "2 hours"],
      [47 * hour, "47 hours"],
      [3 * day, "3 days"],
      [2 * 7 * day, "2 weeks"],
      [60 * day, "2 months"],
      [13 * 30 * day, "13 months"],
      [35 * 30 * day, "2 years"],
    ];
    for (const [milliseconds, words] of said) assert.equal(formatDuration(milliseconds), words);
  });
});
