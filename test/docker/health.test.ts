/** Containers that are asked how they are. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, removeAll, said, until } from "./containers.ts";

describe("health checks", { skip: cannotRun() }, () => {
  let engine: Engine;
  /** What the containers see as /shared. */
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-health-"));
    engine = await Engine.launch();
    await engine.load();
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(() => removeAll(engine));

  const run = (name: string, ...flags: readonly string[]): Promise<string> =>
    said(
      engine,
      "run",
      "-d",
      "--network",
      "none",
      "-v",
      `${directory}:/shared`,
      "--name",
      name,
      ...flags,
      busybox,
      "sleep",
      "1000",
    );
  const health = async (name: string) => JSON.parse(await inspected(engine, "{{json .State.Health}}", name));
  const becomes = (name: string, status: string) =>
    until(`${name} is ${status}`, async () => (await health(name)).Status === status);
  const quick = ["--health-interval=100ms", "--health-retries=2"] as const;

  test("it is starting, healthy, unhealthy, and told so; ps shows and filters it", async () => {
    const since = Math.floor(Date.now() / 1000);
    // What fails before it was once well does not count, so that it is still starting when it is looked at.
    const patient = ["--health-start-period=1h", "--health-start-interval=100ms"];
    await run("web", ...quick, ...patient, "--health-cmd", "echo looked; test -e /shared/up");
    await run("plain");
    assert.match(await said(engine, "ps", "--filter", "name=web", "--format", "{{.Status}}"), /\(health: starting\)$/);
    writeFileSync(join(directory, "up"), "");
    await becomes("web", "healthy");
    assert.match(
      await said(engine, "ps", "--filter", "health=healthy", "--format", "{{.Names}} {{.Status}}"),
      /^web Up .* \(healthy\)$/,
    );
    assert.equal(await said(engine, "ps", "--filter", "health=none", "--format", "{{.Names}}"), "plain");
    assert.equal(await inspected(engine, "{{json .State.Health}}", "plain"), "null");
    rmSync(join(directory, "up"));
    await becomes("web", "unhealthy");
    await until("five answers are kept", async () => (await health("web")).Log.length === 5);
    const { FailingStreak, Log } = await health("web");
    assert.ok(FailingStreak >= 2);
    assert.equal(Log.at(-1).ExitCode, 1);
    assert.equal(Log.at(-1).Output, "looked\n");
    assert.match(Log.at(-1).Start, /^20\d\d-.*Z$/);
    const told = await said(
      engine,
      "events",
      "--since",
      `${since}`,
      "--until",
      `${Math.floor(Date.now() / 1000) + 1}`,
      "--filter",
      "container=web",
      "--filter",
      "event=health_status",
      "--format",
      "{{.Action}}",
    );
    assert.equal(told, "health_status: healthy\nhealth_status: unhealthy");
    // One may be under way.
    await until("no probe stays", async () => (await inspected(engine, "{{json .ExecIDs}}", "web")) === "null");
    await said(engine, "kill", "web");
    assert.equal((await health("web")).Status, "unhealthy");
    await said(engine, "start", "web");
    assert.equal((await health("web")).Status, "starting");
  });

  test("a check that takes too long is killed, one that cannot run says why, much output is cut", async () => {
    await run("slow", ...quick, "--health-timeout=150ms", "--health-cmd", "echo begun; exec sleep 1000");
    await run("loud", ...quick, "--health-cmd", "yes | head -c 100000");
    const missing = await engine.request(
      "POST",
      "/v1.51/containers/create?name=missing",
      JSON.stringify({
        Image: busybox,
        Cmd: ["sleep", "1000"],
        NetworkDisabled: true,
        Healthcheck: { Test: ["CMD", "/no/such/program"], Interval: 100_000_000, Retries: 1 },
      }),
    );
    assert.equal(missing.status, 201, missing.body);
    await said(engine, "start", "missing");
    await becomes("slow", "unhealthy");
    await becomes("missing", "unhealthy");
    await becomes("loud", "healthy");
    const [slow, absent, loud] = await Promise.all(
      ["slow", "missing", "loud"].map(async (name) => (await health(name)).Log[0]),
    );
    assert.deepEqual([slow.ExitCode, slow.Output], [-1, "Health check exceeded timeout (150ms): begun\n"]);
    assert.equal(absent.ExitCode, -1);
    assert.match(absent.Output, /no such file or directory/);
    assert.equal(loud.Output.length, 4096 + 3);
    await removeAll(engine);
    await until("no session is left", () => readdirSync(join(engine.run, "x")).length === 0);
  });

  test("in the start period failures do not count; an image's check is kept, or taken away", async () => {
    await engine.load(
      await imageOf({
        name: "checked:latest",
        config: { Healthcheck: { Test: ["CMD", "/probe", "exit", "1"], Interval: 100_000_000, Retries: 1 } },
      }),
    );
    const checked = (name: string, ...flags: readonly string[]) =>
      said(engine, "run", "-d", "--network", "none", "--name", name, ...flags, "checked", "sleep");
    await checked("image");
    await checked("none", "--no-healthcheck");
    await checked("starts", "--health-start-period=1h", "--health-start-interval=50ms");
    await becomes("image", "unhealthy");
    assert.equal(await inspected(engine, "{{json .State.Health}}", "none"), "null");
    await until("it was asked", async () => (await health("starts")).Log.length >= 3);
    assert.deepEqual([(await health("starts")).Status, (await health("starts")).FailingStreak], ["starting", 0]);
  });

  test("another daemon goes on asking, and does not forget", async () => {
    writeFileSync(join(directory, "up"), "");
    await run("web", ...quick, "--health-cmd", "echo $$ >>/shared/asked; test -e /shared/up");
    await becomes("web", "healthy");
    await engine.kill9();
    rmSync(join(directory, "asked"), { force: true });
    await engine.restart();
    assert.equal((await health("web")).Status, "healthy");
    await until("it is asked again", () => existsSync(join(directory, "asked")));
    rmSync(join(directory, "up"));
    await becomes("web", "unhealthy");
  });
});
