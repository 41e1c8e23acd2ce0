/** A daemon that lacks descriptors, processes or memory: it says so, leaves nothing half made, and goes on when it has them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { errnoOf } from "../../src/base/errors.ts";
import { busybox, isAlive, Listener, pidOf, removeAll, runDetached, said, until } from "../docker/containers.ts";
import { isV2 } from "../docker/groups.ts";
import { type Answer, cannotRun, Engine, fixture } from "../engine.ts";
import type { Ran } from "../execute.ts";
import { imageOf } from "../probe/image.ts";

const assertRefused = ({ code, stdout, stderr }: Ran, why: RegExp): void => {
  assert.notEqual(code, 0, stdout);
  assert.match(stderr, why);
};

/** Who is about to end is in no list of a group's, and keeps it all the same until it has ended. */
const removeGroup = (group: string): Promise<void> =>
  until("its group is gone", () => {
    try {
      rmdirSync(group);
      return true;
    } catch (error) {
      if (errnoOf(error) === "EBUSY") return false;
      throw error;
    }
  });

/** A container that runs and is not touched, and its process. */
const witness = async (engine: Engine): Promise<() => Promise<void>> => {
  const id = await runDetached(engine, "--name", "witness", busybox, "sleep", "1000");
  const [pid, daemon] = [await pidOf(engine, id), engine.pid];
  return async () => {
    assert.equal(engine.pid, daemon, "another daemon");
    assert.equal(await pidOf(engine, id), pid);
    assert.ok(isAlive(pid));
  };
};

describe("a daemon without descriptors", { skip: cannotRun() }, () => {
  const most = 128;
  const tooMany = /too many open files/;
  let engine: Engine;
  let assertUntouched: () => Promise<void>;
  before(async () => {
    engine = await Engine.launch({ via: ["prlimit", `--nofile=${most}:${most}`] });
    await engine.load();
    assertUntouched = await witness(engine);
  });
  after(() => engine.stop());

  const descriptors = (): number => readdirSync(`/proc/${engine.pid}/fd`).length;
  const allow = (count: number): void => {
    execFileSync("prlimit", ["--pid", String(engine.pid), `--nofile=${count}:`]);
  };

  test("turns away clients that are too many, keeps what it needs itself, and serves again when they are gone", async () => {
    const before = descriptors();
    const clients = Array.from({ length: 3 * most }, () => connect(engine.socket).on("error", () => {}));
    const open = (): readonly Socket[] => clients.filter(({ destroyed }) => !destroyed);
    try {
      await until("those that are too many have been turned away", () => open().length <= most / 2);
      assert.ok(descriptors() < most - 20, `${descriptors()} of ${most} descriptors are in use`);
      // What the command says depends on how far it came before it was hung up on.
      assertRefused(await engine.docker(["ps"]), /connection reset|EOF|broken pipe|server closed idle connection/);
    } finally {
      for (const client of clients) client.destroy();
    }
    await until("the daemon has let them go", () => descriptors() <= before);
    await assertUntouched();
  });

  test("refuses what it cannot do, whichever descriptor is the first that is missing", async () => {
    const archive = await imageOf({ name: "some:latest" });
    const body = JSON.stringify({ Image: busybox, Cmd: ["sleep", "1000"] });
    const failed = (answer: Answer): boolean => {
      // A load has begun to answer when it fails.
      const isFailure = answer.status >= 500 || answer.body.includes('"error"');
      if (isFailure) assert.match(answer.body, tooMany);
      return isFailure;
    };
    // One is for the client itself.
    for (let more = 1, isDone = false; !isDone; more++) {
      const create = async (): Promise<string> =>
        JSON.parse((await engine.request("POST", "/containers/create", body)).body).Id;
      // For the first one a keeper stands by.
      const ids = [await create(), await create()];
      allow(descriptors() + more);
      let started = false;
      for (const id of ids) started = failed(await engine.request("POST", `/containers/${id}/start`)) || started;
      const loaded = failed(
        await engine.request("POST", "/images/load", archive, { "content-type": "application/x-tar" }),
      );
      allow(most);
      isDone = !started && !loaded;
      assert.ok(more > 1 || !isDone);
      await said(engine, "rm", "--force", ...ids);
      if (!loaded) await said(engine, "rmi", "some");
    }
    await assertUntouched();
    await said(engine, "run", "--rm", busybox, "true");
  });
});

