import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lastError } from "./runtime-log.ts";

describe("why a runtime failed", () => {
  test("is the last error in its log, or else its last word", () => {
    const line = (level: string, msg: string) => JSON.stringify({ level, msg });
    const lines = [line("error", "first"), line("error", " second\n"), line("warning", "third"), "no JSON", "null", ""];
    assert.equal(lastError(lines.join("\n")), "second");
    assert.equal(lastError(`${line("debug", "a")}\n${line("info", "b")}\n{"level":"info"}`), "b");
    assert.equal(lastError(""), undefined);
  });
});
