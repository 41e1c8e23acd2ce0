/** Ports that are published, and withdrawn, while their container runs. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { imageOf } from "../probe/image.ts";
import { askTcp, inspected, pidOf, removeAll, runServer, said, until } from "./containers.ts";
import {
  closeNeighbour,
  hostAddress,
  hostAddress6,
  neighbourAddress,
  neighbourAddress6,
  openNeighbour,
} from "./neighbour.ts";

const probe = join(executable, "../probe");

describe("ports of a container that runs", { skip: cannotRun() }, () => {
  let engine: Engine;
  let neighbour: ChildProcess;

  const there = async (...args: readonly string[]): Promise<string> =>
    (await execute("nsenter", ["-t", String(neighbour.pid), "-n", probe, ...args])).stdout.trimEnd();
  /** What is not to be answered is not waited for long. */
  const askInVain = async (address: string, port: string): Promise<string> => {
    const ask = ["-t", String(neighbour.pid), "-n", probe, "tcp-ask", address, port, "in vain"];
    return (await execute("timeout", ["1", "nsenter", ...ask])).stdout.trimEnd();
  };
  const update = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await engine.pier(["update", ...args]);
    assert.equal(code, 0, stderr);
  };
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { code, stderr } = await engine.pier(["update", ...args]);
    assert.notEqual(code, 0);
    return stderr;
  };
  const table = async (): Promise<string> => {
    const name = '{{index .Options "com.docker.network.bridge.name"}}';
    const bridge = await said(engine, "network", "inspect", "bridge", "--format", name);
    return execFileSync("nft", ["list", "table", "ip", bridge.slice(0, -1)], { encoding: "utf8" });
  };
  const serve = (...args: readonly string[]): Promise<string> =>
    runServer(engine, ...args, "probe", "tcp-serve", "0.0.0.0", "80");

  before(async () => {
    neighbour = await openNeighbour();
    engine = await Engine.launch();
    await engine.load(await imageOf());
  });
  afterEach(() => removeAll(engine));
  after(async () => {
    try {
      await engine.stop();
    } finally {
      await closeNeighbour(neighbour);
    }
  });

  test("are added and withdrawn at once, and stay so over daemons and starts", async () => {
    const id = await serve("-p", "24000:80");
    const pid = await pidOf(engine, id);
    await update("--publish-add", "24001:80", "--publish-rm", "24000", id);
    assert.equal(await pidOf(engine, id), pid);
    assert.equal(await said(engine, "port", id), "80/tcp -> 0.0.0.0:24001\n80/tcp -> [::]:24001");
    const check = async (): Promise<void> => {
      assert.equal(await askTcp("127.0.0.1", 24_001, "loopback"), "loopback");
      assert.equal(await askTcp("::1", 24_001, "loopback"), "loopback");
      assert.equal(await there("tcp-ask", hostAddress, "24001", "neighbour"), "answer: neighbour");
      assert.equal(await there("tcp-ask", hostAddress6, "24001", "neighbour"), "answer: neighbour");
      for (const address of ["127.0.0.1", "::1", hostAddress]) {
        assert.equal(await askTcp(address, 24_000, "gone"), "ECONNREFUSED");
      }
    };
    await check();
    await engine.restart();
    await check();
    await update("--publish-add", "24002:80", id);
    await update("--publish-rm", "24002", id);
    await said(engine, "restart", "-t", "0", id);
    await until("the server listens again", async () => (await askTcp("127.0.0.1", 24_001, "up")) === "up");
    await check();
    const bindings = await inspected(engine, "{{json .HostConfig.PortBindings}}", id);
    assert.deepEqual(JSON.parse(bindings), { "80/tcp": [{ HostIp: "", HostPort: "24001" }] });
    await said(engine, "stop", "-t", "0", id);
    await update("--publish-rm", "24001", "--publish-add", "24003:80", id);
    await said(engine, "start", id);
    await until("the server listens again", async () => (await askTcp("127.0.0.1", 24_003, "up")) === "up");
    assert.equal(await askTcp("127.0.0.1", 24_001, "gone"), "ECONNREFUSED");
  });

  test("give way to others at the same port, by one command", async () => {
    const id = await serve("-p", "24010:81");
    await update("--publish-add", "24010:80", "--publish-rm", "24010", id);
    assert.equal(await askTcp("127.0.0.1", 24_010, "moved"), "moved");
    assert.equal(await there("tcp-ask", hostAddress, "24010", "moved"), "answer: moved");
    assert.match(await said(engine, "port", id), /^80\/tcp -> 0\.0\.0\.0:24010$/m);
  });

  test("are refused where somebody else has them, and everything stays as it was", async () => {
    const server = createServer().listen(0, "0.0.0.0");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    try {
      const id = await serve("-p", "24020:80");
      const before = [await table(), await said(engine, "inspect", id)];
      const port = String(address.port);
      assert.match(await refused("--publish-add", `${port}:80`, id), /address already in use \(by .+, pid \d+\)/);
      assert.match(await refused("--publish-rm", "24021", id), /no port 24021\/tcp of the host is published/);
      const other = await serve();
      assert.match(await refused("--publish-add", "24020:80", other), /port is already allocated/);
      await said(engine, "rm", "-f", other);
      assert.deepEqual([await table(), await said(engine, "inspect", id)], before);
      // Of a range, the next one is taken.
      await update("--publish-add", `${port}-${address.port + 9}:80`, id);
      assert.equal(await askTcp("127.0.0.1", 24_020, "as before"), "as before");
      const shown = await said(engine, "port", id);
      assert.match(shown, new RegExp(`0\\.0\\.0\\.0:${address.port + 1}$`, "m"));
    } finally {
      server.close();
    }
  });

  test("are taken away with the container, also by a keeper whose daemon is dead", async () => {
    const id = await serve("-p", "24030:80");
    await update(
      "--publish-add",
      "24031:80",
      "--publish-add",
      "127.0.0.1:24032:80",
      "--publish-add",
      "24033:80/udp",
      id,
    );
    assert.match(await table(), /24031/);
    await update("--publish-rm", "24030", id);
    const pid = await pidOf(engine, id);
    const keeper = Number(
      /PPid:\s+(\d+)/.exec(execFileSync("cat", [`/proc/${pid}/status`], { encoding: "utf8" }))?.[1],
    );
    const sockets = (): number => readdirSync(`/proc/${keeper}/fd`).length;
    const open = sockets();
    for (let turn = 0; turn < 3; turn++) {
      await update("--publish-add", "24034:80", id);
      await update("--publish-rm", "24034", id);
    }
    assert.equal(sockets(), open);
    await engine.kill9();
    process.kill(pid, "SIGKILL");
    while (existsSync(`/proc/${keeper}`)) await new Promise((resolve) => setImmediate(resolve));
    await engine.restart();
    assert.doesNotMatch(await table(), /2403\d/);
    for (const port of [24_030, 24_031, 24_032]) assert.equal(await askTcp("127.0.0.1", port, "?"), "ECONNREFUSED");
  });

  test("of both families keep the source address where the container has the family", async () => {
    await said(engine, "network", "create", "--ipv6", "six");
    try {
      const serving = ["probe", "tcp-serve", "::", "80"];
      const id = await runServer(engine, "--network", "six", "-p", "24060:80", ...serving);
      assert.equal(await there("tcp-ask", hostAddress6, "24060", "six"), "answer: six");
      assert.equal(await there("tcp-ask", hostAddress, "24060", "four"), "answer: four");
      assert.equal(await askTcp("::1", 24_060, "loopback"), "loopback");
      const own = await inspected(engine, "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}", id);
      const crafted = ["ip", "-6", "route", "replace", own, "via", hostAddress6];
      execFileSync("nsenter", ["-t", `${neighbour.pid}`, "-n", ...crafted]);
      assert.doesNotMatch(await askInVain(own, "80"), /^answer/);
      const itself = ["exec", id, "/probe", "tcp-ask", hostAddress6, "24060", "me"];
      assert.equal(await said(engine, ...itself), "answer: me");
      const log = await said(engine, "logs", id);
      assert.match(log, new RegExp(`^from: ${neighbourAddress6}$`, "m"));
      assert.match(log, new RegExp(`^from: (::ffff:)?${neighbourAddress.replaceAll(".", "\\.")}$`, "m"));
      await removeAll(engine);
    } finally {
      await said(engine, "network", "rm", "six");
    }
  });

  test("are where the options of a bridge say, and nobody's where the host has no address", async () => {
    const option = (name: string, value: string) => ["-o", `com.docker.network.bridge.${name}=${value}`];
    await said(engine, "network", "create", ...option("host_binding_ipv4", "127.0.0.1"), "near");
    const quietly = ["--subnet", "10.94.0.0/24", ...option("inhibit_ipv4", "true"), "quiet"];
    const id = await said(engine, "network", "create", ...quietly);
    try {
      const serving = ["probe", "tcp-serve", "0.0.0.0", "80"];
      const [near, quiet, friend] = await Promise.all([
        runServer(engine, "--network", "near", "-p", "24080:80", ...serving),
        runServer(engine, "--network", "quiet", "--ip", "10.94.0.9", "-p", "24081:80", ...serving),
        said(engine, "run", "-d", "--network", "quiet", "probe", "sleep"),
      ]);
      assert.equal(await said(engine, "port", near), "80/tcp -> 127.0.0.1:24080");
      assert.equal(await askTcp("127.0.0.1", 24_080, "here"), "here");
      assert.equal(await askTcp(hostAddress, 24_080, "elsewhere"), "ECONNREFUSED");
      const bridge = new RegExp(`-${id.slice(0, 7)}\\b`);
      assert.match(execFileSync("ip", ["link"], { encoding: "utf8" }), bridge);
      assert.doesNotMatch(execFileSync("ip", ["-4", "addr"], { encoding: "utf8" }), bridge);
      assert.equal(await said(engine, "port", quiet), "");
      const within = ["exec", friend, "/probe", "tcp-ask", "10.94.0.9", "80", "hi"];
      assert.equal(await said(engine, ...within), "answer: hi");
    } finally {
      await removeAll(engine);
      await said(engine, "network", "rm", "near", "quiet");
    }
  });

  test("go with their container from network to network while it runs", async () => {
    await said(engine, "network", "create", "--ipv6", "from");
    await said(engine, "network", "create", "to");
    // The sockets that are bound to a port of ours, whoever has them.
    const bound = (): number =>
      execFileSync("ss", ["-Hlntu", "sport = 24070 or sport = 24071"], { encoding: "utf8" }).trim().split("\n").length;
    try {
      const udp = ["-p", "24071:90/udp", "--network", "from"];
      const id = await runServer(engine, "-p", "24070:80", ...udp, "probe", "tcp-serve", "::", "80");
      const check = async (): Promise<void> => {
        for (const address of ["127.0.0.1", "::1", hostAddress]) {
          assert.equal(await askTcp(address, 24_070, "here"), "here", address);
        }
        assert.equal(await there("tcp-ask", hostAddress6, "24070", "there"), "answer: there");
      };
      await said(engine, "network", "connect", "to", id);
      await check();
      await said(engine, "network", "disconnect", "from", id);
      await check();
      // Without any network nobody holds them; whoever had them has them back with the next one.
      await said(engine, "network", "disconnect", "to", id);
      assert.equal(await said(engine, "port", id), "");
      const other = await serve("-p", "24070:80");
      const clash = await engine.docker(["network", "connect", "from", id]);
      assert.match(clash.stderr, /port is already allocated/);
      await said(engine, "rm", "-f", other);
      await said(engine, "network", "connect", "from", id);
      await check();
      assert.equal(bound(), 4);
      await engine.restart();
      await check();
      await said(engine, "stop", "-t", "0", id);
      assert.doesNotMatch(await table(), /2407\d/);
    } finally {
      await removeAll(engine);
      await said(engine, "network", "rm", "from", "to");
    }
  });

  test("are listed with who can reach them", async () => {
    const ports = ["-p", "24050:80", "-p", "127.0.0.1:24051:80", "-p", `${hostAddress}:24052:80/udp`];
    await said(engine, "run", "-d", "--name", "listed", ...ports, "probe", "sleep");
    const { stdout } = await engine.pier(["ports"]);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines, [
      ["PORT", "CONTAINER", "LEADS TO", "REACHED BY"],
      ["0.0.0.0:24050/tcp", "listed", "80/tcp", "whoever reaches this host"],
      ["[::]:24050/tcp", "listed", "80/tcp", "whoever reaches this host"],
      ["127.0.0.1:24051/tcp", "listed", "80/tcp", "this host only"],
      [`${hostAddress}:24052/udp`, "listed", "80/udp", `whoever reaches ${hostAddress}`],
    ]);
  });

  test("are none of a container in the host's network", async () => {
    const id = await said(engine, "run", "-d", "--network", "host", "probe", "sleep");
    assert.match(await refused("--publish-add", "24040:80", id), /has no network of its own to publish ports of/);
  });
});
