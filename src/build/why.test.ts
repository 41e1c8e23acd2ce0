import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BuildRecord, StepRecord } from "./record.ts";
import { explainLast } from "./why.ts";

const step = (text: string, parts: StepRecord["parts"], more: Partial<StepRecord> = {}): StepRecord => ({
  ...{ name: `[x] ${text}`, stage: "", text, began: 0, ended: 1, isCached: false, isFresh: false, error: "" },
  ...{ waits: [], parts },
  ...more,
});

const record = (...steps: readonly StepRecord[]): BuildRecord => ({
  ...{ subject: "app", names: ["app"], dockerfile: "1", began: 0, milliseconds: 1, error: "" },
  steps,
});

const from = step("FROM base", { base: "sha256:1" });
const copy = step("COPY . .", { below: "1", "file a": "1", "file b": "1" });
const run = step("RUN make", { below: "2", "variable WHO": "1" });

const why = (now: BuildRecord, ...before: readonly BuildRecord[]) =>
  explainLast([now, ...before])?.steps.map((one) => one.why);

describe("why a step was made anew", () => {
  test("is what it depends on, and what that was before", () => {
    assert.equal(explainLast([]), undefined);
    assert.deepEqual(why(record(from, copy)), ["", "it was not built before"]);
    const changed = step("COPY . .", { below: "1", "file a": "2", "file c": "1" });
    const above = step("RUN make", { below: "3", "variable WHO": "1" });
    assert.deepEqual(why(record(from, changed, above), record(from, copy, run)), [
      "",
      "a changed, c is new, b is gone",
      "what it stands on is another: [x] COPY . .",
    ]);
    const argument = step("RUN make", { below: "2", "variable WHO": "2" });
    const kept = { ...copy, isCached: true };
    assert.deepEqual(why(record(from, kept, argument), record(from, copy, run)), [
      "",
      "from the cache",
      "variable WHO changed",
    ]);
    const other = step("FROM base", { base: "sha256:2" });
    const moved = step("COPY . .", { below: "9", "file a": "1", "file b": "1" });
    assert.deepEqual(why(record(other, moved), record(from, copy)), [
      "the base is sha256:2, and was sha256:1",
      "what it stands on is another: [x] FROM base",
    ]);
    assert.deepEqual(why(record(from, copy), record(from, copy)), ["", "the cache has its layer no more"]);
    assert.deepEqual(why(record(from, { ...copy, isFresh: true }), record(from, copy)), [
      "",
      "the cache was not to be asked (--no-cache)",
    ]);
    assert.deepEqual(why(record(from, step("COPY a .", {})), record(from, copy)), [
      "",
      "the instruction is new: it was COPY . .",
    ]);
  });
});
