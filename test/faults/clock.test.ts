/** The host's clock is set, ten years ahead and back: what is waited for is waited for as long as was asked. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspected, removeAll, runDetached, said, until } from "../docker/containers.ts";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const bun = join(checkout, "node_modules/bun/bin/bun.exe");
const command = [
  bun,
  "--preload",
  fileURLToPath(new URL("./clock.ts", import.meta.url)),
  join(checkout, "src/main.ts"),
];
const tenYears = 10 * 365 * 86_400_000;

describe("a clock that is set", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-clock-"));
    engine = await Engine.launch({ command, env: { PIER_CLOCK: join(directory, "clock") }, runInMemory: true });
    await engine.load(await imageOf());
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(() => removeAll(engine));

  const set = (milliseconds: number): void => writeFileSync(join(directory, "clock"), `${milliseconds}`);

  for (const [way, first, second] of [
    ["ahead", 0, tenYears],
    ["back", 0, -tenYears],
    ["ahead and back", tenYears, -tenYears],
  ] as const)
    test(`${way}: stops, restarts, health and lists are as they would have been`, async () => {
      set(first);
      const deaf = await runDetached(engine, "--stop-timeout", "1", "probe", "trap", "0");
      const fails = await runDetached(engine, "--restart", "on-failure:2", "probe", "exit", "3");
      // There is no shell in there: what counts is that it is asked.
      const health = ["--health-cmd", "true", "--health-interval", "300ms"];
      const asked = await runDetached(engine, ...health, "probe", "sleep");
      const probes = () => inspected(engine, "{{range .State.Health.Log}}{{.Start}} {{end}}", asked);
      set(second);
      const later = await said(engine, "create", "probe", "sleep");
      const created = Date.parse(await inspected(engine, "{{.Created}}", later));
      assert.ok(Math.abs(created - Date.now() - second) < 3_600_000, "the clock was not set: the test is none");
      const before = await probes();
      await until("it failed for good", async () => (await inspected(engine, "{{.State.Status}}", fails)) === "exited");
      assert.equal(await inspected(engine, "{{.RestartCount}}", fails), "2");
      await until("it is asked again", async () => (await probes()) !== before);
      const list = await said(engine, "ps", "--all", "--format", "{{.Status}}");
      assert.doesNotMatch(list, /-\d|NaN|undefined/);
      await said(engine, "stop", deaf);
      assert.equal(await inspected(engine, "{{.State.ExitCode}}", deaf), "137");
      // Another daemon, which knows the times of the one before.
      await engine.restart();
      assert.doesNotMatch(await said(engine, "ps", "--all", "--format", "{{.Status}}"), /-\d|NaN|undefined/);
      await said(engine, "rm", "--force", fails, deaf, asked, later);
      await engine.assertNothingLeft();
    });
});
