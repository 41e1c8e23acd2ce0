/** Process numbers are few, and given out again at once: pier never takes one process for another. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isAlive, keeperOf, pidOf, runDetached, said, until } from "../docker/containers.ts";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { imageOf } from "../probe/image.ts";

const isLong = process.env.PIER_LONG === "1";
const limit = "/proc/sys/kernel/pid_max";
/** Threads have numbers too: the test's and the daemon's must find room. */
const few = 600;

/** The limit is the namespace's own since Linux 6.14, and before that the machine's. */
const cannotLimit = (): string | false => {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  if (major < 6 || (major === 6 && minor < 14)) return "pid_max is the whole machine's before Linux 6.14";
  const first = readFileSync("/proc/1/cmdline", "latin1");
  return first.includes("isolated") ? false : "needs a pid namespace of its own: scripts/isolated";
};

describe("when process numbers are used again at once", { skip: cannotRun() || cannotLimit() }, () => {
  let engine: Engine;
  let limitBefore: string;
  before(async () => {
    engine = await Engine.launch({ runInMemory: true });
    await engine.load(await imageOf());
    limitBefore = readFileSync(limit, "utf8");
    writeFileSync(limit, String(few));
  });
  after(async () => {
    writeFileSync(limit, limitBefore);
    await engine.stop();
  });

  test("nobody is killed who was not meant", async () => {
    const probe = join(executable, "../probe");
    const count = isLong ? 1_000_000 : 30_000;
    const strangers = execute(probe, ["churn", String(count)], { timeout: isLong ? 850_000 : 110_000 });
    let isOver = false;
    const end = (): void => {
      isOver = true;
    };
    void strangers.then(end, end);
    let turns = 0;
    do {
      const stopped = await runDetached(engine, "--network", "none", "probe", "tick", "10", "5");
      // From its first word on it hears what it is told.
      await until("it has begun", async () => (await said(engine, "logs", stopped)) !== "");
      const killed = await runDetached(engine, "--network", "none", "probe", "sleep");
      const ended = await runDetached(engine, "--rm", "--network", "none", "probe", "sleep");
      const pid = await pidOf(engine, ended);
      // Its number is a stranger's by the time that it is asked to stop.
      process.kill(pid, "SIGKILL");
      await engine.docker(["stop", "--timeout", "0", ended]);
      await said(engine, "stop", stopped);
      assert.equal(await said(engine, "wait", stopped), "5");
      const keeper = keeperOf(await pidOf(engine, killed));
      await engine.kill9();
      process.kill(keeper, "SIGKILL");
      await until("the keeper is dead", () => !isAlive(keeper));
      await engine.restart();
      assert.equal(await said(engine, "ps", "-q"), "");
      await said(engine, "rm", "--force", stopped, killed);
      turns++;
    } while (!isOver);
    const { code, stdout } = await strangers;
    assert.deepEqual([code, stdout], [0, `made ${count} killed 0\n`]);
    assert.ok(turns > 0);
  });
});
