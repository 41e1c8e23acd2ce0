/** Containers that other runtimes make: Debian's runc and crun. What holds of all containers holds of theirs. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, inspected, isAlive, keeperOf, Listener, pidOf, removeAll, said, until } from "./containers.ts";
import { Terminal } from "./terminal.ts";

const lacks = (program: string): string | false =>
  spawnSync(program, ["--version"]).status === 0 ? false : `needs ${program}; type: sh scripts/test-packages`;

const isHybrid = existsSync("/sys/fs/cgroup/unified");

/**
 * crun takes version 1 of control groups or version 2, and not both at once: in this namespace there is the first alone. A
 * process holds it, for a file cannot always: Linux 6.18 numbers namespaces on each processor, and refuses to mount one that
 * looks older than the one that it is mounted in.
 */
class FirstVersion {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  static async open(): Promise<FirstVersion> {
    const script = "umount /sys/fs/cgroup/unified && echo ready && exec sleep 1000000";
    const child = spawn("unshare", ["--mount", "sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    return new FirstVersion(child);
  }

  get via(): readonly string[] {
    return ["nsenter", `--mount=/proc/${this.#process.pid}/ns/mnt`];
  }

  async close(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}

const childrenOf = (pid: number): string => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();

for (const runtime of ["runc", "crun"]) {
  describe(`containers that ${runtime} makes`, { skip: cannotRun() || lacks(runtime) }, () => {
    let engine: Engine;
    let firstVersion: FirstVersion | undefined;
    before(async () => {
      firstVersion = runtime === "crun" && isHybrid ? await FirstVersion.open() : undefined;
      engine = await Engine.launch({ args: ["--add-runtime", "crun=crun"], via: firstVersion?.via ?? [] });
      await engine.load();
    });
    after(async () => {
      await engine.stop();
      await firstVersion?.close();
    });
    afterEach(() => removeAll(engine));

    const run = (...args: readonly string[]) => engine.docker(["run", "--runtime", runtime, ...args]);
    const says = (...args: readonly string[]) => said(engine, "run", "--rm", "--runtime", runtime, ...args);
    const detached = (...args: readonly string[]) => said(engine, "run", "--detach", "--runtime", runtime, ...args);

    test("end with their exit codes, and leave their logs", async () => {
      const { code, stdout, stderr } = await run(
        "--name",
        "one",
        busybox,
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
      );
      assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: "out\n", stderr: "err\n" });
      const logs = await engine.docker(["logs", "one"]);
      assert.deepEqual([logs.stdout, logs.stderr], ["out\n", "err\n"]);
      assert.equal(
        await inspected(engine, "{{.HostConfig.Runtime}} {{.State.Status}} {{.State.ExitCode}}", "one"),
        `${runtime} exited 7`,
      );
      assert.equal((await engine.docker(["start", "--attach", "one"])).code, 7);
      assert.equal((await run("--rm", "--pid", "host", busybox, "sh", "-c", "kill -SEGV $$")).code, 139);
    });

    test("are children of their keepers, which keep what they say, while they run", async () => {
      const id = await detached(busybox, "sleep", "1000");
      const keeper = keeperOf(await pidOf(engine, id));
      assert.equal(readFileSync(`/proc/${keeper}/comm`, "utf8"), "pier-keeper\n");
      assert.match(await said(engine, "top", id), /sleep 1000/);
      assert.deepEqual(readdirSync(`/proc/${await pidOf(engine, id)}/fd`), ["0", "1", "2"]);
      assert.equal(childrenOf(keeper), String(await pidOf(engine, id)), "nobody of the runtime is left");
    });

    test("leave their orphans to their keepers, which take note of their ends", async () => {
      const id = await detached(
        "--pid",
        "host",
        busybox,
        "sh",
        "-c",
        "sh -c 'true & true &'; echo gone; exec sleep 1000",
      );
      const pid = await pidOf(engine, id);
      await until("they have been left", async () => (await said(engine, "logs", id)) === "gone");
      await until("no dead one is left", () => childrenOf(keeperOf(pid)) === String(pid));
    });

    test("end their sessions with the keepers of these", async () => {
      const id = await detached(busybox, "sleep", "1000");
      const session = new Listener(engine.spawn("docker", ["exec", id, "sh", "-c", "echo here; exec sleep 1001"]));
      await session.seen(/here/);
      const [exec] = JSON.parse(await inspected(engine, "{{json .ExecIDs}}", id)) as readonly string[];
      // Its program may be heard before the runtime that has started it is done, and says its word before it is another one.
      let pid = 0;
      await until("it has a pid", async () => {
        pid = JSON.parse((await engine.request("GET", `/v1.51/exec/${exec}/json`)).body).Pid;
        return pid > 0;
      });
      await until("it sleeps", () => readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep\x001001"));
      process.kill(keeperOf(pid), "SIGKILL");
      await session.ended();
      await until("it has ended too", () => !isAlive(pid));
      assert.equal(await inspected(engine, "{{.State.Status}}", id), "running");
    });

    test("have a terminal", async () => {
      const terminal = Terminal.open(engine, ["run", "-it", "--rm", "--runtime", runtime, busybox, "sh"]);
      await terminal.seen(/# /);
      terminal.type("tty; stty size; ls -l /dev/console; echo done\n");
      await terminal.seen(/\/dev\/pts\/0\r\n30 90\r\ncrw.* 136, +0 .*\/dev\/console\r\ndone\r\n/);
      terminal.type("sh -c 'echo go; sleep 1000'\n");
      await terminal.seen(/\r\ngo\r\n/);
      terminal.type("\x03");
      await terminal.seen(/\^C[\s\S]*# /);
      terminal.type("exit 5\n");
      assert.equal(await terminal.ended(), 5);
    });

    test("read what they are given, to its end", async () => {
      const input = `${"0123456789abcdef".repeat(64)}\n`.repeat(500);
      const ran = await engine.docker(["run", "--rm", "-i", "--runtime", runtime, busybox, "md5sum"], { input });
      const expected = spawnSync("md5sum", { input, encoding: "utf8" }).stdout;
      assert.equal(ran.stdout, expected);
    });

    test("run further programs, as the container, as another user, at a terminal", async () => {
      const id = await detached("--env", "a=b", "--workdir", "/tmp", busybox, "sleep", "1000");
      const exec = async (...args: readonly string[]) => {
        const { code, stdout, stderr } = await engine.docker(["exec", ...args]);
        return [code, stdout, stderr] as const;
      };
      assert.deepEqual(await exec(id, "sh", "-c", "echo $a; pwd; echo err >&2; exit 9"), [9, "b\n/tmp\n", "err\n"]);
      assert.deepEqual(await exec("-u", "1000:7", id, "id", "-u"), [0, "1000\n", ""]);
      assert.equal((await exec(id, "sh", "-c", "kill -KILL $$"))[0], 137);
      const [code, , stderr] = await exec(id, "nosuch");
      assert.equal(code, 127);
      assert.match(stderr, /nosuch.*not found/);
      const groups = await exec(id, "cat", "/proc/self/cgroup");
      assert.deepEqual(groups, await exec(id, "cat", "/proc/1/cgroup"));
      const terminal = Terminal.open(engine, ["exec", "-it", id, "sh"]);
      await terminal.seen(/# /);
      terminal.type("tty; exit 3\n");
      await terminal.seen(/\/dev\/pts\/\d/);
      assert.equal(await terminal.ended(), 3);
      const session = new Listener(engine.spawn("docker", ["exec", id, "sh", "-c", "echo here; sleep 1000"]));
      await session.seen(/here/);
      await said(engine, "kill", id);
      assert.equal(await session.ended(), 137);
    });

    test("have an init of pier's, which passes signals on and takes note of orphans' ends", async () => {
      assert.equal((await run("--rm", "--init", busybox, "sh", "-c", "exit 3")).code, 3);
      assert.equal((await run("--rm", "--init", busybox, "sh", "-c", "kill -KILL $$")).code, 137);
      const script = "cat /proc/1/comm; sh -c 'true & true &'; while grep -qs Z /proc/[0-9]*/stat; do :; done; id -u";
      assert.equal(
        await says("--init", "--user", "1000", "--read-only", busybox, "sh", "-c", script),
        "docker-init\n1000",
      );
      const missing = await run("--rm", "--init", busybox, "nosuch");
      assert.deepEqual([missing.code, missing.stderr], [127, "docker-init: nosuch: No such file or directory\n"]);
      const id = await detached(
        "--init",
        busybox,
        "sh",
        "-c",
        "trap 'exit 9' TERM; echo set; while :; do sleep 1 & wait; done",
      );
      await until("it listens", async () => (await said(engine, "logs", id)) === "set");
      await said(engine, "stop", id);
      assert.equal(await inspected(engine, "{{.State.ExitCode}}", id), "9");
      const written = await run("--rm", "--init", busybox, "sh", "-c", "echo x >/sbin/docker-init");
      assert.match(written.stderr, /Read-only file system|Text file busy/);
    });

    test("see volumes, files of the host and file systems in memory, as they are told to", async () => {
      const directory = mkdtempSync(join(tmpdir(), "pier-runtime-"));
      try {
        writeFileSync(join(directory, "file"), "of the host\n");
        const mounts = [
          "-v",
          `${directory}:/host:ro`,
          "-v",
          `${directory}/file:/etc/one`,
          "-v",
          "data:/data",
          "--tmpfs",
          "/memory",
        ];
        const script =
          "cat /host/file /etc/one; touch /host/x 2>/dev/null || echo refused; echo kept >/data/x; mount | grep -c ' /memory type tmpfs'";
        assert.equal(await says(...mounts, busybox, "sh", "-c", script), "of the host\nof the host\nrefused\n1");
        assert.equal(await says("-v", "data:/again", busybox, "cat", "/again/x"), "kept");
        const shared = await detached("-v", "data:/data", busybox, "sleep", "1000");
        assert.equal(await says("--volumes-from", shared, busybox, "cat", "/data/x"), "kept");
        await said(engine, "cp", join(directory, "file"), `${shared}:/tmp/copied`);
        assert.equal(await said(engine, "exec", shared, "cat", "/tmp/copied"), "of the host");
        assert.match(await said(engine, "diff", shared), /A \/tmp\/copied/);
      } finally {
        rmSync(directory, { recursive: true, force: true });
        await removeAll(engine);
        await engine.docker(["volume", "rm", "data"]);
      }
    });

    test("are who and what they are asked to be", async () => {
      const args = [
        "--user",
        "1000:50",
        "--hostname",
        "web",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
      ];
      const shown = "id -u; id -g; hostname; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t'";
      assert.equal(
        await says(...args, busybox, "sh", "-c", shown),
        "1000\n50\nweb\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2",
      );
      const sealed = await run("--rm", "--read-only", busybox, "touch", "/x");
      assert.match(sealed.stderr, /Read-only file system/);
      assert.equal(
        await says(
          "--sysctl",
          "net.ipv4.ip_unprivileged_port_start=7",
          busybox,
          "cat",
          "/proc/sys/net/ipv4/ip_unprivileged_port_start",
        ),
        "7",
      );
      assert.equal(
        await says("--privileged", busybox, "sh", "-c", "grep Seccomp: /proc/self/status | tr -d '\\t'"),
        "Seccomp:0",
      );
      const refused =
        "mkdir /tmp/m && mount -t tmpfs tmpfs /tmp/m 2>&1; cat /proc/kcore | head -c 1 | wc -c; echo > /proc/sysrq-trigger";
      assert.match((await run("--rm", busybox, "sh", "-c", refused)).stdout, /permission denied[\s\S]*\n0\n/i);
    });

    test("have the limits that they are given, and run out of memory", async () => {
      const id = await detached("-m", "32m", "--pids-limit", "17", "--cpus", "0.5", busybox, "sleep", "1000");
      const stats = JSON.parse(
        (await engine.request("GET", `/v1.51/containers/${id}/stats?stream=false&one-shot=true`)).body,
      );
      assert.equal(stats.memory_stats.limit, 32 * 1024 * 1024);
      assert.equal(stats.pids_stats.limit, 17);
      await said(engine, "update", "-m", "64m", "--memory-swap", "64m", id);
      const limit = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes";
      assert.equal(await said(engine, "exec", id, "sh", "-c", limit), String(64 * 1024 * 1024));
      const hungry = await run(
        "--name",
        "hungry",
        "-m",
        "24m",
        "--memory-swap",
        "24m",
        busybox,
        "sh",
        "-c",
        "x=a; while :; do x=$x$x; done",
      );
      assert.equal(hungry.code, 137);
      assert.equal(await inspected(engine, "{{.State.OOMKilled}}", "hungry"), "true");
    });

    test("are in networks, find each other by name, and are reached by their ports", async () => {
      await said(engine, "network", "create", "back");
      try {
        const serve = "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp";
        const server = await detached(
          "--name",
          "server",
          "--network",
          "back",
          "-p",
          "127.0.0.1::80",
          busybox,
          "sh",
          "-c",
          serve,
        );
        const fetch = "until wget -q -O - http://server/ 2>/dev/null; do usleep 10000; done";
        assert.equal(await says("--network", "back", busybox, "sh", "-c", fetch), "hello");
        const [, port] = /:(\d+)$/.exec(await said(engine, "port", server, "80")) ?? [];
        assert.equal(await (await globalThis.fetch(`http://127.0.0.1:${port}/`)).text(), "hello\n");
        assert.equal(
          await says("--network", `container:${server}`, busybox, "wget", "-q", "-O", "-", "http://127.0.0.1/"),
          "hello",
        );
        assert.equal(await says("--network", "none", busybox, "ls", "/sys/class/net"), "lo");
        assert.match(await says("--network", "host", "--pid", "host", busybox, "ps"), /daemon --root/);
      } finally {
        await removeAll(engine);
        await said(engine, "network", "rm", "back");
      }
    });

    test("are stopped, paused, restarted, and removed while they run", async () => {
      const script = "trap 'echo asked; exit 4' TERM; echo ready; while :; do usleep 10000; done";
      const id = await detached(busybox, "sh", "-c", script);
      const ready = async (times: number) =>
        ((await engine.docker(["logs", id])).stdout.match(/ready/g)?.length ?? 0) === times;
      await until("it has begun", () => ready(1));
      await said(engine, "pause", id);
      assert.equal(await inspected(engine, "{{.State.Status}}", id), "paused");
      await said(engine, "unpause", id);
      await said(engine, "restart", id);
      await until("it has begun again", () => ready(2));
      await said(engine, "stop", id);
      assert.equal(await inspected(engine, "{{.State.Status}} {{.State.ExitCode}}", id), "exited 4");
      const other = await detached(busybox, "sleep", "1000");
      await said(engine, "rm", "-f", other);
      await said(engine, "wait", await detached("--restart", "on-failure:2", "--name", "again", busybox, "false"));
      await until(
        "it was started again as often as it may",
        async () => (await inspected(engine, "{{.RestartCount}} {{.State.Status}}", "again")) === "2 exited",
      );
    });

    test("outlive the daemon, and do not outlive their keepers", async () => {
      const id = await detached(
        "--name",
        "kept",
        busybox,
        "sh",
        "-c",
        "while [ ! -e /tmp/go ]; do usleep 10000; done; echo late; exit 6",
      );
      const doomed = await detached(busybox, "sleep", "1000");
      const pid = await pidOf(engine, doomed);
      await engine.kill9();
      await engine.restart();
      assert.equal(await inspected(engine, "{{.State.Status}}", id), "running");
      assert.equal(await said(engine, "exec", id, "touch", "/tmp/go"), "");
      assert.equal(await said(engine, "wait", id), "6");
      assert.equal(await said(engine, "logs", id), "late");
      process.kill(keeperOf(pid), "SIGKILL");
      assert.equal(await said(engine, "wait", doomed), "137");
      assert.equal(isAlive(pid), false);
      const orphan = await detached(busybox, "sleep", "1000");
      const [first, keeper] = [await pidOf(engine, orphan), keeperOf(await pidOf(engine, orphan))];
      await engine.kill9();
      process.kill(keeper, "SIGKILL");
      await until("the keeper has gone", () => !isAlive(keeper));
      await engine.restart();
      assert.equal(isAlive(first), false);
      await removeAll(engine);
      await engine.assertNothingLeft();
    });

    test("that cannot start say why in the runtime's words, and leave nothing", async () => {
      const refused = await run("--rm", busybox, "nosuch");
      // docker's command looks for runc's words.
      assert.equal(refused.code, runtime === "runc" ? 127 : 125);
      assert.match(refused.stderr, /OCI runtime create failed: .*nosuch.*not found/);
      await said(engine, "create", "--name", "never", "--runtime", runtime, busybox, "nosuch");
      const answer = await engine.request("POST", "/v1.51/containers/never/start");
      assert.equal(answer.status, 400);
      assert.match(
        await inspected(engine, "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}", "never"),
        /^created 127 .*nosuch/,
      );
      await removeAll(engine);
      await engine.assertNothingLeft();
    });
  });
}

describe("the daemon's runtimes", { skip: cannotRun() || lacks("runc") }, () => {
  let engine: Engine;
  let directory: string;
  const file = () => join(directory, "daemon.json");
  /** A runtime that is a script of its own; `$verb` is the command that it is given. */
  const script = (name: string, body: string): string => {
    const path = join(directory, name);
    writeFileSync(
      path,
      `#!/bin/sh\nfor verb; do case $verb in create|start|delete) break;; esac; done\n${body}\nexec runc "$@"\n`,
    );
    chmodSync(path, 0o755);
    return path;
  };
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-runtimes-"));
    const runtimes = {
      broken: {
        path: script(
          "broken",
          '[ $verb != create ] || { echo "{\\"level\\":\\"error\\",\\"msg\\":\\"no such luck\\"}" >"$4"; exit 3; }',
        ),
      },
      "no-start": { path: script("no-start", "[ $verb != start ] || exit 1") },
      silent: { path: "/bin/false" },
      absent: { path: join(directory, "absent") },
      nowhere: { path: "pier-test-no-such-runtime" },
      slow: { path: script("slow", `[ $verb != create ] || { echo $$ >${directory}/slow.pid; exec sleep 1000; }`) },
      later: { path: script("later", `[ $verb != start ] || { echo $$ >${directory}/later.pid; exec sleep 1000; }`) },
      // It has started the program long before it says so: until somebody opens the pipe.
      held: { path: script("held", `[ $verb != start ] || { runc "$@" && echo >${directory}/told; exit; }`) },
      debug: { path: "runc", runtimeArgs: ["--debug"] },
    };
    writeFileSync(file(), JSON.stringify({ runtimes, "default-runtime": "debug" }));
    engine = await Engine.launch({ args: ["--config-file", file()] });
    await engine.load();
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(async () => {
    await removeAll(engine);
    await engine.assertNothingLeft();
  });

  test("info names them, and a container has the default of its making", async () => {
    const info = JSON.parse((await engine.request("GET", "/v1.51/info")).body);
    assert.deepEqual(info.Runtimes.debug, { path: "runc", runtimeArgs: ["--debug"] });
    assert.deepEqual(
      [info.Runtimes.runc, info.Runtimes.pier, info.DefaultRuntime],
      [{ path: "runc" }, { path: "pier" }, "debug"],
    );
    await said(engine, "run", "--name", "usual", busybox, "true");
    await said(engine, "run", "--name", "own", "--runtime", "pier", busybox, "true");
    assert.equal(await inspected(engine, "{{.HostConfig.Runtime}}", "usual", "own"), "debug\npier");
  });

  test("one that nobody knows is refused as dockerd does", async () => {
    const body = JSON.stringify({ Image: busybox, HostConfig: { Runtime: "nosuch" } });
    const { status, body: text } = await engine.request("POST", "/v1.51/containers/create", body);
    assert.equal(status, 400);
    assert.equal(JSON.parse(text).message, "unknown or invalid runtime name: nosuch");
  });

  for (const [runtime, code, sentence] of [
    ["broken", 125, /OCI runtime create failed: no such luck: unknown/],
    ["silent", 125, /\/bin\/false ended and told no reason/],
    ["absent", 127, /exec: ".*\/absent": no such file or directory/],
    ["nowhere", 127, /exec: "pier-test-no-such-runtime": executable file not found in \$PATH/],
    ["no-start", 125, /OCI runtime start failed: .*\/no-start ended and told no reason/],
  ] as const) {
    test(`${runtime}: what failed is said, and nothing is left`, async () => {
      const ran = await engine.docker([
        "run",
        "--rm",
        "-v",
        "/anonymous",
        "--runtime",
        runtime,
        busybox,
        "sleep",
        "1000",
      ]);
      assert.match(ran.stderr, sentence);
      assert.equal(ran.code, code, ran.stderr);
    });
  }

  test("held: who hears the program before its start is over can run more in it, and look at it", async () => {
    const pipe = join(directory, "told");
    execFileSync("mkfifo", [pipe]);
    const words = ["run", "--rm", "--name", "early", "--runtime", "held", busybox, "sh", "-c", "echo up; sleep 1000"];
    const client = new Listener(engine.spawn("docker", words));
    await client.seen(/up/);
    const asked = [
      engine.request("POST", "/v1.51/containers/early/exec", JSON.stringify({ Cmd: ["echo", "in"] })),
      engine.request("GET", "/v1.51/containers/early/top"),
    ];
    // They have been heard when the next request is answered.
    await engine.request("GET", "/v1.51/containers/early/json");
    await readFile(pipe);
    assert.deepEqual(
      (await Promise.all(asked)).map(({ status }) => status),
      [201, 200],
    );
    assert.equal(await said(engine, "exec", "early", "echo", "in"), "in");
    await said(engine, "rm", "-f", "early");
  });

  for (const runtime of ["slow", "later"]) {
    test(`${runtime}: a daemon that is killed meanwhile leaves nothing`, async () => {
      const client = engine.spawn("docker", ["run", "--rm", "--runtime", runtime, busybox, "sleep", "1000"]);
      const pid = join(directory, `${runtime}.pid`);
      const number = () => (existsSync(pid) ? Number(readFileSync(pid, "utf8")) : 0);
      await until("the runtime is at it", () => number() > 0);
      await engine.kill9();
      const program = number();
      if (runtime === "later") process.kill(program, "SIGKILL");
      await until("it has ended", () => !isAlive(program));
      await engine.restart();
      client.kill();
    });
  }

  test("SIGHUP brings others in; who was made by one that is gone is told so", async () => {
    const before = readFileSync(file(), "utf8");
    await said(engine, "create", "--name", "left", "--runtime", "debug", busybox, "true");
    writeFileSync(file(), JSON.stringify({ runtimes: { fresh: { path: "runc" } } }));
    process.kill(engine.pid, "SIGHUP");
    await until("it is known", async () =>
      (await said(engine, "info", "--format", "{{json .Runtimes}}")).includes("fresh"),
    );
    assert.equal(await said(engine, "run", "--rm", "--runtime", "fresh", busybox, "echo", "hi"), "hi");
    const refused = await engine.docker(["start", "left"]);
    assert.match(refused.stderr, /unknown or invalid runtime name: debug/);
    writeFileSync(file(), before);
    process.kill(engine.pid, "SIGHUP");
    await until("the others are back", async () =>
      (await said(engine, "info", "--format", "{{json .Runtimes}}")).includes("debug"),
    );
    await said(engine, "start", "left");
  });
});
