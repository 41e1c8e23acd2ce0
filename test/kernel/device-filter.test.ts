/** The device filter of version 2, attached by a real keeper. Needs root and a mounted cgroup2. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { compileDeviceFilter } from "../../src/kernel/cgroup/device-filter.ts";
import { foldDeviceRules } from "../../src/kernel/cgroup/devices.ts";
import { findCgroupLayout } from "../../src/kernel/cgroup/find-layout.ts";
import type { StepFailure } from "../../src/kernel/keeper.ts";
import type { Step } from "../../src/kernel/steps.ts";
import { cannotKeep, Keepers } from "./keepers.ts";

const layout = await findCgroupLayout();
const skip = cannotKeep !== false ? cannotKeep : layout.v2 === undefined && "needs version 2 of control groups";

describe("the device filter of version 2", { skip }, () => {
  let keepers: Keepers;
  const group = `${layout.v2?.mountPoint}/pier-test-${randomBytes(4).toString("hex")}`;

  before(async () => {
    keepers = await Keepers.open();
  });

  after(async () => {
    rmdirSync(group);
    await keepers[Symbol.asyncDispose]();
  });

  test("lets processes use the devices of the rules and no other", async () => {
    const program = compileDeviceFilter(
      foldDeviceRules([
        { allow: false, type: "a", access: "rwm" },
        { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
        { allow: true, type: "c", major: 1, minor: 5, access: "w" },
      ]),
    );
    await keepers.errand({
      outside: [
        { step: "makeDirectory", path: group, mode: 0o755 },
        { step: "openDirectory", slot: "cgroup", path: group },
        { step: "attachDeviceFilter", slot: "cgroup", program },
      ],
    });

    const script = [
      `echo $$ > ${group}/cgroup.procs`,
      "(: < /dev/null) && echo null",
      "(: > /dev/zero) && echo zero-write",
      "(: < /dev/zero) || echo no zero-read",
      "(: < /dev/full) || echo no full",
    ];
    const { stdout } = spawnSync("/bin/sh", ["-c", script.join("\n")], { encoding: "utf8" });
    assert.deepEqual(stdout.trim().split("\n"), ["null", "zero-write", "no zero-read", "no full"]);
  });

  test("that the kernel does not take is refused", async () => {
    const steps: Step[] = [
      { step: "openDirectory", slot: "cgroup", path: "/" },
      { step: "attachDeviceFilter", slot: "cgroup", program: new Uint8Array(8) },
    ];
    const refused = await keepers.errand({ outside: steps }).catch((failure: StepFailure) => failure);
    assert.equal((refused as StepFailure).index, 1);
  });
});
