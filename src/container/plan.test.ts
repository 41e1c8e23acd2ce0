import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodePlan } from "../kernel/encode.ts";
import { explainPlan, explainPlanJson } from "../kernel/explain.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { type ContainerPlace, planContainer, programCandidates } from "./plan.ts";
import { planMountSteps } from "./plan-mounts.ts";
import { testPlace, testSpec } from "./test-place.ts";

const planOf = (hostConfig: object = {}, config: object = {}, where: ContainerPlace = testPlace): Plan =>
  planContainer(testSpec(hostConfig, config), where);

const at = (steps: readonly Step[], name: Step["step"], from = 0): number => {
  const index = steps.findIndex(({ step }, position) => position >= from && step === name);
  assert.notEqual(index, -1, `the plan has no ${name}`);
  return index;
};

const last = (steps: readonly Step[], name: Step["step"]): number => {
  const index = steps.findLastIndex(({ step }) => step === name);
  assert.notEqual(index, -1, `the plan has no ${name}`);
  return index;
};

const inOrder = (steps: readonly Step[], ...names: Step["step"][]): void => {
  let position = -1;
  for (const name of names) {
    const found = steps.findIndex(({ step }, index) => index > position && step === name);
    assert.notEqual(found, -1, `${name} does not come after what must precede it`);
    position = found;
  }
};

describe("the order of the inside lane", () => {
  test("nobody can look into the process before it joins anything", () => {
    const { inside } = planOf();
    assert.ok(at(inside, "notDumpable") < at(inside, "unshare"));
    assert.ok(at(inside, "notDumpable") < at(inside, "newKeyring"));
    assert.ok(at(inside, "write") < at(inside, "notDumpable"), "the oom score is written while it can be");
  });

  test("no mount is made before mounts stop spreading, and none by name after the root is open", () => {
    const { inside } = planOf({ Binds: ["/data:/data"] });
    inOrder(inside, "setPropagation", "mount", "openRoot", "rootMount", "rootAttach", "pivotRoot");
    assert.equal(last(inside, "mount"), at(inside, "mount"));
  });

  test("what marks a container is made in its own layer, before anything is mounted over it", () => {
    const { inside } = planOf({ Binds: ["/data:/etc"] });
    const marks = inside.flatMap((step, index) =>
      "path" in step && /^\/(\.dockerenv|etc\/mtab)$/.test(step.path) ? [index] : [],
    );
    assert.equal(marks.length, 2);
    assert.ok(Math.max(...marks) < at(inside, "rootMount") && Math.max(...marks) < at(inside, "rootAttach"));
  });

  test("devices are made before the root is entered, masks after, and nothing is mounted over a mask", () => {
    const { inside } = planOf();
    assert.ok(last(inside, "rootMakeNode") < at(inside, "pivotRoot"));
    assert.ok(at(inside, "rootMask") > at(inside, "pivotRoot"));
    assert.ok(at(inside, "rootReadOnly") > at(inside, "pivotRoot"));
    assert.ok(last(inside, "rootMount") < at(inside, "rootReadOnly"));
    assert.ok(last(inside, "rootReadOnly") < at(inside, "rootMask"), "what is masked stays masked");
  });

  test("settings of the kernel are written before /proc/sys becomes read-only, and in the container's network", () => {
    const { inside } = planOf({ Sysctls: { "net.ipv4.ip_forward": "1" } });
    assert.ok(last(inside, "sysctl") < at(inside, "rootReadOnly"));
    assert.ok(last(inside, "await") < at(inside, "sysctl"));
    assert.ok(at(inside, "netlink") < at(inside, "sysctl"));
  });

  test("without no-new-privileges the filter is loaded while the process may, before it gives up anything", () => {
    inOrder(planOf().inside, "rootMask", "loadSeccomp", "dropBounding", "setUser", "setCapabilities");
  });

  test("with no-new-privileges the filter comes as late as it can", () => {
    const { inside } = planOf({ SecurityOpt: ["no-new-privileges"] });
    inOrder(inside, "noNewPrivileges", "setCapabilities", "findProgram", "loadSeccomp", "start");
    assert.equal(last(inside, "loadSeccomp"), at(inside, "loadSeccomp"));
  });

  test("the bounding set shrinks before the user changes, and capabilities are set after", () => {
    inOrder(planOf().inside, "changeDirectory", "dropBounding", "setUser", "setCapabilities", "dieWithParent");
  });

  test("the program is looked for as its user, before the commit point", () => {
    inOrder(planOf().inside, "setCapabilities", "findProgram", "start", "closeDescriptors", "exec");
    const { inside } = planOf();
    assert.deepEqual(
      inside.slice(-3).map(({ step }) => step),
      ["start", "closeDescriptors", "exec"],
    );
  });

  test("a terminal is made inside the root, before masks and users", () => {
    inOrder(planOf({}, { Tty: true }).inside, "pivotRoot", "terminal", "rootMask", "setUser");
  });

  test("a read-only root is made so after everything has been put into it", () => {
    inOrder(planOf({ ReadonlyRootfs: true }).inside, "pivotRoot", "rootMakeDirectory", "rootRemount", "setUmask");
  });
});

