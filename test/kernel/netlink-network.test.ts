/** The default network as its plans make it: who reaches whom, and from which address. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { planNetworks } from "../../src/network/bridge.ts";
import type { Endpoint, PublishedPort } from "../../src/network/endpoint.ts";
import type { NetworkHost } from "../../src/network/host.ts";
import { planEndpoints } from "../../src/network/plan.ts";
import { testEndpoint, testNetwork } from "../../src/network/test-endpoint.ts";
import { type Namespace, noWorld, World } from "./netlink-world.ts";

const host: NetworkHost = { name: "pier", ipv6: true, apart: ["eth0", "eth1"], apart6: [] };
const port = (text: string, containerPort: number): PublishedPort => {
  const [, hostAddress = "", hostPort, protocol] = /^(.*):(\d+)\/(tcp|udp)$/.exec(text)!;
  return { protocol: protocol as "tcp" | "udp", hostAddress, hostPort: Number(hostPort), containerPort };
};

/** Without the numbers that the kernel counts up. */
const ruleset = `nft -j list ruleset | sed 's/"handle": [0-9]*//g; s/, ,/,/g; s/, }/}/g'`;

describe("the default network", { skip: noWorld }, () => {
  let world: World;
  let machine: Namespace;
  let neighbour: Namespace;
  let elsewhere: Namespace;
  let first: Namespace;
  let second: Namespace;
  const firstEndpoint = testEndpoint("172.17.0.2", [
    port("0.0.0.0:8080/tcp", 80),
    port("10.9.0.1:8081/tcp", 80),
    port("127.0.0.1:8082/tcp", 80),
    port("0.0.0.0:9000/udp", 53),
  ]);
  const secondEndpoint = testEndpoint("172.17.0.3");

  const prepare = (endpoints: readonly Endpoint[]): void => {
    const found = machine.run("ip -o link show pier0 2>/dev/null | cut -d: -f1");
    machine.apply(
      planNetworks([testNetwork], endpoints, host, {
        index: () => (found === "" ? undefined : Number(found)),
        isAstray: () => false,
        orphans: [],
        advertised: [],
      }).outside,
    );
  };

  const start = async (endpoint: Endpoint): Promise<Namespace> => {
    const container = await world.namespace();
    const { early, outside, inside } = planEndpoints([endpoint], host);
    container.apply(early);
    machine.apply(outside, container.pid);
    container.apply(inside);
    return container;
  };

  const cable = (interfaceName: string, own: string, other: Namespace, its: string): void => {
    machine.run(
      `ip link add ${interfaceName} type veth peer name eth0 netns ${other.pid}
       ip addr add ${own}/24 dev ${interfaceName}; ip link set ${interfaceName} up; ip link set lo up`,
    );
    other.run(
      `ip addr add ${its}/24 dev eth0; ip link set eth0 up; ip link set lo up; ip route add default via ${own}`,
    );
  };

  before(async () => {
    world = new World();
    machine = await world.namespace();
    neighbour = await world.namespace();
    elsewhere = await world.namespace();
    cable("eth0", "10.9.0.1", neighbour, "10.9.0.2");
    cable("eth1", "10.8.0.1", elsewhere, "10.8.0.2");
    prepare([]);
    first = await start(firstEndpoint);
    second = await start(secondEndpoint);
    await first.serve("tcp", 80);
    await first.serve("udp", 53);
    await first.serve("tcp", 81);
    await neighbour.serve("tcp", 80);
  });

  after(async () => {
    await world[Symbol.asyncDispose]();
  });

  test("a container has its address, its MAC, a default route and no IPv6", () => {
    interface Link {
      readonly ifname: string;
      readonly address: string;
      readonly mtu: number;
      readonly flags: readonly string[];
      readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly family: string }[];
    }
    const [loopback, eth0, ...others] = first.json<Link[]>("ip -j addr");
    assert.deepEqual(others, []);
    assert.ok(loopback?.flags.includes("UP"));
    assert.equal(eth0?.ifname, "eth0");
    assert.equal(eth0?.address, "02:42:ac:11:00:02");
    assert.deepEqual(
      eth0?.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      ["172.17.0.2/16"],
    );
    assert.match(first.run("ip route"), /^default via 172\.17\.0\.1 dev eth0/m);
  });

  test("the container's port of the bridge forwards at once, sends back out of itself, and has no address", () => {
    const [link] = machine.json<{ linkinfo: { info_slave_data: { hairpin: boolean; state: string } } }[]>(
      `ip -j -d link show ${firstEndpoint.hostInterface}`,
    );
    assert.equal(link?.linkinfo.info_slave_data.hairpin, true);
    assert.equal(link?.linkinfo.info_slave_data.state, "forwarding");
    assert.equal(machine.run(`ip -o addr show ${firstEndpoint.hostInterface}; ip -o -6 addr show pier0`), "");
  });

  test("containers reach each other by address", () => {
    assert.equal(second.ask("tcp", "172.17.0.2", 80), "172.17.0.3");
  });

  test("containers reach the outside with the host's address", () => {
    assert.equal(second.ask("tcp", "10.9.0.2", 80), "10.9.0.1");
  });

  test("a published port keeps the address of those outside", () => {
    assert.equal(neighbour.ask("tcp", "10.9.0.1", 8080), "10.9.0.2");
    assert.equal(neighbour.ask("udp", "10.9.0.1", 9000), "10.9.0.2");
  });

  test("the host reaches a published port at its own addresses", () => {
    assert.equal(machine.ask("tcp", "10.9.0.1", 8080), "10.9.0.1");
    assert.equal(machine.ask("tcp", "172.17.0.1", 8080), "172.17.0.1");
  });

  test("containers reach a published port at the host's addresses, also their own", () => {
    assert.equal(first.ask("tcp", "10.9.0.1", 8080), "172.17.0.1");
    assert.equal(second.ask("tcp", "10.9.0.1", 8080), "172.17.0.1");
    assert.equal(second.ask("tcp", "172.17.0.1", 8080), "172.17.0.1");
    assert.equal(second.ask("udp", "10.9.0.1", 9000), "172.17.0.1");
  });

  test("a port published on one address is not on the others", () => {
    assert.equal(neighbour.ask("tcp", "10.9.0.1", 8081), "10.9.0.2");
    assert.equal(elsewhere.ask("tcp", "10.8.0.1", 8081), "ECONNREFUSED");
    assert.equal(second.ask("tcp", "172.17.0.1", 8081), "ECONNREFUSED");
  });

  test("a neighbour who routes to the containers' addresses gets no answer", () => {
    assert.equal(neighbour.askInVain("tcp", "172.17.0.2", 80), "silence");
    assert.equal(neighbour.askInVain("tcp", "172.17.0.2", 81), "silence");
    assert.equal(neighbour.askInVain("udp", "172.17.0.2", 53), "silence");
    assert.equal(neighbour.askInVain("tcp", "172.17.0.1", 8080), "silence");
  });

  test("a port published on the loopback is out of reach, even where another program has set route_localnet", async () => {
    const forger = await world.namespace();
    machine.run(
      `ip link add eth2 type veth peer name eth0 netns ${forger.pid}
       ip addr add 10.7.0.1/24 dev eth2; ip link set eth2 up; echo 1 > /proc/sys/net/ipv4/conf/eth2/route_localnet`,
    );
    await machine.serve("tcp", 8082);
    await machine.serve("tcp", 8083);
    forger.run(
      `ip addr add 10.7.0.2/24 dev eth0; ip link set eth0 up; echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
       ip route add 127.0.0.1 via 10.7.0.1 src 10.7.0.2`,
    );
    // What pier did not publish is not pier's to protect: this shows that the forger's packets arrive.
    assert.equal(forger.ask("tcp", "127.0.0.1", 8083), "10.7.0.2");
    assert.equal(forger.askInVain("tcp", "127.0.0.1", 8082), "silence");
    assert.equal(machine.ask("tcp", "127.0.0.1", 8082), "127.0.0.1");
    const settings = ["all", "default", "eth0", "pier0"].map(
      (name) => `/proc/sys/net/ipv4/conf/${name}/route_localnet`,
    );
    assert.equal(machine.run(`cat ${settings.join(" ")}`), "0\n0\n0\n0\n");
    await forger.end();
  });

  test("the host does not become a router between its own networks", () => {
    assert.equal(machine.run("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
    assert.equal(elsewhere.askInVain("tcp", "10.9.0.2", 80), "silence");
  });

  test("preparing again changes nothing", () => {
    const before = machine.json<unknown>(ruleset);
    const links = machine.run("ip -o link | sed 's/qlen.*//'");
    prepare([firstEndpoint, secondEndpoint]);
    assert.deepEqual(machine.json<unknown>(ruleset), before);
    assert.equal(machine.run("ip -o link | sed 's/qlen.*//'"), links);
    assert.equal(neighbour.ask("tcp", "10.9.0.1", 8080), "10.9.0.2");
  });

  test("preparing heals a host whose rules were flushed and whose bridge was deleted, or made anew by someone", () => {
    machine.run("nft flush ruleset; ip link del pier0; ip link add pier0 type bridge");
    assert.equal(neighbour.ask("tcp", "10.9.0.1", 8080), "ECONNREFUSED");
    prepare([firstEndpoint, secondEndpoint]);
    const [link] = machine.json<{ ifindex: number }[]>("ip -j link show pier0");
    assert.equal(link?.ifindex, testNetwork.index);
    assert.equal(neighbour.ask("tcp", "10.9.0.1", 8080), "10.9.0.2");
    assert.equal(second.ask("tcp", "172.17.0.2", 80), "172.17.0.3");
    assert.equal(second.ask("tcp", "10.9.0.2", 80), "10.9.0.1");
    assert.equal(neighbour.askInVain("tcp", "172.17.0.2", 80), "silence");
  });

  test("what a container leaves is taken away, twice too, and its ports lead to the next one, also for old senders", async () => {
    const sourcePort = 4000;
    assert.equal(neighbour.ask("udp", "10.9.0.1", 9000, sourcePort), "10.9.0.2");
    const { after } = planEndpoints([firstEndpoint], host);
    machine.apply(after);
    machine.apply(after);
    await first.end();
    assert.equal(neighbour.ask("tcp", "10.9.0.1", 8080), "ECONNREFUSED");
    const next = testEndpoint("172.17.0.4", firstEndpoint.ports);
    const third = await start(next);
    await third.serve("udp", 53);
    assert.equal(neighbour.ask("udp", "10.9.0.1", 9000, sourcePort), "10.9.0.2");
  });
});
