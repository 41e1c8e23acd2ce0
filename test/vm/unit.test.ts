/**
 * The unit of packaging/ under a real systemd: containers outlive whatever becomes of their daemon. Only on the machine of
 * `scripts/vm --systemd`, for it installs pier.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isAlive, until } from "../docker/containers.ts";
import { fixture } from "../engine.ts";
import { execute } from "../execute.ts";
import { patience } from "../patience.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const isSystemd = readFileSync("/proc/1/comm", "utf8").trim() === "systemd";
const skip =
  process.env.PIER_VM === "1" && isSystemd ? false : "needs a machine of its own with systemd; type: npm run test:vm";

const image = "fixture/busybox:1.35";
/** Lines that show every loss and every doubling. */
const counting = "i=0; while :; do i=$((i+1)); echo line $i; usleep 100000; done";
const run = async (program: string, ...words: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await execute(program, words, { timeout: patience(60_000) });
  assert.equal(code, 0, `${program} ${words.join(" ")}\n${stdout}${stderr}`);
  return stdout.trimEnd();
};
const pier = (...words: readonly string[]): Promise<string> => run("/usr/bin/pier", ...words);
const systemctl = (...words: readonly string[]): Promise<string> => run("systemctl", ...words);
const shown = (property: string): Promise<string> => systemctl("show", "--value", "--property", property, "pier");

/** Asked of the API itself: programs start slowly under emulation. */
const ask = async (path: string): Promise<Buffer> => {
  const [response] = (await once(get({ socketPath: "/run/pier/pier.sock", path }), "response")) as [IncomingMessage];
  const body = Buffer.concat(await Array.fromAsync(response));
  assert.equal(response.statusCode, 200, body.toString());
  return body;
};
const pidOf = async (name: string): Promise<number> =>
  JSON.parse((await ask(`/containers/${name}/json`)).toString()).State.Pid;

/** The log is that of one life: every line once, in order. */
const countedLines = async (name: string): Promise<number> => {
  const lines = (await ask(`/containers/${name}/logs?stdout=1`)).toString("latin1").match(/line \d+/g) ?? [];
  for (const [index, line] of lines.entries()) assert.equal(line, `line ${index + 1}`);
  return lines.length;
};

describe("the systemd unit", { skip }, () => {
  let pid = 0;
  before(async () => {
    // The root of this machine is an overlay, which takes no other one on top.
    mkdirSync("/tmp/lib-pier", { recursive: true });
    mkdirSync("/var/lib/pier", { recursive: true });
    execFileSync("mount", ["--bind", "/tmp/lib-pier", "/var/lib/pier"]);
    await run("sh", join(checkout, "packaging/install"));
    await systemctl("start", "pier");
    await pier("load", "-i", fixture("busybox.docker-archive.tar"));
    await pier("run", "-d", "--name", "counts", "-m", "64m", image, "sh", "-c", counting);
    pid = await pidOf("counts");
  });
  after(async () => {
    await pier("rm", "-f", "counts");
    await systemctl("stop", "pier");
  });

  /** The container lives on as the same process, its log goes on without a gap, and everything can be done to it. */
  const assertLivesOn = async (linesBefore: number): Promise<void> => {
    assert.equal(await pidOf("counts"), pid);
    assert.ok(isAlive(pid));
    await until("the log goes on", async () => (await countedLines("counts")) > linesBefore);
    assert.equal(await pier("exec", "counts", "echo", "hi"), "hi");
  };

  test("is active when clients are served", async () => {
    assert.equal(await systemctl("is-active", "pier"), "active");
    assert.equal(await shown("Type"), "notify");
    assert.equal(await shown("Delegate"), "yes");
  });

  test("containers live on when it is restarted", async () => {
    const [before, daemon] = [await countedLines("counts"), await shown("MainPID")];
    await systemctl("restart", "pier");
    assert.notEqual(await shown("MainPID"), daemon);
    await assertLivesOn(before);
  });

  test("containers live on while it is stopped, and are found when it is started", async () => {
    const before = await countedLines("counts");
    await systemctl("stop", "pier");
    assert.ok(isAlive(pid));
    await systemctl("start", "pier");
    await assertLivesOn(before);
  });

  test("a daemon that was killed is started again", async () => {
    const [before, daemon] = [await countedLines("counts"), Number(await shown("MainPID"))];
    process.kill(daemon, "SIGKILL");
    await until("another daemon is ready", async () => {
      const [state, other] = [await shown("ActiveState"), Number(await shown("MainPID"))];
      return state === "active" && other !== 0 && other !== daemon;
    });
    await assertLivesOn(before);
  });

  test("containers lie outside of its control group, and keep their limits when systemd looks at its own", async () => {
    const group = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim();
    assert.match(group, /^0::\/pier\/[0-9a-f]{64}$/m);
    await systemctl("daemon-reload");
    const limit = readFileSync(`/sys/fs/cgroup${group.split("::")[1]}/memory.max`, "utf8").trim();
    assert.equal(limit, String(64 * 2 ** 20));
    await assertLivesOn(0);
  });

  test("its socket starts it, and lets clients wait while it is away", async () => {
    const before = await countedLines("counts");
    await systemctl("stop", "pier");
    await systemctl("start", "pier.socket");
    try {
      assert.equal((await ask("/_ping")).toString(), "OK");
      // It may have answered before it has said that it is ready.
      await systemctl("start", "pier");
      assert.equal(await systemctl("is-active", "pier"), "active");
      await Promise.all([systemctl("restart", "pier"), ask("/_ping"), ask("/_ping")]);
      await assertLivesOn(before);
    } finally {
      await systemctl("stop", "pier.socket", "pier");
      await systemctl("start", "pier");
    }
  });
});
