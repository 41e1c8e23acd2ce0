/** A daemon of today meets the containers, keepers and files of an earlier build: it can do everything to them. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startTimeOf } from "../../src/kernel/holder.ts";
import {
  askTcp,
  inspected,
  keeperOf,
  Listener,
  pidOf,
  runDetached,
  runServer,
  said,
  until,
} from "../docker/containers.ts";
import { cannotRun, Engine, executable } from "../engine.ts";
import { noCompiler } from "../keeper/compile.ts";
import { imageOf } from "../probe/image.ts";

/** The end of the foundation: the first build that somebody may have left containers of. */
const earlier = "f58c91b85ef848af94c5dd45dfbbcdf43f49ac38";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const bun = join(checkout, "node_modules/bun/bin/bun.exe");
const git = (...args: readonly string[]) => spawnSync("git", ["-C", checkout, ...args], { maxBuffer: 1 << 28 });
const noHistory =
  git("cat-file", "-e", `${earlier}^{commit}`).status === 0
    ? false
    : `the history does not reach back to ${earlier}; type: git fetch --unshallow`;

/** The earlier build, made from its sources; answers the command that is its `pier`. */
const makeEarlier = (directory: string): readonly string[] => {
  const { stdout } = git("archive", "--format=tar", earlier, "src", "keeper");
  execFileSync("tar", ["-x", "-C", directory], { input: stdout });
  mkdirSync(join(directory, "build"));
  copyFileSync(join(checkout, "build/hello"), join(directory, "build/hello"));
  const sources = readdirSync(join(directory, "keeper")).filter((name) => name.endsWith(".c") && name !== "hello.c");
  const words = ["-std=gnu17", "-O1", "-D_GNU_SOURCE", "-static", "-o", join(directory, "build/keeper")];
  execFileSync("cc", [...words, ...sources.map((name) => join(directory, "keeper", name))]);
  return [bun, join(directory, "src/main.ts")];
};

const skip =
  cannotRun() ||
  noCompiler ||
  noHistory ||
  (process.env.PIER_LAYER_FORMAT ? "the earlier build has one format" : false);

