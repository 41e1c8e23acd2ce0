import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "./engine.ts";
import { patience } from "./patience.ts";
import { imageOf } from "./probe/image.ts";

describe("an engine of a test's own", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
  });
  after(() => engine.stop());

  test("runs containers through docker's command", async () => {
    const ran = await engine.docker(["run", "--rm", "-i", "fixture/busybox:1.35", "sh", "-c", "cat; exit 3"], {
      input: "hi",
    });
    assert.deepEqual([ran.code, ran.stdout], [3, "hi"]);
  });

  test("runs the probe", async () => {
    const ran = await engine.docker(["run", "--rm", "probe", "id"]);
    assert.match(ran.stdout, /^pid: 1\n/);
  });

  test("answers bare requests", async () => {
    assert.equal((await engine.request("GET", "/_ping")).body, "OK");
  });

  test("is asked much at once, and has nothing of it open when that is looked at", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => engine.request("GET", "/_ping")));
    for (const { body } of answers) assert.equal(body, "OK");
    const began = performance.now();
    await engine.assertNothingLeft();
    assert.ok(performance.now() - began < patience(4_000), "it was waited for");
  });

  test("goes on where it was after its daemon was killed", async () => {
    const { stdout: id } = await engine.docker(["run", "-d", "--network", "none", "probe", "sleep"]);
    const { pid } = engine;
    await engine.restart();
    assert.notEqual(engine.pid, pid);
    const { stdout: state } = await engine.docker(["inspect", "--format", "{{.State.Status}}", id.trim()]);
    assert.equal(state, "running\n");
  });
});

test("nothing is left of an engine that was stopped", { skip: cannotRun() }, async () => {
  const engine = await Engine.launch();
  const { pid, directory } = engine;
  await engine.stop();
  assert.equal(existsSync(directory), false);
  assert.equal(existsSync(`/proc/${pid}`), false);
});

test("an engine whose run directory lies in memory runs containers too", { skip: cannotRun() }, async () => {
  const engine = await Engine.launch({ runInMemory: true });
  try {
    await engine.load(await imageOf());
    const ran = await engine.docker(["run", "--rm", "probe", "exit", "7"]);
    assert.deepEqual([ran.code, ran.stderr], [7, ""]);
  } finally {
    await engine.stop();
  }
});
