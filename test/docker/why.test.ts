/** `pier why` says what a person would have to find out by himself. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, removeAll, said, until } from "./containers.ts";

describe("why", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());
  afterEach(() => removeAll(engine));

  const why = async (name: string): Promise<string> => {
    const { code, stdout, stderr } = await engine.pier(["why", name]);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.split("\n").length <= 24, "it is more than one screen");
    return stdout;
  };
  const run = (...args: readonly string[]) => engine.docker(["run", "--network", "none", ...args]);

  test("an exit code, with the last words; a signal; a wish", async () => {
    await run("--name", "fails", busybox, "sh", "-c", "echo working; echo broken >&2; exit 3");
    assert.match(
      await why("fails"),
      /^fails \([0-9a-f]{12}\) ended with exit code 3 .* ago, after .*\.\n[\s\S]*Its last words:\n {2}working\n {2}broken\n\nTry: pier logs fails\n/,
    );
    await said(
      engine,
      "run",
      "-d",
      "--network",
      "none",
      "--restart",
      "unless-stopped",
      "--name",
      "stopped",
      busybox,
      "sleep",
      "1000",
    );
    await said(engine, "stop", "-t", "0", "stopped");
    assert.match(await why("stopped"), /Signal 9 \(KILL\) ended it[\s\S]*Somebody had asked it to stop/);
    await run("--name", "never", "--entrypoint", "/absent", busybox);
    assert.match(await why("never"), /could not be started\.\n.*\/absent[\s\S]*Try: look for \/absent in the image/);
    await said(engine, "create", "--name", "idle", busybox);
    assert.match(await why("idle"), /was never started\.\n\nTry: pier start idle\n$/);
  });

  test("memory that ran out, with the limit and the peak", async () => {
    await run(
      "--name",
      "hungry",
      "--memory",
      "16m",
      "--memory-swap",
      "16m",
      busybox,
      "sh",
      "-c",
      "exec tail /dev/zero",
    );
    assert.match(
      await why("hungry"),
      /Memory ran out: its limit is 16 MiB\. It had (1[56]|16\.0|15\.\d) MiB at most\.[\s\S]*Try: pier update --memory 33554432/,
    );
  });

  test("who holds the port", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    const { port } = server.address() as { port: number };
    await engine.docker(["run", "--name", "late", "-p", `${port}:80`, busybox, "true"]);
    const text = await why("late");
    server.close();
    assert.match(text, new RegExp(`could not be started\\.\\n.*:${port}[\\s\\S]*ddress already in use`));
    assert.match(text, new RegExp(`pid ${process.pid}\\)`));
  });

  test("a check that fails, a wait for the next start, a pause", async () => {
    await said(
      engine,
      "run",
      "-d",
      "--network",
      "none",
      "--name",
      "sick",
      "--health-interval",
      "50ms",
      "--health-retries",
      "1",
      "--health-cmd",
      "echo no database; false",
      busybox,
      "sleep",
      "1000",
    );
    await until("it is sick", async () => (await why("sick")).includes("unhealthy"));
    assert.match(await why("sick"), /Its health check fails with 1: no database/);
    await said(engine, "pause", "sick");
    assert.match(await why("sick"), /is paused, [\s\S]*Try: pier unpause sick/);
    await said(engine, "run", "-d", "--network", "none", "--restart", "always", "--name", "loop", busybox, "false");
    await until("it waits", async () => (await why("loop")).includes("will be started again"));
    assert.match(await why("loop"), /Its restart policy \(always\) has started it again/);
  });
});
