/** Our own program, its descriptors and its plans, from within a container. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { busybox, inspected, keeperOf, Listener, pidOf, said, until } from "../docker/containers.ts";
import { cannotRun } from "../engine.ts";
import { descriptorsOf, keeperProgram } from "../kernel/keepers.ts";
import { isLong, probePath, Stage } from "./stage.ts";

/** The child's descriptors are few and low; the long form asks for as many as a program may have open. */
const lastDescriptor = isLong ? 255 : 18;

describe("our program and what it holds", { skip: cannotRun() }, () => {
  let stage: Stage;
  let leaked: string;
  before(async () => {
    // As moby does: a daemon that inherited open directories must not pass them on.
    leaked = process.cwd();
    stage = await Stage.open({ inherited: leaked });
  });
  after(() => stage[Symbol.asyncDispose]());

  const program = (): string => {
    const { program } = JSON.parse(readFileSync(join(stage.engine.run, "holder"), "utf8")) as { program: string };
    return program;
  };

  const withProbe = (...flags: string[]): Promise<string> =>
    stage.runner.detached("-v", `${probePath}:/probe:ro`, ...flags, busybox, "sleep", "1000");

  test("CVE-2019-5736: the keeper that a container makes its own program of cannot be changed", async () => {
    const id = await withProbe();
    await said(stage.engine, "exec", id, "mkfifo", "/wait");
    // The kernel looks /proc/self/exe up while the process still is the keeper, which then waits for its plan.
    await said(stage.engine, "exec", "--detach", id, "/proc/self/exe", "run", "/wait");
    const find = 'for p in /proc/[0-9]*; do [ "$(readlink $p/exe)" != /keeper ] || echo $p/exe; done';
    let path = "";
    await until("the keeper runs inside", async () => {
      path = await said(stage.engine, "exec", id, "sh", "-c", find);
      return path !== "";
    });
    const tampered = await said(stage.engine, "exec", id, "/probe", "tamper", path);
    assert.match(tampered, /^write: EROFS$/m);
    assert.match(tampered, /^file capabilities: EROFS$/m);
    assert.doesNotMatch(tampered, /: ok/);
    assert.ok(readFileSync(program()).equals(readFileSync(keeperProgram)));
    await said(stage.engine, "rm", "--force", id);
  });

  test("CVE-2019-5736: an image whose programs are scripts for /proc/self/exe runs nothing but our program, inside", async () => {
    await stage.make("shebang", [{ path: "script", mode: 0o755, content: "#!/proc/self/exe run\nx" }]);
    for (const args of [["/script"], ["/proc/self/exe", "--hold"], ["/proc/self/exe", "clean", "/script"]]) {
      const { code } = await stage.run("--entrypoint", args[0]!, "shebang", ...args.slice(1));
      assert.notEqual(code, 0);
    }
    assert.ok(readFileSync(program()).equals(readFileSync(keeperProgram)));
    assert.equal(await stage.says("probe", "cwd"), "cwd: /");
  });

  test("CVE-2024-21626: no working directory leads through a descriptor of ours, at start and in sessions", async () => {
    const id = await stage.runner.detached("probe", "sleep");
    const steal = ["/probe", "cat", `../../../../../../../..${stage.canary.secretFile}`];
    const post = (target: string, body: unknown) => stage.engine.request("POST", target, JSON.stringify(body));
    for (let number = 3; number <= lastDescriptor; number++)
      for (const process of ["self", "1"]) {
        const WorkingDir = `/proc/${process}/fd/${number}`;
        const created = await post("/containers/create", { Image: "probe", WorkingDir, Cmd: ["cwd"] });
        assert.equal(created.status, 201, created.body);
        const { Id } = JSON.parse(created.body) as { Id: string };
        const started = await stage.engine.request("POST", `/containers/${Id}/start`);
        assert.ok(started.status >= 400, `${WorkingDir}: ${started.status}`);
        await stage.engine.request("DELETE", `/containers/${Id}`);
        const session = await post(`/containers/${id}/exec`, { WorkingDir, Cmd: steal, AttachStdout: true });
        const exec = (JSON.parse(session.body) as { Id: string }).Id;
        // A session that cannot begin hangs up.
        const { body } = await post(`/exec/${exec}/start`, {}).catch(() => ({ body: "" }));
        stage.canary.assertUnseen(body);
      }
    await said(stage.engine, "rm", "--force", id);
  });

  test("CVE-2024-21626: of all descriptors a program has three, whatever the daemon has open", async () => {
    const held = [...descriptorsOf(stage.engine.pid).values()].filter((target) => target === leaked);
    assert.ok(held.length >= 2, "the daemon inherited nothing: the test is none");
    const numbers = (text: string) => [...text.matchAll(/^(\d+): mode/gm)].map(([, number]) => number);
    for (const flags of [[], ["--privileged"], ["-t"], ["-i"], ["--init"], ["--user", "7"]])
      assert.deepEqual(numbers(await stage.says(...flags, "probe", "descriptors")), ["0", "1", "2"], flags.join(" "));
    const id = await stage.runner.detached("probe", "sleep");
    assert.deepEqual(numbers(await said(stage.engine, "exec", id, "/probe", "descriptors")), ["0", "1", "2"]);
    // Nor its monitor: what it holds is the container's log, pipes and sockets.
    const targets = [...descriptorsOf(keeperOf(await pidOf(stage.engine, id))).values()];
    assert.deepEqual(
      targets.filter((target) => target === leaked || target.startsWith("/dev/pts")),
      [],
    );
    await said(stage.engine, "rm", "--force", id);
  });

  test("a container that was created and not started holds nothing at all", async () => {
    const id = await said(stage.engine, "create", "--network", "none", "probe", "sleep");
    assert.equal(await inspected(stage.engine, "{{.State.Pid}}", id), "0");
    await said(stage.engine, "rm", id);
  });

  test("CVE-2016-9962: what enters a container cannot be looked into before it is one of its own", async () => {
    // What is asserted on every plan (plan.test.ts: not dumpable before anything is joined) is here seen from within;
    // races.test.ts has the attack.
    const id = await withProbe("--pid", "host");
    const keeper = keeperOf(await pidOf(stage.engine, id));
    const look = `for l in root cwd exe fd/0; do readlink /proc/${keeper}/$l /proc/${stage.engine.pid}/$l; done; true`;
    assert.equal(await said(stage.engine, "exec", id, "sh", "-c", look), "");
    assert.doesNotMatch(await said(stage.engine, "exec", id, "/probe", "links", stage.canary.secretFile), /reached/);
    await said(stage.engine, "rm", "--force", id);
  });

  test("CVE-2016-9962: not even who may trace everybody finds the host behind a session that comes in", async () => {
    const id = await withProbe("--cap-add", "SYS_PTRACE");
    const words = ["exec", id, "/probe", "links", stage.canary.secretFile, "100000"];
    const attacker = new Listener(stage.engine.spawn("docker", words));
    await attacker.seen(/looking/);
    for (let turn = 0; turn < 10; turn++) await said(stage.engine, "exec", id, "true");
    await said(stage.engine, "rm", "--force", id);
    await attacker.ended();
    assert.doesNotMatch(attacker.text, /reached/);
  });

  test("a session whose dead program a tracer does not let go stops nobody", async () => {
    const id = await withProbe();
    const session = stage.engine.spawn("docker", ["exec", id, "/bin/sleep", "1000"]);
    const find = "for p in $(pidof sleep); do [ $p = 1 ] || echo $p; done";
    let pid = "";
    await until("the session runs", async () => {
      pid = await said(stage.engine, "exec", id, "sh", "-c", find);
      return pid !== "";
    });
    const tracer = new Listener(stage.engine.spawn("docker", ["exec", id, "/probe", "trace", pid]));
    await tracer.seen(/tracing/);
    await said(stage.engine, "exec", id, "kill", "-9", pid);
    const { body } = await stage.engine.request("GET", `/containers/${id}/json`);
    const [exec] = (JSON.parse(body) as { ExecIDs: string[] }).ExecIDs;
    // Its keeper still answers, whatever it answers.
    assert.ok((await stage.engine.request("POST", `/exec/${exec}/resize?h=1&w=1`)).status >= 400);
    await said(stage.engine, "rm", "--force", id);
    await tracer.ended();
    session.kill();
  });

  test("CVE-2020-15257: no abstract socket of ours, and none of our sockets within reach of the host's network", async () => {
    const flags = ["--network", "host", "-v", `${probePath}:/probe:ro`, busybox, "sleep", "1000"];
    const id = await said(stage.engine, "run", "--detach", ...flags);
    const sockets = await said(stage.engine, "exec", id, "cat", "/proc/net/unix");
    const ours = sockets.split("\n").map((line) => line.trim().split(/\s+/)[7] ?? "");
    assert.ok(ours.includes(stage.engine.socket), "the host's sockets are not seen: the test is none");
    const of = new Set([stage.engine.pid, keeperOf(await pidOf(stage.engine, id))].flatMap((pid) => inodesOf(pid)));
    const abstract = sockets.split("\n").filter((line) => / @/.test(line) && of.has(line.trim().split(/\s+/)[6] ?? ""));
    assert.deepEqual(abstract, []);
    for (const path of ours.filter((path) => path.startsWith(stage.engine.run)))
      assert.match((await stage.engine.docker(["exec", id, "/probe", "connect", path])).stdout, /: ENOENT$/m);
    await said(stage.engine, "rm", "--force", id);
  });

  test("nobody on the host but root reaches a socket, a layer or a file of ours", async () => {
    const id = await stage.runner.detached("probe", "sleep");
    const { run, root, socket } = stage.engine;
    const control = join(run, "c", id, "control");
    const directories = [join(root, "layers"), join(root, "containers", id), join(run, "c", id), join(run, "layers")];
    for (const args of [
      ...[socket, control].map((path) => ["connect", path]),
      ...directories.map((path) => ["list", path]),
    ]) {
      const tried = spawnSync(probePath, args, { uid: 65_534, gid: 65_534, cwd: "/", encoding: "utf8" });
      assert.match(tried.stdout, /: EACCES$/m, args.join(" "));
    }
    await said(stage.engine, "rm", "--force", id);
  });

  test("CVE-2021-43784: texts and lists longer than 64 KiB arrive whole, and choose nothing else", async () => {
    const long = "x".repeat(100_000);
    const many = Array.from({ length: 2_000 }, (_, index) => `V${index}=${"y".repeat(100)}`);
    const body = { Image: "probe", Cmd: ["args", long, "then", "env", "then", "caps"], Env: [`LONG=${long}`, ...many] };
    const created = await stage.engine.request("POST", "/containers/create?name=long", JSON.stringify(body));
    assert.equal(created.status, 201, created.body);
    const { stdout } = await stage.engine.docker(["start", "--attach", "long"]);
    assert.ok(
      stdout.includes(`0: ${long}\n`) && stdout.includes(`LONG=${long}\n`) && stdout.includes(`${many.at(-1)}\n`),
    );
    assert.match(stdout, /^effective: 0+a80425fb$/m);
    await said(stage.engine, "rm", "long");
  });

  test("CVE-2026-53492, CVE-2026-53488: no label of an image's chooses a device, a mount, a hook or a runtime", async () => {
    const labels = {
      "com.docker.network.bridge.name": "x",
      "cdi.k8s.io/all": "vendor.com/class=all",
      "io.containerd.runc.v2.group": "x",
      "org.opencontainers.image.stopSignal": "SIGKILL",
      "run.oci.hooks.stderr": stage.canary.secretFile,
      "run.oci.keep_original_groups": "1",
      "io.pier.root": "/",
      privileged: "true",
    };
    await stage.make("plain", []);
    await stage.make("labelled", [], { Labels: labels });
    const explained = async (image: string): Promise<string> => {
      const { code, stdout, stderr } = await stage.engine.pier(["run", "--explain", "--network", "none", image]);
      assert.equal(code, 0, stderr);
      return stdout.replaceAll(/[0-9a-f]{8,64}/g, "ID");
    };
    assert.equal(await explained("labelled"), await explained("plain"));
  });

  test("a privileged container still has mounts of its own, no descriptor of ours, and cannot change our program", async () => {
    const id = await withProbe("--privileged", "--pid", "host");
    const pid = await pidOf(stage.engine, id);
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/mnt`), readlinkSync("/proc/self/ns/mnt"));
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/mnt`), readlinkSync(`/proc/${keeperOf(pid)}/ns/mnt`));
    const tampered = await said(stage.engine, "exec", id, "/probe", "tamper", `/proc/${keeperOf(pid)}/exe`);
    assert.doesNotMatch(tampered, /: ok/);
    const mount = await said(stage.engine, "exec", id, "sh", "-c", "mkdir /m && mount -t tmpfs x /m && echo mounted");
    assert.equal(mount, "mounted");
    await said(stage.engine, "rm", "--force", id);
  });

  test("the daemon's environment is nobody's", async () => {
    const id = await withProbe("--pid", "host");
    const read = "for p in /proc/[0-9]*; do cat $p/environ 2>/dev/null; done; env";
    const known = await said(stage.engine, "exec", "--privileged", id, "sh", "-c", read);
    // Root of the host's processes sees the daemon's, of course; no process of ours has taken it along.
    const keeper = keeperOf(await pidOf(stage.engine, id));
    assert.ok(known.includes(stage.canary.environment.PIER_CANARY));
    assert.equal(readFileSync(`/proc/${keeper}/environ`, "utf8"), "");
    stage.canary.assertUnseen(await said(stage.engine, "exec", id, "sh", "-c", read));
    await said(stage.engine, "rm", "--force", id);
  });
});

const inodesOf = (pid: number): readonly string[] =>
  [...descriptorsOf(pid).values()].flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
