/** Containers that stand still, whose limits change, and what they use. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, inspected, pidOf, removeAll, said, until } from "./containers.ts";

describe("pause, update and stats", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());
  afterEach(() => removeAll(engine));

  const run = async (name: string, ...flags: readonly string[]): Promise<void> => {
    const busy = "trap 'exit 7' TERM; echo ready; i=0; while :; do i=$((i+1)); done";
    await said(engine, "run", "-d", "--network", "none", "--name", name, ...flags, busybox, "sh", "-c", busy);
    await until("it is ready", async () => (await said(engine, "logs", name)) === "ready");
  };
  const fails = async (sentence: RegExp, ...words: readonly string[]) => {
    const ran = await engine.docker(words);
    assert.notEqual(ran.code, 0, words.join(" "));
    assert.match(ran.stderr, sentence);
  };
  const ticks = (pid: number) =>
    readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ").slice(11, 13).join();

  test("what is paused does not run, says so, and goes on when it is told to", async () => {
    const since = Math.floor(Date.now() / 1000);
    await run("still");
    const pid = await pidOf(engine, "still");
    await said(engine, "pause", "still");
    const before = ticks(pid);
    assert.match(
      await inspected(engine, "{{.State.Status}} {{.State.Paused}} {{.State.Running}}", "still"),
      /^paused true true$/,
    );
    assert.match(await said(engine, "ps", "--filter", "status=paused", "--format", "{{.Status}}"), /\(Paused\)$/);
    await fails(/is paused, unpause the container before exec/, "exec", "still", "true");
    await fails(/You cannot attach to a paused container|unpause the container before attach/, "attach", "still");
    await fails(/is already paused/, "pause", "still");
    await fails(/cannot start a paused container, try unpause instead/, "start", "still");
    await fails(/container is paused and must be unpaused first/, "rm", "still");
    await engine.kill9();
    await engine.restart();
    assert.equal(await inspected(engine, "{{.State.Status}}", "still"), "paused");
    assert.equal(ticks(pid), before);
    assert.equal((await engine.pier(["unpause", "still"])).code, 0);
    await until("it runs on", () => ticks(pid) !== before);
    await fails(/is not paused/, "unpause", "still");
    const told = await said(
      engine,
      "events",
      "--since",
      `${since}`,
      "--until",
      `${Math.floor(Date.now() / 1000) + 1}`,
      "--filter",
      "container=still",
      "--filter",
      "event=unpause",
      "--format",
      "{{.Action}}",
    );
    assert.equal(told, "unpause");
  });

  test("a stop, a kill and a forced removal reach what stands still", async () => {
    for (const name of ["stopped", "killed", "removed"]) {
      await run(name);
      await said(engine, "pause", name);
    }
    await said(engine, "stop", "stopped");
    assert.equal(await inspected(engine, "{{.State.Status}} {{.State.ExitCode}}", "stopped"), "exited 7");
    await said(engine, "kill", "killed");
    assert.equal(await inspected(engine, "{{.State.Status}} {{.State.ExitCode}}", "killed"), "exited 137");
    await said(engine, "rm", "--force", "removed");
    await fails(/is not running/, "pause", "stopped");
  });

  test("limits change at once and stay for the next start; what contradicts itself is refused", async () => {
    await run("limited", "--memory", "64m", "--cpus", "0.5", "--pids-limit", "50");
    const read = (file: string) => said(engine, "exec", "limited", "sh", "-c", `cat ${file}`);
    const v1 = await said(engine, "exec", "limited", "sh", "-c", "[ -e /sys/fs/cgroup/memory ] && echo yes || echo no");
    const [memory, swap, pids, quota] =
      v1 === "yes"
        ? [
            "memory/memory.limit_in_bytes",
            "memory/memory.memsw.limit_in_bytes",
            "pids/pids.max",
            "cpu/cpu.cfs_quota_us",
          ]
        : ["memory.max", "memory.swap.max", "pids.max", "cpu.max"];
    const values = async () =>
      (await read([memory, pids, quota].map((file) => `/sys/fs/cgroup/${file}`).join(" "))).replaceAll("\n", " ");
    assert.match(await values(), /^67108864 50 50000/);
    await said(
      engine,
      "update",
      "--memory",
      "96m",
      "--memory-swap",
      "200m",
      "--cpus",
      "0.25",
      "--pids-limit",
      "60",
      "limited",
    );
    assert.match(await values(), /^100663296 60 25000/);
    if (v1 === "yes") assert.equal(await read(`/sys/fs/cgroup/${swap}`), String(200 << 20));
    const updated = await engine.pier([
      "update",
      "--memory",
      "32m",
      "--memory-swap",
      "-1",
      "--pids-limit",
      "-1",
      "limited",
    ]);
    assert.equal(updated.code, 0, updated.stderr);
    assert.match(await values(), /^33554432 max 25000/);
    await said(engine, "restart", "-t", "0", "limited");
    assert.match(await values(), /^33554432 max 25000/);
    assert.equal(
      await inspected(engine, "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}}", "limited"),
      "33554432 -1 250000000",
    );
    await fails(
      /CPU Period cannot be updated as NanoCPUs has already been set/,
      "update",
      "--cpu-period",
      "10000",
      "limited",
    );
    await fails(/Minimum memory limit allowed is 6MB/, "update", "--memory", "1m", "limited");
    await run("free");
    await said(engine, "update", "--memory", "64m", "free");
    await fails(/update the memoryswap at the same time/, "update", "--memory", "600m", "free");
    assert.equal(await inspected(engine, "{{.HostConfig.Memory}}", "free"), String(64 << 20));
  });

  test("a restart policy that is given later counts from then on", async () => {
    await run("later");
    assert.equal(await said(engine, "update", "--restart", "on-failure:1", "later"), "later");
    assert.equal(await inspected(engine, "{{.HostConfig.RestartPolicy.Name}}", "later"), "on-failure");
    process.kill(await pidOf(engine, "later"), "SIGKILL");
    await until(
      "it runs again",
      async () => (await inspected(engine, "{{.State.Running}} {{.RestartCount}}", "later")) === "true 1",
    );
    await said(engine, "run", "-d", "--rm", "--network", "none", "--name", "goes", busybox, "sleep", "1000");
    await fails(/AutoRemove is enabled/, "update", "--restart", "always", "goes");
  });

  test("stats say what is used: once, as a stream, in a table, and nothing of what does not run", async () => {
    await said(
      engine,
      "run",
      "-d",
      "--name",
      "busy",
      "--memory",
      "64m",
      "--pids-limit",
      "9",
      busybox,
      "sh",
      "-c",
      "while :; do :; done",
    );
    await said(engine, "create", "--name", "idle", busybox);
    const stats = async (name: string, query: string) =>
      JSON.parse((await engine.request("GET", `/v1.51/containers/${name}/stats?${query}`)).body);
    const shot = await stats("busy", "stream=0&one-shot=1");
    assert.equal(shot.name, "/busy");
    assert.equal(shot.preread, "0001-01-01T00:00:00Z");
    assert.equal(shot.memory_stats.limit, 64 << 20);
    assert.deepEqual(shot.pids_stats, { current: 1, limit: 9 });
    assert.ok(shot.memory_stats.usage > 0 && shot.cpu_stats.online_cpus >= 1 && shot.networks.eth0.rx_bytes >= 0);
    const two = await stats("busy", "stream=false");
    assert.ok(two.cpu_stats.cpu_usage.total_usage > two.precpu_stats.cpu_usage.total_usage);
    assert.ok(two.cpu_stats.system_cpu_usage > two.precpu_stats.system_cpu_usage);
    const idle = await stats("idle", "stream=false");
    assert.deepEqual(
      [idle.read, idle.memory_stats, idle.cpu_stats.cpu_usage.total_usage],
      ["0001-01-01T00:00:00Z", {}, 0],
    );
    const format = "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}";
    for (const client of ["docker", "pier"] as const) {
      const ran = await engine[client](["stats", "--no-stream", "--format", format, "busy"]);
      assert.match(
        ran.stdout,
        /^busy [1-9][\d.]*% [\d.]+[KM]iB \/ 64MiB 1\n$/,
        `${client}: ${ran.stdout}${ran.stderr}`,
      );
    }
    const table = await engine.pier(["stats", "--no-stream", "--all"]);
    assert.match(table.stdout, /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS\n/);
    assert.match(table.stdout, /^[0-9a-f]{12} +idle +-- +-- \/ -- /m);
  });

  test("a stream of stats ends with its container", async () => {
    await said(engine, "run", "-d", "--network", "none", "--name", "short", busybox, "sleep", "1000");
    const child = engine.spawn("pier", ["stats", "--format", "{{.Name}}", "short"]);
    let text = "";
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    child.stdout!.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await until("it is shown", () => text.includes("short"));
    await said(engine, "rm", "-f", "short");
    assert.equal(await ended, 0);
  });
});