/** A control group with the daemon and its keepers in it, and containers outside. */
const makeGroup = (controller: string): string => {
  if (isV2) writeFileSync("/sys/fs/cgroup/cgroup.subtree_control", `+${controller}`);
  // A run that was killed leaves its group with its limits: nobody else shall be in it.
  return mkdtempSync(isV2 ? "/sys/fs/cgroup/p-scarce-" : `/sys/fs/cgroup/${controller}/p-scarce-`);
};
const inGroup = (group: string): readonly string[] => ["sh", "-c", `echo 0 >${group}/cgroup.procs && exec "$@"`, "sh"];
const has = (controller: string): boolean =>
  isV2
    ? readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8").includes(controller)
    : existsSync(`/sys/fs/cgroup/${controller}`);

describe("a daemon without processes", { skip: cannotRun() || (!has("pids") && "needs the controller pids") }, () => {
  let group: string;
  let engine: Engine;
  let assertUntouched: () => Promise<void>;
  before(async () => {
    group = makeGroup("pids");
    engine = await Engine.launch({ via: inGroup(group) });
    await engine.load();
    assertUntouched = await witness(engine);
    // Threads that it makes once and keeps are there.
    await said(engine, "run", "--rm", busybox, "true");
  });
  after(async () => {
    await engine.stop();
    await removeGroup(group);
  });
  const current = (): number => Number(readFileSync(`${group}/pids.current`, "utf8"));
  const allow = (count: number | "max"): void => writeFileSync(`${group}/pids.max`, String(count));

  test("refuses what it cannot do, and does it when it can", async () => {
    for (let more = 0, isDone = false; !isDone; more++) {
      allow(current() + more);
      const ran = await engine.docker(["run", "--rm", busybox, "true"]);
      const session = await engine.docker(["exec", "witness", "true"]);
      allow("max");
      for (const { code, stdout, stderr } of [ran, session])
        if (code !== 0) assert.match(stdout + stderr, /resource temporarily unavailable/, `with ${more} more`);
      assert.ok(more > 0 || ran.code !== 0);
      isDone = ran.code === 0 && session.code === 0;
      await until(
        "nothing of it is left",
        async () => (await said(engine, "ps", "-aq", "--no-trunc")).split("\n").length === 1,
      );
    }
    await assertUntouched();
  });
});

describe("a daemon without memory", {
  skip: cannotRun("debian.docker-archive.tar.gz") || (!has("memory") && "needs the controller memory"),
}, () => {
  const enough = 192;
  const megabyte = 2 ** 20;
  let group: string;
  let engine: Engine;
  before(async () => {
    group = makeGroup("memory");
    engine = await Engine.launch({ via: inGroup(group) });
    allow(enough);
    await engine.load();
  });
  afterEach(() => removeAll(engine));
  after(async () => {
    await engine.stop();
    await removeGroup(group);
  });
  const allow = (megabytes: number): void =>
    writeFileSync(`${group}/memory.${isV2 ? "max" : "limit_in_bytes"}`, String(megabytes * megabyte));

  /** Not much more than it has. The kernel does not make the limit smaller than that (EBUSY on version 1). */
  const leastPossible = (): void => {
    for (let megabytes = 16; ; megabytes += 4)
      try {
        allow(megabytes);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
      }
  };

  test(`loads, lists and logs with ${enough} MiB, whatever the size`, async () => {
    const pid = engine.pid;
    await engine.load("debian.docker-archive.tar.gz");
    const id = await runDetached(engine, busybox, "sh", "-c", "yes line | head -n 3000000");
    await said(engine, "wait", id);
    const log = new Listener(engine.spawn("docker", ["logs", "--tail", "1000000", id]));
    let bytes = 0;
    log.child.stdout?.removeAllListeners("data").on("data", (chunk: Buffer) => (bytes += chunk.length));
    assert.equal(await log.ended(), 0);
    assert.equal(bytes, 5_000_000);
    await said(engine, "rmi", "fixture/debian:bookworm");
    assert.equal(engine.pid, pid);
  });

  test("that the kernel kills for it takes nobody along, and the next one goes on", async () => {
    const id = await runDetached(engine, "--name", "lives", busybox, "sleep", "1000");
    const [pid, daemon] = [await pidOf(engine, id), engine.pid];
    leastPossible();
    const loading = new Listener(engine.spawn("docker", ["load", "--input", fixture("debian.docker-archive.tar.gz")]));
    await until("the kernel has killed it", () => !isAlive(daemon));
    assert.notEqual(await loading.ended(), 0);
    assert.ok(isAlive(pid));
    allow(enough);
    await engine.restart();
    assert.equal(await pidOf(engine, id), pid);
    assert.equal(await said(engine, "exec", "lives", "echo", "hi"), "hi");
    assert.doesNotMatch(await said(engine, "images"), /debian/);
  });
});
