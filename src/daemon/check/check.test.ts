import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CgroupLayout } from "../../kernel/cgroup/layout.ts";
import { judgeController } from "./cgroups.ts";
import { type Check, canRun, type Finding, fails, type Looked, works } from "./check.ts";
import { judgeChains, parseChains } from "./foreign-rules.ts";
import { moduleRemedy, parseModules } from "./modules.ts";
import { judgeNeighbours } from "./network.ts";
import { formatJson, formatText } from "./report.ts";
import { judgeSpace } from "./storage.ts";

const looked = (name: string, needed: boolean, finding: Finding): Looked => {
  const check: Check = { name, needed, serves: "something", look: async () => finding };
  return { topic: "kernel", check, finding };
};

describe("what a host can do", () => {
  const good = looked("namespaces", true, works("all"));
  const wanted = looked("loop", false, fails("there is none", "modprobe loop"));
  const needed = looked("overlayfs", true, fails("mount: no such device", "modprobe overlay"));

  test("pier can run when all that is needed works", () => {
    assert.equal(canRun([good, wanted]), true);
    assert.equal(canRun([good, needed]), false);
  });

  test("is said in a line each, with what is missing, what for, and what brings it", () => {
    const text = formatText([good, wanted, needed]);
    assert.match(
      text,
      /^kernel\n {2}ok +namespaces +all\n {2}missing +loop +there is none\n +for: something\n +try: modprobe loop\n/,
    );
    assert.match(text, /\n {2}MISSING +overlayfs +mount: no such device\n/);
    assert.match(text, /\n\npier cannot run here: overlayfs\n$/);
    assert.match(formatText([good, wanted]), /\npier can run here, without: loop\n$/);
    assert.match(formatText([good]), /\npier can run here, and lacks nothing\n$/);
  });

  test("is a document for programs", () => {
    const { canRun: can, checks } = JSON.parse(formatJson([good, wanted]));
    assert.equal(can, true);
    assert.deepEqual(checks[1], {
      topic: "kernel",
      name: "loop",
      needed: false,
      serves: "something",
      works: false,
      found: "there is none",
      remedy: "modprobe loop",
    });
  });
});

describe("remedies", () => {
  test("a part of the kernel that lies there as a module is loaded; one that does not is another kernel's", () => {
    const loadable = parseModules("kernel/fs/erofs/erofs.ko: kernel/lib/lz4.ko\nkernel/net/nf-tables.ko.xz:\n");
    assert.equal(moduleRemedy("erofs", "CONFIG_EROFS_FS", loadable), "modprobe erofs");
    assert.equal(moduleRemedy("nf_tables", "CONFIG_NF_TABLES", loadable), "modprobe nf_tables");
    assert.equal(moduleRemedy("loop", "CONFIG_BLK_DEV_LOOP", loadable), "a kernel with CONFIG_BLK_DEV_LOOP");
  });

  const proc = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t0\npids\t0\t1\t1\n";
  const v2 = { controllers: ["cpu"], mountPoint: "/sys/fs/cgroup", own: "/", kill: true, freeze: true };
  const unified: CgroupLayout = { version: "v2", v1: [], v2, swap: true };

  test("a controller is there, turned off, not passed down, or not in the kernel", () => {
    assert.deepEqual(judgeController(unified, proc, "cpu"), works("version 2"));
    assert.match(remedyOf(judgeController(unified, proc, "memory")), /cgroup_enable=memory/);
    assert.match(remedyOf(judgeController(unified, proc, "pids")), /Delegate=yes/);
    assert.match(remedyOf(judgeController(unified, proc, "blkio")), /CONFIG_BLK_CGROUP/);
  });

  test("a controller of version 1 is mounted, or how it is", () => {
    const hierarchy = { controllers: ["pids"], name: "", mountPoint: "/sys/fs/cgroup/pids", own: "/" };
    const layout: CgroupLayout = { version: "v1", v1: [hierarchy], swap: false };
    assert.deepEqual(judgeController(layout, proc, "pids"), works("version 1"));
    const other: CgroupLayout = { version: "v1", v1: [{ ...hierarchy, controllers: ["cpu"] }], swap: false };
    assert.match(remedyOf(judgeController(other, proc, "pids")), /mount -t cgroup -o pids /);
    assert.match(remedyOf(judgeController({ version: "v1", v1: [], swap: false }, proc, "pids")), /mount -t cgroup2 /);
  });

  test("room is bytes and files, where files are counted", () => {
    assert.equal(judgeSpace(2 ** 31, 20_000, true).works, true);
    assert.equal(judgeSpace(2 ** 31, 0, false).works, true);
    assert.equal(judgeSpace(2 ** 31, 500, true).works, false);
    assert.equal(judgeSpace(2 ** 20, 20_000, true).works, false);
  });
});

describe("neighbours", () => {
  test("have room for two entries a container, and a remedy where there is none", () => {
    assert.equal(judgeNeighbours(1024, 512).works, true);
    assert.match(remedyOf(judgeNeighbours(1024, 513)), /gc_thresh3=4096$/);
  });
});

describe("other firewalls", () => {
  const chain = (table: string, name: string, hook?: string, policy?: string) => ({
    chain: { family: "ip", table, name, handle: 1, ...(hook === undefined ? {} : { hook, policy }) },
  });
  const judge = (...chains: object[]): Finding =>
    judgeChains(parseChains(JSON.stringify({ nftables: [{ metainfo: {} }, ...chains] })));

  test("are no concern as long as they drop nothing by default", () => {
    assert.deepEqual(judge(chain("pier", "forward", "forward", "accept")), works("none"));
    assert.equal(
      judge(chain("filter", "FORWARD", "forward", "accept"), chain("f2b", "x", "input", "drop")).works,
      true,
    );
  });

  test("of iptables are opened by the daemon, others by their owner", () => {
    const plain = judge(chain("filter", "FORWARD", "forward", "drop"), chain("filter", "DOCKER-USER"));
    assert.match(
      plain.works ? plain.found : "",
      /^ip filter FORWARD drops by default: the daemon's bridges are let pass/,
    );
    const own = judge(chain("mine", "forward", "forward", "drop"));
    assert.match(remedyOf(own), /^nft insert rule ip mine forward iifname 'pier\*' accept && /);
    const firewalld = parseChains(
      JSON.stringify({ nftables: [chain("firewalld", "filter_FORWARD", "forward", "accept")] }),
    );
    assert.equal(judgeChains(firewalld, "open").works, true);
    assert.equal(remedyOf(judgeChains(firewalld, "recorded")), "firewall-cmd --reload");
  });
});

function remedyOf(finding: Finding): string {
  assert.ok(!finding.works);
  return finding.remedy;
}
