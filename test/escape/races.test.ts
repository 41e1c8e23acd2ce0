/** Attackers in one container who change what another one is being made of. Half a minute in all; `-- --long`: an hour. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { busybox, Listener, said } from "../docker/containers.ts";
import { cannotRun } from "../engine.ts";
import { keeperProgram } from "../kernel/keepers.ts";
import { probePath, race, Stage } from "./stage.ts";

describe("races", { skip: cannotRun() }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage[Symbol.asyncDispose]());

  /** A directory of the host's that containers share. */
  const volume = (name: string): string => {
    const path = join(stage.canary.directory, name);
    mkdirSync(path);
    return path;
  };

  /** Whoever has the volume too, and swaps these names in it. */
  const swapper = async (path: string, ...pairs: (readonly [string, string])[]): Promise<string> => {
    const run = pairs.map(([one, other]) => `/probe swap /v/${one} /v/${other} &`).join(" ");
    const flags = ["-v", `${path}:/v`, "-v", `${probePath}:/probe:ro`, "--name", "swapper", busybox];
    const id = await stage.runner.detached(...flags, "sh", "-c", `${run} wait`);
    await stage.runner.hasSaid(id, /swapping/);
    return id;
  };

  /** The race's end: it was one to the end, and the canaries live. */
  const settle = async (id: string): Promise<void> => {
    assert.equal(await said(stage.engine, "top", id).then((text) => /swap/.test(text)), true);
    await said(stage.engine, "rm", "--force", id);
    stage.canary.assertUntouched();
  };

  test("CVE-2021-30465, CVE-2024-45310: a place that becomes a link while something is mounted there", async () => {
    const path = volume("targets");
    for (const name of ["one", "two", "three"]) mkdirSync(join(path, name));
    symlinkSync(stage.canary.watched, join(path, "link1"));
    symlinkSync(`${"../".repeat(9)}${stage.canary.watched.slice(1)}`, join(path, "link2"));
    symlinkSync("/", join(path, "link3"));
    const id = await swapper(path, ["one", "link1"], ["two", "link2"], ["three", "link3"]);
    const source = volume("source");
    writeFileSync(join(source, "file"), "of another volume\n");
    const ends = new Map<number | undefined, number>();
    await race(12, async () => {
      const end = await stage.start({
        HostConfig: {
          NetworkMode: "none",
          Binds: [`${path}:/v`, `${source}:/v/one/made/deep`, `${source}/file:/v/two/file`, "/v/three/own"],
          Tmpfs: { "/v/two/directory": "", [`/v/three${stage.canary.watched}/x`]: "" },
          Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/v/one/null", CgroupPermissions: "r" }],
        },
        Cmd: ["list", "/v/one", "then", "cat", stage.canary.secretFile],
        WorkingDir: "/v/two/deeper",
      });
      ends.set(end, (ends.get(end) ?? 0) + 1);
    });
    assert.ok(ends.size > 1, "nothing was ever in the way: the test is none");
    await settle(id);
  });

  test("CVE-2025-31133: a null device that becomes a link while it hides the kernel's files", async () => {
    const path = volume("devices");
    execFileSync("mknod", ["-m", "666", join(path, "null"), "c", "1", "3"]);
    symlinkSync("/proc/sys/kernel/core_pattern", join(path, "link"));
    const id = await swapper(path, ["null", "link"]);
    let hidden = 0;
    await race(10, async () => {
      const flags = ["-v", `${path}:/dev`, "probe"];
      const verbs = ["cat", "/proc/keys", "then", "cat", "/proc/timer_list", "then", "write", "/proc/keys", "|/x"];
      const { code, stdout } = await stage.run(...flags, ...verbs);
      assert.doesNotMatch(stdout, /keyring|Timer|jiffies/);
      if (code === 0) hidden++;
    });
    assert.ok(hidden > 0);
    await settle(id);
  });

  test("CVE-2025-52565: a console and a directory of terminals that become links while a terminal is made", async () => {
    const path = volume("consoles");
    mkdirSync(join(path, "pts"));
    execFileSync("mknod", ["-m", "666", join(path, "null"), "c", "1", "3"]);
    writeFileSync(join(path, "console"), "");
    symlinkSync("/proc/sys/kernel/core_pattern", join(path, "link1"));
    symlinkSync(stage.canary.watched, join(path, "link2"));
    const id = await swapper(path, ["console", "link1"], ["pts", "link2"]);
    await race(8, async () => {
      const { stdout } = await stage.run("-t", "-v", `${path}:/dev`, "probe", "stat", "/dev/console", "then", "tty");
      assert.doesNotMatch(stdout, /^\/dev\/console: c .* device (?!136:)/m);
    });
    await settle(id);
  });

  test("CVE-2016-9962, CVE-2019-5736: sessions that come and go are looked into, traced and written to", async () => {
    const id = await stage.runner.detached("-v", `${probePath}:/probe:ro`, busybox, "sleep", "10000");
    const { secretFile } = stage.canary;
    const long = "100000";
    const tamper =
      "while :; do for p in /proc/[0-9]*; do /probe tamper $p/exe /keeper; done; done 2>/dev/null | grep -a ': ok'";
    const attackers = [
      ["/probe", "links", secretFile, long],
      ["/probe", "links", secretFile, long, "trace"],
      ["sh", "-c", tamper],
    ];
    const clients = attackers.map((words) => new Listener(stage.engine.spawn("docker", ["exec", id, ...words])));
    for (const client of clients.slice(0, 2)) await client.seen(/looking/);
    const exec = (words: readonly string[]) =>
      stage.engine.request("POST", `/containers/${id}/exec`, JSON.stringify({ Cmd: words, AttachStdout: true }));
    let sessions = 0;
    await race(12, async () => {
      const words = sessions % 2 === 0 ? ["/bin/true"] : ["/proc/self/exe", "clean", "/none"];
      const { Id } = JSON.parse((await exec(words)).body) as { Id: string };
      await stage.engine.request("POST", `/exec/${Id}/start`, "{}").catch(() => undefined);
      sessions++;
    });
    assert.ok(sessions > 20, `${sessions} sessions`);
    const { program } = JSON.parse(readFileSync(join(stage.engine.run, "holder"), "utf8")) as { program: string };
    assert.ok(readFileSync(program).equals(readFileSync(keeperProgram)));
    assert.match(await said(stage.engine, "top", id), /links/);
    await said(stage.engine, "rm", "--force", id);
    for (const client of clients) {
      await client.ended();
      assert.doesNotMatch(client.text, /reached|: ok/);
    }
    stage.canary.assertUntouched();
  });

  test("CVE-2026-47262: users' files that become links and pipes while somebody is looked up in them", async () => {
    const script = `
      cd /etc; mkfifo fifo; ln -s /dev/zero zero; ln -s ${stage.canary.secretFile} out; cp passwd real
      echo ready; while :; do for f in fifo zero out real; do ln -sf $f new; mv new passwd; done; done`;
    const id = await stage.runner.detached("-v", `${probePath}:/probe:ro`, busybox, "sh", "-c", script);
    await stage.runner.hasSaid(id, /ready/);
    const codes = new Set<number>();
    await race(6, async () => {
      const { code, stdout, stderr } = await stage.engine.docker(["exec", "--user", "app", id, "/probe", "id"]);
      stage.canary.assertUnseen(stdout + stderr);
      assert.ok(
        code === 0 ? /^uid: 1000 1000 1000$/m.test(stdout) : /unable to find user app/.test(stdout + stderr),
        `${code} ${stdout}${stderr}`,
      );
      codes.add(code);
    });
    assert.ok(codes.size > 1);
    await said(stage.engine, "rm", "--force", id);
  });
});
