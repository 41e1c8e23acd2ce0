/** Control groups for real: the steps are run by a few lines of TypeScript instead of the keeper. Needs root. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, test } from "node:test";
import { errnoOf } from "../../src/base/errors.ts";
import type { DeviceRule } from "../../src/kernel/cgroup/devices.ts";
import { findCgroupLayout } from "../../src/kernel/cgroup/find-layout.ts";
import type { CgroupLayout } from "../../src/kernel/cgroup/layout.ts";
import { findParentFacts, planCgroupParent } from "../../src/kernel/cgroup/parent.ts";
import { groupOf } from "../../src/kernel/cgroup/paths.ts";
import { type CgroupPlan, planCgroup } from "../../src/kernel/cgroup/plan.ts";
import { type ErrnoName, errno } from "../../src/kernel/numbers/errno.ts";
import type { Step } from "../../src/kernel/steps.ts";

const run = (step: Step, pid: number): void => {
  try {
    if (step.step === "makeDirectory") mkdirSync(step.path, { mode: Number(step.mode) });
    // The child puts itself into its groups; here it is put.
    else if (step.step === "write" && step.path.endsWith("/tasks"))
      writeFileSync(step.path, String(pid), { flag: "r+" });
    else if (step.step === "write") writeFileSync(step.path, step.content, { flag: "r+" });
    else if (step.step === "removeDirectory") rmdirSync(step.path);
    else if (step.step === "killCgroup") writeFileSync(`${step.path}/cgroup.kill`, "1", { flag: "r+" });
    else if (step.step === "killFrozen") {
      for (const one of readFileSync(step.path, "utf8").trim().split(/\s+/))
        if (one !== "") process.kill(Number(one), "SIGKILL");
    } else if (["openDirectory", "reportFile", "watchMemory"].includes(step.step) && "path" in step)
      assert.ok(existsSync(step.path));
    else assert.fail(`a step that only the keeper can do: ${step.step}`);
  } catch (error) {
    const name = errnoOf(error) as ErrnoName | undefined;
    if (name === undefined || step.tolerate?.includes(errno(name)) !== true) throw error;
  }
};

/** A shell that waits for a word before it goes on with the script: time enough to put it into a group. */
const shell = (script: string): ChildProcess =>
  spawn("/bin/sh", ["-c", `read -r go; ${script}`], { stdio: ["pipe", "pipe", "pipe"] });

const outputOf = async (child: ChildProcess): Promise<string> => {
  let text = "";
  child.stdout!.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr!.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stdin!.end("go\n");
  await once(child, "close");
  return text;
};

const isRoot = process.getuid?.() === 0;

