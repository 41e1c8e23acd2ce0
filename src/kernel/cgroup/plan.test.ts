import assert from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../numbers/errno.ts";
import type { Step } from "../steps.ts";
import type { CgroupLayout } from "./layout.ts";
import type { CgroupLimits } from "./limits.ts";
import { cgroupMounts } from "./mounts.ts";
import { planCgroupParent } from "./parent.ts";
import { cgroupPaths } from "./paths.ts";
import { planCgroup } from "./plan.ts";
import { swapAlone, weightOfBlkio, weightOfShares } from "./v2.ts";

const v1 = (...names: string[]) =>
  names.map((name) => ({ controllers: name.split(","), name: "", mountPoint: `/cg/${name}`, own: "/own" }));

const unified = { mountPoint: "/cg", own: "/own", kill: true, freeze: true };

const v2Host: CgroupLayout = {
  version: "v2",
  v1: [],
  v2: { ...unified, controllers: ["cpuset", "cpu", "io", "memory", "pids", "hugetlb"] },
  swap: true,
};
const hybridHost: CgroupLayout = {
  version: "hybrid",
  v1: [
    ...v1("cpu,cpuacct", "memory", "devices", "freezer", "blkio", "pids", "cpuset", "perf_event"),
    { controllers: [], name: "systemd", mountPoint: "/cg/systemd", own: "/" },
  ],
  v2: { ...unified, mountPoint: "/cg/unified", controllers: [] },
  swap: true,
};
const { v2: _unified, ...withoutV2 } = hybridHost;
const v1Host: CgroupLayout = { ...withoutV2, version: "v1" };

const everything: CgroupLimits = {
  memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 },
  cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0" },
  pids: { limit: 100 },
  blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1048576 }] },
  devices: [
    { allow: false, type: "a", access: "rwm" },
    { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  ],
};

/** The steps as lines: what is written where. */
const linesOf = (steps: readonly Step[]): string[] =>
  steps.map((step) => {
    if (step.step === "write") return `${new TextDecoder().decode(step.content)} > ${step.path}`;
    if (step.step === "attachDeviceFilter") return `attachDeviceFilter ${step.slot}`;
    return `${step.step} ${"path" in step ? step.path : ""}`;
  });

test("on version 2 a container has one group and is born in it, under a filter for devices", () => {
  const plan = planCgroup(v2Host, "/pier/x", everything);
  assert.deepEqual(linesOf(plan.outside), [
    "makeDirectory /cg/pier/x",
    "67108864 > /cg/pier/x/memory.max",
    "33554432 > /cg/pier/x/memory.swap.max",
    "33554432 > /cg/pier/x/memory.low",
    "59 > /cg/pier/x/cpu.weight",
    "50000 100000 > /cg/pier/x/cpu.max",
    "0 > /cg/pier/x/cpuset.cpus",
    "0 > /cg/pier/x/cpuset.mems",
    "100 > /cg/pier/x/pids.max",
    "500 > /cg/pier/x/io.bfq.weight",
    "default 4950 > /cg/pier/x/io.weight",
    "8:0 rbps=1048576 > /cg/pier/x/io.max",
    "openDirectory /cg/pier/x",
    "attachDeviceFilter cgroup",
    "watchMemory /cg/pier/x/memory.events",
  ]);
  assert.deepEqual(linesOf(plan.after), [
    "reportFile /cg/pier/x/memory.events",
    "reportFile /cg/pier/x/memory.peak",
    "killCgroup /cg/pier/x",
    "removeDirectory /cg/pier/x",
  ]);
  assert.equal(plan.slot, "cgroup");
});

