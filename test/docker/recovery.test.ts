/** Nothing depends on the daemon staying alive. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { findParser } from "../../src/kernel/apparmor/load.ts";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { patience } from "../patience.ts";
import { imageOf, probeLayer } from "../probe/image.ts";
import {
  askTcp,
  busybox,
  inspected,
  isAlive,
  keeperOf,
  Listener,
  pidOf,
  removeAll,
  runDetached,
  runServer,
  said,
  until,
} from "./containers.ts";

/** Lines that show every loss and every doubling. */
const counting = "i=0; while :; do i=$((i+1)); echo line $i; usleep 1000; done";

const assertContinuous = (log: string): number => {
  const lines = log.trimEnd().split("\n");
  for (const [index, line] of lines.entries()) assert.equal(line, `line ${index + 1}`);
  return lines.length;
};

const isConfined = existsSync("/sys/kernel/security/apparmor/profiles") && findParser() !== undefined;

describe("recovery", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;
  /** A container that waits for a word on it goes on when the test says so, with or without a daemon. */
  let fifo: string;
  let fifos = 0;

  const waiting = (...then: readonly string[]): readonly string[] => {
    fifo = join(directory, `fifo-${fifos++}`);
    execFileSync("mkfifo", [fifo]);
    return [busybox, "sh", "-c", `read word <${fifo.replace(directory, "/fifos")}; ${then.join("; ")}`];
  };
  const holderOf = (): number => JSON.parse(readFileSync(join(engine.run, "holder"), "utf8")).pid;
  const go = (): Promise<void> => writeFile(fifo, "go\n");
  const exitOf = (id: string): Promise<void> =>
    until(`${id} has left its exit`, () => existsSync(join(engine.run, "c", id, "exit")));

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-recovery-"));
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
    const [probe, ...others] = probeLayer();
    await engine.load(await imageOf({ name: "setuid:latest", layers: [[{ ...probe!, mode: 0o4755 }, ...others]] }));
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(() => removeAll(engine));

  test("containers go on as they were, and everything can be done to them again", async () => {
    const plain = await runDetached(engine, "--name", "plain", busybox, "sh", "-c", counting);
    const terminal = await runDetached(engine, "-t", "--name", "terminal", "probe", "trap", "2");
    const input = await runDetached(engine, "-i", "--name", "input", busybox, "cat");
    const ids = [plain, terminal, input];
    await said(engine, "exec", "--detach", plain, "sleep", "1000");
    const format = "{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.NetworkSettings.IPAddress}}";
    const before = await inspected(engine, format, ...ids);
    const watcher = new Listener(engine.spawn("docker", ["logs", "--follow", plain]));
    await watcher.seen(/line 100\n/);
    await engine.kill9();
    assert.notEqual(await watcher.ended(), undefined);
    await engine.restart();
    assert.equal(await inspected(engine, format, ...ids), before);
    assert.match(await said(engine, "top", plain), /sleep 1000/);
    assert.equal(await said(engine, "exec", plain, "echo", "hi"), "hi");

    const follower = new Listener(engine.spawn("docker", ["logs", "--follow", plain]));
    const count = assertContinuous(await said(engine, "logs", plain));
    await follower.seen(new RegExp(`line ${count + 100}\n`));
    const attached = new Listener(engine.spawn("docker", ["attach", input]));
    attached.child.stdin!.write("ping\n");
    await attached.seen(/^ping\n/);
    const waiter = new Listener(engine.spawn("docker", ["wait", plain, terminal]));
    await said(engine, "kill", plain);
    assert.equal(await follower.ended(), 0);
    assertContinuous(follower.text);
    await said(engine, "kill", "--signal", "WINCH", terminal);
    // Of two signals that wait, the kernel gives the lower one first.
    await until("it was heard", async () => (await said(engine, "logs", terminal)).includes("signal 28"));
    await said(engine, "stop", terminal);
    assert.equal(await waiter.ended(), 0);
    assert.equal(await said(engine, "logs", terminal), "ready\r\nsignal 28: 0 rows and 0 columns\r\nsignal 15\r");
    assert.equal(waiter.text, "137\n15\n");
    await said(engine, "stop", "-t", "0", input);
    assert.equal(await attached.ended(), 137);
    await said(engine, "rm", ...ids);
  });

  test("a container that ended meanwhile has its exit code and the time of its end", async () => {
    const id = await runDetached(engine, "-v", `${directory}:/fifos`, ...waiting("echo end", "exit 7"));
    await engine.kill9();
    const begin = Date.now();
    await go();
    await exitOf(id);
    const end = Date.now();
    await engine.restart();
    const format = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Pid}} {{.State.FinishedAt}}";
    const [status, code, oomKilled, pid, finished = ""] = (await inspected(engine, format, id)).split(" ");
    assert.deepEqual([status, code, oomKilled, pid], ["exited", "7", "false", "0"]);
    assert.ok(Date.parse(finished) >= begin - 10 && Date.parse(finished) <= end + 10, finished);
    assert.equal(await said(engine, "wait", id), "7");
    assert.equal(await said(engine, "logs", id), "end");
    await said(engine, "rm", id);
  });

  test("a container that ran out of memory meanwhile says so", async () => {
    const probe = `${join(executable, "../probe")}:/probe`;
    const options = ["-m", "16m", "-v", probe, "-v", `${directory}:/fifos`];
    const id = await runDetached(engine, ...options, ...waiting("exec /probe memory 64"));
    await engine.kill9();
    await go();
    await exitOf(id);
    await engine.restart();
    assert.equal(await inspected(engine, "{{.State.ExitCode}} {{.State.OOMKilled}}", id), "137 true");
    await said(engine, "rm", id);
  });

  test("a container that removes itself is gone, whether it ended meanwhile or ends later", async () => {
    const later = await runDetached(engine, "--rm", "-v", `${directory}:/fifos`, ...waiting("exit 3"));
    const laterFifo = fifo;
    const meanwhile = await runDetached(engine, "--rm", "-v", `${directory}:/fifos`, ...waiting("exit 3"));
    await engine.kill9();
    await go();
    await exitOf(meanwhile);
    assert.ok(!existsSync(join(engine.root, "containers", meanwhile)));
    await engine.restart();
    assert.equal(await said(engine, "ps", "-aq", "--no-trunc"), later);
    assert.ok(!existsSync(join(engine.run, "c", meanwhile)));
    const waiter = new Listener(engine.spawn("docker", ["wait", later]));
    await writeFile(laterFifo, "go\n");
    await waiter.ended();
    await until("it is gone", async () => (await said(engine, "ps", "-aq")) === "");
    assert.ok(!existsSync(join(engine.root, "containers", later)));
  });

  test("published ports are served without a daemon, and closed when their container ends without one", async () => {
    const id = await runServer(engine, "-p", "127.0.0.1::80", "-p", "81", "probe", "tcp-serve", "0.0.0.0", "80");
    const second = await runServer(engine, "-p", "80", "probe", "tcp-serve", "0.0.0.0", "80");
    const portOf = async (one: string): Promise<number> =>
      Number.parseInt((await said(engine, "port", one, "80")).split(":")[1]!, 10);
    const [local, open] = [await portOf(id), await portOf(second)];
    const address = await inspected(engine, "{{.NetworkSettings.Gateway}}", id);
    const [pid, secondPid] = [await pidOf(engine, id), await pidOf(engine, second)];
    await engine.kill9();
    assert.equal(await askTcp("127.0.0.1", local, "by the relay"), "by the relay");
    assert.equal(await askTcp(address, open, "by the table"), "by the table");
    process.kill(secondPid, "SIGKILL");
    await exitOf(second);
    assert.equal(await askTcp(address, open, "?"), "ECONNREFUSED");
    await engine.restart();
    assert.equal(await askTcp(address, open, "?"), "ECONNREFUSED");
    assert.equal(await askTcp("127.0.0.1", local, "again"), "again");
    assert.equal(await pidOf(engine, id), pid);
    // The port is free for others.
    const third = await runServer(engine, "-p", `${open}:80`, "probe", "tcp-serve", "0.0.0.0", "80");
    assert.equal(await askTcp(address, open, "third"), "third");
    await said(engine, "rm", "-f", id, second, third);
  });

  for (const [image, ...user] of [["probe"], ["setuid", "--user", "1000"]] as const) {
    test(`a killed keeper takes its container along, and nothing is left: ${image}`, async () => {
      const id = await runDetached(engine, "-p", "80", ...user, image, "sleep");
      const temporary = await runDetached(engine, "--rm", ...user, image, "sleep");
      const pids = await Promise.all([id, temporary].map((each) => pidOf(engine, each)));
      for (const pid of pids) process.kill(keeperOf(pid), "SIGKILL");
      await until("the containers are dead", () => !pids.some(isAlive), 1_000);
      assert.equal(await said(engine, "wait", id), "137");
      await until("the one is gone", async () => (await said(engine, "ps", "-aq", "--no-trunc")) === id);
      assert.deepEqual(readdirSync(join(engine.root, "containers")), [id]);
      assert.deepEqual(readdirSync(join(engine.run, "c")), []);
      await said(engine, "start", id);
      await said(engine, "rm", "-f", id);
    });

    test(`a keeper that was killed while no daemon ran is cleared up after: ${image}`, async () => {
      const id = await runDetached(engine, "-p", "80", ...user, image, "sleep");
      const temporary = await runDetached(engine, "--rm", ...user, image, "sleep");
      const pids = await Promise.all([id, temporary].map((each) => pidOf(engine, each)));
      await engine.kill9();
      for (const pid of pids) process.kill(keeperOf(pid), "SIGKILL");
      // A set-uid program has lost its tie to the keeper, and so has whatever AppArmor confines: it goes with the next daemon.
      if (image === "probe" && !isConfined) await until("the containers are dead", () => !pids.some(isAlive), 1_000);
      await engine.restart();
      assert.ok(!pids.some(isAlive));
      assert.equal(await said(engine, "ps", "-aq", "--no-trunc"), id);
      assert.match(await inspected(engine, "{{.State.Status}} {{.State.ExitCode}}", id), /^exited (137|255)$/);
      assert.deepEqual(readdirSync(join(engine.run, "c")), []);
      await said(engine, "rm", id);
      assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
    });
  }

  for (const image of ["probe", "setuid"])
    test(`an exec session whose keeper was killed is over, and its container goes on: ${image}`, async () => {
      const id = await runDetached(engine, image, "sleep");
      const session = new Listener(engine.spawn("docker", ["exec", "-u", "1000", id, "/probe", "trap", "0"]));
      await session.seen(/ready/);
      const pids = (await said(engine, "top", id, "-eo", "pid,args")).match(/^ *\d+(?=.* trap)/gm)!.map(Number);
      process.kill(keeperOf(pids[0]!), "SIGKILL");
      assert.equal(await session.ended(), 137);
      await until("its process is dead", () => !isAlive(pids[0]!), 1_000);
      assert.equal(await inspected(engine, "{{.State.Status}}", id), "running");
      await said(engine, "rm", "-f", id);
      assert.deepEqual(readdirSync(join(engine.run, "x")), []);
    });

  test("without its holder, containers go on and new ones start", async () => {
    const id = await runDetached(engine, "probe", "tcp-serve", "0.0.0.0", "80");
    const holder = holderOf();
    process.kill(holder, "SIGKILL");
    await until("the holder is dead", () => !isAlive(holder));
    const ran = await Promise.all(
      Array.from({ length: 4 }, (_, index) => engine.docker(["run", "--rm", "probe", "exit", String(index)])),
    );
    assert.deepEqual(
      ran.map(({ code }) => code),
      [0, 1, 2, 3],
    );
    assert.equal(await said(engine, "exec", id, "/probe", "cwd"), "cwd: /");
    assert.equal(await said(engine, "exec", "-u", "app", id, "/probe", "umask"), "umask: 0022");
    await said(engine, "rm", "-f", id);
  });

  test("without its holder, what is removed is gone", async () => {
    const id = await said(engine, "create", "probe", "sleep");
    await said(engine, "start", id);
    const holder = holderOf();
    const pid = await pidOf(engine, id);
    process.kill(holder, "SIGKILL");
    process.kill(keeperOf(pid), "SIGKILL");
    assert.equal(await said(engine, "wait", id), "137");
    await said(engine, "rm", id);
    assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
  });

  test("after the machine went down, what ran has ended, and runs again when it is asked to", async () => {
    const id = await runDetached(engine, "-p", "80", "probe", "sleep");
    const temporary = await runDetached(engine, "--rm", "probe", "sleep");
    const pids = await Promise.all([id, temporary].map((each) => pidOf(engine, each)));
    const keepers = pids.map(keeperOf);
    await engine.kill9();
    for (const keeper of keepers) process.kill(keeper, "SIGKILL");
    process.kill(holderOf(), "SIGKILL");
    // Most have gone with their keepers.
    for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
    await until("all of it is dead", () => ![...pids, ...keepers].some(isAlive));
    // What is in memory is gone with the machine: no group, no process, no file.
    const named = ["-depth", "-type", "d", "(", "-name", id, "-o", "-name", temporary, ")"];
    // Groups of others may go while it looks: what it says is not about ours.
    const found = (...then: string[]) => spawnSync("find", ["/sys/fs/cgroup", ...named, ...then], { encoding: "utf8" });
    await until("the groups are gone", () => {
      found("-exec", "rmdir", "{}", "+");
      return found().stdout === "";
    });
    rmSync(engine.run, { recursive: true });
    await engine.restart();
    assert.equal(await said(engine, "ps", "-aq", "--no-trunc"), id);
    assert.equal(await inspected(engine, "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", id), "exited 255 0");
    await said(engine, "start", id);
    assert.ok(isAlive(await pidOf(engine, id)));
  });

  test("a second daemon on the same directories is refused", async () => {
    const again = await execute(executable, ["daemon", "--root", engine.root, "--run", engine.run]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^pier daemon: .*\n/);
    assert.doesNotMatch(again.stderr, /\n {4}at /);
    assert.equal(await said(engine, "ps", "-q"), "");
  });

  test("a daemon that cannot begin fails, and says why", async () => {
    const run = join(engine.directory, "another");
    const { code, stderr } = await execute(executable, ["daemon", "--root", "/dev/null/root", "--run", run]);
    assert.equal(code, 1);
    assert.match(stderr, /ENOTDIR.*\/dev\/null\/root/);
  });

  test("a daemon that is asked to leave leaves its containers alone", async () => {
    const id = await runDetached(engine, "--name", "stays", busybox, "sh", "-c", counting);
    const pid = await pidOf(engine, id);
    const follower = new Listener(engine.spawn("docker", ["logs", "--follow", id]));
    await follower.seen(/line 10\n/);
    const daemon = engine.pid;
    process.kill(daemon, "SIGTERM");
    await until("the daemon has left", () => !isAlive(daemon));
    assert.ok(isAlive(pid));
    assert.ok(!existsSync(engine.socket));
    await follower.ended();
    await engine.restart();
    assert.equal(await pidOf(engine, id), pid);
    assertContinuous(await said(engine, "logs", id));
    await said(engine, "rm", "-f", id);
  });

  test("a socket that a dead daemon left is no obstacle, and one that lives is", async () => {
    await engine.kill9();
    assert.ok(existsSync(engine.socket));
    await engine.restart();
    const other = mkdtempSync("/tmp/p-");
    try {
      const args = [
        "daemon",
        "--root",
        join(other, "root"),
        "--run",
        join(other, "run"),
        "--host",
        `unix://${engine.socket}`,
      ];
      const refused = await execute(executable, args);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^pier daemon: .*pier\.sock/);
      assert.equal(await said(engine, "ps", "-q"), "");
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  test("a daemon killed at any moment: the next one finishes or undoes", { timeout: patience(120_000) }, async () => {
    const archive = await imageOf({ name: "loaded:latest" });
    const turns = process.env.PIER_LONG === "1" ? 60 : 12;
    for (let turn = 0; turn < turns; turn++) {
      const work = [
        ["run", "--rm", "-p", "80", "probe", "exit", "0"],
        ["run", "--detach", "--name", `a${turn}`, "-p", "81", "probe", "trap", "1"],
        ["stop", `a${turn}`],
        ["start", `a${turn}`],
        ["rm", "--force", `a${turn}`],
        ["create", "--name", `b${turn}`, "probe", "sleep"],
        ["start", `b${turn}`],
        ["exec", `b${turn}`, "/probe", "exit", "0"],
        ["rm", "--force", `b${turn}`],
      ];
      const loop = async (): Promise<void> => {
        for (const args of work) await engine.docker(args);
      };
      const all = Promise.all([loop(), engine.docker(["load"], { input: archive }), engine.docker(["rmi", "loaded"])]);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 700));
      await engine.kill9();
      await all;
      await engine.restart();
      await assertConsistent();
    }
    await engine.load(archive);
    assert.equal(await said(engine, "run", "--rm", "loaded", "umask"), "umask: 0022");
  });

  /** What is listed is there, nothing else is, and all of it can be started and removed. */
  const assertConsistent = async (): Promise<void> => {
    const ids = (await said(engine, "ps", "-aq", "--no-trunc")).split("\n").filter((id) => id !== "");
    const running = (await said(engine, "ps", "-q", "--no-trunc")).split("\n").filter((id) => id !== "");
    for (const id of running) assert.ok(isAlive(await pidOf(engine, id)), id);
    const kept = readdirSync(join(engine.root, "containers"));
    assert.deepEqual(
      kept.filter((id) => !ids.includes(id)),
      [],
    );
    assert.deepEqual(readdirSync(join(engine.run, "c")).sort(), [...running].sort());
    if (ids.length === 0) return;
    await said(engine, "start", ...ids);
    await said(engine, "rm", "--force", ...ids);
    assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
    assert.deepEqual(readdirSync(join(engine.run, "c")), []);
  };
});
