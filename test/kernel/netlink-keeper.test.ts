/** The default network through a real keeper: its bound sockets and relays, and what it takes away at the end. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { encodePlan } from "../../src/kernel/encode.ts";
import { Keeper, StepFailure } from "../../src/kernel/keeper.ts";
import { errnos } from "../../src/kernel/numbers/errno.ts";
import { namespaces } from "../../src/kernel/numbers/namespaces.ts";
import { type Plan, points, type Step, stdinKinds, stdioKinds } from "../../src/kernel/steps.ts";
import { planNetworks } from "../../src/network/bridge.ts";
import type { Endpoint, PublishedPort } from "../../src/network/endpoint.ts";
import { explainNetworkFailure } from "../../src/network/failure.ts";
import type { NetworkHost } from "../../src/network/host.ts";
import { planEndpoints } from "../../src/network/plan.ts";
import { testEndpoint, testNetwork } from "../../src/network/test-endpoint.ts";
import { type Namespace, noWorld, World } from "./netlink-world.ts";

const root = new URL("../../", import.meta.url).pathname;
const host: NetworkHost = { name: "pier", ipv6: true, apart: [], apart6: [] };
const tcp: PublishedPort = { protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8080, containerPort: 80 };
const udp: PublishedPort = { protocol: "udp", hostAddress: "127.0.0.1", hostPort: 8080, containerPort: 80 };

describe("a keeper with published ports", { skip: noWorld }, () => {
  let world: World;
  let machine: Namespace;

  before(async () => {
    world = new World();
    const sources = readdirSync(join(root, "keeper")).filter((name) => name.endsWith(".c") && name !== "hello.c");
    const flags = ["-std=gnu17", "-O1", "-D_GNU_SOURCE", "-static", "-o", world.program("keeper")];
    execFileSync("cc", [...flags, ...sources.map((name) => join(root, "keeper", name))]);
    machine = await world.namespace();
    machine.run(
      "ip link set lo up; ip link add eth0 type veth peer name wire; ip link set wire up; ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up",
    );
    machine.apply(
      planNetworks([testNetwork], [], host, {
        index: () => undefined,
        isAstray: () => false,
        orphans: [],
        advertised: [],
      }).outside,
    );
  });

  after(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** A process in a network namespace of its own that answers at port 80, in the machine's network. */
  const planServer = (endpoint: Endpoint, protocol: "tcp" | "udp"): Plan => {
    const { outside, inside, after } = planEndpoints([endpoint], host);
    const server = world.program("netlink-peer");
    const kinds = namespaces.network.flag | namespaces.pid.flag | namespaces.mount.flag;
    const before: Step[] = [
      { step: "joinNamespace", path: `/proc/${machine.pid}/ns/net`, kind: namespaces.network.flag },
      { step: "stdio", kind: stdioKinds.pipes, stdin: stdinKinds.none },
      { step: "clone", namespaces: kinds, cgroup: "" },
    ];
    return {
      outside: [...before, ...outside, { step: "release", point: points.network }],
      inside: [
        { step: "dieWithParent" },
        { step: "await", point: points.network },
        ...inside,
        { step: "findProgram", candidates: [server] },
        { step: "start" },
        { step: "closeDescriptors" },
        { step: "exec", args: [server, "serve", protocol, "80"], env: [], init: 0 },
      ],
      after,
    };
  };

  const launch = (plan: Plan): Keeper => {
    const path = world.program("plan");
    writeFileSync(path, encodePlan(plan));
    return Keeper.launch({ pid: 0, startTime: 0, program: world.program("keeper"), namespace: "", build: "" }, path);
  };

  const isServing = async (protocol: "tcp" | "udp", at: string): Promise<string> => {
    for (let tries = 0; tries < 200; tries++) {
      const answer = machine.ask(protocol, at, 8080);
      if (/^\d/.test(answer)) return answer;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return "nobody";
  };

  const elements = (name: string): string =>
    machine.run(`nft -j list map ip pier ${name} | grep -c elem || true`).trim();

  test("serves the loopback by its relay, other addresses by the kernel, and takes all of it away", async () => {
    const keeper = launch(planServer(testEndpoint("172.17.0.2", [tcp]), "tcp"));
    await keeper.created;
    await keeper.start();
    assert.equal(await isServing("tcp", "127.0.0.1"), "172.17.0.1");
    assert.equal(await isServing("tcp", "10.9.0.1"), "10.9.0.1");
    assert.equal(elements("published"), "1");
    await keeper.signal(9);
    await keeper.exited;
    assert.equal(elements("published"), "0");
    await keeper.closed;
    assert.equal(machine.ask("tcp", "127.0.0.1", 8080), "ECONNREFUSED");
  });

  test("serves datagrams at the loopback", async () => {
    const keeper = launch(planServer(testEndpoint("172.17.0.3", [udp]), "udp"));
    await keeper.created;
    await keeper.start();
    assert.equal(await isServing("udp", "127.0.0.1"), "172.17.0.1");
    await keeper.signal(9);
    await keeper.exited;
  });

  test("fails before its start where somebody else has the port, and leaves nothing", async () => {
    const endpoint = testEndpoint("172.17.0.4", [{ ...udp, hostPort: 8081 }, tcp]);
    await machine.serve("tcp", 8080);
    const plan = planServer(endpoint, "tcp");
    const keeper = launch(plan);
    const failure = await keeper.created.then(
      () => assert.fail("it was created"),
      (error: unknown) => error,
    );
    assert.ok(failure instanceof StepFailure);
    assert.equal(failure.errno, errnos.EADDRINUSE.number);
    const explained = explainNetworkFailure([endpoint], "web", plan[failure.lane][failure.index]!, failure.errno);
    assert.ok(explained?.kind === "taken");
    assert.deepEqual(explained.port, tcp);
    await keeper.closed;
    assert.equal(machine.run(`ip -o link show ${endpoint.hostInterface} 2>/dev/null || true`), "");
  });

  test("says when the firewall's table or the bridge is gone, so that they are made again", async () => {
    machine.run("nft flush ruleset");
    for (const [index, ports] of [[], [{ ...tcp, hostPort: 8082 }]].entries()) {
      // Another address each time: the interface of the last one goes when the kernel gets to it.
      const endpoint = testEndpoint(`172.17.0.${5 + index}`, ports);
      const plan = planServer(endpoint, "tcp");
      const keeper = launch(plan);
      const failure = await keeper.created.catch((error: unknown) => error);
      assert.ok(failure instanceof StepFailure);
      const step = plan[failure.lane][failure.index]!;
      assert.deepEqual(explainNetworkFailure([endpoint], "web", step, failure.errno), { kind: "unprepared" });
      await keeper.closed;
      machine.run("ip link del pier0 2>/dev/null || true");
    }
  });
});
