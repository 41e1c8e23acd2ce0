/** Networks of one's own: made, used, kept apart from each other, joined and left while containers run, and taken away. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, Listener, pidOf, removeAll, runDetached, runServer, said, until } from "./containers.ts";

const probe = join(executable, "../probe");

interface Place {
  readonly IPAddress: string;
  readonly Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly IPv6Gateway: string;
  readonly MacAddress: string;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly DNSNames: readonly string[] | null;
  readonly GwPriority: number;
}

interface Network {
  readonly Id: string;
  readonly Internal: boolean;
  readonly EnableIPv6: boolean;
  readonly Attachable: boolean;
  readonly IPAM: {
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Config: readonly Record<string, unknown>[];
  };
  readonly Containers: Readonly<Record<string, { readonly Name: string; readonly IPv4Address: string }>>;
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
}

describe("networks of one's own", { skip: cannotRun() }, () => {
  let engine: Engine;
  let prefix: string;

  const host = (command: string): string => execFileSync("sh", ["-ec", command], { encoding: "utf8" }).trim();
  const network = async (name: string): Promise<Network> =>
    (JSON.parse(await said(engine, "network", "inspect", name)) as Network[])[0]!;
  const placesOf = async (id: string): Promise<Readonly<Record<string, Place>>> =>
    JSON.parse(await inspected(engine, "{{json .NetworkSettings.Networks}}", id)) as Record<string, Place>;
  const within = async (id: string, ...args: readonly string[]): Promise<string> =>
    (await engine.docker(["exec", id, "/probe", ...args])).stdout.trimEnd();
  /** From the container's network; what is not to be answered is not waited for long. */
  const askInVain = async (id: string, address: string, port: string): Promise<string> => {
    const ask = ["-t", `${await pidOf(engine, id)}`, "-n", probe, "tcp-ask", address, port, "in vain"];
    return (await execute("timeout", ["2", "nsenter", ...ask])).stdout;
  };
  const refuses = async (sentence: RegExp, ...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await engine.docker(args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, sentence);
  };
  const bridges = (): string[] =>
    host("ls /sys/class/net")
      .split("\n")
      .filter((name) => name.startsWith(`${prefix}-`));
  const interfacesOf = async (id: string): Promise<string> => within(id, "interfaces");

  /** The interface and the gateway of the default route. */
  const wayOut = async (id: string): Promise<string> => {
    const routes = (await within(id, "cat", "/proc/net/route")).split("\n").map((line) => line.split("\t"));
    const [name = "", , gateway = ""] = routes.find(([, destination]) => destination === "00000000") ?? [];
    const bytes = gateway.match(/../g) ?? [];
    return `${name} ${bytes
      .map((byte) => Number.parseInt(byte, 16))
      .reverse()
      .join(".")}`;
  };

  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
    const name = '{{index .Options "com.docker.network.bridge.name"}}';
    prefix = (await said(engine, "network", "inspect", "bridge", "--format", name)).slice(0, -1);
  });
  afterEach(async () => {
    await removeAll(engine);
    await said(engine, "network", "prune", "--force");
    assert.deepEqual(bridges(), []);
  });
  after(() => engine.stop());

  test("networks are pruned by age and label", async () => {
    await said(engine, "network", "create", "--label", "tier=back", "young");
    const prune = (...filters: readonly string[]) =>
      said(engine, "network", "prune", "--force", ...filters.flatMap((filter) => ["--filter", filter]));
    assert.equal(await prune("until=1h"), "");
    assert.equal(await prune("label!=tier"), "");
    const wrong = await engine.docker(["network", "prune", "--force", "--filter", "until=soon"]);
    assert.match(wrong.stderr, /invalid filter 'until=soon'/);
    // As Docker: only what has all of these labels is spared.
    assert.match(await prune("until=0s", "label!=tier", "label!=other"), /^Deleted Networks:\nyoung\n/);
  });

  test("a network has a bridge and a subnet of its own, and shows what was asked for", async () => {
    const id = await said(engine, "network", "create", "--label", "tier=back", "--attachable", "back");
    assert.match(id, /^[0-9a-f]{64}$/);
    const back = await network("back");
    assert.equal(back.Id, id);
    assert.equal(back.Attachable, true);
    assert.deepEqual(back.Labels, { tier: "back" });
    assert.deepEqual(back.Options, {});
    const [config] = back.IPAM.Config;
    assert.match(String(config!.Subnet), /^\d+\.\d+\.0\.0\/16$/);
    const [bridge] = bridges();
    assert.equal(bridge, `${prefix}-${id}`.slice(0, 15));
    assert.match(host(`ip -4 -o addr show ${bridge}`), new RegExp(`inet ${String(config!.Gateway)}/16`));
    assert.equal(host(`cat /proc/sys/net/ipv6/conf/${bridge}/accept_ra`), "0");
    await said(
      engine,
      "network",
      "create",
      "--subnet",
      "10.77.0.0/16",
      "--ip-range",
      "10.77.5.0/24",
      "--gateway",
      "10.77.9.1",
      "--aux-address",
      "router=10.77.5.1",
      "-o",
      "com.docker.network.driver.mtu=1400",
      "-o",
      `com.docker.network.bridge.name=${prefix}-own`,
      "--ipam-opt",
      "rack=7",
      "asked",
    );
    const asked = await network("asked");
    assert.deepEqual(asked.IPAM.Config, [
      {
        Subnet: "10.77.0.0/16",
        IPRange: "10.77.5.0/24",
        Gateway: "10.77.9.1",
        AuxiliaryAddresses: { router: "10.77.5.1" },
      },
    ]);
    assert.deepEqual(asked.IPAM.Options, { rack: "7" });
    assert.match(host(`ip link show ${prefix}-own`), /mtu 1400/);
    const first = await runDetached(engine, "--network", "asked", "probe", "sleep");
    assert.equal((await placesOf(first)).asked!.IPAddress, "10.77.5.0");
    const second = await runDetached(engine, "--network", "asked", "probe", "sleep");
    assert.equal((await placesOf(second)).asked!.IPAddress, "10.77.5.2", "not the router's");
    assert.deepEqual(
      (await said(engine, "network", "ls", "--format", "{{.Name}}", "--filter", "type=custom")).split("\n").sort(),
      ["asked", "back"],
    );
    assert.equal(await said(engine, "network", "ls", "-q", "--no-trunc", "--filter", "label=tier=back"), id);
    assert.equal(await said(engine, "network", "ls", "--format", "{{.Name}}", "--filter", "dangling=true"), "back");
    const named = async (...filters: readonly string[]): Promise<string[]> => {
      const words = ["--format", "{{.Name}}", ...filters.flatMap((filter) => ["--filter", filter])];
      return (await said(engine, "network", "ls", ...words)).split("\n").sort();
    };
    assert.deepEqual(
      await Promise.all([named("driver=bridge"), named("driver=null"), named(`id=${id.slice(0, 12)}`)]),
      [["asked", "back", "bridge"], ["none"], ["back"]],
    );
    assert.deepEqual(
      await Promise.all([named("scope=local", "driver=host"), named("scope=swarm"), named("driver=macvlan")]),
      [["host"], [""], [""]],
    );
  });

  test("networks get the subnets of Docker's pools, until none is left", async () => {
    const names = Array.from({ length: 40 }, (_, index) => `many${index}`);
    const answers = await Promise.all(
      names.map(async (name) => ({
        name,
        ...(await engine.request("POST", "/networks/create", JSON.stringify({ Name: name }))),
      })),
    );
    const made = answers.filter(({ status }) => status === 201).map(({ name }) => name);
    // Where the host has routes of its own, fewer are left: of 31, the default network has one.
    assert.ok(made.length > 20 && made.length <= 30, String(made.length));
    for (const { body } of answers.filter(({ status }) => status !== 201)) {
      assert.match(body, /all predefined address pools have been fully subnetted/);
    }
    const all = JSON.parse(await said(engine, "network", "inspect", ...made)) as Network[];
    const subnets = all.map(({ IPAM }) => String(IPAM.Config[0]!.Subnet));
    assert.equal(new Set(subnets).size, made.length);
    const large = subnets.filter((subnet) => /^172\.(1[7-9]|2\d|3[01])\.0\.0\/16$/.test(subnet));
    const small = subnets.filter((subnet) => /^192\.168\.\d+\.0\/20$/.test(subnet));
    assert.ok(large.length > 0 && small.length > 0 && large.length + small.length === made.length);
    await said(engine, "network", "create", "--subnet", "10.91.0.0/24", "asked");
    assert.equal(await said(engine, "run", "--rm", "--network", made.at(-1)!, "probe", "exit"), "");
  });

  test("a network that comes or goes leaves the rules and the others as they are", async () => {
    const other = await said(engine, "network", "create", "--ipv6", "there");
    const rules = (): string => host(`nft -a list table ip ${prefix}; nft -a list table ip6 ${prefix}`);
    const before = rules();
    assert.match(before, /handle \d+/);
    await said(engine, "network", "create", "--ipv6", "--internal", "beside");
    const during = rules();
    assert.notEqual(during, before);
    assert.deepEqual(during.match(/# handle \d+/g), before.match(/# handle \d+/g), "no rule was made anew");
    await said(engine, "network", "rm", "beside");
    assert.equal(rules(), before);
    assert.equal(await said(engine, "network", "ls", "-q", "--no-trunc", "--filter", "name=there"), other);
    // A table that is not as it was left is made anew.
    host(`nft delete table ip6 ${prefix}`);
    await said(engine, "network", "create", "--ipv6", "beside");
    assert.match(host(`nft list table ip6 ${prefix}`), /elements = .*masquerade/s);
  });

  test("what makes no network is refused in Docker's words, and leaves nothing", async () => {
    await said(engine, "network", "create", "--subnet", "10.78.0.0/16", "there");
    const create = ["network", "create"] as const;
    await refuses(/network with name there already exists/, ...create, "there");
    await refuses(/Pool overlaps with other one on this address space/, ...create, "--subnet", "10.78.9.0/24", "x");
    await refuses(/operation is not permitted on predefined bridge network/, ...create, "bridge");
    await refuses(/invalid network name/, ...create, "a/b");
    await refuses(/plugin "weave" not found/, ...create, "-d", "weave", "x");
    await refuses(/10\.1\.2\.3\/8: it should be 10\.0\.0\.0\/8/, ...create, "--subnet", "10.1.2.3/8", "x");
    await refuses(
      /invalid gateway|no matching subnet/,
      ...create,
      "--subnet",
      "10.9.0.0/16",
      "--gateway",
      "10.8.0.1",
      "x",
    );
    await refuses(
      /is not supported by this version of pier/,
      ...create,
      "-o",
      "com.docker.network.bridge.gateway_mode_ipv4=routed",
      "x",
    );
    await refuses(/bridge is a pre-defined network and cannot be removed/, "network", "rm", "bridge");
    await refuses(/host is a pre-defined network and cannot be removed/, "network", "rm", "host");
    await refuses(/network nosuch not found/, "network", "rm", "nosuch");
    await refuses(/network nosuch not found/, "run", "--rm", "--network", "nosuch", "probe", "exit");
    await refuses(/Address already in use/, "run", "--rm", "--network", "there", "--ip", "10.78.0.1", "probe", "exit");
    await refuses(/no configured subnet/, "run", "--rm", "--network", "there", "--ip", "10.79.0.1", "probe", "exit");
    await said(engine, "network", "create", "plain");
    await refuses(
      /only when connecting to networks with user configured subnets/,
      "run",
      "--rm",
      "--network",
      "plain",
      "--ip",
      "172.18.0.9",
      "probe",
      "exit",
    );
    const id = await runDetached(engine, "--network", "there", "--name", "user", "probe", "sleep");
    await refuses(/network there has active endpoints \(name:"user" id:"[0-9a-f]{12}"\)/, "network", "rm", "there");
    await said(engine, "stop", "-t", "0", id);
    await said(engine, "network", "rm", "there", "plain");
    await refuses(/network there not found/, "start", id);
  });

  test("containers of one network reach each other, and nobody of another one", async () => {
    await said(engine, "network", "create", "one");
    await said(engine, "network", "create", "two");
    const server = await runServer(engine, "--network", "one", "-p", "80", "probe", "tcp-serve", "0.0.0.0", "80");
    const friend = await runDetached(engine, "--network", "one", "probe", "sleep");
    const stranger = await runDetached(engine, "--network", "two", "--cap-add", "NET_ADMIN", "probe", "sleep");
    const plain = await runDetached(engine, "probe", "sleep");
    const { IPAddress: address, Gateway: gateway } = (await placesOf(server)).one!;
    assert.equal(await within(friend, "tcp-ask", address, "80", "hi"), "answer: hi");
    const others = [stranger, plain].map((id) => askInVain(id, address, "80"));
    for (const said of await Promise.all(others)) assert.doesNotMatch(said, /answer/);
    // A published port is everybody's, by the host's addresses.
    const port = (await said(engine, "port", server, "80")).split(":")[1]!;
    assert.equal(await within(stranger, "tcp-ask", gateway, port, "hi"), "answer: hi");
    assert.equal(await within(server, "tcp-ask", gateway, port, "itself"), "answer: itself");
  });

  test("an internal network has no way out, and nobody has a way in", async () => {
    await said(engine, "network", "create", "--internal", "inner");
    const [server, friend] = await Promise.all([
      runServer(engine, "--network", "inner", "-p", "24112:80", "probe", "tcp-serve", "0.0.0.0", "80"),
      runDetached(engine, "--network", "inner", "--cap-add", "NET_ADMIN", "fixture/busybox:1.35", "sleep", "1000"),
    ]);
    const outside = await runServer(engine, "-p", "80", "probe", "tcp-serve", "0.0.0.0", "80");
    const { IPAddress: address, Gateway: gateway } = (await placesOf(server)).inner!;
    assert.equal(gateway, "");
    const ask = async (to: string, port: string): Promise<string> =>
      (await engine.docker(["exec", friend, "sh", "-c", `echo hi | nc -w 2 ${to} ${port}`])).stdout.trim();
    assert.equal(await ask(address, "80"), "hi");
    assert.doesNotMatch(await said(engine, "exec", friend, "ip", "route"), /default/);
    // With a route of its own making it comes as far as the host, and no farther.
    const [config] = (await network("inner")).IPAM.Config;
    await said(engine, "exec", friend, "ip", "route", "add", "default", "via", String(config!.Gateway));
    const elsewhere = (await placesOf(outside)).bridge!;
    const port = (await said(engine, "port", outside, "80")).split(":")[1]!;
    const [across, published, inwards] = await Promise.all([
      ask(elsewhere.IPAddress, "80"),
      ask(elsewhere.Gateway, port),
      askInVain(outside, address, "80"),
    ]);
    assert.equal(across, "");
    assert.equal(published, "", "nor by a published port");
    assert.doesNotMatch(inwards, /answer/);
    // The port that it asks for is nobody's, until a network of it leads out.
    const bound = (): string => host("ss -Hltn sport = :24112");
    const asksFromOutside = async (): Promise<string> => within(outside, "tcp-ask", elsewhere.Gateway, "24112", "hi");
    const isClosed = async (): Promise<void> => {
      assert.equal(bound(), "");
      const [answer, ports, shown, all] = await Promise.all([
        asksFromOutside(),
        inspected(engine, "{{json .NetworkSettings.Ports}}", server),
        said(engine, "port", server),
        engine.pier(["ports"]),
      ]);
      assert.doesNotMatch(answer, /answer/);
      assert.deepEqual([ports, shown], ['{"80/tcp":null}', ""]);
      assert.doesNotMatch(all.stdout, /24112/);
      assert.doesNotMatch(host(`nft list table ip ${prefix}`), /24112/);
    };
    await isClosed();
    await said(engine, "network", "connect", "bridge", server);
    assert.equal(await asksFromOutside(), "answer: hi");
    assert.match(await said(engine, "port", server, "80"), /:24112$/m);
    await engine.kill9();
    await engine.restart();
    await said(engine, "network", "disconnect", "bridge", server);
    await isClosed();
    await said(engine, "restart", "-t", "0", server);
    await isClosed();
  });

  test("containers that shall not reach each other do not, but by published ports", async () => {
    // Where bridged packets pass the firewall they never leave the bridge, and are kept apart there too.
    host("echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables || true");
    await said(engine, "network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "shy");
    const server = await runServer(engine, "--network", "shy", "-p", "80", "probe", "tcp-serve", "0.0.0.0", "80");
    const other = await runDetached(engine, "--network", "shy", "probe", "sleep");
    const { IPAddress: address, Gateway: gateway } = (await placesOf(server)).shy!;
    assert.doesNotMatch(await askInVain(other, address, "80"), /answer/);
    const port = (await said(engine, "port", server, "80")).split(":")[1]!;
    assert.equal(await within(other, "tcp-ask", gateway, port, "hi"), "answer: hi");
  });

  test("a static address is there again at once, however often its container starts anew", async () => {
    await said(engine, "network", "create", "--subnet", "10.83.0.0/24", "fixed");
    const id = await runDetached(engine, "--network", "name=fixed,ip=10.83.0.9", busybox, "sleep", "1000");
    for (let times = 0; times < 20; times++) await said(engine, "restart", "-t", "0", id);
    assert.equal((await placesOf(id)).fixed!.IPAddress, "10.83.0.9");
  });

  test("a container in several networks has an interface in each, and one way out", async () => {
    await said(engine, "network", "create", "--subnet", "10.81.0.0/24", "alpha");
    await said(engine, "network", "create", "--subnet", "10.82.0.0/24", "beta");
    const long =
      "name=beta,ip=10.82.0.9,alias=db,mac-address=02:42:0a:52:00:77,gw-priority=5,link-local-ip=169.254.7.7";
    const options = ["--network", "alpha", "--network", long, "--network-alias", "web"];
    const id = await runDetached(engine, ...options, "fixture/busybox:1.35", "sleep", "1000");
    const { alpha, beta } = await placesOf(id);
    assert.equal(beta!.IPAddress, "10.82.0.9");
    assert.equal(beta!.MacAddress, "02:42:0a:52:00:77");
    assert.deepEqual(beta!.DNSNames!.slice(1), ["db", id.slice(0, 12)]);
    assert.ok(alpha!.DNSNames!.includes("web"));
    const shown = await said(engine, "exec", id, "ip", "addr");
    assert.match(
      shown,
      /eth0@[\s\S]*inet 10\.81\.0\.2\/24[\s\S]*eth1@[\s\S]*02:42:0a:52:00:77[\s\S]*inet 10\.82\.0\.9\/24/,
    );
    assert.match(shown, /inet 169\.254\.7\.7\/16/);
    assert.match(
      await said(engine, "exec", id, "ip", "route", "show", "default"),
      /^default via 10\.82\.0\.1 dev eth1/,
    );
    const hosts = await said(engine, "exec", id, "cat", "/etc/hosts");
    for (const address of ["10.81.0.2", "10.82.0.9"])
      assert.match(hosts, new RegExp(`^${address}\t${id.slice(0, 12)}$`, "m"));
    await said(engine, "restart", "-t", "0", id);
    assert.equal((await placesOf(id)).beta!.IPAddress, "10.82.0.9", "a static address is kept");
    const named = await runDetached(
      engine,
      "--network",
      "name=alpha,driver-opt=com.docker.network.endpoint.ifname=front",
      "probe",
      "sleep",
    );
    assert.match(await interfacesOf(named), /^front: up 10\.81\.0\./m);
  });

  test("a running container joins networks and leaves them, and its connections go on", async () => {
    await said(engine, "network", "create", "--subnet", "10.83.0.0/24", "first");
    await said(engine, "network", "create", "--subnet", "10.84.0.0/24", "second");
    const id = await runServer(engine, "--network", "first", "probe", "tcp-serve", "0.0.0.0", "80");
    const talk = "until ping -c 1 -W 1 10.84.0.9; do :; done; while sleep 0.1; do echo tick; done | nc 10.84.0.9 80";
    const friend = await runDetached(engine, "--network", "second", "fixture/busybox:1.35", "sh", "-c", talk);
    const third = await runDetached(engine, "--network", "second", "fixture/busybox:1.35", "sleep", "1000");
    const reaches = async (address: string): Promise<boolean> =>
      (await engine.docker(["exec", third, "ping", "-c", "1", "-W", "2", address])).code === 0;
    const ticks = async (): Promise<number> => (await said(engine, "logs", friend)).split("tick").length;
    const goesOn = async (): Promise<void> => {
      const before = await ticks();
      await until("the connection goes on", async () => (await ticks()) > before);
    };
    assert.equal(await reaches("10.83.0.2"), false);
    await said(engine, "network", "connect", "--ip", "10.84.0.9", "--alias", "late", "second", id);
    await refuses(/already exists in network second/, "network", "connect", "second", id);
    await goesOn();
    const { first, second } = await placesOf(id);
    assert.deepEqual([first!.IPAddress, second!.IPAddress], ["10.83.0.2", "10.84.0.9"]);
    assert.ok(second!.DNSNames!.includes("late"));
    const hosts = () => within(id, "cat", "/etc/hosts");
    assert.match(await hosts(), new RegExp(`^10\\.84\\.0\\.9\t${id.slice(0, 12)}$`, "m"));
    assert.equal((await network("second")).Containers[id]!.IPv4Address, "10.84.0.9/24");
    assert.equal(await wayOut(id), "eth0 10.83.0.1");
    // The daemon is not needed for any of it to go on.
    await engine.kill9();
    await engine.restart();
    await goesOn();
    await said(engine, "network", "disconnect", "first", id);
    assert.deepEqual(Object.keys(await placesOf(id)), ["second"]);
    assert.equal(await wayOut(id), "eth1 10.84.0.1");
    assert.doesNotMatch(await hosts(), /10\.83\.0\.2/);
    await goesOn();
    await said(engine, "restart", "-t", "0", id);
    assert.deepEqual(Object.keys(await placesOf(id)), ["second"], "also after its next start");
    assert.equal(await reaches("10.84.0.9"), true);
    await said(engine, "network", "disconnect", "second", id);
    assert.deepEqual(Object.keys(await placesOf(id)), []);
    assert.equal(await reaches("10.84.0.9"), false);
    await refuses(/is not connected to the network second/, "network", "disconnect", "second", id);
    await said(engine, "network", "connect", "first", id);
    assert.equal(await wayOut(id), "eth0 10.83.0.1");
  });

  test("a stopped container is in the network from its next start on", async () => {
    await said(engine, "network", "create", "later");
    const id = await said(engine, "create", "probe", "sleep");
    await said(engine, "network", "connect", "later", id);
    assert.deepEqual(Object.keys(await placesOf(id)).sort(), ["bridge", "later"]);
    await said(engine, "network", "disconnect", "bridge", id);
    await said(engine, "start", id);
    const places = await placesOf(id);
    assert.deepEqual(Object.keys(places), ["later"]);
    assert.match(await interfacesOf(id), new RegExp(`^eth0: up ${places.later!.IPAddress}$`, "m"));
  });

  for (const when of ["created", "running"] as const) {
    test(`who is in none comes into others when it has left that: ${when}`, async () => {
      await said(engine, "network", "create", "late");
      const id = await said(engine, "create", "--network", "none", "--hostname", "hermit", "probe", "sleep");
      if (when === "running") await said(engine, "start", id);
      const both = /cannot be connected to multiple networks with one of the networks in private \(none\) mode/;
      await refuses(both, "network", "connect", "late", id);
      await refuses(/is not connected to the network late/, "network", "disconnect", "late", id);
      await said(engine, "network", "disconnect", "none", id);
      assert.deepEqual(await placesOf(id), {});
      await refuses(/is not connected to the network none/, "network", "disconnect", "none", id);
      await said(engine, "network", "connect", "late", id);
      await refuses(both, "network", "connect", "none", id);
      if (when === "created") await said(engine, "start", id);
      const { IPAddress: address } = (await placesOf(id)).late!;
      assert.match(await interfacesOf(id), new RegExp(`^eth0: up ${address}$`, "m"));
      assert.match(await within(id, "cat", "/etc/hosts"), new RegExp(`^${address}\thermit$`, "m"));
      assert.equal(await inspected(engine, "{{.HostConfig.NetworkMode}}", id), "none");
      await engine.kill9();
      await engine.restart();
      assert.deepEqual(Object.keys(await placesOf(id)), ["late"]);
      await said(engine, "restart", "-t", "0", id);
      assert.deepEqual(Object.keys(await placesOf(id)), ["late"]);
      await said(engine, "network", "disconnect", "late", id);
      await said(engine, "network", "connect", "none", id);
      assert.deepEqual(Object.keys(await placesOf(id)), ["none"]);
      assert.doesNotMatch(await interfacesOf(id), /eth/);
    });
  }

  test("a container in another one's network shares its interfaces, names and ports", async () => {
    await said(engine, "network", "create", "shared");
    const owner = await runServer(
      engine,
      "--network",
      "shared",
      "--hostname",
      "box",
      "-p",
      "80",
      "probe",
      "tcp-serve",
      "0.0.0.0",
      "80",
    );
    const guest = await runDetached(engine, "--network", `container:${owner}`, "fixture/busybox:1.35", "sleep", "1000");
    const address = (await placesOf(owner)).shared!.IPAddress;
    assert.match(await said(engine, "exec", guest, "ip", "addr"), new RegExp(`inet ${address}/16`));
    assert.equal(await said(engine, "exec", guest, "sh", "-c", "echo hi | nc -w 2 127.0.0.1 80"), "hi");
    assert.equal(await said(engine, "exec", guest, "hostname"), "box");
    assert.match(await said(engine, "exec", guest, "cat", "/etc/hosts"), new RegExp(`^${address}\tbox$`, "m"));
    assert.deepEqual(await placesOf(guest), {});
    assert.equal(await inspected(engine, "{{.HostConfig.NetworkMode}}", guest), `container:${owner}`);
    await refuses(/sharing network namespace with another container/, "network", "connect", "shared", guest);
    await said(engine, "stop", "-t", "0", owner, guest);
    await refuses(new RegExp(`cannot join network of a non running container: ${owner}`), "start", guest);
    await refuses(/No such container: nosuch/, "run", "--rm", "--network", "container:nosuch", "probe", "exit");
  });

  test("both families, where they are asked for", async () => {
    await said(engine, "network", "create", "--ipv6", "dual");
    await said(engine, "network", "create", "--ipv6", "--subnet", "fd77:1::/64", "--subnet", "10.85.0.0/24", "fixed");
    const dual = await network("dual");
    assert.equal(dual.EnableIPv6, true);
    assert.match(String(dual.IPAM.Config[1]!.Subnet), /^fd[0-9a-f]{2}:[0-9a-f:]+\/64$/);
    const server = await runServer(
      engine,
      "--network",
      "fixed",
      "--ip6",
      "fd77:1::99",
      "probe",
      "tcp-serve",
      "::",
      "80",
    );
    const friend = await runDetached(engine, "--network", "fixed", "--network", "dual", "probe", "sleep");
    const stranger = await runDetached(engine, "--network", "dual", "probe", "sleep");
    const place = (await placesOf(server)).fixed!;
    assert.deepEqual([place.GlobalIPv6Address, place.IPv6Gateway], ["fd77:1::99", "fd77:1::1"]);
    assert.equal(await within(friend, "tcp-ask", "fd77:1::99", "80", "six"), "answer: six");
    assert.equal(await within(friend, "tcp-ask", place.IPAddress, "80", "four"), "answer: four");
    assert.doesNotMatch(await askInVain(stranger, "fd77:1::99", "80"), /answer/);
    assert.equal(await within(stranger, "cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra"), "0");
    const plain = await runDetached(engine, "probe", "sleep");
    assert.doesNotMatch(await interfacesOf(plain), /eth0: up [0-9a-f]*:/);
    await said(engine, "network", "connect", "dual", plain);
    assert.match(await interfacesOf(plain), /eth1: up fd/);
  });

  test("a network of IPv6 alone, and an internal one of both families", async () => {
    await said(engine, "network", "create", "--ipv4=false", "--ipv6", "--subnet", "fd77:2::/64", "six");
    await said(engine, "network", "create", "--internal", "--ipv6", "--subnet", "fd77:3::/64", "inner");
    const serving = ["probe", "tcp-serve", "::", "80"];
    const [server, inner] = await Promise.all([
      runServer(engine, "--network", "six", "-p", "24114:80", ...serving),
      runServer(engine, "--network", "inner", "-p", "24115:80", ...serving),
    ]);
    const [friend, member] = await Promise.all([
      runDetached(engine, "--network", "six", "probe", "sleep"),
      runDetached(engine, "--network", "inner", "--cap-add", "NET_ADMIN", busybox, "sleep", "1000"),
    ]);
    const place = (await placesOf(server)).six!;
    assert.deepEqual([place.IPAddress, place.Gateway, place.IPv6Gateway], ["", "", "fd77:2::1"]);
    assert.equal(await within(friend, "tcp-ask", place.GlobalIPv6Address, "80", "six"), "answer: six");
    assert.equal(await within(friend, "tcp-ask", "fd77:2::1", "24114", "by the host"), "answer: by the host");
    assert.equal((await placesOf(inner)).inner!.IPv6Gateway, "");
    assert.equal(host("ss -Hltn sport = :24115"), "");
    const ask = async (to: string, port: string): Promise<string> =>
      (await engine.docker(["exec", member, "sh", "-c", `echo hi | nc -w 1 ${to} ${port}`])).stdout.trim();
    assert.equal(await ask((await placesOf(inner)).inner!.GlobalIPv6Address, "80"), "hi");
    await said(engine, "exec", member, "ip", "-6", "route", "add", "default", "via", "fd77:3::1");
    const outwards = [ask(place.GlobalIPv6Address, "80"), ask("fd77:2::1", "24114")];
    assert.deepEqual(await Promise.all(outwards), ["", ""]);
  });

  test("macvlan gives a container an address beside the host's", async () => {
    // Another machine on the same wire.
    const machine = spawn("unshare", ["-n", "sh", "-c", "echo ready; exec sleep 1000000"], { stdio: "pipe" });
    await once(machine.stdout, "data");
    host(`ip link add wire0 type veth peer name wire1 netns ${machine.pid}; ip link set wire0 up`);
    host(`nsenter -t ${machine.pid} -n sh -c 'ip addr add 10.88.0.50/24 dev wire1; ip link set wire1 up'`);
    try {
      await refuses(/needs the interface of the host that it hangs on/, "network", "create", "-d", "macvlan", "lan");
      await refuses(
        /there is no interface nosuch0/,
        "network",
        "create",
        "-d",
        "macvlan",
        "-o",
        "parent=nosuch0",
        "lan",
      );
      await said(engine, "network", "create", "-d", "macvlan", "-o", "parent=wire0", "--subnet", "10.88.0.0/24", "lan");
      const id = await runDetached(
        engine,
        "--network",
        "lan",
        "--ip",
        "10.88.0.7",
        "-p",
        "24113:80",
        "fixture/busybox:1.35",
        "sleep",
        "1000",
      );
      assert.match(await said(engine, "exec", id, "ip", "link", "show", "eth0"), /eth0@/);
      assert.equal((await engine.docker(["exec", id, "ping", "-c", "1", "-W", "2", "10.88.0.50"])).code, 0);
      assert.equal(await said(engine, "port", id), "", "who asks is asked there, not by way of this host");
      assert.equal(host("ss -Hltn sport = :24113"), "");
      const other = await runDetached(engine, "probe", "sleep");
      await said(engine, "network", "connect", "lan", other);
      assert.match(await interfacesOf(other), /^eth1: up 10\.88\.0\.\d+$/m);
      await said(engine, "network", "disconnect", "lan", other);
      assert.doesNotMatch(await interfacesOf(other), /eth1/);
      await removeAll(engine);
      await said(engine, "network", "rm", "lan");
    } finally {
      host("ip link delete wire0");
      machine.kill("SIGKILL");
      await once(machine, "exit");
    }
  });

  test("an interface that somebody deleted is there again with the next daemon, and its container can be removed", async () => {
    await said(engine, "network", "create", "--subnet", "10.89.0.0/24", "torn");
    const id = await runServer(engine, "--network", "torn", "probe", "tcp-serve", "0.0.0.0", "80");
    const gone = await runDetached(engine, "--network", "torn", "probe", "sleep");
    host(
      `for link in $(ip -o link show type veth | grep -o '${prefix}[0-9a-f]*@' | tr -d @); do ip link delete $link; done`,
    );
    await said(engine, "rm", "-f", gone);
    await engine.restart();
    assert.match(await interfacesOf(id), /^eth0: up 10\.89\.0\.2$/m);
    assert.equal(await wayOut(id), "eth0 10.89.0.1");
    const friend = await runDetached(engine, "--network", "torn", "probe", "sleep");
    assert.equal(await within(friend, "tcp-ask", "10.89.0.2", "80", "hi"), "answer: hi");
  });

  test("what somebody takes away under a daemon that runs is there again by itself", async () => {
    await said(engine, "network", "create", "--subnet", "10.90.0.0/24", "hurt");
    const serving = ["-p", "24110:80", "probe", "tcp-serve", "0.0.0.0", "80"];
    const id = await runServer(engine, "--network", "hurt", ...serving);
    const friend = await runDetached(engine, "--network", "hurt", "probe", "sleep");
    const [bridge] = bridges();
    const asks = (address: string, port: string) => async (): Promise<boolean> =>
      (await within(friend, "tcp-ask", address, port, "hi")) === "answer: hi";
    const pair = host(`ip -o link show master ${bridge} | cut -d: -f2 | cut -d@ -f1 | head -n 1`);
    for (const harm of [
      `ip link delete ${pair}`,
      `ip link set ${pair} down`,
      `ip link set ${pair} nomaster`,
      `ip link set ${bridge} down`,
      `ip link delete ${bridge}`,
      `ip link delete ${bridge}; for link in $(ls /sys/class/net | grep '^${prefix}[0-9a-f]\\{8\\}$'); do ip link delete $link; done`,
    ]) {
      host(harm);
      await until(`reached again after: ${harm}`, asks("10.90.0.2", "80"));
      await until(`by its port too, after: ${harm}`, asks("10.90.0.1", "24110"));
    }
    for (const harm of ["delete table", "flush table"]) {
      host(`nft ${harm} ip ${prefix}`);
      const table = `nft list table ip ${prefix} 2>/dev/null || true`;
      await until(`the table is there again after: nft ${harm}`, () => /24110[\s\S]*dnat/.test(host(table)));
    }
    await until("the port leads there again", asks("10.90.0.1", "24110"));
    assert.equal(await wayOut(id), "eth0 10.90.0.1");
  });

  test("what somebody takes away while nobody listens is there again when somebody does", async () => {
    const id = await runServer(engine, "-p", "24111:80", "probe", "tcp-serve", "0.0.0.0", "80");
    const listening = (): string => host(`pgrep -f '^keeper run ${engine.run}/changes' || true`);
    const table = `nft list table ip ${prefix} 2>/dev/null || true`;
    for (const time of [1, 2, 3]) {
      await until("somebody listens", () => listening() !== "");
      const pid = listening();
      host(`kill -9 ${pid}; nft delete table ip ${prefix}`);
      await until(`the table is there again, time ${time}`, () => /24111[\s\S]*dnat/.test(host(table)));
      assert.notEqual(listening(), pid);
    }
    assert.match(await interfacesOf(id), /^eth0: up /m);
    assert.equal(await within(id, "tcp-ask", "127.0.0.1", "80", "hi"), "answer: hi");
  });

  test("a bridge whose ports are all taken, by whomever, refuses the next container before anything is made of it", async () => {
    await said(engine, "network", "create", "--subnet", "10.92.0.0/20", "crowd");
    await runDetached(engine, "--network", "crowd", "--name", "last", "probe", "sleep");
    const outside = await runDetached(engine, "probe", "sleep");
    const [bridge] = bridges();
    const ports = (): number => Number(host(`ls /sys/class/net/${bridge}/brif | wc -l`));
    // Two for each pair, and one of the last that is left out.
    const pairs = Array.from({ length: 511 }, (_, n) => [
      `link add crowd${n} master ${bridge} group 92 type veth peer name crowd${n}x`,
      `link set crowd${n}x master ${bridge} group 92`,
    ]);
    let holder: ReturnType<typeof spawn> | undefined;
    try {
      execFileSync("ip", ["-batch", "-"], { input: pairs.flat().join("\n") });
      assert.equal(ports(), 1023);
      const full = /network crowd is full: a bridge of Linux has 1023 ports/;
      const before = (await said(engine, "ps", "--all", "--quiet")).split("\n").length;
      await refuses(full, "run", "--rm", "--network", "crowd", "probe", "exit");
      await refuses(full, "network", "connect", "crowd", outside);
      assert.equal((await said(engine, "ps", "--all", "--quiet")).split("\n").length, before);
      // Of others' ports, and of our own, whose interface is there as long as somebody holds on to its namespace.
      host("ip link set crowd7 nomaster");
      await said(engine, "network", "connect", "crowd", outside);
      assert.equal(ports(), 1023);
      await refuses(full, "run", "--rm", "--network", "crowd", "probe", "exit");
      const words = ["-t", `${await pidOf(engine, "last")}`, "-n", "sh", "-c", "echo in; exec sleep 1000000"];
      holder = spawn("nsenter", words);
      await new Listener(holder).seen(/in/);
      await said(engine, "rm", "-f", "last");
      assert.equal(ports(), 1023);
      await said(engine, "run", "--rm", "--network", "crowd", "probe", "exit");
    } finally {
      holder?.kill("SIGKILL");
      host("ip link delete group 92");
    }
  });

  test("pier's own command has the same words", async () => {
    const pier = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await engine.pier(args);
      assert.equal(code, 0, stderr);
      return stdout.trimEnd();
    };
    const pools = ["--subnet", "10.87.0.0/24", "--gateway", "10.87.0.9", "--aux-address", "nas=10.87.0.2"];
    const id = await pier("network", "create", "--internal", ...pools, "--label", "a=b", "own");
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.match(
      await pier("network", "ls"),
      new RegExp(`^NETWORK ID +NAME +DRIVER +SCOPE[^]*${id.slice(0, 12)} +own +bridge +local`),
    );
    const shown = JSON.parse(await pier("network", "inspect", "own")) as Network[];
    assert.deepEqual(shown[0]!.IPAM.Config, [
      { Subnet: "10.87.0.0/24", Gateway: "10.87.0.9", AuxiliaryAddresses: { nas: "10.87.0.2" } },
    ]);
    const container = await runDetached(engine, "probe", "sleep");
    await pier("network", "connect", "--alias", "box", "--ip", "10.87.0.7", "own", container);
    assert.equal((await placesOf(container)).own!.IPAddress, "10.87.0.7");
    await pier("network", "disconnect", "own", container);
    const refused = await engine.pier(["network", "create", "--subnet", "10.0.0.0/24", "--gateway", "10.1.0.1", "x"]);
    assert.match(refused.stderr, /no matching subnet for gateway 10\.1\.0\.1/);
    assert.equal(await pier("network", "prune", "-f"), "Deleted Networks:\nown");
    await pier("network", "create", "own");
    assert.equal(await pier("network", "rm", "own"), "own");
    assert.equal((await engine.pier(["network", "rm", "own"])).code, 1);
  });

  test("what happens to networks is told", async () => {
    const events = new Listener(
      engine.spawn("docker", [
        "events",
        "--filter",
        "type=network",
        "--format",
        "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}} {{.Actor.Attributes.container}}",
      ]),
    );
    await until("it listens", async () => {
      await said(engine, "network", "create", "early");
      await said(engine, "network", "rm", "early");
      return events.text.includes("destroy early bridge");
    });
    await said(engine, "network", "create", "told");
    const id = await runDetached(engine, "--network", "told", "probe", "sleep");
    await said(engine, "network", "connect", "bridge", id);
    await said(engine, "network", "disconnect", "bridge", id);
    await said(engine, "rm", "-f", id);
    await said(engine, "network", "rm", "told");
    await events.seen(/destroy told/);
    events.child.kill();
    const told = events.text.split("\n").filter((line) => line.includes("told") || line.includes(id));
    assert.deepEqual(told, [
      "create told bridge <no value>",
      `connect told bridge ${id}`,
      `connect bridge bridge ${id}`,
      `disconnect bridge bridge ${id}`,
      `disconnect told bridge ${id}`,
      "destroy told bridge <no value>",
    ]);
  });

  test("networks, static addresses and what lost its network survive the daemon's death", async () => {
    await said(engine, "network", "create", "--subnet", "10.86.0.0/29", "small");
    const id = await runDetached(engine, "--network", "small", "--ip", "10.86.0.4", "probe", "sleep");
    const [bridge] = bridges();
    await engine.kill9();
    host(`ip link delete ${bridge}; nft delete table ip ${prefix}`);
    // A bridge of a network that is on no record, as a daemon leaves it that dies while it removes one.
    host(`ip link add ${prefix}-orphan type bridge; ip link set ${prefix}-orphan alias '${prefix} network 0123'`);
    await engine.restart();
    assert.deepEqual(bridges(), [bridge]);
    const others = await Promise.all(
      [1, 2, 3, 4].map(() => runDetached(engine, "--network", "small", "probe", "sleep")),
    );
    const addresses = await Promise.all([id, ...others].map(async (one) => (await placesOf(one)).small!.IPAddress));
    assert.deepEqual(addresses.sort(), ["10.86.0.2", "10.86.0.3", "10.86.0.4", "10.86.0.5", "10.86.0.6"]);
    await refuses(
      /no available IPv4 addresses on this network's address pools: small/,
      "run",
      "--rm",
      "--network",
      "small",
      "probe",
      "exit",
    );
    // An address is free with its container, also while somebody holds on to the namespace in which its interface is.
    const holders = await Promise.all(others.slice(0, 2).map(async (one) => `${await pidOf(engine, one)}`));
    const held = holders.map((pid) => spawn("nsenter", ["-t", pid, "-n", "sh", "-c", "echo in; exec sleep 1000000"]));
    try {
      await Promise.all(held.map((child) => new Listener(child).seen(/in/)));
      await said(engine, "rm", "-f", ...others.slice(0, 2));
      await runDetached(engine, "--network", "small", "probe", "sleep");
      const joining = await runDetached(engine, "probe", "sleep");
      await said(engine, "network", "connect", "small", joining);
    } finally {
      for (const child of held) child.kill("SIGKILL");
    }
  });
});
