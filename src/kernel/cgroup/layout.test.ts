import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCgroupMounts, parseControllers, parseOwnGroup } from "./layout.ts";

const controllers = ["cpuset", "cpu", "cpuacct", "memory", "devices"];

test("the controllers of the kernel are the first words of /proc/cgroups", () => {
  const text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\ncpu\t1\t1\t1\n";
  assert.deepEqual(parseControllers(text), ["cpuset", "cpu"]);
});

test("a hybrid host has hierarchies of both versions, each found once", () => {
  const mountinfo = [
    "22 1 0:5 / / rw - ext4 /dev/vda rw",
    "50 22 0:40 / /elsewhere/cpu rw - cgroup cgroup rw,cpu,cpuacct",
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 master:1 - cgroup cgroup rw,cpu,cpuacct",
    "33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
    "41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw,nsdelegate",
  ].join("\n");
  assert.deepEqual(parseCgroupMounts(mountinfo, controllers), [
    {
      type: "cgroup",
      mountPoint: "/sys/fs/cgroup/cpu,cpuacct",
      root: "/",
      controllers: ["cpu", "cpuacct"],
      name: "",
    },
    { type: "cgroup", mountPoint: "/sys/fs/cgroup/systemd", root: "/", controllers: [], name: "systemd" },
    { type: "cgroup2", mountPoint: "/sys/fs/cgroup/uni fied", root: "/", controllers: [], name: "" },
  ]);
});

test("the own group is as seen beneath the mount point", () => {
  const proc = "4:memory:/docker/abc/x\n3:cpu,cpuacct:/\n2:name=systemd:/a:b\n0::/init.scope\n";
  const mount = { type: "cgroup", mountPoint: "/x", root: "/", controllers: ["memory"], name: "" } as const;
  assert.equal(parseOwnGroup(proc, mount), "/docker/abc/x");
  assert.equal(parseOwnGroup(proc, { ...mount, root: "/docker/abc" }), "/x");
  assert.equal(parseOwnGroup(proc, { ...mount, root: "/docker/ab" }), "/");
  assert.equal(parseOwnGroup(proc, { ...mount, controllers: ["cpu", "cpuacct"] }), "/");
  assert.equal(parseOwnGroup(proc, { ...mount, controllers: [], name: "systemd" }), "/a:b");
  assert.equal(parseOwnGroup(proc, { ...mount, type: "cgroup2", controllers: [] }), "/init.scope");
  assert.equal(parseOwnGroup("0::/../../other", { ...mount, type: "cgroup2", controllers: [] }), "/");
});
