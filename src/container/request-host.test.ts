import assert from "node:assert/strict";
import { test } from "node:test";
import type { CgroupLayout } from "../kernel/cgroup/layout.ts";
import { fitToHost } from "./request-host.ts";
import { parseCreateRequest } from "./request-parse.ts";

const v2 = (controllers: readonly string[], swap = true): CgroupLayout => ({
  version: "v2",
  v1: [],
  v2: { controllers, mountPoint: "/sys/fs/cgroup", own: "/", kill: true, freeze: true },
  swap,
});
const v1 = (...controllers: string[]): CgroupLayout => ({
  version: "v1",
  v1: controllers.map((name) => ({ controllers: [name], name: "", mountPoint: `/sys/fs/cgroup/${name}`, own: "/" })),
  swap: true,
});
const modern = v2(["cpu", "cpuset", "memory", "pids", "io"]);

const fit = (hostConfig: object, cgroup: CgroupLayout = modern) =>
  fitToHost(
    parseCreateRequest({ Image: "x", HostConfig: hostConfig }),
    { cgroup, cpus: 2 },
    { online: "0-1", memoryNodes: "0" },
  );

const everything = {
  Memory: 64 << 20,
  MemoryReservation: 32 << 20,
  PidsLimit: 10,
  NanoCpus: 1e9,
  CpuShares: 512,
  CpusetCpus: "0",
  BlkioWeight: 100,
};

test("what the host can do is left alone", () => {
  const asked = parseCreateRequest({ Image: "x", HostConfig: everything });
  assert.deepEqual(fit(everything), { request: asked, warnings: [] });
  const old = v1("cpu", "cpuset", "memory", "pids", "blkio");
  assert.deepEqual(fit({ ...everything, MemorySwappiness: 5, OomKillDisable: true }, old).warnings, []);
});

test("processors that are not there are refused", () => {
  assert.throws(() => fit({ NanoCpus: 2.01e9 }), {
    message: "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
    status: 400,
  });
  assert.throws(() => fit({ CpusetCpus: "0-2" }), {
    message: "Requested CPUs are not available - requested 0-2, available: 0-1",
  });
  assert.throws(() => fit({ CpusetMems: "1" }), {
    message: "Requested memory nodes are not available - requested 1, available: 0",
  });
});

test("what the host cannot do is left out, and said", () => {
  const { request, warnings } = fit(everything, v2([]));
  const { resources } = request;
  assert.equal(resources.memory, 0);
  assert.equal(resources.memorySwap, 0);
  assert.equal(resources.memoryReservation, 0);
  assert.equal(resources.pidsLimit, undefined);
  assert.equal(resources.nanoCpus, 0);
  assert.equal(resources.cpuShares, 0);
  assert.equal(resources.cpusetCpus, "");
  assert.equal(resources.blkioWeight, 0);
  assert.equal(warnings.length, 7);
  assert.ok(warnings.every((warning) => /^Your kernel does not support .* discarded\.$/.test(warning)));
});

test("without swap accounting memory is limited alone", () => {
  const { request, warnings } = fit({ Memory: 64 << 20 }, v2(["memory"], false));
  assert.equal(request.resources.memorySwap, 0);
  assert.equal(request.resources.memory, 64 << 20);
  assert.match(warnings[0]!, /Memory limited without swap\.$/);
});

test("cgroup v2 has no swappiness and always its killer", () => {
  const { request, warnings } = fit({ MemorySwappiness: 10, OomKillDisable: true });
  assert.equal("memorySwappiness" in request.resources, false);
  assert.equal(request.resources.oomKillDisable, false);
  assert.equal(warnings.length, 2);
});

test("a container without a killer and without a limit is warned about", () => {
  assert.match(fit({ OomKillDisable: true }, v1("memory")).warnings[0]!, /^OOM killer is disabled/);
});

test("ports on the host's network are said to be nothing", () => {
  const { warnings } = fit({ NetworkMode: "host", PortBindings: { "80/tcp": [{ HostPort: "80" }] } });
  assert.deepEqual(warnings, ["Published ports are discarded when using host network mode"]);
});
