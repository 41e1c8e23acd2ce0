import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUntil } from "./until.ts";

test("until is how long ago, a moment in seconds, or a date", () => {
  const now = 1_700_000_000_000;
  assert.equal(parseUntil("1h30m", now), now - 5_400_000);
  assert.equal(parseUntil("500ms", now), now - 500);
  assert.equal(parseUntil("1600000000.5", now), 1_600_000_000_500);
  assert.equal(parseUntil("2020-01-01T00:00:00Z", now), Date.UTC(2020, 0, 1));
  for (const wrong of ["", "soon", "1x", "-"]) assert.throws(() => parseUntil(wrong, now), /invalid filter 'until=/);
});
