import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Database } from "../base/database.ts";
import { type ContainerId, newContainerId } from "../base/ids.ts";
import { parseCreateNetwork } from "./create.ts";
import { type ConnectRequest, type PortRequest, portsOf } from "./endpoint.ts";
import { Networks } from "./networks.ts";
import { blankAttachment } from "./stored.ts";

const tcp = (hostPort: number): PortRequest => ({
  protocol: "tcp",
  containerPort: 80,
  hostAddress: "",
  hostPortFirst: hostPort,
  hostPortLast: hostPort,
});
const attachment = { ...blankAttachment, network: "bridge" };
const request = (...ports: PortRequest[]): ConnectRequest => ({ attachments: [attachment], ports });
/** No interface of this machine begins so. */
const name = "pnet";

describe("networks", () => {
  let directory: string;
  let database: Database;
  let networks: Networks;

  const reopen = (): void => {
    database[Symbol.dispose]();
    database = new Database(join(directory, "pier.db"));
    networks = Networks.open(database, name);
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-networks-"));
    database = new Database(join(directory, "pier.db"));
    networks = Networks.open(database, name);
    networks.prepare();
  });

  afterEach(() => {
    database[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  const addressOf = (container: ContainerId, ...ports: PortRequest[]): string =>
    networks.members.connect(container, request(...ports))[0]!.address;
  const host = (address: string): number => Number(address.split(".")[3]);

  test("an endpoint says all that a plan and the API need", () => {
    const [endpoint] = networks.members.connect(newContainerId(), request(tcp(8080)));
    assert.ok(endpoint !== undefined);
    const gateway = networks.hostGateway();
    assert.match(endpoint.id, /^[0-9a-f]{64}$/);
    assert.equal(endpoint.network, "bridge");
    assert.equal(endpoint.networkId, networks.get("bridge").id);
    assert.equal(endpoint.bridge, "pnet0");
    assert.equal(endpoint.interface, "eth0");
    assert.match(endpoint.hostInterface, /^pnet[0-9a-f]{8}$/);
    assert.equal(endpoint.gateway, gateway);
    assert.equal(endpoint.address, gateway.replace(/1$/, "2"));
    assert.match(endpoint.mac, /^02:42:/);
    const port = { protocol: "tcp", hostPort: 8080, containerPort: 80 };
    const addresses = existsSync("/proc/sys/net/ipv6") ? ["0.0.0.0", "::"] : ["0.0.0.0"];
    assert.deepEqual(
      endpoint.ports,
      addresses.map((hostAddress) => ({ ...port, hostAddress })),
    );
  });

  test("addresses are not used again at once, also not by the next daemon", () => {
    const first = newContainerId();
    assert.equal(host(addressOf(first)), 2);
    networks.members.release(first);
    assert.equal(host(addressOf(newContainerId())), 3);
    reopen();
    assert.equal(host(addressOf(newContainerId())), 4);
  });

  test("what is connected stays so for the next daemon, and can be released by it", () => {
    const [first, second] = [newContainerId(), newContainerId()];
    addressOf(first, tcp(8080));
    addressOf(second);
    reopen();
    assert.deepEqual(new Set(networks.members.containers()), new Set([first, second]));
    assert.throws(() => addressOf(newContainerId(), tcp(8080)), /port is already allocated/);
    networks.members.release(first);
    networks.members.release(first);
    addressOf(newContainerId(), tcp(8080));
  });

  test("connecting again gives a new endpoint in place of the old one", () => {
    const container = newContainerId();
    addressOf(container, tcp(8080));
    addressOf(container, tcp(8080));
    assert.deepEqual(networks.members.containers(), [container]);
  });

  test("a request that cannot be met leaves nothing", () => {
    addressOf(newContainerId(), tcp(8080));
    const failed = newContainerId();
    assert.throws(() => addressOf(failed, tcp(8081), tcp(8080)), { status: 500 });
    assert.throws(
      () =>
        networks.members.connect(failed, {
          ...request(),
          attachments: [attachment, { ...attachment, network: "other" }],
        }),
      {
        status: 404,
        message: "network other not found",
      },
    );
    assert.equal(networks.members.containers().length, 1);
    addressOf(newContainerId(), tcp(8081));
  });

  test("around a port that is somebody else's only where the request left a choice", () => {
    const free = newContainerId();
    const ports = portsOf(networks.members.connect(free, request(tcp(0))));
    const again = portsOf(networks.members.connectAround(free, ports));
    assert.notEqual(again[0]!.hostPort, ports[0]!.hostPort);
    const fixed = newContainerId();
    const taken = networks.members.connect(fixed, request(tcp(8080)));
    assert.throws(() => networks.members.connectAround(fixed, portsOf(taken)), /port is already allocated/);
    assert.deepEqual(networks.members.containers(), [free]);
  });

  test("ports are published where a bridge leads out, and held by nobody elsewhere", () => {
    networks.create(parseCreateNetwork({ Name: "inner", Internal: true }));
    const member = (of: string) => ({ ...attachment, network: of });
    const ports = [tcp(8080)];
    const container = newContainerId();
    const own = (): readonly (readonly [string, boolean])[] =>
      networks.members.endpoints(container).map((one) => [one.network, one.ports.length > 0]);
    const leave = (of: string): void => {
      const left = networks.members.endpoints(container).find(({ network }) => network === of)!;
      networks.members.leave(container, left, networks.members.without(container, left));
    };
    networks.members.connect(container, { attachments: [member("inner")], ports });
    assert.deepEqual(own(), [["inner", false]]);
    assert.throws(() => networks.members.publish(container, ports, []), /no port of it leads in/);
    const other = newContainerId();
    networks.members.connect(other, request(...ports));
    networks.members.release(other);

    networks.members.join(container, member("bridge"), ports);
    assert.deepEqual(own(), [
      ["inner", false],
      ["bridge", true],
    ]);
    assert.throws(() => networks.members.connect(other, request(...ports)), /port is already allocated/);
    reopen();
    assert.deepEqual(own(), [
      ["inner", false],
      ["bridge", true],
    ]);
    leave("bridge");
    assert.deepEqual(own(), [["inner", false]]);
    networks.members.connect(other, request(...ports));
    // Somebody has it now.
    assert.throws(() => networks.members.join(container, member("bridge"), ports), /port is already allocated/);
    assert.deepEqual(own(), [["inner", false]]);
  });

  test("a MAC that was asked for is the container's", () => {
    const attachments = [{ ...attachment, macAddress: "02:00:00:00:00:09" }];
    const [endpoint] = networks.members.connect(newContainerId(), { ...request(), attachments });
    assert.equal(endpoint!.mac, "02:00:00:00:00:09");
  });

  test("the default network keeps its identity and goes by both of its names", () => {
    const { id, ipv4 } = networks.get("default");
    reopen();
    networks.prepare();
    assert.equal(networks.get("bridge").id, id);
    assert.deepEqual(networks.get("bridge").ipv4, ipv4);
    assert.deepEqual(
      networks.list().map((network) => network.name),
      ["bridge"],
    );
  });

  test("the plan of the bridge turns forwarding on and brings the ports of all endpoints back", () => {
    addressOf(newContainerId(), tcp(8080));
    const { outside, inside, after } = networks.prepare();
    assert.deepEqual([inside, after], [[], []]);
    assert.deepEqual(
      outside.flatMap((step) => (step.step === "write" ? [step.path] : [])),
      [
        "/proc/sys/net/ipv6/conf/pnet0/accept_ra",
        "/proc/sys/net/ipv6/conf/pnet0/disable_ipv6",
        "/proc/sys/net/ipv4/conf/pnet0/route_localnet",
        "/proc/sys/net/ipv4/ip_forward",
      ],
    );
    assert.ok(outside.every(({ why }) => why !== undefined));
  });

  test("a bridge that has all of its ports refuses one more, until one is free", () => {
    const containers = Array.from({ length: 1023 }, () => newContainerId());
    for (const container of containers) networks.members.connect(container, request());
    assert.throws(() => networks.members.connect(newContainerId(), request()), {
      message: "network bridge is full: a bridge of Linux has 1023 ports",
      status: 500,
    });
    networks.members.release(containers[7]!);
    networks.members.connect(newContainerId(), request());
  });
});
