import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errnos } from "../kernel/numbers/errno.ts";
import type { Step } from "../kernel/steps.ts";
import type { Endpoint, PublishedPort } from "./endpoint.ts";
import { explainNetworkFailure } from "./failure.ts";
import { planEndpoints, planLoopback } from "./plan.ts";
import { testEndpoint } from "./test-endpoint.ts";

const host = { name: "pier", ipv6: true, apart: [], apart6: [] };
const tcp: PublishedPort = { protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8080, containerPort: 80 };
const udp: PublishedPort = { protocol: "udp", hostAddress: "127.0.0.1", hostPort: 53, containerPort: 53 };

const endpoint = (...ports: PublishedPort[]): Endpoint => testEndpoint("172.17.0.2", ports);
const planOf = (...ports: PublishedPort[]) => planEndpoints([endpoint(...ports)], host);

const names = (steps: readonly Step[]): string[] => steps.map(({ step }) => step);

describe("an endpoint's plan", () => {
  test("without ports is one change of the host, one look at the firewall, and one change inside", () => {
    const { early, outside, inside, after } = planOf();
    assert.deepEqual(names(early), ["sysctl"]);
    assert.deepEqual(names(outside), ["netlink", "netlink"]);
    assert.deepEqual(names(inside), ["sysctl", "netlink"]);
    assert.deepEqual(after, []);
  });

  test("names one place for the first process's pid", () => {
    const pids = planOf().outside.map((step) => (step.step === "netlink" ? step.pidAt.length : 0));
    assert.deepEqual(pids, [1, 0]);
  });

  test("binds every port before anything else, and publishes all of them at once", () => {
    const { outside, after } = planOf(tcp, udp);
    assert.deepEqual(names(outside), ["bindPort", "bindPort", "netlink", "netlink", "relay", "relay"]);
    assert.deepEqual(names(after), ["netlink", "netlink", "netlink"]);
  });

  test("fills the slots that the relays read", () => {
    const slots = (name: Step["step"]) =>
      planOf(tcp, udp).outside.flatMap((step) => (step.step === name && "slot" in step ? [step.slot] : []));
    assert.deepEqual(slots("bindPort"), slots("relay"));
    assert.equal(new Set(slots("bindPort")).size, 2);
  });

  test("asks nothing of IPv6 where the kernel has none", () => {
    const { early, inside } = planEndpoints([endpoint()], { ...host, ipv6: false });
    assert.deepEqual(names([...early, ...inside]), ["netlink"]);
  });

  test("takes what is gone already for success, and has a reason for every step", () => {
    const { early, outside, inside, after } = planOf(tcp, udp);
    assert.ok(after.every(({ tolerate }) => tolerate?.includes(errnos.ENOENT.number)));
    for (const step of [...early, ...outside, ...inside, ...after, ...planLoopback().inside])
      assert.ok(step.why, step.step);
  });
});

describe("a failed step", () => {
  const [bind, , connect] = planOf(tcp, udp).outside;

  test("of a port that is somebody else's says so in Docker's words", () => {
    const failure = explainNetworkFailure([endpoint(tcp, udp)], "web", bind!, errnos.EADDRINUSE.number);
    assert.ok(failure?.kind === "taken");
    assert.deepEqual(failure.port, tcp);
    assert.equal(
      failure.error.message,
      `driver failed programming external connectivity on endpoint web (${"e".repeat(64)}): ` +
        "failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use",
    );
  });

  test("of an address that is not the host's is final", () => {
    const failure = explainNetworkFailure([endpoint(tcp)], "web", bind!, errnos.EADDRNOTAVAIL.number);
    assert.equal(failure?.kind, "final");
  });

  test("for lack of the bridge or the table asks for them to be made again", () => {
    for (const { number } of [errnos.ENOENT, errnos.ENODEV, errnos.EINVAL]) {
      assert.deepEqual(explainNetworkFailure([endpoint()], "web", connect!, number), { kind: "unprepared" });
    }
    assert.equal(explainNetworkFailure([endpoint()], "web", connect!, errnos.EPERM.number), undefined);
  });

  test("for lack of ports of the bridge is told as that, when nobody's interface is in the way any more", () => {
    const failure = explainNetworkFailure([endpoint()], "web", connect!, errnos.EXFULL.number);
    assert.ok(failure?.kind === "lingering");
    assert.equal(failure.error?.message, "network bridge is full: a bridge of Linux has 1023 ports");
  });

  test("of another room is not the network's", () => {
    const step: Step = { step: "setHostname", name: "web" };
    assert.equal(explainNetworkFailure([endpoint(tcp)], "web", step, errnos.EPERM.number), undefined);
  });
});
