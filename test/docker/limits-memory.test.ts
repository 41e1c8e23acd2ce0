/** Memory runs out: who is killed, who is told, and that everybody else goes on. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, Listener, pidOf, said, until } from "./containers.ts";
import { isV2 } from "./groups.ts";
import { Runner } from "./run.ts";

const probe = join(process.cwd(), "build/probe");
/** A shell that stays, whose child takes more than there is, once for each line of its input. */
const hungryChild = [
  "-v",
  `${probe}:/probe`,
  busybox,
  "sh",
  "-c",
  "while read -r go; do /probe memory 64; echo $?; done",
];
/** The same for each SIGUSR1. */
const onSignal = "trap '/probe memory 64; echo $?' USR1; echo ready; while :; do sleep 1000 & wait; kill $!; done";
const hungryOnSignal = ["-v", `${probe}:/probe`, busybox, "sh", "-c", onSignal];

describe("memory that runs out", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  let events: Listener;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
    const format = "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}";
    events = new Listener(engine.spawn("docker", ["events", "--format", format]));
  });
  after(async () => {
    events.child.kill("SIGKILL");
    await engine.stop();
  });

  /** What was told of a container, in its order. */
  const toldOf = (name: string): string[] =>
    [...events.text.matchAll(/^(oom|die) (\S+) /gm)]
      .filter(([, , who]) => who === name)
      .map(([, action = ""]) => action);

  const state = "{{.State.Status}} {{.State.OOMKilled}} {{.State.ExitCode}}";

  test("the first process is killed: told once, before its end", async () => {
    const { code } = await engine.docker([
      "run",
      "--name",
      "whole",
      "--network",
      "none",
      "-m",
      "16m",
      "probe",
      "memory",
      "64",
    ]);
    assert.equal(code, 137);
    await events.seen(/^die whole 137$/m);
    assert.deepEqual(toldOf("whole"), ["oom", "die"]);
    assert.equal(await inspected(engine, state, "whole"), "exited true 137");
  });

  test("a child is killed: told at once, while the first process lives, and not again at its end", async () => {
    const shell = engine.spawn("docker", [
      "run",
      "-i",
      "--name",
      "part",
      "--network",
      "none",
      "-m",
      "16m",
      ...hungryChild,
    ]);
    const output = new Listener(shell);
    shell.stdin?.write("go\n");
    await output.seen(/^137$/m);
    await events.seen(/^oom part /m);
    assert.equal(await inspected(engine, state, "part"), "running true 0");
    shell.stdin?.end();
    assert.equal(await output.ended(), 0);
    await events.seen(/^die part 0$/m);
    assert.deepEqual(toldOf("part"), ["oom", "die"]);
    assert.equal(await inspected(engine, state, "part"), "exited true 0");
  });

  test("where nobody may be killed for it, that is told too, and the container waits", { skip: isV2 }, async () => {
    const flags = ["--name", "waiting", "-m", "16m", "--oom-kill-disable"];
    const id = await runner.detached(...flags, "probe", "memory", "64");
    await events.seen(/^oom waiting /m);
    assert.equal(await inspected(engine, state, id), "running true 0");
    await said(engine, "kill", id);
    assert.equal(await inspected(engine, state, id), "exited true 137");
    // Whatever the kernel frees of the group's lets who waits try again, and that fails again: an event of its own.
    assert.match(toldOf("waiting").join(" "), /^oom( oom)* die$/);
  });

  test("that it ran out while no daemon looked is known to the next one", async () => {
    const id = await runner.detached("--name", "kept", "-m", "16m", ...hungryOnSignal);
    await runner.hasSaid(id, /^ready$/m);
    const pid = await pidOf(engine, id);
    const log = await inspected(engine, "{{.LogPath}}", id);
    await engine.kill9();
    process.kill(pid, "SIGUSR1");
    await until("memory ran out", () => readFileSync(log, "utf8").includes('"137\\n"'));
    await engine.restart();
    assert.equal(await inspected(engine, state, id), "running true 0");
    await said(engine, "kill", id);
    assert.equal(await inspected(engine, state, id), "exited true 137");
  });
});
