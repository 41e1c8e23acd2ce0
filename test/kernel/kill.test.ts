/** The end of all that is in a control group, where the kernel has no word for that. Needs root and the freezer. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { StepFailure } from "../../src/kernel/keeper.ts";
import type { Step } from "../../src/kernel/steps.ts";
import { cannotKeep, gone, Keepers } from "./keepers.ts";

const freezer = "/sys/fs/cgroup/freezer";
const ENOENT = 2;
const skip =
  cannotKeep !== false
    ? cannotKeep
    : existsSync(join(freezer, "tasks"))
      ? false
      : "the freezer of version 1 is missing";

describe("a control group that is to end", { skip }, () => {
  let keepers: Keepers;
  const group = join(freezer, `pier-kill-test-${randomBytes(4).toString("hex")}`);
  before(async () => {
    keepers = await Keepers.open();
    mkdirSync(group);
  });
  after(async () => {
    if (existsSync(group)) rmdirSync(group);
    await keepers[Symbol.asyncDispose]();
  });

  const members = (): number[] =>
    readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  const kill: Step = {
    step: "killFrozen",
    path: join(group, "cgroup.procs"),
    freezer: join(group, "freezer.state"),
    freeze: "FROZEN",
    thaw: "THAWED",
  };

  test("ends whole, also what is born meanwhile and what blocks every signal", async () => {
    // Whoever sees its child end makes the next one: of those that were counted first one always lives.
    const script = 'trap "" TERM INT HUP; for i in 1 2 3 4 5; do (while :; do sleep 60; done) & done; echo ready; wait';
    const shell = spawn("/bin/sh", ["-c", `echo $$ >${group}/cgroup.procs; ${script}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(shell.stdout, "data");
    const before = members();
    assert.ok(before.length > 5);
    const ended = once(shell, "exit");
    await keepers.errand({ outside: [kill] });
    assert.deepEqual(members(), []);
    await ended;
    for (const pid of before) await gone(pid);
    assert.equal(readFileSync(join(group, "freezer.state"), "utf8"), "THAWED\n");
  });

  test("is ended once, and when it is gone that is said", async () => {
    await keepers.errand({ outside: [kill] });
    writeFileSync(join(group, "freezer.state"), "FROZEN");
    await keepers.errand({ outside: [kill] });
    rmdirSync(group);
    const error = await keepers.errand({ outside: [kill] }).catch((failure: StepFailure) => failure);
    assert.equal((error as StepFailure).errno, ENOENT);
  });
});
