import assert from "node:assert/strict";
import { test } from "node:test";
import { excerpt } from "./failure.ts";

test("what failed is shown with the lines around it, each with its number", () => {
  const lines = ["FROM a", "RUN b", "RUN c \\", "  d", "RUN e"];
  assert.equal(
    excerpt("Dockerfile", lines, { start: 3, end: 4 }),
    [
      "Dockerfile:3",
      "--------------------",
      "   1 |     FROM a",
      "   2 |     RUN b",
      "   3 | >>> RUN c \\",
      "   4 | >>>   d",
      "   5 |     RUN e",
      "--------------------",
      "",
    ].join("\n"),
  );
});
