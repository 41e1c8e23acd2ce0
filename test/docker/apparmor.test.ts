/** AppArmor around containers: only on a kernel that has it, such as that of `scripts/vm`. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { findParser } from "../../src/kernel/apparmor/load.ts";
import { cannotRun, Engine } from "../engine.ts";
import { said } from "./containers.ts";
import { Runner } from "./run.ts";

const isThere = existsSync("/sys/kernel/security/apparmor") && findParser() !== undefined;
const skip = cannotRun() || (!isThere && "needs a kernel with AppArmor; type: npm run test:vm");

describe("AppArmor", { skip }, () => {
  let runner: Runner;
  before(async () => {
    runner = new Runner(await Engine.launch());
    await runner.engine.load();
  });
  after(() => runner.engine.stop());

  const image = "fixture/busybox:1.35";
  const label = ["cat", "/proc/self/attr/current"] as const;
  const inspect = (id: string): Promise<string> =>
    said(runner.engine, "inspect", "--format", "{{.AppArmorProfile}}", id);

  test("a container and its sessions run under the default profile", async () => {
    const id = await runner.detached(image, "sleep", "1000");
    assert.equal(await said(runner.engine, "exec", id, ...label), "pier-default (enforce)");
    assert.equal(await runner.says(image, ...label), "pier-default (enforce)");
    assert.equal(await runner.says("--init", image, ...label), "pier-default (enforce)");
    assert.equal(await runner.says("--security-opt", "no-new-privileges", image, ...label), "pier-default (enforce)");
    assert.equal(await inspect(id), "pier-default");
  });

  test("it can be signalled and ended from outside", async () => {
    const id = await runner.detached(image, "sh", "-c", "trap 'exit 3' USR1; echo ready; while :; do sleep 0.1; done");
    await runner.hasSaid(id, /ready/);
    await said(runner.engine, "kill", "--signal", "USR1", id);
    assert.equal(await said(runner.engine, "wait", id), "3");
  });

  test("who asks for none, or is privileged, has none", async () => {
    assert.equal(await runner.says("--security-opt", "apparmor=unconfined", image, ...label), "unconfined");
    assert.equal(await runner.says("--privileged", image, ...label), "unconfined");
  });

  test("nothing is mounted and nothing of the machine is written, whatever capabilities there are", async () => {
    const strong = [
      "--cap-add",
      "ALL",
      "--security-opt",
      "seccomp=unconfined",
      "--security-opt",
      "systempaths=unconfined",
    ];
    const mounting = await runner.run([...strong, image, "mount", "-t", "tmpfs", "none", "/tmp"]);
    assert.notEqual(mounting.code, 0);
    assert.match(mounting.stderr, /permission denied/i);
    const writing = await runner.run([...strong, image, "sh", "-c", "echo 1 > /proc/sys/vm/drop_caches"]);
    assert.notEqual(writing.code, 0);
    assert.match(writing.stderr, /permission denied/i);
  });

  test("a profile that is not loaded is refused by its name", async () => {
    const { code, stderr } = await runner.run(["--security-opt", "apparmor=nobody-knows", image, "true"]);
    assert.equal(code, 125);
    assert.match(stderr, /unable to apply apparmor profile: "nobody-knows" is not loaded/);
  });

  test("info says that it is there", async () => {
    assert.match(await said(runner.engine, "info", "--format", "{{.SecurityOptions}}"), /name=apparmor/);
  });
});
