import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { specifyRules } from "./specified.ts";

const host = { architecture: "x86_64", kernelRelease: "6.1.0" };
const profile = (json: object) => ({ kind: "profile", profile: JSON.stringify(json) }) as const;

describe("a profile as the specification has it", () => {
  test("has the rules that hold for these capabilities on this kernel", () => {
    const calls = (capabilities: readonly string[]) =>
      specifyRules({ kind: "default" }, capabilities, host)
        .syscalls.filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && args === undefined)
        .flatMap(({ names }) => names);
    assert.ok(calls([]).includes("read"));
    assert.ok(!calls([]).includes("mount"));
    assert.ok(calls(["CAP_SYS_ADMIN"]).includes("mount"));
    const { defaultAction, defaultErrnoRet, architectures, flags } = specifyRules({ kind: "default" }, [], host);
    assert.deepEqual([defaultAction, defaultErrnoRet, flags], ["SCMP_ACT_ERRNO", 1, undefined]);
    assert.deepEqual(architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  });

  test("says actions, numbers, conditions and flags as they were said", () => {
    const rules = {
      defaultAction: "SCMP_ACT_ALLOW",
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        { names: ["a"], action: "SCMP_ACT_KILL_PROCESS" },
        { names: ["b"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
        { names: ["c"], action: "SCMP_ACT_TRACE", errnoRet: 7, args: [{ index: 1, op: "SCMP_CMP_GE", value: 5 }] },
        { names: ["d"], action: "SCMP_ACT_LOG", args: [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: 6, valueTwo: 2 }] },
      ],
    };
    assert.deepEqual(specifyRules(profile(rules), [], host), {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        { names: ["a"], action: "SCMP_ACT_KILL_PROCESS" },
        { names: ["b"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
        {
          names: ["c"],
          action: "SCMP_ACT_TRACE",
          errnoRet: 7,
          args: [{ index: 1, value: 5n, op: "SCMP_CMP_GE" }],
        },
        {
          names: ["d"],
          action: "SCMP_ACT_LOG",
          args: [{ index: 0, value: 6n, valueTwo: 2n, op: "SCMP_CMP_MASKED_EQ" }],
        },
      ],
    });
  });
});
