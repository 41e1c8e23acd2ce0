/** The device filter of version 2, attached by a real keeper. Needs root and a mounted cgroup2. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { compileDeviceFilter } from "../../src/kernel/cgroup/device-filter.ts";
import { foldDeviceRules } from "../../src/kernel/cgroup/devices.ts";
import { findCgroupLayout } from "../../src/kernel/cgroup/find-layout.ts";
import { encodePlan } from "../../src/kernel/encode.ts";
import { Keeper } from "../../src/kernel/keeper.ts";
import { noCompiler } from "../keeper/compile.ts";

const root = new URL("../../", import.meta.url).pathname;
const layout = await findCgroupLayout();
const skip =
  process.getuid?.() !== 0 ? "needs root" : layout.v2 === undefined ? "needs version 2 of control groups" : noCompiler;

describe("the device filter of version 2", { skip }, () => {
  let directory: string;
  const group = `${layout.v2?.mountPoint}/pier-test-${randomBytes(4).toString("hex")}`;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-devices-"));
    const sources = readdirSync(join(root, "keeper")).filter((name) => name.endsWith(".c") && name !== "hello.c");
    const flags = ["-std=gnu17", "-O0", "-D_GNU_SOURCE", "-static", "-o", join(directory, "keeper")];
    execFileSync("cc", [...flags, ...sources.map((name) => join(root, "keeper", name))]);
  });

  after(() => {
    rmSync(directory, { recursive: true, force: true });
    rmdirSync(group);
  });

  test("lets processes use the devices of the rules and no other", async () => {
    const program = compileDeviceFilter(
      foldDeviceRules([
        { allow: false, type: "a", access: "rwm" },
        { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
        { allow: true, type: "c", major: 1, minor: 5, access: "w" },
      ]),
    );
    const plan = join(directory, "plan");
    writeFileSync(
      plan,
      encodePlan({
        outside: [
          { step: "makeDirectory", path: group, mode: 0o755 },
          { step: "openDirectory", slot: "cgroup", path: group },
          { step: "attachDeviceFilter", slot: "cgroup", program },
        ],
        inside: [],
        after: [],
      }),
    );
    const holder = { pid: 0, startTime: 0, program: join(directory, "keeper"), namespace: "", build: "" };
    await Keeper.launch(holder, plan).exited;

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
});
