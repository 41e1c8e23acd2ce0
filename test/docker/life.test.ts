/** From create to rm: signals, stopping, waiting, names, lists. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, Listener, removeAll, said } from "./containers.ts";
import { Runner } from "./run.ts";

describe("the life of a container", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(() => engine.stop());
  afterEach(() => removeAll(engine));

  const failing = async (code: number, sentence: RegExp, ...args: string[]) => {
    const ran = await engine.docker(args);
    assert.equal(ran.code, code, `docker ${args.join(" ")}\n${ran.stdout}${ran.stderr}`);
    assert.match(ran.stderr, sentence);
  };
  const status = (id: string) => inspected(engine, "{{.State.Status}} {{.State.ExitCode}}", id);

  test("it is created, runs, has exited, runs again with its own files, and is gone", async () => {
    const id = await said(
      engine,
      "create",
      "--name",
      "one",
      "--network",
      "none",
      busybox,
      "sh",
      "-c",
      "echo x >>/f; cat /f; [ $(wc -l </f) = 2 ] || exec sleep 600",
    );
    assert.equal(await status(id), "created 0");
    assert.equal(await said(engine, "start", "one"), "one");
    assert.equal(await status(id), "running 0");
    await said(engine, "start", id);
    assert.match(
      await inspected(engine, "{{.State.Running}} {{.State.Pid}} {{.State.FinishedAt}}", id),
      /^true [1-9]\d* 0001-01-01T00:00:00Z$/,
    );
    await said(engine, "kill", id);
    assert.equal(await said(engine, "wait", id), "137");
    assert.equal(await said(engine, "start", "--attach", id), "x\nx");
    assert.match(await inspected(engine, "{{.State.Running}} {{.State.Pid}} {{.State.StartedAt}}", id), /^false 0 20/);
    assert.equal(await said(engine, "rm", "one"), "one");
    await failing(1, /No such container: one/, "inspect", "--type", "container", "one");
  });

  test("stop says TERM, or what the container asked for, and KILL when the time is over", async () => {
    const handler = await runner.detached("probe", "trap", "1");
    const own = await runner.detached("--stop-signal", "SIGUSR1", "probe", "trap", "1");
    const deaf = await runner.detached("--stop-timeout", "0", "probe", "trap", "0");
    for (const id of [handler, own, deaf]) await runner.hasSaid(id, /ready/);
    await said(engine, "stop", handler, own, deaf);
    assert.deepEqual(
      [await status(handler), await status(own), await status(deaf)],
      ["exited 15", "exited 10", "exited 137"],
    );
    // Whether it comes to hear the first before the second is up to the scheduler.
    assert.match(await said(engine, "logs", deaf), /^ready(\nsignal 15)?$/);
    const asked = await runner.detached("probe", "trap", "0");
    await runner.hasSaid(asked, /ready/);
    const begin = performance.now();
    await said(engine, "stop", "--signal", "HUP", "--timeout", "1", asked);
    assert.ok(performance.now() - begin >= 1_000);
    assert.equal(await said(engine, "logs", asked), "ready\nsignal 1");
    assert.equal(await status(asked), "exited 137");
    // A month is more than a timer can wait, and is waited for all the same.
    const script = 'trap "sleep 0.3; exit 7" TERM; echo ready; while :; do sleep 0.1; done';
    const slow = await runner.detached(busybox, "sh", "-c", script);
    await runner.hasSaid(slow, /ready/);
    await said(engine, "stop", "--timeout", "2592000", slow);
    assert.equal(await status(slow), "exited 7");
    // One that is stopped already is stopped.
    assert.equal(await said(engine, "stop", asked), asked);
    await failing(1, /No such container: nosuch/, "stop", "nosuch");
  });

  test("kill says any signal, and refuses what is none", async () => {
    const id = await runner.detached("probe", "trap", "5");
    await runner.hasSaid(id, /ready/);
    // Of signals that wait, the kernel gives the lowest first: each is heard before the next is sent.
    for (const [signal, number] of Object.entries({ USR1: 10, SIGUSR2: 12, "RTMIN+3": 37 })) {
      await said(engine, "kill", "--signal", signal, id);
      await runner.hasSaid(id, new RegExp(`signal ${number}\n`));
    }
    await said(engine, "kill", "--signal", "1", id);
    await runner.hasSaid(id, /signal 1\n/);
    assert.equal(await said(engine, "logs", id), "ready\nsignal 10\nsignal 12\nsignal 37\nsignal 1");
    await failing(1, /invalid signal: NOPE/i, "kill", "--signal", "NOPE", id);
    await failing(1, /invalid signal: 0/i, "kill", "--signal", "0", id);
    await said(engine, "kill", id);
    assert.equal(await status(id), "exited 137");
    await failing(1, /is not running/, "kill", id);
  });

  test("the client passes its own signals on", async () => {
    const client = new Listener(engine.spawn("docker", ["run", "--rm", "--network", "none", "probe", "trap", "2"]));
    await client.seen(/ready/);
    client.child.kill("SIGHUP");
    await client.seen(/signal 1\n/);
    client.child.kill("SIGTERM");
    assert.equal(await client.ended(), 15);
    assert.equal(client.text, "ready\nsignal 1\nsignal 15\n");
  });

  test("restart ends it and starts it anew", async () => {
    const id = await runner.detached("probe", "trap", "1");
    await runner.hasSaid(id, /ready/);
    const pid = await inspected(engine, "{{.State.Pid}}", id);
    await said(engine, "restart", id);
    assert.notEqual(await inspected(engine, "{{.State.Pid}}", id), pid);
    await runner.hasSaid(id, /signal 15\nready/);
  });

  test("what was in it ends with its first process", async () => {
    const begin = performance.now();
    const ran = await runner.run([busybox, "sh", "-c", "sleep 1000 & sleep 1000 & exit 5"]);
    assert.equal(ran.code, 5);
    assert.ok(performance.now() - begin < 10_000);
    const id = await runner.detached("-i", busybox, "cat");
    const session = new Listener(engine.spawn("docker", ["exec", id, "sh", "-c", "echo up; sleep 1000"]));
    await session.seen(/up/);
    await said(engine, "kill", id);
    assert.equal(await session.ended(), 137);
  });

  test("wait answers when it ends, when it is gone, and at once when it has ended", async () => {
    const id = await runner.detached("-i", "--name", "awaited", "probe", "trap", "1");
    await runner.hasSaid(id, /ready/);
    const waiter = new Listener(engine.spawn("docker", ["wait", "awaited", id]));
    await said(engine, "kill", "--signal", "12", id);
    assert.equal(await waiter.ended(), 0);
    assert.equal(waiter.text, "12\n12\n");
    assert.equal(await said(engine, "wait", id), "12");
    await failing(1, /No such container: nosuch/, "wait", "nosuch");
  });

  test("--rm takes it away at its end, whoever waits", async () => {
    const id = await runner.detached("--rm", "probe", "trap", "1");
    await runner.hasSaid(id, /ready/);
    const removed = engine.request("POST", `/v1.51/containers/${id}/wait?condition=removed`);
    await said(engine, "stop", id);
    assert.deepEqual(JSON.parse((await removed).body), { StatusCode: 15 });
    await failing(1, /No such container/, "inspect", "--type", "container", id);
    assert.equal(await said(engine, "ps", "-aq"), "");
  });

  test("rm takes away what has stopped, and what runs only by force", async () => {
    const id = await runner.detached("--name", "busy", busybox, "sleep", "1000");
    await failing(1, /cannot remove container "busy": container is running/, "rm", "busy");
    assert.equal((await engine.request("DELETE", `/containers/${id}`)).status, 409);
    assert.equal(await said(engine, "rm", "--force", "busy"), "busy");
    await failing(1, /No such container: busy/, "rm", "busy");
    assert.equal((await engine.docker(["rm", "--force", "busy"])).code, 0);
  });

  test("rename gives a name that is free, and frees the old one", async () => {
    const one = await said(engine, "create", "--name", "one", busybox, "true");
    await said(engine, "create", "--name", "two", busybox, "true");
    await failing(1, /Conflict. The container name "\/two" is already in use/, "rename", "one", "two");
    await failing(1, /Renaming a container with the same name as its current name/, "rename", "one", "one");
    await failing(1, /Invalid container name/, "rename", "one", "not/good");
    await said(engine, "rename", "one", "three");
    assert.equal(await inspected(engine, "{{.Id}}", "three"), one);
    await said(engine, "create", "--name", "one", busybox, "true");
    // The beginning of an id is a name too.
    assert.equal(await inspected(engine, "{{.Name}}", one.slice(0, 6)), "/three");
  });

  test("ps lists what runs, or all, by filters", async () => {
    const up = await runner.detached("--name", "web-up", "--label", "role=web", busybox, "sleep", "1000");
    await said(engine, "create", "--name", "web-new", "--label", "role=web", "-v", "/data", "probe", "id");
    await engine.docker(["run", "--name", "db-over", "--label", "role=db", "--network", "none", "probe", "exit", "3"]);
    const names = async (...filters: string[]) =>
      (
        await said(
          engine,
          "ps",
          "--format",
          "{{.Names}}",
          ...filters.map((filter) => (filter.startsWith("-") ? filter : `--filter=${filter}`)),
        )
      )
        .split("\n")
        .filter(Boolean);
    assert.deepEqual(await names(), ["web-up"]);
    assert.deepEqual(await names("-a"), ["db-over", "web-new", "web-up"]);
    assert.deepEqual(await names("-n2"), ["db-over", "web-new"]);
    assert.deepEqual(await names("-l"), ["db-over"]);
    assert.deepEqual(await names("-a", "name=web"), ["web-new", "web-up"]);
    assert.deepEqual(await names("-a", "name=^/?db"), ["db-over"]);
    const none = await said(engine, "network", "inspect", "none", "--format", "{{.Id}}");
    assert.deepEqual(await names("-a", "network=bridge"), ["web-new"]);
    assert.deepEqual(await names(`network=${none.slice(0, 12)}`), ["web-up"]);
    assert.deepEqual(await names("-a", "volume=/data"), ["web-new"]);
    assert.deepEqual(await names("status=created", "status=exited"), ["db-over", "web-new"]);
    assert.deepEqual(await names("-a", "exited=3"), ["db-over"]);
    assert.deepEqual(await names("-a", "label=role=web", "status=running"), ["web-up"]);
    assert.deepEqual(await names("-a", "label=role"), ["db-over", "web-new", "web-up"]);
    assert.deepEqual(await names("-a", "ancestor=probe"), ["db-over", "web-new"]);
    assert.deepEqual(await names("-a", "before=db-over", "since=web-up"), ["web-new"]);
    assert.deepEqual(await names("-a", `id=${up.slice(0, 20)}`), ["web-up"]);
    assert.match(
      await said(engine, "ps", "-a", "--format", "{{.Names}} {{.Status}}"),
      /^db-over Exited \(3\) .* ago\nweb-new Created\nweb-up Up .*$/,
    );
    assert.equal(
      await said(engine, "ps", "--no-trunc", "--format", "{{.ID}} {{.Image}} {{.Command}}"),
      `${up} ${busybox} "sleep 1000"`,
    );
    await failing(1, /invalid filter 'bogus'/i, "ps", "--filter", "bogus=1");
  });

  test("top shows its processes as the host's ps does", async () => {
    const id = await runner.detached("-u", "54321", busybox, "sleep", "1000");
    assert.match(await said(engine, "top", id), /^UID +PID +PPID .* CMD\n54321 .* sleep 1000$/);
    assert.equal(
      await said(engine, "top", id, "-o", "pid,args"),
      `PID                 COMMAND\n${(await inspected(engine, "{{.State.Pid}}", id)).padEnd(19)} sleep 1000`,
    );
    await failing(1, /ps: error: unknown user-defined format specifier "bogus"\n*$/, "top", id, "-o", "bogus");
    await said(engine, "kill", id);
    await failing(1, /is not running/, "top", id);
  });

  test("events tell of all that, in Docker's words and order", async () => {
    const since = Math.floor(Date.now() / 1000);
    await runner.run(["--name", "told", "probe", "exit", "3"]);
    const id = await runner.detached("--name", "told", busybox, "sleep", "1000");
    await said(engine, "exec", id, "true");
    assert.equal((await engine.docker(["exec", id, "/absent"])).code, 127);
    await said(engine, "rename", id, "retold");
    await said(engine, "top", id);
    await said(engine, "restart", "--timeout", "0", id);
    await said(engine, "rm", "--force", id);
    const format =
      '{{.Action}}{{with index .Actor.Attributes "exitCode"}} {{.}}{{end}}{{with index .Actor.Attributes "signal"}} {{.}}{{end}}';
    const until = String(Math.ceil(Date.now() / 1000));
    const told = (from: number, filter: string) =>
      said(engine, "events", "--since", String(from), "--until", until, "--filter", filter, "--format", format);
    const [first, second] = [await told(since, "container=told"), await told(since, "container=retold")];
    // From the beginning on is not the same as from now on.
    const heard = new Listener(engine.spawn("docker", ["events", "--since", "0", "--filter", "container=told"]));
    await heard.seen(/ container destroy /);
    heard.child.kill("SIGKILL");
    const all = `${first}\n${second}`.split("\n");
    assert.deepEqual(all.slice(0, 5), ["create", "attach", "start", "die 3", "destroy"]);
    assert.deepEqual(all.slice(5), [
      ...["create", "start", "exec_create: true ", "exec_start: true ", "exec_die 0"],
      // What was tried is told, whatever becomes of it.
      ...["exec_create: /absent ", "exec_start: /absent ", "rename", "top"],
      ...["kill 15", "kill 9", "die 137", "stop", "start", "restart", "kill 9", "die 137", "destroy"],
    ]);
  });
});