test("on a hybrid host the hierarchies that count are joined, and version 2's group is for birth and death", () => {
  const plan = planCgroup(hybridHost, "/pier/x", everything);
  assert.deepEqual(linesOf(plan.outside), [
    "makeDirectory /cg/cpu,cpuacct/pier/x",
    "makeDirectory /cg/memory/pier/x",
    "makeDirectory /cg/devices/pier/x",
    "makeDirectory /cg/blkio/pier/x",
    "makeDirectory /cg/pids/pier/x",
    "makeDirectory /cg/cpuset/pier/x",
    "makeDirectory /cg/unified/pier/x",
    "67108864 > /cg/memory/pier/x/memory.limit_in_bytes",
    "100663296 > /cg/memory/pier/x/memory.memsw.limit_in_bytes",
    "33554432 > /cg/memory/pier/x/memory.soft_limit_in_bytes",
    "512 > /cg/cpu,cpuacct/pier/x/cpu.shares",
    "100000 > /cg/cpu,cpuacct/pier/x/cpu.cfs_period_us",
    "50000 > /cg/cpu,cpuacct/pier/x/cpu.cfs_quota_us",
    "0 > /cg/cpuset/pier/x/cpuset.cpus",
    "0 > /cg/cpuset/pier/x/cpuset.mems",
    "100 > /cg/pids/pier/x/pids.max",
    "500 > /cg/blkio/pier/x/blkio.weight",
    "500 > /cg/blkio/pier/x/blkio.bfq.weight",
    "8:0 1048576 > /cg/blkio/pier/x/blkio.throttle.read_bps_device",
    "a > /cg/devices/pier/x/devices.deny",
    "c 1:3 rwm > /cg/devices/pier/x/devices.allow",
    "openDirectory /cg/unified/pier/x",
    "watchMemory /cg/memory/pier/x/memory.oom_control",
  ]);
  assert.deepEqual(
    linesOf(plan.inside),
    ["cpu,cpuacct", "memory", "devices", "blkio", "pids", "cpuset"].map((name) => `0 > /cg/${name}/pier/x/tasks`),
  );
  assert.deepEqual(linesOf(plan.after).slice(0, 3), [
    "reportFile /cg/memory/pier/x/memory.oom_control",
    "reportFile /cg/memory/pier/x/memory.max_usage_in_bytes",
    "killCgroup /cg/unified/pier/x",
  ]);
  assert.equal(plan.after.length, 10);
});

test("cpuset is joined only when asked for, freezer only where version 2 cannot freeze", () => {
  const directories = (host: CgroupLayout) => planCgroup(host, "/pier/x", {}).paths.directories;
  assert.ok(!directories(hybridHost).some((path) => /freezer|cpuset|systemd|perf_event/.test(path)));
  assert.ok(directories(v1Host).includes("/cg/freezer/pier/x"));
  const plan = planCgroup(v1Host, "/pier/x", {});
  assert.equal(plan.slot, "");
});

test("where the kernel cannot kill a group at one word, it is killed as it stands still", () => {
  const kill = (host: CgroupLayout) =>
    planCgroup(host, "/pier/x", {}).after.filter(({ step }) => step.startsWith("kill"))[0];
  const common = {
    step: "killFrozen",
    tolerate: [errno("ENOENT")],
    why: "nothing of the container goes on running",
  };
  assert.deepEqual(kill(v1Host), {
    ...common,
    path: "/cg/freezer/pier/x/cgroup.procs",
    freezer: "/cg/freezer/pier/x/freezer.state",
    freeze: "FROZEN",
    thaw: "THAWED",
  });
  assert.deepEqual(kill({ ...v2Host, v2: { ...unified, controllers: ["memory"], kill: false } }), {
    ...common,
    path: "/cg/pier/x/cgroup.procs",
    freezer: "/cg/pier/x/cgroup.freeze",
    freeze: "1",
    thaw: "0",
  });
});

test("a privileged container has no device rules of its own, on any version", () => {
  const privileged: CgroupLimits = { devices: [{ allow: true, type: "a", access: "rwm" }] };
  for (const host of [v1Host, v2Host, hybridHost]) {
    assert.ok(
      !linesOf(planCgroup(host, "/pier/x", privileged).outside).some((line) =>
        /device[sF].*(allow|deny|Filter)/.test(line),
      ),
    );
  }
});

test("no limit is written as the kernel's word for it", () => {
  const none: CgroupLimits = { memory: { limit: 1 << 20, swap: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } };
  const v2Lines = linesOf(planCgroup(v2Host, "/pier/x", none).outside);
  assert.ok(v2Lines.includes("max > /cg/pier/x/memory.swap.max"));
  assert.ok(v2Lines.includes("max 100000 > /cg/pier/x/cpu.max"));
  assert.ok(v2Lines.includes("max > /cg/pier/x/pids.max"));
  const v1Lines = linesOf(planCgroup(v1Host, "/pier/x", none).outside);
  assert.ok(v1Lines.includes("-1 > /cg/memory/pier/x/memory.memsw.limit_in_bytes"));
  assert.ok(v1Lines.includes("-1 > /cg/cpu,cpuacct/pier/x/cpu.cfs_quota_us"));
  assert.ok(v1Lines.includes("max > /cg/pids/pier/x/pids.max"));
});

test("memory and swap together are not asked of a kernel that cannot count them together", () => {
  const lines = linesOf(planCgroup({ ...v1Host, swap: false }, "/pier/x", everything).outside);
  assert.ok(!lines.some((line) => line.includes("memsw")));
});

