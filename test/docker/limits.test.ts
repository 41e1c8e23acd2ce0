/** What a limit does: the number that the kernel was given, and what the container then cannot. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, isAlive, pidOf, said, until } from "./containers.ts";
import { countIn, groupDirectory, groupFile, isV2 } from "./groups.ts";
import { Runner } from "./run.ts";

const mebibyte = 2 ** 20;

describe("limits hold", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(() => engine.stop());

  const sh = (script: string, ...flags: string[]) => runner.says(...flags, busybox, "sh", "-c", script);
  const remove = (...ids: string[]) => said(engine, "rm", "--force", ...ids);

  test("--cpus: who wants more waits for its next period", async () => {
    const flags = ["--cpus", "0.2", "probe", "spin", "0.3", "then", "cat", groupFile("cpu", "cpu.stat", "cpu.stat")];
    const began = performance.now();
    const said = await runner.says(...flags);
    // 0.3 seconds of processor time, 0.02 in each tenth of a second: fifteen periods, and the first need not be whole.
    assert.ok(performance.now() - began >= 1200, `${performance.now() - began} ms`);
    assert.ok(Number(/^nr_throttled (\d+)$/m.exec(said)?.[1]) > 0, said);
  });

  test("--cpu-shares: who has eight times the shares gets more of a processor that both want", async () => {
    const spin = (shares: string) =>
      runner.detached("--cpuset-cpus", "0", "--cpu-shares", shares, "probe", "spin", "1000");
    const [much, little] = await Promise.all([spin("2048"), spin("256")]);
    const controller = isV2 ? "cpu" : "cpuacct";
    const groups = await Promise.all([much, little].map((id) => groupDirectory(engine, id, controller)));
    // Both at one moment: what lies between would count for one of them alone.
    const used = () =>
      groups.map((group) =>
        isV2 ? countIn(`${group}/cpu.stat`, "usage_usec ") * 1000 : countIn(`${group}/cpuacct.usage`),
      );
    const before = used();
    let [more, less] = [0, 0];
    await until("both have run for long enough to be compared", () => {
      [more = 0, less = 0] = used().map((now, index) => now - (before[index] ?? 0));
      return more + less > 5e8;
    });
    assert.ok(more > 3 * less, `${more} and ${less}`);
    await remove(much, little);
  });

  test("--cpuset-cpus and --cpuset-mems: nothing runs, and nothing lies, elsewhere", async () => {
    const files = ["cpus", "mems"].map((name) => groupFile("cpuset", `cpuset.${name}`, `cpuset.${name}`));
    const script = `cat ${files.join(" ")}; taskset -p 1 2>/dev/null; grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status`;
    const said = await sh(script, "--cpuset-cpus", "0", "--cpuset-mems", "0");
    assert.match(said, /^0\n0\n/);
    assert.match(said, /^Cpus_allowed_list:\t0$/m);
    assert.match(said, /^Mems_allowed_list:\t0$/m);
  });

  test("--pids-limit: what was refused is counted", async () => {
    const id = await runner.detached("--pids-limit", "10", busybox, "sleep", "1000");
    const directory = await groupDirectory(engine, id, "pids");
    assert.equal(countIn(`${directory}/pids.max`), 10);
    assert.equal(countIn(`${directory}/pids.events`, "max "), 0);
    const bomb = await engine.docker(["exec", id, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done"]);
    assert.notEqual(bomb.code, 0);
    assert.match(bomb.stderr, /can't fork/);
    assert.ok(countIn(`${directory}/pids.events`, "max ") > 0);
    assert.ok(countIn(`${directory}/pids.current`) <= 10);
    await remove(id);
  });

  test("--ulimit: files, processes, sizes", async () => {
    const of = (limit: string, ...verb: string[]) => runner.says("--ulimit", limit, "probe", ...verb);
    // Three are open already.
    assert.equal(await of("nofile=20", "files", "100"), "files: 17 EMFILE");
    // The process itself is one of them; the limit counts for users other than root, on the whole machine.
    assert.equal(await of("nproc=5", "setuid", "54321", "54321", "then", "fork", "20"), "setuid: ok\nforked: 4 EAGAIN");
    assert.equal(await of("data=67108864", "memory", "128", "then", "cwd"), "mmap: ENOMEM\ncwd: /");
    const script = "dd if=/dev/zero of=/f bs=1k count=100 2>/dev/null; echo $?; wc -c </f";
    // 128 + SIGXFSZ.
    assert.equal(await sh(script, "--ulimit", "fsize=10240"), "153\n10240");
  });

  test("--shm-size and the size of a tmpfs: there is no room for more", async () => {
    const fill = (directory: string) => `dd if=/dev/zero of=${directory}/f bs=1k 2>&1 | tail -1; wc -c <${directory}/f`;
    const full = async (directory: string, ...flags: string[]) =>
      (await sh(fill(directory), ...flags)).split("\n").at(-1);
    assert.equal(await full("/dev/shm", "--shm-size", "2m"), String(2 * mebibyte));
    assert.equal(await full("/t", "--tmpfs", "/t:size=1m"), String(mebibyte));
    assert.equal(await full("/t", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m"), String(mebibyte));
  });

  test("what is in a tmpfs counts as memory", async () => {
    const args = ["--name", "heavy", "-m", "16m", "--tmpfs", "/t", busybox, "sh", "-c", "cat /dev/zero >/t/f"];
    const { code } = await engine.docker(["run", "--network", "none", ...args]);
    assert.equal(code, 137);
    assert.equal(await inspected(engine, "{{.State.OOMKilled}}", "heavy"), "true");
  });

  test("devices: nodes can be made, but only the usual ones are of use", async () => {
    const use = (major: number, minor: number) => [
      ...["then", "mknod", `/d${major}.${minor}`, "c", String(major), String(minor)],
      ...["then", "open", `/d${major}.${minor}`, "rw"],
    ];
    const { stdout } = await runner.run(["probe", "cwd", ...use(1, 3), ...use(1, 1), ...use(10, 229)]);
    assert.deepEqual(stdout.split("\n").slice(1, -1), [
      "/d1.3: ok",
      "/d1.3: ok",
      "/d1.1: ok",
      "/d1.1: EPERM",
      "/d10.229: ok",
      "/d10.229: EPERM",
    ]);
    if (isV2) return;
    const list = await runner.says(busybox, "cat", "/sys/fs/cgroup/devices/devices.list");
    const numbers = ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:1", "5:2", "136:*"];
    assert.deepEqual(list.split("\n"), ["c *:* m", "b *:* m", ...numbers.map((number) => `c ${number} rwm`)]);
  });

  test("--device and --device-cgroup-rule: as far as was allowed, and --privileged without end", async () => {
    const kmsg = (...flags: string[]) =>
      sh("mknod /k c 1 11; (: </k) 2>/dev/null && echo r; (: >/k) 2>/dev/null && echo w; true", ...flags);
    assert.equal(await kmsg("--cap-add", "SYSLOG"), "");
    assert.equal(await kmsg("--cap-add", "SYSLOG", "--device", "/dev/kmsg:/dev/x:r"), "r");
    assert.equal(await kmsg("--cap-add", "SYSLOG", "--device", "/dev/kmsg:/dev/x:w"), "w");
    assert.equal(await kmsg("--cap-add", "SYSLOG", "--device-cgroup-rule", "c 1:* rw"), "r\nw");
    assert.equal(await kmsg("--privileged"), "r\nw");
    if (isV2) return;
    const list = await runner.says("--privileged", busybox, "cat", "/sys/fs/cgroup/devices/devices.list");
    assert.equal(list, "a *:* rwm");
    const ruled = ["--device-cgroup-rule", "b 7:* r", busybox, "cat", "/sys/fs/cgroup/devices/devices.list"];
    assert.match(await runner.says(...ruled), /^b 7:\* r$/m);
  });

  test("a session, and whoever it starts, is in the container's groups, and nobody is beside them", async () => {
    const id = await runner.detached("-m", "32m", "--pids-limit", "20", busybox, "sleep", "1000");
    const groups = "cat /proc/self/cgroup | cut -d: -f2- | sort";
    const own = await said(engine, "exec", id, "sh", "-c", `cat /proc/1/cgroup | cut -d: -f2- | sort`);
    assert.equal(await said(engine, "exec", id, "sh", "-c", groups), own);
    assert.equal(await said(engine, "exec", "--privileged", id, "sh", "-c", `(${groups})`), own);
    await remove(id);
  });
});

const isHybrid = !isV2 && existsSync("/sys/fs/cgroup/unified/cgroup.procs");

describe("a host with version 1 alone", { skip: cannotRun() || (isHybrid ? false : "needs both versions") }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    const without = ["unshare", "--mount", "sh", "-c", 'umount -l /sys/fs/cgroup/unified; exec "$@"', "sh"];
    engine = await Engine.launch({ via: without });
    runner = new Runner(engine);
    await engine.load();
  });
  after(() => engine.stop());

  test("nothing of a container outlives it, not even in the host's pid namespace", async () => {
    const script = "sleep 1000 & (setsid sleep 1000 &) ; echo ready; wait";
    const id = await runner.detached("--pid", "host", busybox, "sh", "-c", script);
    await runner.hasSaid(id, /^ready$/m);
    const group = await groupDirectory(engine, id, "memory");
    const pids = readFileSync(join(group, "cgroup.procs"), "utf8").trim().split("\n").map(Number);
    assert.equal(pids.length, 3);
    process.kill(await pidOf(engine, id), "SIGKILL");
    assert.equal(await said(engine, "wait", id), "137");
    assert.deepEqual(pids.filter(isAlive), []);
    assert.ok(!existsSync(group));
    await said(engine, "rm", id);
  });
});
