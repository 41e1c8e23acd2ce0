import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodePlan } from "../kernel/encode.ts";
import type { Plan } from "../kernel/steps.ts";
import type { ContainerPlace } from "./plan.ts";
import { planExecByRuntime } from "./runtime-exec.ts";
import { planBundle, planByRuntime, type RuntimePlace } from "./runtime-plan.ts";
import { testId, testPlace, testSpec } from "./test-place.ts";

const place: ContainerPlace = {
  ...testPlace,
  log: undefined,
  cgroup: {
    ...testPlace.cgroup,
    outside: [...testPlace.cgroup.outside, { step: "attachDeviceFilter", slot: "cgroup", program: new Uint8Array(8) }],
  },
  cgroupMounts: [],
  seccomp: undefined,
};

const runtime: RuntimePlace = {
  program: { path: "/sbin/r", args: ["--debug"] },
  env: ["PATH=/bin"],
  bundle: "/b",
  state: "/b/state",
  init: undefined,
  otherGroups: [{ step: "removeDirectory", path: "/sys/fs/cgroup/systemd/pier/c" }],
};

const planOf = (host: object = {}, config: object = {}): Plan =>
  planByRuntime(testSpec(host, config), place, runtime, "{}");

/** The names of a lane's steps, with the runtime's commands by theirs. */
const words = (steps: Plan["inside"]): string[] =>
  steps.map((step) => (step.step === "runProgram" ? step.args[8]! : step.step));

describe("a container that another runtime makes", () => {
  test("is made before the commit point, adopted, and started behind it", () => {
    const inside = words(planOf().inside);
    const order = ["dieWithParent", "openRoot", "await", "netlink", "joinProcess", "create", "adopt", "start", "start"];
    assert.deepEqual(
      inside.filter((word) => order.includes(word) && word !== "openRoot"),
      order.filter((word) => word !== "openRoot"),
    );
    assert.equal(inside.at(-1), "start");
    assert.ok(words(planOf().outside).indexOf("adoptOrphans") < words(planOf().outside).indexOf("clone"));
  });

  test("has groups that are ours, but for the devices, of which the runtime speaks itself; it is forgotten last", () => {
    const { outside, inside, after } = planOf();
    assert.ok(!words(outside).includes("attachDeviceFilter"));
    assert.ok(!inside.some((step) => step.step === "write" && step.path.endsWith("/tasks")));
    assert.deepEqual(words(after), ["removeDirectory", "delete", "removeDirectory"]);
  });

  test("gets its mounts' sources and its network by paths, in the order in which they were asked for", () => {
    const spec = testSpec({ Binds: ["/data:/data:ro"] });
    const bundle = planBundle(spec, runtime, "/run/pier/root");
    const at = spec.mounts.findIndex(({ destination }) => destination === "/data");
    assert.equal(bundle.mounts[at]?.source, `/b/mounts/${at}`);
    assert.deepEqual(bundle.mounts[at]?.options, spec.mounts[at]?.options);
    assert.deepEqual(
      bundle.linux.namespaces.find(({ type }) => type === "network"),
      { type: "network", path: "/b/net" },
    );
    assert.equal(bundle.root.path, "/run/pier/root");
    const attached = planByRuntime(spec, place, runtime, "{}").inside.filter(({ step }) => step === "rootAttach");
    assert.ok(attached.some((step) => step.step === "rootAttach" && step.target === `/mounts/${at}`));
  });

  test("has an init of pier's before its program, if it was asked for", () => {
    const { process, mounts } = planBundle(testSpec(), { ...runtime, init: "/lib/keeper" }, "/run/pier/root");
    assert.deepEqual(process.args, ["/sbin/docker-init", "--", ...testSpec().process.args]);
    assert.deepEqual(mounts.at(-1), {
      destination: "/sbin/docker-init",
      type: "bind",
      source: "/lib/keeper",
      options: ["bind", "ro", "nosuid", "nodev"],
    });
    assert.deepEqual(planBundle(testSpec(), runtime, "/run/pier/root").process, testSpec().process);
  });

  test("without a network of its own has none made", () => {
    const { inside } = planOf({ NetworkMode: "host" });
    assert.ok(!words(inside).includes("joinProcess"));
  });

  test("is brought a terminal only where it has one", () => {
    assert.ok(!words(planOf().inside).includes("listenTerminal"));
    const inside = words(planOf({}, { Tty: true }).inside);
    assert.ok(inside.indexOf("listenTerminal") < inside.indexOf("create"));
  });

  test("can be written down", () => {
    assert.ok(encodePlan(planOf({ Binds: ["/data:/data"] }, { Tty: true })).length > 0);
  });

  test("has further programs brought in by the runtime, behind the commit point", () => {
    const plan = planExecByRuntime(
      testSpec({}).process,
      {
        container: testId,
        controlPath: "/x/control",
        exitPath: "/x/exit",
        target: { pid: 1, startTime: 2 },
        cgroup: { ...place.cgroup, slot: "cgroup", paths: { controllers: {}, directories: [] } },
        seccomp: undefined,
        stdio: "pipes",
        stdin: "none",
      },
      runtime,
    );
    assert.deepEqual(words(plan.inside), ["dieWithParent", "write", "start", "exec", "adopt"]);
  });
});