test("version 2 counts swap by itself", () => {
  assert.equal(swapAlone(-1, 100), -1);
  assert.equal(swapAlone(300, 100), 200);
  assert.equal(swapAlone(100, 100), 0);
  assert.throws(() => swapAlone(50, 100), /larger than memory limit/);
  assert.throws(() => swapAlone(50, undefined), /always set the Memory limit/);
});

test("shares become weights as with runc: the ends and the usual value meet", () => {
  assert.deepEqual([1, 2, 512, 1024, 2048, 262_144, 999_999].map(weightOfShares), [1, 1, 59, 100, 174, 10_000, 10_000]);
  assert.deepEqual([10, 500, 1000].map(weightOfBlkio), [1, 4950, 10_000]);
});

test("a relative path is beneath our own group, and no path leaves the hierarchy", () => {
  assert.deepEqual(cgroupPaths(v2Host, "sub/x").directories, ["/cg/own/sub/x"]);
  for (const path of ["", "/", "/a/../../etc", "..", "a/./b", `/${"n".repeat(256)}`, "/a\0b"]) {
    assert.throws(() => cgroupPaths(v2Host, path), /invalid cgroup parent/);
  }
});

test("the parent hands processors down on version 1, and keeps what an administrator has chosen", () => {
  const cpuset = (found: string) =>
    linesOf(
      planCgroupParent(hybridHost, "/a/b", {
        processes: [],
        cpusets: { "/cg/cpuset": { cpus: "0-3", mems: "0" }, "/cg/cpuset/a": { cpus: found, mems: found && "0" } },
      }),
    ).filter((line) => line.includes("cpuset."));
  assert.deepEqual(cpuset(""), [
    "0-3 > /cg/cpuset/a/cpuset.cpus",
    "0 > /cg/cpuset/a/cpuset.mems",
    "0-3 > /cg/cpuset/a/b/cpuset.cpus",
    "0 > /cg/cpuset/a/b/cpuset.mems",
  ]);
  assert.deepEqual(cpuset("1"), ["1 > /cg/cpuset/a/b/cpuset.cpus", "0 > /cg/cpuset/a/b/cpuset.mems"]);
});

test("on version 2 controllers are enabled from the top down, after the top has been emptied in a container", () => {
  const lines = linesOf(planCgroupParent(v2Host, "/pier", { cpusets: {}, processes: [7] }));
  assert.deepEqual(lines, [
    "makeDirectory /cg/init",
    "7 > /cg/init/cgroup.procs",
    ...["cpuset", "cpu", "io", "memory", "pids"].map((name) => `+${name} > /cg/cgroup.subtree_control`),
    "makeDirectory /cg/pier",
    ...["cpuset", "cpu", "io", "memory", "pids"].map((name) => `+${name} > /cg/pier/cgroup.subtree_control`),
  ]);
});

test("a container sees the hierarchies where the host has them", () => {
  assert.deepEqual(cgroupMounts(v2Host, undefined), [{ target: "/sys/fs/cgroup", source: "/cg" }]);
  assert.deepEqual(cgroupMounts(v2Host, cgroupPaths(v2Host, "/pier/x")), [
    { target: "/sys/fs/cgroup", source: "/cg/pier/x" },
  ]);
  const hybrid = cgroupMounts(hybridHost, cgroupPaths(hybridHost, "/pier/x"));
  const links = ["cpu", "cpuacct"];
  assert.deepEqual(hybrid[0], { target: "/sys/fs/cgroup/cpu,cpuacct", source: "/cg/cpu,cpuacct/pier/x", links });
  assert.deepEqual(hybrid[1], { target: "/sys/fs/cgroup/memory", source: "/cg/memory/pier/x" });
  assert.deepEqual(hybrid.at(-1), { target: "/sys/fs/cgroup/unified", source: "/cg/unified/pier/x" });
});

test("of a hierarchy in which it has no group a container sees the one that it is in", () => {
  const hybrid = cgroupMounts(hybridHost, cgroupPaths(hybridHost, "/pier/x"));
  assert.deepEqual(hybrid.at(-2), { target: "/sys/fs/cgroup/systemd", source: "/cg/systemd" });
});

test("freezing works with whichever of the two the host has", () => {
  assert.equal(cgroupPaths(hybridHost, "/pier/x").freezer?.file, "/cg/unified/pier/x/cgroup.freeze");
  assert.equal(cgroupPaths(v1Host, "/pier/x").freezer?.freeze, "FROZEN");
});