describe("after an upgrade", { skip }, () => {
  let engine: Engine;
  let directory: string;
  const ids: Record<string, string> = {};
  const marks = new Map<string, readonly [pid: number, startTime: number | undefined]>();
  let port = 0;

  const markOf = async (id: string): Promise<readonly [number, number | undefined]> => {
    const pid = await pidOf(engine, id);
    return [pid, startTimeOf(pid)];
  };
  const logOf = (id: string): string => readFileSync(join(engine.root, "containers", id, `${id}-json.log`), "utf8");

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-earlier-"));
    engine = await Engine.launch({ command: makeEarlier(directory), runInMemory: true });
    await engine.load(await imageOf());
    ids.ticks = await runDetached(engine, "probe", "tick", "20", "7");
    ids.ends = await runDetached(engine, "probe", "tick", "20", "8");
    ids.goes = await runDetached(engine, "--rm", "probe", "tick", "20", "9");
    ids.echoes = await runDetached(engine, "-i", "probe", "echo");
    ids.traps = await runDetached(engine, "-t", "-m", "64m", "probe", "trap", "2");
    ids.serves = await runServer(engine, "-p", "127.0.0.1::80", "probe", "tcp-serve", "0.0.0.0", "80");
    ids.loses = await runDetached(engine, "-m", "64m", "-p", "81", "probe", "sleep");
    ids.never = await said(engine, "create", "probe", "exit", "4");
    port = Number((await said(engine, "port", ids.serves, "80")).split(":")[1]);
    for (const id of Object.values(ids)) if (id !== ids.never) marks.set(id, await markOf(id));
    await until("they are ready", () => logOf(ids.traps!).includes("ready") && logOf(ids.ends!).includes("line 3"));
    await engine.kill9();
    // One that ends while no daemon runs.
    process.kill(marks.get(ids.ends)![0], "SIGTERM");
    await until("its end is written down", () => existsSync(join(engine.run, "c", ids.ends!, "exit")));
    await engine.restart([executable]);
    engine.acceptBuild();
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test("what ran runs on, by the same process", async () => {
    for (const [id, mark] of marks) if (id !== ids.ends) assert.deepEqual(await markOf(id), mark);
  });

  test("what ended meanwhile has its exit code and its log", async () => {
    assert.equal(await said(engine, "wait", ids.ends!), "8");
    assert.match(await said(engine, "logs", ids.ends!), /^line 1\n(line \d+\n)*end \d+$/);
  });

  test("a log goes on, and is followed", async () => {
    const follower = new Listener(engine.spawn("docker", ["logs", "--follow", ids.ticks!]));
    const count = (await said(engine, "logs", ids.ticks!)).split("\n").length;
    await follower.seen(new RegExp(`line ${count + 20}\n`));
    await said(engine, "stop", ids.ticks!);
    assert.equal(await follower.ended(), 0);
    assert.equal(await inspected(engine, "{{.State.ExitCode}}", ids.ticks!), "7");
    const lines = follower.text.trimEnd().split("\n");
    assert.deepEqual(
      lines.slice(0, -1),
      Array.from(lines.slice(0, -1), (_, index) => `line ${index + 1}`),
    );
  });

  test("a client attaches, and is heard", async () => {
    const client = new Listener(engine.spawn("docker", ["attach", ids.echoes!]));
    client.child.stdin!.write("ping\n");
    await client.seen(/^ping\n/);
    await said(engine, "kill", ids.echoes!);
    assert.equal(await client.ended(), 137);
  });

  test("a terminal changes its size, and signals arrive", async () => {
    const resized = await engine.request("POST", `/containers/${ids.traps}/resize?h=30&w=100`);
    assert.equal(resized.status, 200, resized.body);
    await until("it was told", () => logOf(ids.traps!).includes("signal 28: 30 rows and 100 columns"));
    await said(engine, "stop", ids.traps!);
    assert.equal(await inspected(engine, "{{.State.ExitCode}}", ids.traps!), "15");
  });

  test("sessions run in it, as whatever user", async () => {
    assert.equal(await said(engine, "exec", ids.serves!, "/probe", "cwd"), "cwd: /");
    assert.match(await said(engine, "exec", "-u", "1000:1000", ids.serves!, "/probe", "id"), /\b1000\b/);
    assert.match(await said(engine, "top", ids.serves!), /tcp-serve/);
  });

  test("its ports are served, and free when it is gone", async () => {
    assert.equal(await askTcp("127.0.0.1", port, "hello"), "hello");
    await said(engine, "rm", "--force", ids.serves!);
    assert.equal(await askTcp("127.0.0.1", port, "hello"), "ECONNREFUSED");
  });

  test("one that was to go with its end goes", async () => {
    process.kill(marks.get(ids.goes!)![0], "SIGTERM");
    await until("it is gone", async () => !(await said(engine, "ps", "-aq", "--no-trunc")).includes(ids.goes!));
    assert.ok(!existsSync(join(engine.root, "containers", ids.goes!)));
  });

  test("one whose keeper is killed ends, and the keeper of today takes away what it left", async () => {
    process.kill(keeperOf(marks.get(ids.loses!)![0]), "SIGKILL");
    assert.equal(await said(engine, "wait", ids.loses!), "137");
  });

  test("what has ended or never ran is started by the keeper of today, and removed", async () => {
    assert.equal((await engine.docker(["start", "--attach", ids.never!])).code, 4);
    const spoken = logOf(ids.ends!).length;
    await said(engine, "start", ids.ends!);
    // From its first word on it hears what it is told.
    await until("it has begun", () => logOf(ids.ends!).length > spoken);
    await said(engine, "stop", ids.ends!);
    assert.equal(await inspected(engine, "{{.State.ExitCode}}", ids.ends!), "8");
    await said(engine, "rm", ids.ends!, ids.never!, ids.loses!, ids.ticks!, ids.echoes!, ids.traps!);
    await engine.assertNothingLeft();
  });
});