describe("the outside lane", () => {
  test("interfaces are made when the container's network is ready for them", () => {
    const early: Step = { step: "sysctl", name: "net.ipv6.conf.default.disable_ipv6", value: "1" };
    const outside: Step = { step: "netlink", protocol: 0, messages: new Uint8Array(16), pidAt: [0] };
    const plan = planOf(
      {},
      {},
      { ...testPlace, network: { ...testPlace.network, early: [early], outside: [outside] } },
    );
    inOrder(plan.outside, "clone", "await", "netlink", "release");
    inOrder(plan.inside, "dieWithParent", "sysctl", "release", "write", "notDumpable");
    assert.equal(plan.inside[1], early);
  });

  test("the host's files are opened before the keeper leaves the host's mounts", () => {
    const { outside } = planOf({ Binds: ["/data:/data"] });
    assert.ok(last(outside, "openTree") < at(outside, "joinProcess"));
  });

  test("the child is born in its cgroup, and joins the others before it is in a cgroup namespace", () => {
    const { outside, inside } = planOf();
    inOrder(outside, "openDirectory", "clone", "release");
    const joins = inside.findIndex((step) => step.step === "write" && step.path.endsWith("/tasks"));
    assert.ok(joins >= 0 && joins < at(inside, "unshare"));
  });

  test("what privileged containers get does not include the host's mount namespace", () => {
    const { outside, inside } = planOf({ Privileged: true });
    const clone = outside.find((step) => step.step === "clone")!;
    assert.ok((Number(clone.namespaces) & 0x20000) !== 0);
    assert.ok(!inside.some(({ step }) => step === "rootMask" || step === "rootReadOnly"));
  });
});

describe("a plan", () => {
  test("is the same bytes each time it is encoded", () => {
    assert.deepEqual(encodePlan(planOf()), encodePlan(planOf()));
  });

  test("is explained one step a line, each with a reason", () => {
    const plan = planOf();
    const lines = explainPlan(plan)
      .split("\n")
      .filter((line) => /^ +\d+ {2}/.test(line));
    assert.equal(lines.length, plan.outside.length + plan.inside.length + plan.after.length);
    for (const line of lines) assert.match(line, / {2}# ./);
  });

  test("is explained to programs as JSON", () => {
    const parsed = JSON.parse(explainPlanJson(planOf())) as Record<string, unknown[]>;
    assert.deepEqual(Object.keys(parsed), ["outside", "inside", "after"]);
  });
});

describe("the paths a program may have", () => {
  test("a name is looked for in every directory of PATH, the last one that is set", () => {
    assert.deepEqual(programCandidates("ls", ["PATH=/x", "PATH=/bin::/usr/bin"], "/"), [
      "/bin/ls",
      "./ls",
      "/usr/bin/ls",
    ]);
  });

  test("a path is itself, seen from the working directory", () => {
    assert.deepEqual(programCandidates("/bin/ls", [], "/srv"), ["/bin/ls"]);
    assert.deepEqual(programCandidates("./run", [], "/srv"), ["/srv/./run"]);
  });
});

test("a controller that shares its hierarchy with another is found by its own name too", () => {
  const shared = { target: "/sys/fs/cgroup/cpu,cpuacct", source: "/cg/cpu", links: ["cpu", "cpuacct"] };
  const { inside } = planMountSteps(
    [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] }],
    [shared],
    new Map(),
  );
  assert.deepEqual(
    inside.map((step) => [step.step, "path" in step ? step.path : "", step.step === "rootMakeLink" ? step.target : ""]),
    [
      ["rootMount", "", ""],
      ["rootAttach", "", ""],
      ["rootMakeLink", "/sys/fs/cgroup/cpu", "cpu,cpuacct"],
      ["rootMakeLink", "/sys/fs/cgroup/cpuacct", "cpu,cpuacct"],
      // Only then can nothing more be written.
      ["rootRemount", "/sys/fs/cgroup", ""],
    ],
  );
});
