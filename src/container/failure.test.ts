import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StepFailure } from "../kernel/keeper.ts";
import { errno } from "../kernel/numbers/errno.ts";
import type { Plan } from "../kernel/steps.ts";
import { explainFailure } from "./failure.ts";

const plan: Plan = {
  outside: [{ step: "openTree", slot: "x", path: "/srv/data", recursive: 1 }],
  inside: [
    { step: "findProgram", candidates: ["/bin/nosuch"] },
    { step: "changeDirectory", path: "/proc/self/fd/7" },
  ],
  after: [],
};

const explain = (lane: "outside" | "inside", index: number, name: Parameters<typeof errno>[0], program = "nosuch") =>
  explainFailure(new StepFailure(lane, index, errno(name)), plan, program);

describe("what a failed step means", () => {
  test("a program that is not there is 127, in the words by which clients know it", () => {
    const { error, exitCode } = explain("inside", 0, "ENOENT");
    assert.match(error.message, /exec: "nosuch": executable file not found in \$PATH$/);
    assert.equal(exitCode, 127);
    assert.equal(error.status, 400);
    assert.match(explain("inside", 0, "ENOENT", "/bin/nosuch").error.message, /no such file or directory$/);
  });

  test("a program that cannot be run is 126", () => {
    const { error, exitCode } = explain("inside", 0, "EACCES");
    assert.match(error.message, /permission denied$/);
    assert.equal(exitCode, 126);
  });

  test("a working directory outside of the root is an error (CVE-2024-21626)", () => {
    assert.match(explain("inside", 1, "EXDEV").error.message, /chdir to cwd \("\/proc\/self\/fd\/7"\)/);
  });

  test("any other step is named with what it was about and the kernel's reason", () => {
    const { error } = explain("outside", 0, "ENOENT");
    assert.equal(error.message, "failed to start container: openTree /srv/data: no such file or directory");
    assert.ok(error.cause instanceof StepFailure);
  });

  test("a plan that the keeper would not take is said to be that", () => {
    assert.match(explain("outside", 99, "EBADMSG").error.message, /the keeper: /);
  });

  test("what another runtime tells is said as Docker says it, and read for the exit code", () => {
    const args = ["r", "--log-format", "json", "create", "x"];
    const byRuntime: Plan = {
      outside: [],
      inside: [{ step: "runProgram", program: "/sbin/r", args, env: [] }],
      after: [],
    };
    const told = (words: string | undefined, name: Parameters<typeof errno>[0] = "EREMOTEIO") =>
      explainFailure(new StepFailure("inside", 0, errno(name)), byRuntime, "sh", words);
    const failed = "failed to create task for container: failed to create shim task: OCI runtime create failed: ";
    const missing = told('exec: "sh": executable file not found in $PATH');
    assert.equal(missing.error.message, `${failed}exec: "sh": executable file not found in $PATH: unknown`);
    assert.deepEqual([missing.exitCode, missing.error.status], [127, 400]);
    assert.deepEqual([told("open x: permission denied").exitCode, told("bad luck").exitCode], [126, 128]);
    assert.equal(told("bad luck").error.status, 500);
    assert.equal(told(undefined).error.message, `${failed}/sbin/r ended and told no reason: unknown`);
    assert.match(told("not its own", "ENOENT").error.message, /exec: "\/sbin\/r": no such file or directory: unknown$/);
  });
});
