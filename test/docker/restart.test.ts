/** Who is started again when it has ended, by which daemon, and who is left in peace. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, inspected, isAlive, keeperOf, Listener, pidOf, removeAll, said, until } from "./containers.ts";

describe("restart policies", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());
  afterEach(() => removeAll(engine));

  const run = (policy: string, name: string, ...command: readonly string[]): Promise<string> =>
    said(engine, "run", "-d", "--network", "none", "--restart", policy, "--name", name, busybox, ...command);
  const state = (name: string) => inspected(engine, "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", name);
  const becomes = (name: string, pattern: RegExp) =>
    until(`${name} is ${pattern}`, async () => pattern.test(await state(name)));
  const killed = (pid: number) => process.kill(pid, "SIGKILL");

  test("on-failure starts what fails so many times, and leaves alone what ends well", async () => {
    const since = Math.floor(Date.now() / 1000);
    await run("on-failure:2", "failing", "sh", "-c", "echo run; exit 3");
    await run("on-failure", "good", "true");
    await becomes("failing", /^exited 3 2$/);
    assert.equal(await said(engine, "logs", "failing"), "run\nrun\nrun");
    assert.equal(await state("good"), "exited 0 0");
    assert.equal(
      await inspected(engine, "{{json .HostConfig.RestartPolicy}}", "failing"),
      '{"Name":"on-failure","MaximumRetryCount":2}',
    );
    const told = await said(
      engine,
      "events",
      "--since",
      `${since}`,
      "--until",
      `${Math.floor(Date.now() / 1000) + 1}`,
      "--filter",
      "container=failing",
      "--format",
      "{{.Action}}",
    );
    assert.equal(told, "create\nstart\ndie\nstart\ndie\nstart\ndie");
  });

  test("while it waits it is restarting: shown, and refused what only a process can do", async () => {
    await run("always", "loop", "sh", "-c", "exit 5");
    // From the fifth wait on it waits long enough to be looked at.
    await until("it waits", async () => Number((await state("loop")).split(" ")[2]) >= 4);
    await becomes("loop", /^restarting 5 /);
    assert.match(await said(engine, "ps", "--format", "{{.Status}}"), /^Restarting \(5\) /);
    assert.match(
      await inspected(engine, "{{.State.Running}} {{.State.Restarting}} {{.State.Pid}}", "loop"),
      /^true true 0$/,
    );
    for (const [sentence, ...words] of [
      [/is restarting, wait until the container is running/, "exec", "loop", "true"],
      [/container is restarting: stop the container before removing or force remove/, "rm", "loop"],
    ] as const) {
      const ran = await engine.docker(words);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, sentence);
    }
    await said(engine, "stop", "loop");
    assert.match(await state("loop"), /^exited 5 /);
    await said(engine, "start", "loop");
    await said(engine, "rm", "-f", "loop");
  });

  test("a crash is mended, a stop and a kill are respected, and a start begins to count anew", async () => {
    for (const name of ["always", "unless-stopped"]) await run(name, name, "sleep", "1000");
    killed(await pidOf(engine, "always"));
    await becomes("always", /^running 0 1$/);
    await said(engine, "kill", "always");
    await said(engine, "stop", "-t", "0", "unless-stopped");
    for (const name of ["always", "unless-stopped"]) assert.match(await state(name), /^exited 137 /);
    await said(engine, "start", "always");
    assert.equal(await state("always"), "running 0 0");
    await said(engine, "restart", "-t", "0", "always");
    killed(await pidOf(engine, "always"));
    await becomes("always", /^running 0 1$/);
  });

  test("another daemon starts what ended while none looked, and what waited when the last one died", async () => {
    const since = Math.floor(Date.now() / 1000);
    await run("always", "dies", "sleep", "1000");
    await run("always", "waits", "sh", "-c", "[ -e /go ] && exec sleep 1000; exit 1");
    await run("always", "stopped", "sleep", "1000");
    await run("unless-stopped", "left", "sleep", "1000");
    await said(engine, "stop", "-t", "0", "stopped", "left");
    await until("it waits", async () => Number((await state("waits")).split(" ")[2]) >= 3);
    await becomes("waits", /^restarting/);
    const pid = await pidOf(engine, "dies");
    const keeper = keeperOf(pid);
    await engine.kill9();
    killed(pid);
    await until("its keeper has gone", () => !isAlive(keeper));
    await engine.restart();
    await becomes("dies", /^running 0 1$/);
    await until("it runs again and again", async () => Number((await state("waits")).split(" ")[2]) >= 4);
    // As in Docker: always means also after a stop, once there is another daemon.
    await becomes("stopped", /^running/);
    assert.match(await state("left"), /^exited 137 0$/);
    // What the last daemon told is not forgotten, and what it did not see is told by the next.
    const told = await said(
      engine,
      ...["events", "--since", `${since}`, "--until", `${Math.floor(Date.now() / 1000) + 1}`],
      ...["--filter", "container=dies", "--format", "{{.Action}}"],
    );
    assert.equal(told, "create\nstart\ndie\nstart");
  });

  test("a restart keeps what is to go at its end, with what it wrote; its next end, or a daemon that comes between, takes it", async () => {
    const run = (name: string) =>
      said(
        engine,
        "run",
        "-d",
        "--rm",
        "--name",
        name,
        "-v",
        "/data",
        busybox,
        "sh",
        "-c",
        "echo run >>/log; sleep 1000",
      );
    for (const name of ["passing", "left"]) await run(name);
    const client = engine.docker(["run", "--rm", "--name", "attached", busybox, "sh", "-c", "echo run; sleep 1000"]);
    await until("it runs", async () => (await engine.docker(["logs", "attached"])).stdout === "run\n");
    for (let times = 0; times < 2; times++) await said(engine, "restart", "-t", "0", "passing", "attached");
    assert.equal(await said(engine, "exec", "passing", "cat", "/log"), "run\nrun\nrun");
    assert.equal(await state("passing"), "running 0 0");
    assert.equal(await inspected(engine, "{{len .Mounts}} {{.HostConfig.AutoRemove}}", "passing"), "1 true");
    // A daemon that dies while it waits for the end of one: its first process ignores the signal.
    const kills = new Listener(
      engine.spawn("docker", ["events", "--since", "0", "--filter", "container=left", "--filter", "event=kill"]),
    );
    const restarting = engine.docker(["restart", "-t", "1000", "left"]);
    await kills.seen(/ kill /);
    await engine.kill9();
    await Promise.all([restarting, kills.ended(), client]);
    await engine.restart();
    await said(engine, "kill", "left", "passing", "attached");
    await until("all are gone", async () => (await said(engine, "ps", "-aq")) === "");
    assert.equal(await said(engine, "volume", "ls", "-q"), "");
    assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
  });

  test("a start that fails is tried again: what it lacks may come back", async () => {
    const directory = `${engine.directory}/source`;
    await said(
      engine,
      "run",
      "-d",
      "--network",
      "none",
      "--restart",
      "always",
      "--name",
      "bound",
      "-v",
      `${directory}:/source`,
      busybox,
      "sleep",
      "1000",
    );
    const { rmSync, writeFileSync, mkdirSync } = await import("node:fs");
    rmSync(directory, { recursive: true });
    writeFileSync(directory, "");
    killed(await pidOf(engine, "bound"));
    await becomes("bound", /^restarting 1\d\d [1-9]/);
    assert.match(await inspected(engine, "{{.State.Error}}", "bound"), /not a directory/);
    rmSync(directory);
    mkdirSync(directory);
    await becomes("bound", /^running 0 /);
  });
});
