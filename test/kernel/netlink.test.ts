/** What the kernel makes of our netlink messages, as ip(8) and nft(8) see it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { be16, be32 } from "../../src/kernel/netlink/message.ts";
import {
  addElements,
  addSet,
  addTable,
  concatenation,
  deleteElements,
  encodeBatch,
  encodeIsTable,
  netfilterProtocol,
  type Table,
} from "../../src/kernel/netlink/nftables.ts";
import {
  addAddress,
  addBridge,
  addDefaultRoute,
  addVeth,
  deleteLink,
  encodeRoute,
  raiseLink,
  routeProtocol,
  setHairpin,
  setUp,
} from "../../src/kernel/netlink/rtnetlink.ts";
import { errnos } from "../../src/kernel/numbers/errno.ts";
import { addressBytes, macOf, parseAddress } from "../../src/network/addresses.ts";
import { apartElements, networkElements, portElements, tableChanges } from "../../src/network/firewall.ts";
import type { NetworkRecord } from "../../src/network/record.ts";
import { testEndpoint, testNetwork } from "../../src/network/test-endpoint.ts";
import { type Namespace, noWorld, World } from "./netlink-world.ts";

const address = addressBytes;
const mac = (text: string): Uint8Array => macOf(parseAddress(text)!);
const pier: Table = { family: "ip", name: "pier" };
const other: Table = { family: "ip", name: "other" };

const network = (number: number, subnet: string, change: Partial<NetworkRecord>): NetworkRecord => ({
  ...testNetwork,
  interface: `pier-${number}`,
  ipv4: { ...testNetwork.ipv4!, subnet },
  ...change,
});
/** Behind the default one without a gap, and at the end of all addresses. */
const internal = network(1, "172.18.0.0/16", { internal: true });
const apart = network(2, "255.255.0.0/16", { icc: false });

