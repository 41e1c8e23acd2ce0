import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { compileChecked, noCompiler } from "./compile.ts";

test("the loop delivers nothing to what was removed, and timers in their order", { skip: noCompiler }, () => {
  using checked = compileChecked("loop-check", ["test/keeper/loop-check.c", "keeper/loop.c"]);
  const { status, stderr } = spawnSync(checked.program, { encoding: "utf8" });
  assert.equal(status, 0, `loop-check.c:${status} ${stderr}`);
});
