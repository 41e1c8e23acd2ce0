import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { test } from "node:test";
import {
  allCapabilities,
  capabilitiesOf,
  capabilityMask,
  defaultCapabilities,
  parseCapability,
  planCapabilities,
} from "./capabilities.ts";
import { errno, errnoMessage, errnos, findErrnoName } from "./errno.ts";
import { namespaceFlags } from "./namespaces.ts";
import { parseRlimit, rlimits } from "./rlimits.ts";
import { findSignalName, parseSignal, signals } from "./signals.ts";
import { i386Syscalls } from "./syscalls-i386.ts";
import { x32Bit, x32Syscalls, x8664Syscalls } from "./syscalls-x86-64.ts";

test("the default capabilities are Docker's fourteen", () => {
  assert.equal(capabilityMask(defaultCapabilities), 0xa80425fbn);
  assert.equal(capabilityMask(allCapabilities), 2n ** 41n - 1n);
  assert.deepEqual(
    capabilitiesOf(0xa80425fbn),
    defaultCapabilities.toSorted((a, b) => allCapabilities.indexOf(a) - allCapabilities.indexOf(b)),
  );
});

test("capabilities are taken in any case, with and without their prefix, and no other word is", () => {
  assert.equal(parseCapability("net_admin"), "CAP_NET_ADMIN");
  assert.equal(parseCapability("Cap_Net_Admin"), "CAP_NET_ADMIN");
  assert.equal(parseCapability("all"), "ALL");
  assert.throws(() => parseCapability("fly"), /^PierError: unknown capability: "CAP_FLY"$/);
  assert.throws(() => parseCapability("__proto__"), /unknown capability/);
});

test("what is added and dropped counts as with Docker", () => {
  const ask = (add: string[], drop: string[], privileged = false) =>
    planCapabilities({ add, drop, privileged, available: allCapabilities });
  assert.equal(ask([], []).length, 14);
  assert.deepEqual(ask(["NET_ADMIN"], ["ALL"]), ["CAP_NET_ADMIN"]);
  assert.equal(ask(["ALL"], ["SYS_ADMIN"]).length, 40);
  assert.ok(!ask(["ALL"], ["SYS_ADMIN"]).includes("CAP_SYS_ADMIN"));
  assert.equal(ask([], ["CHOWN"]).length, 13);
  assert.equal(ask(["CHOWN"], ["CHOWN"]).length, 14);
  assert.equal(ask([], ["ALL"], true).length, 41);
});

test("a capability that the kernel cannot give is refused when asked for, and left out when it is a default", () => {
  const available = allCapabilities.filter((name) => name !== "CAP_SYS_RESOURCE" && name !== "CAP_MKNOD");
  const ask = (add: string[]) => planCapabilities({ add, drop: [], privileged: false, available });
  assert.throws(() => ask(["SYS_RESOURCE"]), /not supported by your kernel or not available.*"CAP_SYS_RESOURCE"/);
  assert.equal(ask([]).length, 13);
});

test("error numbers are the machine's", () => {
  for (const [name, number] of Object.entries(constants.errno)) {
    if (Object.hasOwn(errnos, name)) assert.equal(errno(name as keyof typeof errnos), number, name);
  }
  assert.equal(findErrnoName(2), "ENOENT");
  assert.equal(findErrnoName(0), undefined);
  assert.equal(errnoMessage(13), "permission denied");
  assert.equal(errnoMessage(9999), "errno 9999");
});

test("signals are the machine's, under all the names that Docker takes", () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    const own = name.replace(/^SIG/, "");
    if (Object.hasOwn(signals, own)) assert.equal(signals[own], number, name);
  }
  for (const text of ["SIGTERM", "TERM", "term", "sigterm", "15"]) assert.equal(parseSignal(text), 15, text);
  assert.equal(parseSignal("SIGRTMIN+3"), 37);
  assert.equal(parseSignal("rtmax-1"), 63);
  assert.equal(parseSignal("RTMIN"), 34);
  assert.equal(findSignalName(9), "KILL");
  for (const text of ["0", "", "SIGFOO", "RTMIN+16", "15x", "toString"]) {
    assert.throws(() => parseSignal(text), /^PierError: invalid signal: /, text);
  }
  for (const text of ["32", "-1", "65"]) assert.throws(() => parseSignal(text), /does not support signal/, text);
});

test("limits are known by Docker's names and by the specification's", () => {
  assert.equal(rlimits[parseRlimit("nofile")], 7);
  assert.equal(rlimits[parseRlimit("RLIMIT_CORE")], 4);
  assert.throws(() => parseRlimit("as"), /invalid ulimit type: as/);
});

test("the flags of all namespaces that clone makes are the seven that seccomp looks for", () => {
  assert.equal(namespaceFlags(["mount", "cgroup", "uts", "ipc", "user", "pid", "network"]), 0x7e02_0000);
});

/** `#define __NR_read 0`, in the headers that Debian installs with a compiler. */
const headerNumbers = (path: string): ReadonlyMap<string, number> =>
  new Map(
    [...readFileSync(path, "utf8").matchAll(/^#define __NR_(\w+) \(?(?:__X32_SYSCALL_BIT \+ )?(\d+)\)?$/gm)].map(
      ([, name, number]) => [name!, Number(number)] as const,
    ),
  );

for (const [header, table, bit] of [
  ["unistd_64.h", x8664Syscalls, 0],
  ["unistd_x32.h", x32Syscalls, x32Bit],
  ["unistd_32.h", i386Syscalls, 0],
] as const) {
  const path = `/usr/include/x86_64-linux-gnu/asm/${header}`;
  test(`the system calls are those of ${header}`, { skip: existsSync(path) ? false : `needs ${path}` }, () => {
    const found = headerNumbers(path);
    assert.ok(found.size > 300);
    for (const [name, number] of found) assert.equal(table.get(name), number + bit, name);
  });
}
