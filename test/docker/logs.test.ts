/** What a container has said, read again. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { UnixDatagrams } from "../kernel/datagrams.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, Listener, said, until } from "./containers.ts";
import { Runner } from "./run.ts";

describe("logs", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
    await engine.docker([
      "run",
      "--name",
      "both",
      "--network",
      "none",
      busybox,
      "sh",
      "-c",
      "for i in 1 2 3; do echo o$i; usleep 2000; echo e$i >&2; usleep 2000; done; printf open",
    ]);
  });
  after(() => engine.stop());

  const logs = async (...args: string[]) => {
    const { code, stdout, stderr } = await engine.docker(["logs", ...args]);
    assert.equal(code, 0, stderr);
    return [stdout, stderr];
  };

  test("both streams, each where it belongs, and a last line without its end", async () => {
    assert.deepEqual(await logs("both"), ["o1\no2\no3\nopen", "e1\ne2\ne3\n"]);
    const { body } = await engine.request("GET", "/containers/both/logs?stderr=1");
    assert.equal(body.length, 8 + 3 * 3, "one frame for records that follow each other");
    const followed = await engine.request("GET", "/containers/both/logs?stderr=1&follow=1");
    assert.equal(followed.body.length, 3 * (8 + 3), "a frame for each record");
    assert.equal((await engine.request("GET", "/containers/both/logs")).status, 400);
  });

  test("the last ones", async () => {
    assert.deepEqual(await logs("--tail", "2", "both"), ["open", "e3\n"]);
    assert.deepEqual(await logs("--tail", "0", "both"), ["", ""]);
    assert.deepEqual(await logs("-n", "100", "both"), await logs("both"));
  });

  test("all that a container has said, it has said since its start", async () => {
    // Who waits for its first word (testcontainers) asks for no more than that; here the daemon has much else to do.
    const names = Array.from({ length: 24 }, (_, index) => `since-${index}`);
    const words = ["create", "--network", "none"];
    for (const name of names) await said(engine, ...words, "--name", name, "probe", "lines", "1");
    await Promise.all(names.map((name) => engine.request("POST", `/containers/${name}/start`)));
    await said(engine, "wait", ...names);
    for (const name of names) {
      const whole = await logs(name);
      assert.match(whole[0]!, /./);
      const since = await said(engine, "inspect", "--format", "{{.State.StartedAt}}", name);
      assert.deepEqual(await logs("--since", since, name), whole);
    }
    await said(engine, "rm", ...names);
  });

  test("timestamps, and the lines since and until one of them", async () => {
    const [stdout = "", stderr = ""] = await logs("--timestamps", "both");
    const stamp = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (\w+)$/;
    const lines = `${stdout}\n${stderr}`
      .trim()
      .split("\n")
      .map((line) => stamp.exec(line) ?? assert.fail(line));
    const times = new Map(lines.map(([, time = "", text = ""]) => [text, time]));
    assert.deepEqual(
      [...times.values()].sort(),
      ["o1", "e1", "o2", "e2", "o3", "e3", "open"].map((text) => times.get(text)),
    );
    assert.deepEqual(await logs("--since", times.get("e2") ?? "", "both"), ["o3\nopen", "e2\ne3\n"]);
    assert.deepEqual(await logs("--until", times.get("o2") ?? "", "both"), ["o1\no2\n", "e1\n"]);
    assert.deepEqual(await logs("--since", times.get("o2") ?? "", "--until", times.get("e2") ?? "", "both"), [
      "o2\n",
      "e2\n",
    ]);
    assert.deepEqual(await logs("--since", "1h", "both"), await logs("both"));
    assert.deepEqual(await logs("--until", "1h", "both"), ["", ""]);
    assert.notEqual((await engine.docker(["logs", "--since", "yesterday-ish", "both"])).code, 0);
  });

  test("records bear the labels, variables and tag that were asked for", async () => {
    const flags = [
      "--log-opt",
      "tag={{.Name}}/{{.ImageName}}",
      "--log-opt",
      "labels=team,absent",
      "--log-opt",
      "env-regex=^PIER_",
    ];
    const words = [
      "--label",
      "team=<a&b>",
      "--label",
      "other=x",
      "-e",
      "PIER_ONE=1",
      "-e",
      "TWO=2",
      busybox,
      "echo",
      "hi",
    ];
    for (const driver of ["json-file", "local"]) {
      const ran = await engine.docker([
        "run",
        "--name",
        "tagged",
        "--network",
        "none",
        "--log-driver",
        driver,
        ...flags,
        ...words,
      ]);
      assert.equal(ran.stdout, "hi\n", ran.stderr);
      const path = await said(engine, "inspect", "--format", "{{.LogPath}}", "tagged");
      if (driver === "local") assert.equal(path, "");
      else {
        const [line = ""] = readFileSync(path, "utf8").split("\n");
        const attrs = `"attrs":{"PIER_ONE":"1","tag":"tagged/${busybox}","team":"\\u003ca\\u0026b\\u003e"}`;
        assert.match(line, /^\{"log":"hi\\n","stream":"stdout",.*,"time":"[^"]*"\}$/);
        assert.ok(line.includes(`"stdout",${attrs},"time"`), line);
      }
      assert.deepEqual(await logs("tagged"), ["hi\n", ""]);
      assert.deepEqual(await logs("--details", "tagged"), [
        `PIER_ONE=1,tag=tagged%2Ffixture%2Fbusybox%3A1.35,team=%3Ca%26b%3E hi\n`,
        "",
      ]);
      await said(engine, "rm", "tagged");
    }
  });

  test("followed up to the end of the container", async () => {
    const id = await runner.detached(
      "-i",
      "--name",
      "followed",
      busybox,
      "sh",
      "-c",
      'echo before; while [ "$line" != after ]; do read line; echo $line; done; echo err >&2',
    );
    const follower = new Listener(engine.spawn("docker", ["logs", "--follow", id]));
    await follower.seen(/before\n/);
    const late = new Listener(engine.spawn("docker", ["logs", "--follow", "--tail", "0", id]));
    const input = engine.spawn("docker", ["attach", id]);
    // Nobody else can tell when it has begun to listen.
    await until("the late one hears", () => {
      input.stdin?.write("now\n");
      return late.text.includes("now");
    });
    input.stdin?.write("after\n");
    assert.deepEqual([await follower.ended(), follower.errors], [0, "err\n"]);
    assert.match(follower.text, /^before\n(now\n)+after\n$/);
    assert.equal(await late.ended(), 0);
    assert.match(late.text, /^(now\n)+after\n$/);
    assert.deepEqual(await logs("--follow", id), [follower.text, "err\n"]);
  });

  test("many lines, and a line that is long", async () => {
    await said(engine, "run", "--name", "many", "--network", "none", "probe", "lines", "50000");
    const [many = ""] = await logs("many");
    assert.equal(many.split("\n").length, 50_001);
    const ran = await engine.docker([
      "run",
      "--name",
      "long",
      "--network",
      "none",
      busybox,
      "sh",
      "-c",
      "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end",
    ]);
    assert.equal(ran.stdout, `${"x".repeat(1_000_000)}\nend\n`);
    assert.equal((await logs("long"))[0], ran.stdout);
  });

  test("a terminal's is one stream", async () => {
    await said(
      engine,
      "run",
      "-t",
      "--name",
      "terminal",
      "--network",
      "none",
      busybox,
      "sh",
      "-c",
      "echo out; echo err >&2",
    );
    assert.deepEqual(await logs("terminal"), ["out\r\nerr\r\n", ""]);
  });

  test("each run is added to the one before; none are kept where none are wanted", async () => {
    await said(engine, "run", "--name", "again", "--network", "none", busybox, "echo", "once");
    await said(engine, "start", "-a", "again");
    assert.deepEqual(await logs("again"), ["once\nonce\n", ""]);
    await said(engine, "run", "--name", "quiet", "--log-driver", "none", "--network", "none", busybox, "echo", "x");
    const none = await engine.docker(["logs", "quiet"]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /configured logging driver does not support reading/);
    assert.match((await engine.docker(["logs", "absent"])).stderr, /No such container: absent/);
  });

  test("what is rotated away is compressed, and read like the rest", async () => {
    const flags = ["--log-driver", "local", "--log-opt", "max-size=300k", "--log-opt", "max-file=20"];
    const id = await runner.detached("-i", ...flags, "--name", "packed", busybox, "sh", "-c", "seq 20000; read end");
    const directory = join(engine.directory, "root/containers", id);
    const packed = () => readdirSync(directory).filter((name) => name.endsWith(".gz"));
    await until("all of it is compressed", () => {
      const plain = readdirSync(directory).filter((name) => /json\.log\.\d+$|\.new$/.test(name));
      return packed().length > 3 && plain.length === 0;
    });
    const [whole = ""] = await logs("packed");
    const lines = whole.trimEnd().split("\n");
    assert.equal(lines.length, 20_000);
    assert.equal(new Set(lines).size, 20_000);
    assert.equal((await logs("--tail", "15000", "packed"))[0], `${lines.slice(-15_000).join("\n")}\n`);
    await said(engine, "kill", "packed");
    assert.equal((await logs("--follow", "packed"))[0], whole);
  });

  test("lines are sent to syslog, also while no daemon runs, and kept to be read", async () => {
    const udp = createSocket("udp4");
    const got: string[] = [];
    udp.on("message", (message) => got.push(message.toString()));
    udp.bind(0, "127.0.0.1");
    await once(udp, "listening");
    const address = `syslog-address=udp://127.0.0.1:${udp.address().port}`;
    const options = [
      "--log-driver",
      "syslog",
      "--log-opt",
      address,
      "--log-opt",
      "tag={{.Name}}",
      "--log-opt",
      "syslog-facility=local0",
    ];
    const script = "echo one >&2; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two; read end";
    const mounted = mkdtempSync(join(engine.directory, "go-"));
    const id = await runner.detached(
      "-i",
      ...options,
      "-v",
      `${mounted}:/tmp`,
      "--name",
      "sent",
      busybox,
      "sh",
      "-c",
      script,
    );
    await until("the first line comes", () => got.length === 1);
    assert.match(got[0]!, /^<131>[A-Z][a-z]{2} [ \d]\d \S+ sent\[\d+\]: one\n$/);
    await engine.kill9();
    writeFileSync(join(mounted, "go"), "");
    await until("the second line comes", () => got.length === 2);
    assert.match(got[1]!, /^<134>.* sent\[\d+\]: two\n$/);
    await engine.restart();
    assert.deepEqual(await logs(id), ["two\n", "one\n"]);
    assert.equal(await said(engine, "inspect", "--format", "{{.HostConfig.LogConfig.Type}}{{.LogPath}}", id), "syslog");
    udp.close();
    const disabled = ["--log-driver", "syslog", "--log-opt", address, "--log-opt", "cache-disabled=true"];
    await said(engine, "run", ...disabled, "--name", "unread", "--network", "none", busybox, "true");
    assert.match((await engine.docker(["logs", "unread"])).stderr, /does not support reading/);
    const lost = await engine.docker([
      "run",
      "--rm",
      "--log-driver",
      "syslog",
      "--log-opt",
      "syslog-address=tcp://127.0.0.1:1",
      busybox,
      "true",
    ]);
    assert.equal(lost.code, 125);
    assert.match(
      lost.stderr,
      /failed to initialize logging driver: dial tcp 127\.0\.0\.1:1: connect: connection refused/,
    );
  });

  test("lines are sent to the journal, where there is one", async () => {
    const words = [
      "run",
      "--rm",
      "--network",
      "none",
      "--name",
      "noted",
      "--log-driver",
      "journald",
      "--label",
      "a-b=c\nd",
      "--log-opt",
      "labels=a-b",
    ];
    const refused = await engine.docker([...words, busybox, "true"]);
    assert.equal(refused.code, 125);
    assert.match(refused.stderr, /failed to initialize logging driver: journald is not enabled on this host/);
    mkdirSync("/run/systemd/journal", { recursive: true });
    await using journal = await UnixDatagrams.open("/run/systemd/journal/socket");
    await said(engine, ...words, busybox, "echo", "hello");
    await until("it comes", () => journal.got.length === 1);
    const entry = journal.got[0]!.toString("latin1");
    assert.match(
      entry,
      /^CONTAINER_ID=([0-9a-f]{12})\nCONTAINER_ID_FULL=\1[0-9a-f]{52}\nCONTAINER_NAME=noted\nCONTAINER_TAG=\1\n/,
    );
    assert.ok(entry.includes(`\nIMAGE_NAME=${busybox}\n`));
    assert.ok(entry.includes("\nA_B\n\x03\0\0\0\0\0\0\0c\nd\nPRIORITY=6\nMESSAGE\n\x05\0\0\0\0\0\0\0hello\n"));
    rmSync("/run/systemd/journal/socket");
  });

  test("a log that is limited keeps its newest lines", async () => {
    await said(
      engine,
      "run",
      "--name",
      "limited",
      "--log-opt",
      "max-size=10k",
      "--log-opt",
      "max-file=2",
      "--network",
      "none",
      "probe",
      "lines",
      "2000",
    );
    const [kept = ""] = await logs("limited");
    const lines = kept.trimEnd().split("\n");
    assert.ok(lines.length > 50 && lines.length < 1000, `${lines.length} lines`);
    const whole = (await said(engine, "run", "--rm", "--network", "none", "probe", "lines", "2000")).split("\n");
    assert.deepEqual(lines, whole.slice(-lines.length));
  });
});
