import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAgo, formatMoment } from "./times.ts";
import { zoneName } from "./zone.ts";

test("a moment is told as Go tells it", () => {
  assert.match(formatMoment(1_795_486_715), /^2026-11-2[345] \d\d:\d\d:\d\d [+-]\d{4} \S+$/);
});

test("how long ago it was", () => {
  assert.equal(formatAgo(1000, 1_010_000), "10 seconds ago");
  assert.equal(formatAgo(0), "N/A");
});

test("a zone has the name that its rule gives it now", () => {
  const berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
  assert.equal(zoneName(60, berlin), "CET");
  assert.equal(zoneName(120, berlin), "CEST");
  assert.equal(zoneName(330, "IST-5:30"), "IST");
  assert.equal(zoneName(-300, "EST5EDT,M3.2.0,M11.1.0"), "EST");
  assert.equal(zoneName(180, "<+03>-3"), "+03");
  assert.equal(zoneName(0, "UTC0"), "UTC");
  assert.equal(zoneName(0, "no rule"), undefined);
});
