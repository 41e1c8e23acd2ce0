/** From behind a router, whose way on is narrower than the host's own: published ports and ways out, with large answers. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { imageOf } from "../probe/image.ts";
import { Listener, removeAll, runDetached, runServer, said, until } from "./containers.ts";
import { hostAddress, hostAddress6, neighbourAddress, neighbourAddress6, openNeighbour } from "./neighbour.ts";

const probe = join(executable, "../probe");
const farAddress = "198.18.78.2";
const farAddress6 = "2001:db8:78::2";
const narrow = 1300;
/** As much as fits into an argument: more than a hundred packets, none of which the narrow way would take in the host's size. */
const large = "large".repeat(20_000);

const families = [
  { family: "IPv4", host: hostAddress, far: farAddress, router: neighbourAddress, any: "0.0.0.0" },
  { family: "IPv6", host: hostAddress6, far: farAddress6, router: neighbourAddress6, any: "::" },
] as const;

describe("machines behind a router", { skip: cannotRun() }, () => {
  let engine: Engine;
  let router: ChildProcess;
  let far: ChildProcess;
  let table: string;
  const children = new Set<ChildProcess>();

  const inside = (machine: ChildProcess, ...words: readonly string[]): string[] => [
    ...["-t", String(machine.pid), "-n"],
    ...words,
  ];
  const there = async (...args: readonly string[]): Promise<string> =>
    (await execute("nsenter", inside(far, probe, ...args))).stdout.trimEnd();
  const within = async (id: string, ...args: readonly string[]): Promise<string> =>
    (await engine.docker(["exec", id, "/probe", ...args])).stdout.trimEnd();
  const start = async (command: string, args: readonly string[], ready: RegExp): Promise<Listener> => {
    const child = spawn(command, args, { stdio: "pipe" });
    children.add(child);
    const listener = new Listener(child);
    await listener.seen(ready);
    return listener;
  };

  before(async () => {
    router = await openNeighbour();
    far = spawn("unshare", ["-n", "sh", "-c", "echo ready; exec sleep 1000000"], { stdio: "pipe" });
    await once(far.stdout!, "data");
    const [routing, ending] = [`nsenter -t ${router.pid} -n`, `nsenter -t ${far.pid} -n`];
    const commands = [
      `${routing} ip link add way0 mtu ${narrow} type veth peer name eth0 mtu ${narrow} netns ${far.pid}`,
      `${routing} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'`,
      `${routing} ip addr add 198.18.78.1/30 dev way0`,
      `${routing} ip addr add 2001:db8:78::1/64 dev way0 nodad`,
      `${routing} ip link set way0 up`,
      `${ending} ip addr add ${farAddress}/30 dev eth0`,
      `${ending} ip addr add ${farAddress6}/64 dev eth0 nodad`,
      `${ending} ip link set eth0 up`,
      `${ending} ip route add default via 198.18.78.1`,
      `${ending} ip -6 route add default via 2001:db8:78::1`,
      // With the size that the host's own interface has, they would say at once how little they take.
      `${ending} ip route replace 198.18.77.0/24 via 198.18.78.1 advmss 1460`,
      `${ending} ip -6 route replace 2001:db8:77::/64 via 2001:db8:78::1 advmss 1440`,
      `ip route add 198.18.78.0/30 via ${neighbourAddress}`,
      `ip -6 route add 2001:db8:78::/64 via ${neighbourAddress6}`,
    ];
    execFileSync("sh", ["-ec", commands.join("\n")]);
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
    const name = '{{index .Options "com.docker.network.bridge.name"}}';
    table = (await said(engine, "network", "inspect", "bridge", "--format", name)).slice(0, -1);
  });
  afterEach(async () => {
    for (const child of children) child.kill("SIGKILL");
    children.clear();
    await removeAll(engine);
    await said(engine, "network", "prune", "--force");
  });
  after(async () => {
    try {
      await engine.stop();
    } finally {
      for (const machine of [router, far]) {
        machine.kill("SIGKILL");
        await once(machine, "exit");
      }
    }
  });

  for (const { family, host, far: address, any } of families) {
    test(`a large answer goes through a published port and a narrow way, and back: ${family}`, async () => {
      await said(engine, "network", "create", "--ipv6", "dual");
      const id = await runServer(engine, "--network", "dual", "-p", "24200:80", "probe", "tcp-serve", any, "80");
      assert.equal(await there("tcp-ask", host, "24200", large), `answer: ${large}`);
      assert.match(await said(engine, "logs", id), new RegExp(`^from: (::ffff:)?${address}$`, "m"));
    });

    test(`a container goes out by a narrow way: ${family}`, async () => {
      await said(engine, "network", "create", "--ipv6", "dual");
      const server = await start("nsenter", inside(far, probe, "tcp-serve", address, "81"), /listening/);
      const id = await runDetached(engine, "--network", "dual", "probe", "sleep");
      assert.equal(await within(id, "tcp-ask", address, "81", large), `answer: ${large}`);
      assert.match(server.text, new RegExp(`^from: ${host}$`, "m"));
    });

    test(`what is connected stays so when daemons change and the table is flushed: ${family}`, async () => {
      await said(engine, "network", "create", "--ipv6", "dual");
      await runServer(engine, "--network", "dual", "-p", "24201:80", "probe", "tcp-serve", any, "80");
      // Each line is a segment of its own, and comes back: what was connected anew would end the client.
      const client = `exec 3<>/dev/tcp/${host}/24201; while read -r line; do echo "$line" >&3; read -r back <&3 || exit; echo "$back"; done`;
      const child = spawn("nsenter", inside(far, "bash", "-c", client), { stdio: "pipe" });
      children.add(child);
      const answers = new Listener(child);
      const goesOn = async (word: string): Promise<void> => {
        child.stdin.write(`${word}\n`);
        await answers.seen(new RegExp(`^${word}$`, "m"));
      };
      await goesOn("first");
      await engine.restart();
      await goesOn("next-daemon");
      await engine.kill9();
      await goesOn("no-daemon");
      await engine.restart();
      await goesOn("after-death");
      const tables = family === "IPv4" ? "ip" : "ip6";
      execFileSync("nft", ["flush", "table", tables, table]);
      const isHealed = (): boolean =>
        /24201[\s\S]*dnat/.test(execFileSync("nft", ["list", "table", tables, table], { encoding: "utf8" }));
      await until("the table is there again", isHealed);
      await goesOn("healed");
      child.stdin.end();
      assert.equal(await there("tcp-ask", host, "24201", "another"), "answer: another");
    });
  }
});
