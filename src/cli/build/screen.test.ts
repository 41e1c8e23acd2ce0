/** What the screen of a build shows, and what of it goes first where there is little room. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { planScreen } from "./screen.ts";
import type { BuildStep } from "./steps.ts";

const step = (name: string, stage: string, more: Partial<BuildStep> = {}): BuildStep => ({
  ...{ number: 1, name, stage, started: 0, isCached: false, error: "", output: "" },
  ...more,
});

const steps = [
  step("[a 1/3] FROM base", "a", { ended: 100, isCached: true }),
  step("[b 1/2] FROM base", "b", { ended: 100 }),
  step("[a 2/3] RUN make", "a", { ended: 1200 }),
  step("[a 3/3] RUN make install", "a", { output: "1\n2\n3\n4\n5\n\x1b[31msix\rseven\n" }),
  step("[b 2/2] RUN false", "b", { ended: 300, error: "it failed" }),
];

const draw = (rows: number): string => planScreen("app", steps, { columns: 34, rows, now: 2500, began: 0 }).join("\n");

describe("the screen of a build", () => {
  test("has each stage's steps together, their times, and the last that running ones say", () => {
    assert.equal(
      draw(20),
      `[+] 4/5 building app          2.5s
 ✓ [a 1/3] FROM base        cached
 ✓ [a 2/3] RUN make           1.2s
 ▸ [a 3/3] RUN make install   2.5s
   │ 3
   │ 4
   │ 5
   │ seven
 ✓ [b 1/2] FROM base          0.1s
 ✗ [b 2/2] RUN false          0.3s`,
    );
  });

  test("folds what is over where there is no room for it, then what is said", () => {
    const folded = ` ✓ [a] 2 steps                1.2s
 ▸ [a 3/3] RUN make install   2.5s`;
    assert.ok(draw(9).includes(`${folded}\n   │ 3`));
    assert.ok(draw(6).includes(`${folded}\n   │ seven\n ✓ [b] 1 steps`));
    assert.ok(draw(5).includes(`${folded}\n ✓ [b] 1 steps`));
  });
});
