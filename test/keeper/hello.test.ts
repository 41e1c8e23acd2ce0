/** The program of the image `hello`, on the machine itself, watched by the compiler's sanitizers. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { after, before, describe, test } from "node:test";
import { type Checked, compileChecked, noCompiler } from "./compile.ts";

const width = 80;
const skip = noCompiler !== false ? noCompiler : process.getuid?.() === 0 ? false : "needs root";

describe("hello", { skip }, () => {
  let hello: Checked;
  before(() => {
    hello = compileChecked("hello", ["keeper/hello.c"]);
  });
  after(() => hello[Symbol.dispose]());

  /** What it says, run by a shell that may first change what there is to see. */
  const says = (script = "", env: Readonly<Record<string, string>> = {}): string => {
    const command = ["--mount", "sh", "-c", `${script}\nexec "$0"`, hello.program];
    const { status, stdout, stderr } = spawnSync("unshare", command, {
      encoding: "utf8",
      env: { PATH: process.env.PATH, ...env },
    });
    assert.equal(status, 0, stderr);
    return stdout;
  };

  test("shows what it sees of itself", () => {
    const page = says();
    assert.match(page, /^Hello from a container! This is what it sees of itself\.\n/);
    assert.match(page, /^ {2}host name +\S/m);
    assert.match(page, /^ {2}user +root \(uid 0\)$/m);
    assert.match(page, /^ {2}capabilities +\d+: /m);
    const others = Object.keys(networkInterfaces()).filter((name) => name !== "lo");
    assert.match(page, others.length === 0 ? /^ {2}network +lo only$/m : /^ {2}network +\S+ \d/m);
  });

  test("says beside it what the machine has, within eighty columns, and lets no value move the cursor", () => {
    const long = Array.from({ length: 9 }, (_, index) => `eth${index} 192.0.2.${index}`).join(", ");
    const page = says("", {
      PIER_HOST_KERNEL: "6.1.0\u001b[2J",
      PIER_HOST_NAME: "n".repeat(300),
      PIER_HOST_INTERFACES: `${long}, lo`,
      PIER_HOST_PROCESSES: "4711",
      PIER_HOST_CAPABILITIES: "ffffffffffffffff",
    });
    assert.match(page, /beside what the machine has\.\n {2}.*in this container +on the machine$/m);
    assert.match(page, /^ {2}host name .* n{30}\.\.\.$/m);
    assert.match(page, /^ {2}network .*eth0 192\.0\.2\.0, 9 more$/m);
    assert.match(page, /^ {2}processes .* 4711$/m);
    assert.match(page, /^ {2}capabilities .* 64/m);
    assert.match(page, /^ {2}kernel .* 6\.1\.0\?\[2J$/m);
    assert.deepEqual(
      page.split("\n").filter((line) => line.length > width),
      [],
    );
  });

  test("knows its limits in both versions of control groups, and what it may not do", () => {
    const own = "mount -t tmpfs tmpfs /sys/fs/cgroup; cd /sys/fs/cgroup";
    const v2 = says(`${own}; echo 67108864 >memory.max; echo "50000 100000" >cpu.max`);
    assert.match(v2, /^ {2}memory +64 MiB of [\d.]+ [GM]iB$/m);
    assert.match(v2, /^ {2}processors +0\.5 of \d+$/m);
    const v1 = says(
      `${own}; mkdir memory cpu; echo 1073741824 >memory/memory.limit_in_bytes; echo 150000 >cpu/cpu.cfs_quota_us
       echo 100000 >cpu/cpu.cfs_period_us`,
    );
    assert.match(v1, /^ {2}memory +1\.0 GiB of /m);
    assert.match(v1, /^ {2}processors +1\.5 of /m);
    const none = says(`${own}; echo max >memory.max; echo "max 100000" >cpu.max`);
    assert.match(none, /^ {2}memory +.*, no limit$/m);
    assert.match(none, /^ {2}processors +\d+, no limit$/m);
    const bounded = 'exec setpriv --bounding-set -all,+chown,+net_raw --inh-caps -all --no-new-privs "$0"';
    assert.match(says(bounded), /^ {2}capabilities +2: chown, net_raw$/m);
    assert.match(says("mount -t tmpfs tmpfs /sys"), /^ {2}memory +.*, no limit\n {2}processors +\d+, no limit$/m);
  });
});
