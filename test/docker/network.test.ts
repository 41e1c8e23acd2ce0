/** The default network: addresses, ways in and out, published ports, and what heals. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { imageOf } from "../probe/image.ts";
import { askTcp, busybox, inspected, Listener, removeAll, runDetached, runServer, said } from "./containers.ts";
import { closeNeighbour, hostAddress, hostAddress6, neighbourAddress, openNeighbour } from "./neighbour.ts";

const probe = join(executable, "../probe");
describe("the default network", { skip: cannotRun() }, () => {
  let engine: Engine;
  let neighbour: ChildProcess;
  let gateway: string;
  const children = new Set<ChildProcess>();
  const servers = new Set<Server>();

  /** What the probe says on the host, or on the neighbour's machine. */
  const here = async (...args: readonly string[]): Promise<string> => (await execute(probe, args)).stdout.trimEnd();
  const there = async (...args: readonly string[]): Promise<string> =>
    (await execute("nsenter", ["-t", String(neighbour.pid), "-n", probe, ...args])).stdout.trimEnd();
  const within = async (id: string, ...args: readonly string[]): Promise<string> =>
    (await engine.docker(["exec", id, "/probe", ...args])).stdout.trimEnd();
  const addressOf = (id: string): Promise<string> => inspected(engine, "{{.NetworkSettings.IPAddress}}", id);
  const hostPort = async (id: string, port: string): Promise<number> =>
    Number.parseInt((await said(engine, "port", id, port)).split(":")[1]!, 10);

  const names = async (): Promise<{ bridge: string; table: string }> => {
    const name = '{{index .Options "com.docker.network.bridge.name"}}';
    const bridge = await said(engine, "network", "inspect", "bridge", "--format", name);
    return { bridge, table: bridge.slice(0, -1) };
  };

  const serve = async (command: string, args: readonly string[]): Promise<Listener> => {
    const child = spawn(command, args, { stdio: "pipe" });
    children.add(child);
    const listener = new Listener(child);
    await listener.seen(/listening/);
    return listener;
  };
  const serveThere = (...args: readonly string[]): Promise<Listener> =>
    serve("nsenter", ["-t", String(neighbour.pid), "-n", probe, ...args]);

  /** A port of the host that somebody else holds. */
  const occupy = async (port = 0): Promise<number> => {
    const server = createServer();
    servers.add(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "0.0.0.0", resolve);
    });
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    return address.port;
  };

  before(async () => {
    neighbour = await openNeighbour();
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
    const id = await runDetached(engine, "probe", "sleep");
    gateway = await inspected(engine, "{{.NetworkSettings.Gateway}}", id);
  });
  afterEach(async () => {
    for (const child of children) child.kill("SIGKILL");
    for (const server of servers) server.close();
    children.clear();
    servers.clear();
    await removeAll(engine);
  });
  after(async () => {
    try {
      await engine.stop();
    } finally {
      await closeNeighbour(neighbour);
    }
  });

  test("a container has an address, a way out, and files that say so", async () => {
    const id = await runDetached(engine, "--hostname", "box", busybox, "sleep", "1000");
    const address = await addressOf(id);
    assert.match(await said(engine, "exec", id, "ip", "addr", "show", "eth0"), new RegExp(`inet ${address}/16`));
    assert.match(await said(engine, "exec", id, "ip", "route"), new RegExp(`^default via ${gateway} dev eth0`));
    assert.match(await said(engine, "exec", id, "cat", "/etc/hosts"), new RegExp(`^${address}\tbox$`, "m"));
    assert.match(await said(engine, "exec", id, "cat", "/etc/resolv.conf"), /^nameserver /m);
    assert.equal(await said(engine, "exec", id, "cat", "/etc/hostname"), "box");
    const hosts = ["run", "--rm", "--add-host", "up:host-gateway", busybox, "cat", "/etc/hosts"];
    assert.match(await said(engine, ...hosts), new RegExp(`^${gateway}\tup$`, "m"));
  });

  test("its interface has no IPv6; one that the container makes would have", async (t) => {
    if (!existsSync("/proc/sys/net/ipv6")) return t.skip("the kernel has no IPv6");
    const read = "cd /proc/sys/net/ipv6/conf && cat lo/disable_ipv6 eth0/disable_ipv6 default/disable_ipv6";
    assert.equal(await said(engine, "run", "--rm", busybox, "sh", "-c", read), "0\n1\n0");
  });

  test("the host, other containers and other machines are reached", async () => {
    const server = await runServer(engine, "probe", "tcp-serve", "0.0.0.0", "80");
    const client = await runDetached(engine, "probe", "sleep");
    const address = await addressOf(client);
    assert.equal(await within(client, "tcp-ask", await addressOf(server), "80", "hello"), "answer: hello");
    assert.match(await said(engine, "logs", server), new RegExp(`^from: ${address}$`, "m"));

    const host = await serve(probe, ["tcp-serve", "0.0.0.0", "8077"]);
    assert.equal(await within(client, "tcp-ask", gateway, "8077", "host"), "answer: host");
    await host.seen(new RegExp(`from: ${address}`));

    for (const protocol of ["tcp", "udp"]) {
      const outside = await serveThere(`${protocol}-serve`, "0.0.0.0", "9000");
      assert.equal(await within(client, `${protocol}-ask`, neighbourAddress, "9000", "out"), "answer: out");
      await outside.seen(new RegExp(`from: ${hostAddress}`));
    }
  });

  for (const protocol of ["tcp", "udp"]) {
    test(`a published port is reached from everywhere: ${protocol}`, async () => {
      const id = await runServer(engine, "-p", `80/${protocol}`, "probe", `${protocol}-serve`, "0.0.0.0", "80");
      const client = await runDetached(engine, "probe", "sleep");
      const port = String(await hostPort(id, `80/${protocol}`));
      const ask = `${protocol}-ask`;
      assert.equal(await here(ask, "127.0.0.1", port, "loopback"), "answer: loopback");
      assert.equal(await here(ask, hostAddress, port, "host"), "answer: host");
      assert.equal(await here(ask, gateway, port, "gateway"), "answer: gateway");
      assert.equal(await there(ask, hostAddress, port, "neighbour"), "answer: neighbour");
      assert.equal(await within(client, ask, hostAddress, port, "sibling"), "answer: sibling");
      assert.equal(await within(client, ask, gateway, port, "sibling"), "answer: sibling");
      assert.equal(await within(id, ask, hostAddress, port, "itself"), "answer: itself");
      // The container has no IPv6: the keeper passes it on.
      assert.equal(await here(ask, "::1", port, "loopback6"), "answer: loopback6");
      assert.equal(await there(ask, hostAddress6, port, "neighbour6"), "answer: neighbour6");
      assert.match(await said(engine, "logs", id), new RegExp(`^from: ${neighbourAddress}$`, "m"));
      await said(engine, "stop", "-t", "0", id);
      assert.notEqual(await here(ask, "127.0.0.1", port, "late"), "answer: late");
      await said(engine, "start", id);
      assert.equal(String(await hostPort(id, `80/${protocol}`)).length > 0, true);
    });
  }

  test("what is not published is not reached from outside", async () => {
    const id = await runServer(engine, "-p", "127.0.0.1::81", "probe", "tcp-serve", "0.0.0.0", "81");
    const address = await addressOf(id);
    const port = String(await hostPort(id, "81"));
    execFileSync("nsenter", ["-t", String(neighbour.pid), "-n", "ip", "route", "add", "default", "via", hostAddress]);
    assert.doesNotMatch(await there("tcp-ask", address, "81", "directly"), /^answer: /);
    assert.doesNotMatch(await there("tcp-ask", hostAddress, port, "by the host"), /^answer: /);
    assert.equal(await here("tcp-ask", "127.0.0.1", port, "loopback"), "answer: loopback");
  });

  test("a network that is not masqueraded speaks by its own addresses, and still nobody comes in", async () => {
    await said(engine, "network", "create", "-o", "com.docker.network.bridge.enable_ip_masquerade=false", "open");
    const server = await runServer(engine, "--network", "open", "probe", "tcp-serve", "0.0.0.0", "80");
    const address = await inspected(engine, "{{.NetworkSettings.Networks.open.IPAddress}}", server);
    const way = ["ip", "route", "replace", "default", "via", hostAddress];
    execFileSync("nsenter", ["-t", String(neighbour.pid), "-n", ...way]);
    const outside = await serveThere("tcp-serve", "0.0.0.0", "9001");
    assert.equal(await within(server, "tcp-ask", neighbourAddress, "9001", "out"), "answer: out");
    await outside.seen(new RegExp(`from: ${address}`));
    const ask = ["-t", String(neighbour.pid), "-n", probe, "tcp-ask", address, "80", "in vain"];
    assert.doesNotMatch((await execute("timeout", ["2", "nsenter", ...ask])).stdout, /answer/);
    await said(engine, "rm", "--force", server);
    await said(engine, "network", "rm", "open");
  });

  test("a port of one address of the host is that address's alone", async () => {
    const id = await runServer(engine, "-p", `${hostAddress}::80`, "probe", "tcp-serve", "0.0.0.0", "80");
    const port = await hostPort(id, "80");
    assert.equal(await said(engine, "port", id), `80/tcp -> ${hostAddress}:${port}`);
    assert.equal(await there("tcp-ask", hostAddress, String(port), "hi"), "answer: hi");
    assert.equal(await askTcp("127.0.0.1", port, "hi"), "ECONNREFUSED");
    assert.equal(await askTcp(gateway, port, "hi"), "ECONNREFUSED");
  });

  test("a port of an IPv6 address is that address's alone, and that of ::1 is kept from outside", async () => {
    const id = await runServer(
      engine,
      ...["-p", "[::1]::80", "-p", `[${hostAddress6}]::80`],
      ...["probe", "tcp-serve", "0.0.0.0", "80"],
    );
    const shown = await said(engine, "port", id, "80");
    const [local, outer] = ["::1", hostAddress6].map((address) =>
      Number(new RegExp(`^\\[${address}\\]:(\\d+)$`, "m").exec(shown)?.[1]),
    ) as [number, number];
    assert.equal(await here("tcp-ask", "::1", String(local), "local"), "answer: local");
    assert.equal(await there("tcp-ask", hostAddress6, String(outer), "outer"), "answer: outer");
    assert.doesNotMatch(await there("tcp-ask", hostAddress6, String(local), "local"), /^answer: /);
    assert.equal(await askTcp("127.0.0.1", local, "hi"), "ECONNREFUSED");
    assert.equal(await askTcp("::1", outer, "hi"), "ECONNREFUSED");
  });

  test("a container that is linked to another one finds it by an alias and by variables, also at another address", async () => {
    const env = ["-e", "COLOUR=blue", "--expose", "80"];
    const db = await runServer(engine, "--name", "db", ...env, "probe", "tcp-serve", "0.0.0.0", "80");
    const web = await runDetached(engine, "--name", "web", "--link", "db:store", busybox, "sleep", "1000");
    const address = await addressOf(db);
    const hosts = () => said(engine, "exec", web, "cat", "/etc/hosts");
    assert.match(await hosts(), new RegExp(`^${address}\tstore ${db.slice(0, 12)} db$`, "m"));
    const told = (await said(engine, "exec", web, "env")).split("\n");
    for (const entry of [
      `STORE_PORT=tcp://${address}:80`,
      `STORE_PORT_80_TCP_ADDR=${address}`,
      "STORE_NAME=/web/store",
      "STORE_ENV_COLOUR=blue",
    ]) {
      assert.ok(told.includes(entry), entry);
    }
    assert.equal(await said(engine, "exec", web, "sh", "-c", "echo hi | nc -w 2 store 80"), "hi");
    assert.equal(await inspected(engine, "{{json .HostConfig.Links}}", web), '["/db:/web/store"]');
    await said(engine, "stop", "-t", "0", db);
    const other = await runDetached(engine, busybox, "sleep", "1000");
    await said(engine, "start", db);
    const now = await addressOf(db);
    assert.notEqual(now, address);
    assert.match(await hosts(), new RegExp(`^${now}\tstore`, "m"));
    assert.doesNotMatch(await hosts(), new RegExp(`^${address}\t`, "m"));
    await said(engine, "rename", db, "base");
    assert.equal(await inspected(engine, "{{json .HostConfig.Links}}", web), '["/base:/web/store"]');
    await engine.kill9();
    await engine.restart();
    await said(engine, "stop", "-t", "0", db);
    const stopped = await engine.docker(["restart", "-t", "0", web]);
    assert.match(stopped.stderr, /Cannot link to a non running container: \/base AS \/web\/store/);
    await said(engine, "rm", "-f", db, other);
    await said(engine, "start", web);
    assert.doesNotMatch(await hosts(), /store/, "who is gone is forgotten");
    const unknown = await engine.docker(["create", "--link", "nosuch", busybox]);
    assert.match(unknown.stderr, /could not get container for nosuch/);
    const host = await engine.docker(["create", "--link", "web", "--network", "host", busybox]);
    assert.match(host.stderr, /host type networking can't be used with links/);
  });

  test("a link that is taken away leads nowhere, now and later; its name is shown until then", async () => {
    const db = await runDetached(engine, "--name", "db", busybox, "sleep", "1000");
    const words = ["--name", "web", "--link", "db:store", "--link", "db:other", busybox, "sleep", "1000"];
    const web = await runDetached(engine, ...words);
    const names = () => said(engine, "ps", "--no-trunc", "--filter", `id=${db}`, "--format", "{{.Names}}");
    const hosts = () => said(engine, "exec", web, "cat", "/etc/hosts");
    assert.equal(await names(), "db,web/store,web/other");
    for (const [name, sentence] of [
      ["db", /Conflict, cannot remove the default link name of the container/],
      ["web/nobody", /No such container: web\/nobody/],
      ["nobody/store", /No such container: nobody\/store/],
    ] as const) {
      const refused = await engine.docker(["rm", "--link", name]);
      assert.match(refused.stderr, sentence);
      assert.equal(refused.code, 1);
    }
    assert.equal(await said(engine, "rm", "--link", "web/store"), "web/store");
    assert.deepEqual([await names(), /\tstore /.test(await hosts())], ["db,web/other", false]);
    assert.equal((await engine.pier(["rm", "--link", "/web/other"])).stdout, "/web/other\n");
    assert.deepEqual([await names(), /\tother /.test(await hosts())], ["db", false]);
    assert.equal(await inspected(engine, "{{json .HostConfig.Links}}", web), "null");
    await engine.kill9();
    await engine.restart();
    await said(engine, "rm", "-f", db);
    await said(engine, "restart", "-t", "0", web);
    assert.doesNotMatch(await hosts(), /store|other/);
    await said(engine, "rm", "-f", web);
  });

  test("ranges, ports that anybody may choose, and -P are shown as they came out", async () => {
    const options = ["-p", "23701-23703:80", "-p", "23710-23711:90-91", "-p", "82/udp", "--expose", "83", "-P"];
    const id = await runDetached(engine, ...options, "probe", "sleep");
    const shown = await said(engine, "port", id);
    assert.match(shown, /^80\/tcp -> 0\.0\.0\.0:23701$/m);
    assert.match(shown, /^80\/tcp -> \[::\]:23701$/m);
    assert.match(shown, /^90\/tcp -> 0\.0\.0\.0:23710$/m);
    assert.match(shown, /^91\/tcp -> 0\.0\.0\.0:23711$/m);
    assert.match(shown, /^82\/udp -> 0\.0\.0\.0:\d+$/m);
    assert.match(shown, /^83\/tcp -> 0\.0\.0\.0:\d+$/m);
    const second = await runDetached(engine, "-p", "23701-23703:80", "probe", "sleep");
    assert.equal(await hostPort(second, "80"), 23702);
    const line = await said(engine, "ps", "--no-trunc", "--filter", `id=${second}`, "--format", "{{.Ports}}");
    assert.equal(line, "0.0.0.0:23702->80/tcp, [::]:23702->80/tcp");
  });

  test("a port that the host uses is refused in Docker's words, and nothing is left", async () => {
    const port = await occupy();
    const ran = await engine.docker(["run", "--name", "late", "-p", `${port}:80`, "probe", "exit"]);
    assert.equal(ran.code, 125);
    assert.match(
      ran.stderr,
      new RegExp(
        `driver failed programming external connectivity on endpoint late .*address already in use \\(by .+, pid ${process.pid}\\)`,
      ),
    );
    assert.equal(await inspected(engine, "{{.State.Status}} {{.NetworkSettings.IPAddress}}", "late"), "created ");
    const removed = await engine.docker(["run", "--rm", "-p", `${port}:80`, "probe", "exit"]);
    assert.equal(removed.code, 125);
    assert.equal((await said(engine, "ps", "-aq")).split("\n").length, 1);
  });

  test("a range goes round what the host uses", async () => {
    const port = await occupy();
    const id = await runDetached(engine, "-p", `${port}-${port + 20}:80`, "probe", "sleep");
    assert.ok((await hostPort(id, "80")) > port);
  });

  test("a port of UDP that the host uses is refused too", async () => {
    const socket = createSocket("udp4");
    socket.bind(0);
    await once(socket, "listening");
    const ran = await engine.docker(["run", "--rm", "-p", `${socket.address().port}:80/udp`, "probe", "exit"]);
    socket.close();
    assert.equal(ran.code, 125);
    assert.match(ran.stderr, /address already in use/);
  });

  test("a port of another container is refused in Docker's words, and free when that one is gone", async () => {
    const id = await runDetached(engine, "-p", "23720:80", "probe", "sleep");
    const ran = await engine.docker(["run", "--rm", "-p", "23720:80", "probe", "exit"]);
    assert.equal(ran.code, 125);
    assert.match(ran.stderr, /Bind for 0\.0\.0\.0:23720 failed: port is already allocated/);
    await said(engine, "rm", "-f", id);
    assert.equal((await engine.docker(["run", "--rm", "-p", "23720:80", "probe", "exit"])).code, 0);
    assert.equal(await occupy(23720), 23720);
  });

  test("an address is not given out again at once", async () => {
    const addresses = new Set<string>();
    for (let turn = 0; turn < 5; turn++) {
      const id = await runDetached(engine, "probe", "sleep");
      addresses.add(await addressOf(id));
      await said(engine, "rm", "-f", id);
    }
    assert.equal(addresses.size, 5);
  });

  test("fifty that start at once have fifty addresses", async () => {
    const start = async (): Promise<string> => {
      const created = await engine.request(
        "POST",
        "/containers/create",
        JSON.stringify({ Image: "probe", Cmd: ["sleep"] }),
      );
      const { Id: id } = JSON.parse(created.body) as { Id: string };
      assert.equal((await engine.request("POST", `/containers/${id}/start`)).status, 204);
      return addressOf(id);
    };
    const addresses = await Promise.all(Array.from({ length: 50 }, start));
    assert.equal(new Set(addresses).size, 50);
  });

  test("the next start brings back a table and a bridge that somebody took away", async () => {
    const { bridge, table } = await names();
    const id = await runServer(engine, "-p", "80", "probe", "tcp-serve", "0.0.0.0", "80");
    const port = await hostPort(id, "80");
    assert.equal(await askTcp(hostAddress, port, "before"), "before");
    for (const command of [`nft delete table ip ${table}`, `ip link delete ${bridge}`]) {
      execFileSync("sh", ["-c", command]);
      const ran = await Promise.all(
        Array.from({ length: 4 }, () => engine.docker(["run", "--rm", "-p", "80", "probe", "exit", "5"])),
      );
      assert.deepEqual(
        ran.map(({ code, stderr }) => `${code}${stderr}`),
        ["5", "5", "5", "5"],
      );
      assert.equal(await there("tcp-ask", hostAddress, String(port), command), `answer: ${command}`);
    }
    await said(engine, "rm", "-f", id);
    const published = execFileSync("nft", ["list", "map", "ip", table, "published"], { encoding: "utf8" });
    assert.doesNotMatch(published, /elements/);
  });

  test("the next daemon brings them back too", async () => {
    const { bridge, table } = await names();
    const id = await runServer(engine, "-p", "80", "probe", "tcp-serve", "0.0.0.0", "80");
    const port = await hostPort(id, "80");
    await engine.kill9();
    execFileSync("sh", ["-c", `nft delete table ip ${table}; ip link delete ${bridge}`]);
    await engine.restart();
    assert.equal(await there("tcp-ask", hostAddress, String(port), "hi"), "answer: hi");
  });
});
