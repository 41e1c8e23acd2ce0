/** A disk that is full, read-only, or fails: a clear error, nothing half made, and what makes room still works. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { busybox, isAlive, pidOf, removeAll, runDetached, said, until } from "../docker/containers.ts";
import { cannotRun, Engine } from "../engine.ts";
import type { Ran } from "../execute.ts";
import { imageOf } from "../probe/image.ts";

const isLong = process.env.PIER_LONG === "1";
const counting = "trap 'exit 7' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done";
const full = /no space left on device/;

/** A small disk with a file system of its own, on which the root is. */
const makeDisk = (directory: string): string => {
  const image = join(directory, "disk");
  execFileSync("truncate", ["-s", "64M", image]);
  execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-m", "0", "-N", "2000", image]);
  return image;
};

/** What a refusal must say, and that it is one. */
const assertRefused = ({ code, stdout, stderr }: Ran, why: RegExp): void => {
  assert.notEqual(code, 0, stdout);
  assert.match(stderr, why);
};

describe("a disk that is full", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;
  let ballast: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-full-"));
    engine = await Engine.launch({ disk: ["-o", "loop", makeDisk(directory)], runInMemory: true });
    ballast = join(engine.root, "ballast");
    await engine.load();
  });
  afterEach(async () => {
    empty();
    await removeAll(engine);
    await engine.assertNothingLeft();
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Every last byte is taken. */
  const fill = (): void => {
    const file = openSync(ballast, "a");
    try {
      for (const size of [1 << 20, 4096, 512, 1])
        try {
          for (const bytes = new Uint8Array(size); ; ) writeSync(file, bytes);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        }
    } finally {
      closeSync(file);
    }
  };
  const empty = (): void => rmSync(ballast, { force: true });
  const images = (): Promise<string> => said(engine, "images", "--format", "{{.Repository}}");
  const stored = (): readonly string[] => readdirSync(join(engine.root, "layers")).sort();

  test("says so, and everything that makes room works", async () => {
    const runs = await runDetached(engine, "--name", "runs", busybox, "sh", "-c", counting);
    await said(engine, "create", "--name", "made", busybox, "true");
    await said(engine, "run", "--name", "ended", busybox, "true");
    await runDetached(engine, "--rm", "--name", "goes", busybox, "sleep", "1000");
    await engine.load(await imageOf());
    const pid = engine.pid;
    fill();
    assertRefused(await engine.docker(["load"], { input: await imageOf({ name: "other:latest" }) }), full);
    assertRefused(await engine.docker(["start", "made"]), full);
    assert.equal(await said(engine, "exec", "runs", "echo", "hi"), "hi");
    assert.ok(isAlive(await pidOf(engine, runs)));
    await said(engine, "stop", "runs");
    assert.equal(await said(engine, "inspect", "--format", "{{.State.ExitCode}}", "runs"), "7");
    await said(engine, "rm", "--force", "goes");
    await said(engine, "rm", "ended", "runs", "made");
    assert.equal(await said(engine, "ps", "--all", "--quiet"), "");
    await said(engine, "rmi", "probe");
    assert.equal(engine.pid, pid);
    await said(engine, "run", "--rm", busybox, "true");
  });

  test("does not keep a daemon from its start, nor what ran before from its end", async () => {
    const id = await runDetached(engine, busybox, "sh", "-c", counting);
    const gone = await runDetached(engine, "--rm", busybox, "sleep", "1000");
    const pid = await pidOf(engine, id);
    fill();
    await engine.kill9();
    process.kill(pid, "SIGTERM");
    await engine.restart();
    await until("its end is known", async () =>
      (await said(engine, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", id)).startsWith("exited 7"),
    );
    fill();
    await said(engine, "rm", "--force", id, gone);
    fill();
    await engine.restart();
    assert.equal(await said(engine, "ps", "--all", "--quiet"), "");
  });

  test("at whichever write it happens: the image is whole or absent, the container too, and with room all is well", async () => {
    const archive = await imageOf({ name: "filled:latest" });
    const before = stored();
    fill();
    const free = isLong ? 4096 : 32 * 1024;
    for (let room = 0, isDone = false; !isDone; room += free) {
      // What was there before takes the rest: so much is left.
      if (room > 0) truncateSync(ballast, Math.max(0, sizeOf(ballast) - room));
      const loaded = await engine.docker(["load"], { input: archive });
      if (loaded.code === 0) {
        const ran = await engine.docker(["run", "--name", "filled", "filled", "exit", "0"]);
        if (ran.code === 0) isDone = true;
        else assert.match(ran.stderr, full, `with ${room} bytes`);
        await engine.docker(["rm", "--force", "filled"]);
        await said(engine, "rmi", "filled");
      } else {
        assert.match(loaded.stderr, full, `with ${room} bytes`);
        assert.doesNotMatch(await images(), /filled/);
      }
      await until("no layer is left", () => stored().join() === before.join());
      fill();
    }
  });

  test("is one too when it has no room for more files", async () => {
    const many = join(engine.root, "many");
    execFileSync("mkdir", [many]);
    try {
      assert.throws(() => {
        for (let number = 0; ; number++) writeFileSync(join(many, String(number)), "");
      }, /ENOSPC/);
      assertRefused(await engine.docker(["load"], { input: await imageOf({ name: "other:latest" }) }), full);
      assertRefused(await engine.docker(["run", "--name", "none", busybox, "true"]), full);
      await said(engine, "rm", "none");
    } finally {
      rmSync(many, { recursive: true });
    }
    await said(engine, "run", "--rm", busybox, "true");
  });
});

const sizeOf = (path: string): number => Number(execFileSync("stat", ["-c", "%s", path], { encoding: "utf8" }));

describe("a disk that becomes read-only", { skip: cannotRun() }, () => {
  test("is said to be, nothing is lost, and all goes on when it is mended", async () => {
    const directory = mkdtempSync(join(tmpdir(), "pier-read-only-"));
    const image = makeDisk(directory);
    const engine = await Engine.launch({ disk: ["-o", "loop,errors=remount-ro", image], runInMemory: true });
    await engine.load();
    const id = await runDetached(
      engine,
      "--name",
      "runs",
      busybox,
      "sh",
      "-c",
      "trap 'exit 7' TERM; while :; do sleep 0.05; done",
    );
    await said(engine, "create", "--name", "made", busybox, "true");
    const device = execFileSync("findmnt", ["-n", "-o", "SOURCE", engine.root], { encoding: "utf8" }).trim();
    // As when the kernel finds that what is on the disk cannot be.
    writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, "for a test");
    const pid = engine.pid;
    const readOnly = /[Rr]ead-only file system|input\/output error/;
    assertRefused(await engine.docker(["create", "--name", "other", busybox, "true"]), readOnly);
    assertRefused(await engine.docker(["load"], { input: await imageOf() }), readOnly);
    assertRefused(await engine.docker(["start", "made"]), readOnly);
    assertRefused(await engine.docker(["rm", "made"]), readOnly);
    assert.equal(await said(engine, "exec", "runs", "echo", "hi"), "hi");
    await said(engine, "stop", "runs");
    assert.equal(await said(engine, "inspect", "--format", "{{.State.ExitCode}}", "runs"), "7");
    assert.equal(engine.pid, pid);
    await assert.rejects(engine.restart(), /pier daemon: .*(read-only|readonly|unable to open|cannot open)/i);

    // Another disk with the same bytes: what hangs on the bad one lets it go when it ends.
    const mended = join(directory, "mended");
    execFileSync("cp", [image, mended]);
    execFileSync("sh", ["-c", `e2fsck -p -f ${mended} >/dev/null || [ $? -lt 4 ]`]);
    // The store's namespace sees what the host mounts, but not on a machine whose mounts are private, as the tests' is.
    const holder = JSON.parse(readFileSync(join(engine.run, "holder"), "utf8")).pid as number;
    process.kill(holder, "SIGKILL");
    await until("the holder is gone", () => !isAlive(holder));
    await engine.changeDisk(["-o", "loop", mended]);
    const state = "{{.State.Status}} {{.State.ExitCode}}";
    assert.equal(await said(engine, "inspect", "--format", state, id), "exited 7");
    assert.equal(await said(engine, "start", "--attach", "made"), "");
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });
});

describe("a disk that does not write what it was given", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch({ runInMemory: true });
    await engine.load();
  });
  after(() => engine.stop());

  /** From now on syncs fail: all, or the one with this number. */
  const failing = async (which: string): Promise<ChildProcess> => {
    const words = [
      "-f",
      "-o",
      "/dev/null",
      "-e",
      "trace=fsync,fdatasync",
      "-e",
      `inject=fsync,fdatasync:error=EIO${which}`,
    ];
    const strace = spawn("strace", [...words, "-p", String(engine.pid)], { stdio: ["ignore", "ignore", "pipe"] });
    // It says when it has come to every thread of the daemon's.
    await once(strace.stderr!, "data");
    return strace;
  };
  const mended = async (strace: ChildProcess): Promise<void> => {
    strace.kill("SIGINT");
    if (strace.exitCode === null && strace.signalCode === null) await once(strace, "exit");
  };
  const names = async (): Promise<string> => said(engine, "ps", "--all", "--format", "{{.Names}}");

  test("is not trusted: what was to be on it is not there, now or after a crash", async () => {
    const archive = await imageOf({ name: "lost:latest" });
    const pid = engine.pid;
    const strace = await failing("");
    const loaded = await engine.docker(["load"], { input: archive });
    const created = await engine.docker(["create", "--name", "lost", busybox, "true"]);
    await mended(strace);
    assertRefused(loaded, /input\/output error|EIO/i);
    assertRefused(created, /could not be written to disk|input\/output error|EIO/i);
    assert.equal(engine.pid, pid);
    assert.equal(await names(), "");
    assert.doesNotMatch(await said(engine, "images"), /lost/);
    await engine.restart();
    assert.equal(await names(), "");
    assert.doesNotMatch(await said(engine, "images"), /lost/);
    await engine.load(archive);
    await said(engine, "run", "--rm", "lost", "exit", "0");
    await said(engine, "rmi", "lost");
  });

  test("whichever sync of a load fails, the image is whole or absent; and it can be loaded again", async () => {
    const archive = await imageOf({ name: "once:latest" });
    for (let number = 1; number <= (isLong ? 20 : 5); number++) {
      const strace = await failing(`:when=${number}`);
      const { code, stderr } = await engine.docker(["load"], { input: archive });
      await mended(strace);
      if (code !== 0) assert.match(stderr, /input\/output error|EIO/i);
      await engine.restart();
      if (code === 0) await said(engine, "run", "--rm", "once", "exit", "0");
      else assert.doesNotMatch(await said(engine, "images"), /once/);
      await engine.load(archive);
      await said(engine, "rmi", "once");
    }
  });
});
