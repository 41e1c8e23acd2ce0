/** Containers that take what they can get: the host, the daemon and the other containers go on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, isAlive, keeperOf, pidOf, said, until } from "./containers.ts";
import { countIn, groupDirectory, isV2 } from "./groups.ts";
import { Runner } from "./run.ts";

const probe = ["-v", `${join(process.cwd(), "build/probe")}:/probe`];
/** Milliseconds: what nobody would call responsive any more, on a machine that does other things too. */
const tooLate = 10_000;

/** Who lacks CAP_SYS_RESOURCE cannot lower anybody's score. */
const mayNotProtect = (): string | false => {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${effective}`) >> 24n) & 1n ? false : "needs CAP_SYS_RESOURCE";
};

/** Nothing for what is no process, or is gone. */
const statOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
};

describe("containers that take what they can get", { skip: cannotRun() }, () => {
  const directory = mkdtempSync("/tmp/p-stress-");
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true });
  });

  const inTime = async <T>(what: string, done: Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await done;
    const took = performance.now() - began;
    assert.ok(took < tooLate, `${what} took ${took} ms`);
    return result;
  };

  const bomb = ["--pids-limit", "64", "probe", "bomb"];

  test("a hog, a bomb, a spinner and a writer leave everybody else able to work", async () => {
    const daemon = engine.pid;
    const bystander = await runner.detached(busybox, "sleep", "1000");
    const keeper = keeperOf(await pidOf(engine, bystander));
    const [hog, forks, spinner, writer] = await Promise.all([
      runner.detached("-m", "16m", ...probe, busybox, "sh", "-c", "while :; do /probe memory 64; done"),
      runner.detached(...bomb),
      runner.detached("--cpus", "1", busybox, "sh", "-c", "while :; do :; done"),
      runner.detached(
        "-v",
        `${directory}:/d`,
        busybox,
        "sh",
        "-c",
        "while :; do dd if=/dev/zero of=/d/f bs=64k count=64 conv=fsync; done",
      ),
    ]);
    // All four are at it.
    const pids = await groupDirectory(engine, forks, "pids");
    await until("memory ran out", async () => (await inspected(engine, "{{.State.OOMKilled}}", hog)) === "true");
    await until("the bomb was refused", () => countIn(`${pids}/pids.events`, "max ") > 0);
    await until("the disk is written to", () => existsSync(join(directory, "f")));
    for (let round = 0; round < 3; round++) {
      assert.equal((await inTime("a ping", engine.request("GET", "/_ping"))).body, "OK");
      assert.equal(await inTime("a session", said(engine, "exec", bystander, "echo", "here")), "here");
      assert.equal(await inTime("a container", runner.says(busybox, "echo", "there")), "there");
      assert.equal((await inTime("the list", said(engine, "ps", "-q"))).split("\n").length, 5);
      await inTime("a process of the host", Promise.resolve(execFileSync("true")));
    }
    assert.ok(countIn(`${pids}/pids.current`) <= 64);
    await inTime("their end", said(engine, "rm", "--force", hog, forks, spinner, writer));
    assert.equal(engine.pid, daemon);
    assert.equal(await inspected(engine, "{{.State.Status}}", bystander), "running");
    assert.ok(isAlive(keeper));
    await said(engine, "rm", "--force", bystander);
  });

  test("a fork bomb ends when it is stopped", async () => {
    const id = await runner.detached(...bomb);
    const pids = await groupDirectory(engine, id, "pids");
    await until("it was refused", () => countIn(`${pids}/pids.events`, "max ") > 0);
    await inTime("its end", said(engine, "stop", "--time", "1", id));
    assert.equal(await inspected(engine, "{{.State.ExitCode}}", id), "137");
    assert.ok(!existsSync(pids));
    await said(engine, "rm", id);
  });

  /** How many children of a process have ended without its asking about them. */
  const zombiesOf = (parent: number): number =>
    readdirSync("/proc").filter((pid) => {
      const stat = statOf(pid);
      return stat.slice(stat.lastIndexOf(")")).startsWith(`) Z ${parent} `);
    }).length;
  const orphans = ["orphans", "10000", "then", "sleep"];

  test("ten thousand orphans are taken away by the built-in init, and by nobody but the first process without", async () => {
    const [tended, left] = await Promise.all([
      runner.detached("--init", "probe", ...orphans),
      runner.detached("probe", ...orphans),
    ]);
    for (const id of [tended, left]) {
      const log = await inspected(engine, "{{.LogPath}}", id);
      // An emulated processor takes its time.
      await until("all were made", () => readFileSync(log, "utf8").includes("orphans: 10000"), 120_000);
    }
    const [tendedPid, leftPid] = await Promise.all([pidOf(engine, tended), pidOf(engine, left)]);
    await until("all are reaped", () => zombiesOf(tendedPid) === 0, 60_000);
    // The keeper is the parent of one process alone, and asks about no other.
    await until("all have ended", () => zombiesOf(leftPid) === 10_000, 60_000);
    assert.equal((await inTime("a ping", engine.request("GET", "/_ping"))).body, "OK");
    await inTime("their end", said(engine, "rm", "--force", tended, left));
  });

  const processesOf = (path: string): readonly string[] =>
    readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean);

  /** A group in which daemon, keepers and containers are together, with 192 MiB for all of them. */
  const makeCommonGroup = (name: string) => {
    const top = isV2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const group = join(top, name);
    for (const path of [group, join(group, "daemon")]) mkdirSync(path);
    writeFileSync(join(group, isV2 ? "memory.max" : "memory.limit_in_bytes"), String(192 * 2 ** 20));
    if (isV2) writeFileSync(join(group, "cgroup.subtree_control"), "+memory +pids");
    return { group, top };
  };

  test("a container without limits that takes all there is goes before the daemon and the keepers", async () => {
    const name = `common-${process.pid}`;
    const { group, top } = makeCommonGroup(name);
    try {
      const bystander = await runner.detached(busybox, "sleep", "1000");
      const keeper = keeperOf(await pidOf(engine, bystander));
      for (const pid of [engine.pid, keeper]) writeFileSync(join(group, "daemon/cgroup.procs"), String(pid));
      const run = ["run", "--name", "endless", "--network", "none", "--cgroup-parent", `/${name}`];
      assert.equal((await engine.docker([...run, "probe", "memory", "400"])).code, 137);
      assert.equal(await inspected(engine, "{{.State.OOMKilled}}", "endless"), "true");
      assert.ok(isAlive(engine.pid) && isAlive(keeper));
      // The daemon first: who stands by for its next container was born there as well.
      for (const pid of [engine.pid, ...processesOf(join(group, "daemon"))])
        writeFileSync(join(top, "cgroup.procs"), String(pid));
      await said(engine, "rm", "--force", bystander, "endless");
    } finally {
      for (const path of [join(group, "daemon"), group]) rmdirSync(path);
    }
  });

  test("where the daemon may, it and its keepers are the last that the kernel takes", {
    skip: mayNotProtect(),
  }, async () => {
    const id = await runner.detached("--oom-score-adj", "3", busybox, "sleep", "1000");
    const pid = await pidOf(engine, id);
    const score = (of: number) => Number(readFileSync(`/proc/${of}/oom_score_adj`, "utf8"));
    assert.deepEqual([engine.pid, keeperOf(pid), pid].map(score), [-500, -999, 3]);
    await said(engine, "rm", "--force", id);
  });
});
