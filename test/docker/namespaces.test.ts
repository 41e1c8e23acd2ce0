/** Which namespaces a container has to itself, and whose it shares. */
import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, pidOf, removeAll, said } from "./containers.ts";
import { Runner } from "./run.ts";

const kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"] as const;

describe("namespaces", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(() => engine.stop());
  afterEach(() => removeAll(engine));

  const sh = (script: string, ...flags: string[]) => runner.says(...flags, busybox, "sh", "-c", script);
  const links = `for kind in ${kinds.join(" ")}; do readlink /proc/self/ns/$kind; done`;
  const own = kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
  /** The kinds in which two lists of namespaces agree. */
  const shared = (text: string, with_: readonly string[] = own) =>
    text.split("\n").flatMap((link, index) => (link === with_[index] ? [kinds[index]] : []));

  test("a container has its own, unless it asks for the host's", async () => {
    assert.deepEqual(shared(await sh(links)), []);
    assert.deepEqual(shared(await sh(links, "--pid", "host")), ["pid"]);
    assert.deepEqual(shared(await sh(links, "--ipc", "host")), ["ipc"]);
    assert.deepEqual(shared(await sh(links, "--uts", "host")), ["uts"]);
    assert.deepEqual(shared(await sh(links, "--cgroupns", "host")), ["cgroup"]);
    const host = await said(engine, "run", "--rm", "--network", "host", busybox, "sh", "-c", links);
    assert.deepEqual(shared(host), ["net"]);
  });

  test("a session in the container is in all of them", async () => {
    const id = await runner.detached(busybox, "sleep", "1000");
    const pid = await pidOf(engine, id);
    const first = kinds.map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
    assert.deepEqual(shared(await said(engine, "exec", id, "sh", "-c", links), first), kinds);
  });

  test("the pid namespace of another container", async () => {
    const id = await runner.detached("--name", "first", busybox, "sleep", "1000");
    const joined = ["--pid", "container:first"];
    assert.match(await sh("ps -o pid,args", ...joined), /^ *1 sleep 1000$/m);
    // It ends alone, and with the one that it has joined.
    const second = await runner.detached(...joined, busybox, "sleep", "2000");
    const waiter = engine.docker(["wait", second]);
    await said(engine, "kill", id);
    assert.equal((await waiter).stdout, "137\n");
    await runner.refuses(/cannot join namespace of a non running container/i, ...joined, busybox);
    await runner.refuses(/No such container: nosuch/, "--pid", "container:nosuch", busybox);
    await runner.refuses(/invalid PID mode/i, "--pid", "bogus", busybox);
  });

  test("the ipc namespace of another container, with its shared memory, if that lets it", async () => {
    await runner.detached(
      "--name",
      "open",
      "--ipc",
      "shareable",
      busybox,
      "sh",
      "-c",
      "echo hi >/dev/shm/f; sleep 1000",
    );
    const closed = await runner.detached("--name", "closed", busybox, "sleep", "1000");
    const script = `until [ -s /dev/shm/f ]; do :; done; cat /dev/shm/f; ${links}`;
    const [content, ...joined] = (await sh(script, "--ipc", "container:open")).split("\n");
    assert.equal(content, "hi");
    const pid = await pidOf(engine, "open");
    assert.equal(joined[1], readlinkSync(`/proc/${pid}/ns/ipc`));
    await runner.refuses(
      new RegExp(`can't join IPC of container ${closed}: non-shareable IPC`),
      ...["--ipc", "container:closed", busybox],
    );
    assert.equal(await sh("grep -c /dev/shm /proc/mounts; ls -d /dev/shm 2>/dev/null; true", "--ipc", "none"), "0");
    await runner.refuses(/invalid IPC mode: bogus/, "--ipc", "bogus", busybox);
  });

  test("the host's names with --uts host, and no other then", async () => {
    assert.equal(await sh("hostname", "--uts", "host"), hostname());
    // What it would be called is still its own: only the host's network brings the host's name.
    const called = async (...flags: string[]) => {
      const id = await said(engine, "create", ...flags, busybox);
      return [await inspected(engine, "{{.Config.Hostname}}", id), id.slice(0, 12)];
    };
    const [name, id] = await called("--uts", "host");
    assert.equal(name, id);
    assert.equal((await called("--network", "host"))[0], hostname());
    await runner.refuses(/conflicting options: hostname and the UTS mode/, "--uts", "host", "--hostname", "x", busybox);
    await runner.refuses(/invalid UTS mode|--uts: invalid UTS mode/i, "--uts", "bogus", busybox);
  });

  test("its control groups are the top of what it sees", async () => {
    assert.equal(await sh("cut -d: -f3 /proc/self/cgroup | sort -u"), "/");
    const id = await runner.detached("--cgroupns", "host", busybox, "sleep", "1000");
    assert.match(await said(engine, "exec", id, "cat", "/proc/1/cgroup"), new RegExp(`/${id}$`, "m"));
    await runner.refuses(/invalid cgroup mode|invalid CgroupNS mode|--cgroupns/i, "--cgroupns", "bogus", busybox);
  });

  test("without a network there is the loopback, and it is up", async () => {
    assert.equal(await sh("ls /sys/class/net"), "lo");
    assert.match(
      await sh("ip addr show lo; ping -c 1 127.0.0.1"),
      /<LOOPBACK,UP,LOWER_UP>[\s\S]*127\.0\.0\.1\/8[\s\S]* 0% packet loss/,
    );
  });

  test("the host's network has the host's interfaces, name and files", async () => {
    const script = "ls /sys/class/net | tr '\\n' ' '; hostname; cat /etc/hosts";
    const [first, ...hosts] = (
      await said(engine, "run", "--rm", "--network", "host", busybox, "sh", "-c", script)
    ).split("\n");
    const names = readFileSync("/proc/net/dev", "utf8")
      .split("\n")
      .slice(2)
      .flatMap((line) => /^\s*([^:]+):/.exec(line)?.[1] ?? []);
    assert.equal(first, `${names.sort().join(" ")} ${hostname()}`);
    assert.equal(hosts.join("\n"), readFileSync("/etc/hosts", "utf8").replace(/\n$/, ""));
  });

  test("hosts and resolvers of its own", async () => {
    const flags = ["--hostname", "web", "--add-host", "db:192.0.2.7", "--add-host", "db6=2001:db8::7"];
    const hosts = await runner.says(...flags, busybox, "cat", "/etc/hosts");
    assert.match(hosts, /^127\.0\.0\.1\tlocalhost$/m);
    assert.match(hosts, /^192\.0\.2\.7\tdb\n2001:db8::7\tdb6$/m);
    const resolver = ["--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:3"];
    const lines = (await runner.says(...resolver, busybox, "cat", "/etc/resolv.conf"))
      .split("\n")
      .filter((line) => /^[a-z]/.test(line));
    assert.deepEqual(lines.sort(), ["nameserver 192.0.2.53", "options ndots:3", "search example.org"]);
    await runner.refuses(/bad format for add-host: "a"/, "--add-host", "a", busybox);
    await runner.refuses(/invalid IP address in add-host: "x"/, "--add-host", "a:x", busybox);
    await runner.refuses(/IP address is not correctly formatted: x/, "--dns", "x", busybox);
  });
});
