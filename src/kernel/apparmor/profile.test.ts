import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { findParser } from "./load.ts";
import { encodeDefaultProfile } from "./profile.ts";

/** The words of a pattern (apparmor.d(5)), as a regular expression has them; all else means itself. */
const words: Readonly<Record<string, string>> = { "{,/**}": "(|/.+)", "**": ".+", "*": "[^/]*", "?": "[^/]" };
const matcher = (pattern: string): RegExp => {
  const parts = pattern.match(/\{,\/\*\*\}|\*\*|\*|\?|\[[^\]]*\]|./g) ?? [];
  return new RegExp(`^${parts.map((part) => words[part] ?? part).join("")}$`);
};

const denied = encodeDefaultProfile()
  .split("\n")
  .flatMap((line) => {
    const [, path, access] = /^ {2}deny (\/\S+) (\w+),$/.exec(line) ?? [];
    return path === undefined || access === undefined ? [] : [{ path: matcher(path), access }];
  });
const isDenied = (path: string, access: string): boolean =>
  denied.some((rule) => rule.access.includes(access) && rule.path.test(path));

test("apparmor_parser takes the default profile", {
  skip: findParser() === undefined && "needs apparmor_parser",
}, () => {
  const ran = spawnSync(findParser()!, ["--skip-kernel-load", "--skip-cache"], { input: encodeDefaultProfile() });
  assert.equal(ran.status, 0, ran.stderr.toString());
});

test("what belongs to the whole machine cannot be written to", () => {
  const paths = [
    [
      "/proc/sysrq-trigger",
      "/proc/bus/pci/00/1f.0",
      "/proc/irq/1/smp_affinity",
      "/proc/scsi/scsi",
      "/proc/sysvipc/shm",
    ],
    ["/proc/sys/vm/drop_caches", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/sysrq", "/proc/sys/fs/file-max"],
    [
      "/sys/kernel/uevent_helper",
      "/sys/fs/bpf/x",
      "/sys/block/vda/queue/scheduler",
      "/sys/firmware/efi/vars",
      "/sys/fs/cgroups",
    ],
  ];
  for (const path of paths.flat()) assert.ok(isDenied(path, "w"), path);
});

test("what is the container's own can be written to", () => {
  const paths = [
    "/proc/1/oom_score_adj",
    "/proc/412/task/3/comm",
    "/proc/sys/kernel/shmmax",
    "/sys/fs/cgroup/memory/x",
    "/tmp/proc/x",
  ];
  for (const path of paths) assert.ok(!isDenied(path, "w"), path);
});

test("secrets of the kernel cannot be read", () => {
  for (const path of ["/proc/kcore", "/sys/firmware/acpi/tables/DSDT", "/sys/kernel/security/apparmor/profiles"]) {
    assert.ok(isDenied(path, "r"), path);
  }
  assert.ok(!isDenied("/proc/meminfo", "r"));
});
