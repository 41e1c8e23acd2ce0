/** A keeper that was started ahead of need. Needs root. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { encodePlan } from "../../src/kernel/encode.ts";
import { Standby } from "../../src/kernel/standby.ts";
import { cannotKeep, childrenOf, codeOf, gone, Keepers, probe, until } from "./keepers.ts";

describe("a keeper that stands by", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  before(async () => {
    keepers = await Keepers.open();
  });
  after(() => keepers[Symbol.asyncDispose]());

  /** "" for one that has ended meanwhile. */
  const wordsOf = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").replace(/\0+/g, " ").trim();
    } catch {
      return "";
    }
  };
  const standing = (): number[] => childrenOf(process.pid).filter((pid) => /^keeper run -+$/.test(wordsOf(pid)));
  /** The one that stands by: a process has its words a moment after it was made. */
  const found = async (): Promise<number> => {
    await until(
      () => standing().length === 1,
      () => `${standing().length} keepers stand by`,
    );
    return standing()[0]!;
  };
  const planOf = (exitCode: string): string => {
    const path = keepers.path("plan");
    const [control, exitFile, log] = [keepers.path("control"), keepers.path("exit"), keepers.path("log")];
    const plan = keepers.planContainer([probe, "exit", exitCode], {}, { plan: path, control, exitFile, log });
    writeFileSync(path, encodePlan(plan));
    return path;
  };
  const run = async (standby: Standby, exitCode: string): Promise<number> => {
    const keeper = standby.launch(planOf(exitCode));
    await keeper.created;
    await keeper.start();
    return codeOf(await keeper.exited);
  };

  test("is given the next plan, and called by it from then on; there is always another one", async () => {
    const standby = new Standby(keepers.holder);
    const first = await found();
    const plan = planOf("7");
    const keeper = standby.launch(plan);
    await keeper.created;
    assert.equal(wordsOf(first), `keeper run ${plan}`);
    assert.notEqual(await found(), first);
    await keeper.start();
    assert.equal(codeOf(await keeper.exited), 7);
    assert.equal(await run(standby, "8"), 8);
    const last = await found();
    standby[Symbol.dispose]();
    await gone(last);
  });

  test("goes with who has started it, and is replaced when it was killed", async () => {
    const standby = new Standby(keepers.holder);
    process.kill(await found(), "SIGKILL");
    await until(
      () => standby.isReady === false,
      () => "a keeper that was killed stands by",
    );
    assert.equal(await run(standby, "9"), 9);
    const next = await found();
    standby[Symbol.dispose]();
    await gone(next);
  });
});
