/** What a container may use of the machine, seen from inside. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, said } from "./containers.ts";
import { Runner } from "./run.ts";

/** The file of a limit in the container's own group: version 1's name, version 2's name. */
const file = (controller: string, v1: string, v2: string): string =>
  existsSync(`/sys/fs/cgroup/${controller}/${v1.split(".")[0] === "cgroup" ? v1 : "tasks"}`)
    ? `/sys/fs/cgroup/${controller}/${v1}`
    : `/sys/fs/cgroup/${v2}`;
const isV2 = existsSync("/sys/fs/cgroup/cgroup.controllers");

describe("resources", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(() => engine.stop());

  const limit = file("memory", "memory.limit_in_bytes", "memory.max");
  const mebibyte = 2 ** 20;

  test("memory, and swap beside it", async () => {
    const swap = isV2 ? "/sys/fs/cgroup/memory.swap.max" : "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes";
    const limits = async (...args: string[]) => (await runner.says(...args, busybox, "cat", limit, swap)).split("\n");
    const both = (memory: number, swapped: number) => [
      String(memory * mebibyte),
      String((isV2 ? swapped - memory : swapped) * mebibyte),
    ];
    assert.deepEqual(await limits("-m", "32m"), both(32, 64));
    assert.deepEqual(await limits("-m", "32m", "--memory-swap", "48m"), both(32, 48));
    assert.deepEqual(await limits("-m", "32m", "--memory-swap", "32m"), both(32, 32));
    const [memory, unlimited = ""] = await limits("-m", "32m", "--memory-swap", "-1");
    assert.equal(memory, String(32 * mebibyte));
    assert.match(unlimited, isV2 ? /^max$/ : /^9223372036854771712$/);
    const reservation = file("memory", "memory.soft_limit_in_bytes", "memory.low");
    assert.equal(
      await runner.says("-m", "32m", "--memory-reservation", "16m", busybox, "cat", reservation),
      String(16 * mebibyte),
    );
  });

  test("amounts of memory that make no sense are refused", async () => {
    await runner.refuses(/Minimum memory limit allowed is 6MB/i, "-m", "5m", busybox);
    await runner.refuses(
      /Minimum memoryswap limit should be larger than memory limit/,
      "-m",
      "32m",
      "--memory-swap",
      "16m",
      busybox,
    );
    await runner.refuses(
      /You should always set the Memory limit when using Memoryswap limit/,
      "--memory-swap",
      "64m",
      busybox,
    );
    await runner.refuses(
      /Minimum memory limit can not be less than memory reservation limit/,
      "-m",
      "32m",
      "--memory-reservation",
      "64m",
      busybox,
    );
    await runner.refuses(/invalid argument "32x"/, "-m", "32x", busybox);
  });

  test("who runs out of memory is killed, and that is said", async () => {
    const format = "{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}";
    const run = (...args: string[]) => engine.docker(["run", "--network", "none", "-m", "16m", ...args]);
    assert.equal((await run("--name", "whole", "probe", "memory", "200")).code, 137);
    assert.equal(await inspected(engine, format, "whole"), "true 137 exited");
    const part = await run(
      "--name",
      "part",
      "-v",
      `${process.cwd()}/build/probe:/probe`,
      busybox,
      "sh",
      "-c",
      "/probe memory 200; echo $?",
    );
    assert.equal(part.stdout, "137\n");
    assert.equal(await inspected(engine, format, "part"), "true 0 exited");
    // The next run counts from the beginning.
    assert.equal((await run("--name", "well", "probe", "memory", "4")).stdout, "memory: 4 MiB\n");
    assert.equal(await inspected(engine, format, "well"), "false 0 exited");
  });

  test("processors: quotas, shares and sets", async () => {
    const cat = (args: readonly string[], ...files: string[]) => runner.says(...args, busybox, "cat", ...files);
    const quota = isV2
      ? ["/sys/fs/cgroup/cpu.max"]
      : ["/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"];
    const words = async (...args: string[]) => (await cat(args, ...quota)).split(/\s/);
    assert.deepEqual(await words("--cpus", "0.5"), ["50000", "100000"]);
    assert.deepEqual(await words("--cpu-period", "50000", "--cpu-quota", "20000"), ["20000", "50000"]);
    assert.equal(await cat(["--cpu-shares", "512"], file("cpu", "cpu.shares", "cpu.weight")), isV2 ? "59" : "512");
    const allowed = "grep Cpus_allowed_list /proc/self/status";
    assert.match(await runner.says("--cpuset-cpus", "0", busybox, "sh", "-c", allowed), /:\t0$/);
    await runner.refuses(/Range of CPUs is from 0.01 to/, "--cpus", "1000", busybox);
    await runner.refuses(
      /Conflicting options: Nano CPUs and CPU Quota/i,
      "--cpus",
      "1",
      "--cpu-quota",
      "5000",
      busybox,
    );
    await runner.refuses(/CPU cfs period can not be less than 1ms|period/i, "--cpu-period", "5", busybox);
    await runner.refuses(/Requested CPUs are not available - requested 999/, "--cpuset-cpus", "999", busybox);
    await runner.refuses(/Invalid value x for cpuset cpus/, "--cpuset-cpus", "x", busybox);
  });

  test("the number of processes", async () => {
    assert.equal(await runner.says("--pids-limit", "7", busybox, "cat", file("pids", "pids.max", "pids.max")), "7");
    assert.equal(await runner.says("--pids-limit", "7", "probe", "fork", "20"), "forked: 6 EAGAIN");
    assert.equal(await runner.says("--pids-limit", "-1", "probe", "fork", "100"), "forked: 100");
    assert.equal(await runner.says("probe", "fork", "100"), "forked: 100");
  });

  test("limits of the process", async () => {
    const limits = await runner.says(
      "--ulimit",
      "nofile=100:200",
      "--ulimit",
      "core=0",
      "--ulimit",
      "nproc=50",
      "probe",
      "limits",
    );
    assert.match(limits, /^nofile: 100 200$/m);
    assert.match(limits, /^core: 0 0$/m);
    assert.match(limits, /^nproc: 50 50$/m);
    const [, soft, hard] = /^nofile: (\d+) (\d+)$/m.exec(await runner.says("probe", "limits")) ?? [];
    assert.equal(soft, "1024");
    assert.ok(Number(hard) > 1024 && Number(hard) <= 524_288);
    await runner.refuses(
      /ulimit soft limit must be less than or equal to hard limit: 300 > 200/,
      "--ulimit",
      "nofile=300:200",
      busybox,
    );
    await runner.refuses(/invalid ulimit type: bogus/, "--ulimit", "bogus=1", busybox);
  });

  test("how soon the kernel kills it", async () => {
    const score = [busybox, "cat", "/proc/self/oom_score_adj"];
    assert.equal(await runner.says(...score), "0");
    assert.equal(await runner.says("--oom-score-adj", "500", ...score), "500");
    await runner.refuses(/range for oom score adj is \[-1000, 1000\]/, "--oom-score-adj", "1001", busybox);
  });

  test("a session in the container has the container's limits", async () => {
    const id = await runner.detached(
      "-m",
      "32m",
      "--ulimit",
      "nofile=100:200",
      "--oom-score-adj",
      "7",
      busybox,
      "sleep",
      "1000",
    );
    const inside = `cat ${limit} /proc/self/oom_score_adj; ulimit -n; cut -d: -f3 /proc/self/cgroup | sort -u`;
    assert.equal(await said(engine, "exec", id, "sh", "-c", inside), `${32 * mebibyte}\n7\n100\n/`);
  });

  const groupsAt = (path: string) =>
    ["", ...readdirSync("/sys/fs/cgroup")].map((name) => join("/sys/fs/cgroup", name, path)).filter(existsSync);

  test("a group of one's own choice above the container's is made, and goes with the last that asked for it", async () => {
    const parent = `/above-${process.pid}/here`;
    const flags = ["--cgroup-parent", parent, "--cgroupns", "host", busybox, "sleep", "1000"];
    const [first, second] = [await runner.detached(...flags), await runner.detached(...flags)];
    assert.match(
      await said(engine, "exec", first, "cat", "/proc/self/cgroup"),
      new RegExp(`:${parent}/${first}$`, "m"),
    );
    await said(engine, "rm", "--force", first);
    assert.notEqual(groupsAt(parent).length, 0);
    await engine.restart();
    await said(engine, "rm", "--force", second);
    assert.deepEqual(groupsAt(`/above-${process.pid}`), []);
  });

  test("a group above the container's that was there before stays as it was", async () => {
    const parent = `/before-${process.pid}`;
    const made = isV2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    mkdirSync(join(made, parent));
    try {
      await runner.says("--cgroup-parent", parent, busybox, "true");
      assert.deepEqual(groupsAt(parent), [join(made, parent)]);
    } finally {
      rmdirSync(join(made, parent));
    }
  });

  test("a group that is not beneath the top of all groups is refused", async () => {
    await runner.refuses(/invalid cgroup parent/, "--cgroup-parent", "../../x", busybox);
    await runner.refuses(/invalid cgroup parent/, "--cgroup-parent", "/a/../b", busybox);
  });
});