describe("control groups", { skip: isRoot ? false : "needs root" }, () => {
  const parent = `/pier-test-${randomBytes(4).toString("hex")}`;
  const onlyNull: readonly DeviceRule[] = [
    { allow: false, type: "a", access: "rwm" },
    { allow: true, type: "c", access: "m" },
    { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  ];
  let layout: CgroupLayout;
  let count = 0;

  const open = (limits: Parameters<typeof planCgroup>[2], child: ChildProcess): CgroupPlan => {
    const plan = planCgroup(layout, `${parent}/${count++}`, limits);
    for (const step of [...plan.outside, ...plan.inside]) run(step, child.pid!);
    // What clone does in the keeper.
    const { unified } = plan.paths;
    if (unified !== undefined) writeFileSync(`${unified}/cgroup.procs`, String(child.pid), { flag: "r+" });
    return plan;
  };
  const fileOf = (plan: CgroupPlan, controller: string, v1: string, v2: string): string => {
    const { version, directory } = plan.paths.controllers[controller]!;
    return readFileSync(`${directory}/${version === 1 ? v1 : v2}`, "utf8").trim();
  };
  const close = (plan: CgroupPlan): void => {
    for (const step of plan.after) run(step, 0);
    for (const directory of plan.paths.directories) assert.ok(!existsSync(directory), directory);
  };

  before(async () => {
    layout = await findCgroupLayout();
    for (const step of planCgroupParent(layout, parent, await findParentFacts(layout, parent))) run(step, 0);
  });

  after(() => {
    for (const hierarchy of [...layout.v1, ...(layout.v2 ? [layout.v2] : [])]) {
      const directory = groupOf(hierarchy, parent);
      if (existsSync(directory)) rmdirSync(directory);
    }
  });

  test("finding the layout leaves nothing behind, and making the parent twice is the same as once", async () => {
    const top = layout.v2?.mountPoint ?? dirname(layout.v1[0]!.mountPoint);
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes("pier-probe"));
    const steps = planCgroupParent(layout, parent, await findParentFacts(layout, parent));
    for (const step of steps) run(step, 0);
    assert.ok(existsSync(top));
  });

  test("the limits hold, and nothing is left when the container has ended", async () => {
    const child = shell("true");
    const plan = open(
      {
        memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0" },
        pids: { limit: 20 },
      },
      child,
    );
    assert.equal(fileOf(plan, "memory", "memory.limit_in_bytes", "memory.max"), String(64 << 20));
    if (layout.swap) {
      const { version } = plan.paths.controllers.memory!;
      const swap = fileOf(plan, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
      assert.equal(swap, String((version === 1 ? 96 : 32) << 20));
    }
    assert.equal(fileOf(plan, "cpu", "cpu.shares", "cpu.weight"), layout.version === "v2" ? "59" : "512");
    assert.equal(fileOf(plan, "cpu", "cpu.cfs_quota_us", "cpu.max").split(" ")[0], "50000");
    assert.equal(fileOf(plan, "pids", "pids.max", "pids.max"), "20");
    assert.equal(fileOf(plan, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
    for (const directory of plan.paths.directories) {
      assert.match(readFileSync(`${directory}/cgroup.procs`, "utf8"), new RegExp(`^${child.pid}$`, "m"));
    }
    await outputOf(child);
    close(plan);
  });

  test("a process can use the devices that are allowed, and no other", async (context) => {
    if (!layout.v1.some(({ controllers }) => controllers.includes("devices"))) return context.skip("needs version 1");
    const child = shell("echo x > /dev/null && echo null; head -c 1 /dev/zero > /dev/null && echo zero");
    const plan = open({ devices: onlyNull }, child);
    const output = await outputOf(child);
    assert.match(output, /^null$/m);
    assert.doesNotMatch(output, /^zero$/m);
    assert.match(output, /not permitted/);
    const lines = fileOf(plan, "devices", "devices.list", "").split("\n");
    assert.deepEqual(lines.sort(), ["c *:* m", "c 1:3 rwm"]);
    close(plan);
  });

  test("a process that forks meets its limit", async () => {
    const child = shell("/bin/true; echo forked");
    const plan = open({ pids: { limit: 1 } }, child);
    assert.match(await outputOf(child), /cannot fork/i);
    close(plan);
  });

  test("a kill of the group ends what is in it", async (context) => {
    if (layout.v2?.kill !== true) return context.skip("needs version 2 and Linux 5.14");
    const child = shell("sleep 60");
    const ended = once(child, "close");
    const plan = open({}, child);
    run({ step: "killCgroup", path: plan.paths.unified! }, 0);
    const [, signal] = await ended;
    assert.equal(signal, "SIGKILL");
    close(plan);
  });

  test("a frozen group stands still until it is thawed", async (context) => {
    const child = shell("echo done");
    const plan = open({}, child);
    const { freezer } = plan.paths;
    if (freezer === undefined) return context.skip("needs a freezer");
    writeFileSync(freezer.file, freezer.freeze, { flag: "r+" });
    child.stdin!.write("go\n");
    assert.equal(child.exitCode, null);
    writeFileSync(freezer.file, freezer.thaw, { flag: "r+" });
    assert.match(await outputOf(child), /done/);
    close(plan);
  });
});
