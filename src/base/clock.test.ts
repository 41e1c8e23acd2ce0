import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { timerFor } from "./clock.ts";

const day = 86_400_000;

describe("timers", () => {
  test("who asks for a month is not served at once", () => {
    assert.equal(timerFor(1500), 1500);
    assert.equal(timerFor(day), day);
    // One more, and the runtime waits a millisecond.
    assert.equal(timerFor(30 * day), 2 ** 31 - 1);
    assert.equal(timerFor(Number.POSITIVE_INFINITY), 2 ** 31 - 1);
  });
});