describe("netlink messages", { skip: noWorld }, () => {
  let world: World;
  let machine: Namespace;

  before(async () => {
    world = new World();
    machine = await world.namespace();
  });

  after(async () => {
    await world[Symbol.asyncDispose]();
  });

  test("make a bridge and a pair of interfaces, the other end in another namespace", async () => {
    const container = await world.namespace();
    const bridge = 1_000_000;
    const gateway = address("10.1.0.1");
    const making = encodeRoute([
      addBridge({ name: "pier9", index: bridge, mac: mac("10.1.0.1"), mtu: 1400 }),
      addAddress(bridge, gateway, 20),
      addVeth(
        { name: "pier9a", index: 1_000_001, master: bridge, mtu: 1400 },
        { name: "eth0", index: 77, mac: mac("10.1.0.2"), mtu: 1400 },
      ),
      raiseLink(1_000_001),
      setHairpin(1_000_001),
    ]);
    const messages = Buffer.from(making.messages);
    messages.writeUInt32LE(container.pid, making.pidAt[0]!);
    assert.deepEqual(machine.send(routeProtocol, messages), [0, 0, 0, 0, 0]);
    const inside = encodeRoute([setUp(77), addAddress(77, address("10.1.0.2"), 20), addDefaultRoute(77, gateway)]);
    assert.deepEqual(container.send(routeProtocol, inside.messages), [0, 0, 0]);

    assert.match(
      machine.run("ip addr show pier9"),
      /^1000000: pier9: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 .*\n.*02:42:0a:01:00:01.*\n.*inet 10\.1\.0\.1\/20 brd 10\.1\.15\.255/,
    );
    assert.match(machine.run("ip link show pier9a"), /^1000001: pier9a@if77: .*master pier9 state UP/);
    assert.match(container.run("ip link show eth0"), /^77: eth0@if1000001: .*\n.*02:42:0a:01:00:02/);
    assert.equal(container.run("ip route show default").trim(), "default via 10.1.0.1 dev eth0");
  });

  test("are answered one by one, the good ones also after a bad one", () => {
    const { messages } = encodeRoute([
      addBridge({ name: "pier8", index: 2_000_000 }),
      addBridge({ name: "pier8", index: 2_000_001 }),
      setUp(2_000_002),
      deleteLink("pier8"),
    ]);
    const { EEXIST, ENODEV } = errnos;
    assert.deepEqual(machine.send(routeProtocol, messages), [0, EEXIST.number, ENODEV.number, 0]);
  });

  test("make the firewall's table as a person would have written it", () => {
    const table = encodeBatch([
      ...tableChanges(pier),
      ...[testNetwork, internal, apart].flatMap((network) => networkElements(pier, network, addElements)),
      ...apartElements(pier, ["eth0"]),
      ...portElements(
        pier,
        testEndpoint("172.17.0.2"),
        [
          { protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8080, containerPort: 80 },
          { protocol: "udp", hostAddress: "10.0.0.1", hostPort: 53, containerPort: 5353 },
          { protocol: "tcp", hostAddress: "127.0.0.1", hostPort: 5432, containerPort: 5432 },
        ],
        addElements,
      ),
    ]);
    assert.deepEqual(machine.send(netfilterProtocol, table.messages), [0]);
    const expected = `table ip pier {
	set subnets {
		type ipv4_addr
		flags interval
		elements = { 172.17.0.0/16, 172.18.0.0/16,
			     255.255.0.0/16 }
	}
	set masqueraded {
		type ipv4_addr
		flags interval
		elements = { 172.17.0.0/16, 255.255.0.0/16 }
	}
	set bridges {
		type ifname
		elements = { "pier0",
			     "pier-1",
			     "pier-2" }
	}
	set internal {
		type ifname
		elements = { "pier-1" }
	}
	set bridged {
		type ifname . ifname
		elements = { "pier0" . "pier0",
			     "pier-1" . "pier-1" }
	}
	set apart {
		type ifname
		elements = { "eth0" }
	}
	map published {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 8080 : 172.17.0.2 . 80 }
	}
	map publishedAt {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		elements = { 10.0.0.1 . udp . 53 : 172.17.0.2 . 5353 }
	}
	set loopback {
		type ipv4_addr . inet_proto . inet_service
		elements = { 127.0.0.1 . tcp . 5432 }
	}
	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname "lo" accept
		ip daddr . meta l4proto . th dport @loopback drop
	}
	chain entrance {
		type filter hook prerouting priority mangle; policy accept;
		iifname "lo" accept
		iifname @bridges accept
		ip daddr @subnets ct state established,related accept
		ip daddr @subnets drop
	}
	chain publish {
		ip daddr 127.0.0.0/8 return
		dnat ip to ip daddr . meta l4proto . th dport map @publishedAt
		fib daddr type local dnat ip to meta l4proto . th dport map @published
	}
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump publish
	}
	chain output {
		type nat hook output priority -100; policy accept;
		jump publish
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @masqueraded oifname != @bridges masquerade
		ip saddr @subnets ip daddr @subnets ct status dnat masquerade
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		iifname . oifname @bridged accept
		iifname @internal drop
		oifname @bridges ct status dnat accept
		oifname @bridges drop
		iifname @apart oifname @apart drop
	}
}
`;
    // Older nft(8) has no name for this priority at this hook.
    const listed = machine
      .run("nft list table ip pier")
      .replace("hook output priority dstnat", "hook output priority -100");
    assert.equal(listed.replaceAll("\n\n", "\n"), expected);
  });

  test("make the same table of IPv6, and take a network out of both again", () => {
    const pier6: Table = { family: "ip6", name: "pier" };
    const dual = network(3, "172.19.0.0/16", {
      ipv6: { subnet: "fd00:7::/64", gateway: "fd00:7::1", range: "", auxiliary: {}, asked: true },
    });
    const send = (...changes: Parameters<typeof encodeBatch>[0]) =>
      machine.send(netfilterProtocol, encodeBatch(changes).messages);
    assert.deepEqual(
      send(
        ...tableChanges(pier6),
        ...networkElements(pier6, dual, addElements),
        ...networkElements(pier, dual, addElements),
      ),
      [0],
    );
    const listed = machine.run("nft list table ip6 pier");
    assert.match(listed, /elements = \{ fd00:7::\/64 \}/);
    assert.match(listed, /ip6 daddr @subnets drop/);
    assert.match(listed, /ip6 daddr ::1 return/);
    assert.match(listed, /dnat ip6 to ip6 daddr \. meta l4proto \. th dport map @publishedAt/);
    assert.match(listed, /ip6 saddr @masqueraded oifname != @bridges masquerade/);
    assert.match(
      machine.run("nft list set ip pier subnets"),
      /172\.17\.0\.0\/16, 172\.18\.0\.0\/16,\s+172\.19\.0\.0\/16/,
    );
    assert.deepEqual(send(...tableChanges(pier6), ...tableChanges(pier)), [0]);
    assert.doesNotMatch(machine.run("nft list table ip6 pier; nft list table ip pier"), /elements/);
  });

  test("change a set wholly or not at all, and say what was wrong", () => {
    const port = (number: number) => ({ key: concatenation(Uint8Array.of(6), be16(number)), value: be32(number) });
    const set = addSet(other, "ports", 1, { key: ["protocol", "port"], value: ["ipv4Address"] });
    const send = (...changes: Parameters<typeof encodeBatch>[0]) =>
      machine.send(netfilterProtocol, encodeBatch(changes).messages);
    assert.deepEqual(send(addTable(other), set, addElements(other, "ports", [port(1), port(2)])), [0]);
    assert.deepEqual(send(addElements(other, "ports", [port(1)])), [0], "the same once more is no error");
    const errors = send(addElements(other, "ports", [port(3)]), deleteElements(other, "ports", [port(4)]));
    assert.ok(errors.includes(errnos.ENOENT.number));
    assert.deepEqual(send(deleteElements(other, "ports", [port(2)])), [0]);
    assert.match(
      machine.run("nft list set ip other ports 2>/dev/null || nft list map ip other ports"),
      /\{ tcp \. 1 : 0\.0\.0\.1 \}/,
    );
  });

  test("tell whether a table is there", () => {
    machine.send(netfilterProtocol, encodeBatch([addTable({ family: "ip", name: "here" })]).messages);
    assert.deepEqual(machine.send(netfilterProtocol, encodeIsTable({ family: "ip", name: "here" }).messages), [0]);
    assert.deepEqual(machine.send(netfilterProtocol, encodeIsTable({ family: "ip", name: "gone" }).messages), [
      errnos.ENOENT.number,
    ]);
  });
});
