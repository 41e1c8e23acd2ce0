/** Further commands in a container that runs. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, isAlive, keeperOf, Listener, said, until } from "./containers.ts";
import { Runner } from "./run.ts";

describe("exec", { skip: cannotRun() }, () => {
  let engine: Engine;
  let id: string;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
    const flags = ["-e", "A=container", "-e", "B=container", "--hostname", "h", "-w", "/tmp"];
    id = await new Runner(engine).detached(...flags, busybox, "sh", "-c", "while :; do sleep 1000; done");
  });
  after(() => engine.stop());

  const exec = (...args: string[]) => said(engine, "exec", ...args);

  test("both streams, each for itself", async () => {
    const ran = await engine.docker(["exec", id, "sh", "-c", "echo out; echo err >&2"]);
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, "out\n", "err\n"]);
  });

  test("the container's environment and directory, or its own", async () => {
    const env = async (...args: string[]) => (await exec(...args, "env")).split("\n").sort().join(" ");
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert.equal(await env(id), `A=container B=container HOME=/root HOSTNAME=h ${path}`);
    assert.equal(await env("-e", "B=own", "-e", "C=own", id), `A=container B=own C=own HOME=/root HOSTNAME=h ${path}`);
    assert.equal(await exec(id, "pwd"), "/tmp");
    assert.equal(await exec("-w", "/etc", id, "pwd"), "/etc");
  });

  test("as another user, with its groups and home", async () => {
    assert.equal(await exec("-u", "daemon", id, "sh", "-c", "id -u; id -g; echo $HOME"), "1\n1\n/usr/sbin");
    assert.equal(await exec("-u", "1234:7", id, "sh", "-c", "id -u; id -G; echo $HOME"), "1234\n7\n/");
    // Who was added since the container began is known as well.
    await exec(id, "sh", "-c", "echo new:x:77:78::/new:/bin/sh >>/etc/passwd; echo more:x:79:new >>/etc/group");
    assert.equal(await exec("-u", "new", id, "sh", "-c", "id -u; id -G; echo $HOME"), "77\n78 79\n/new");
  });

  test("input up to its end, and none without -i", async () => {
    const cat = (args: readonly string[], input: string) => engine.docker(["exec", ...args, id, "cat"], { input });
    assert.equal((await cat(["-i"], "hello\n")).stdout, "hello\n");
    assert.equal((await cat([], "hello\n")).stdout, "");
    const much = "x".repeat(2_000_000);
    assert.equal((await cat(["-i"], much)).stdout.length, much.length);
    const early = await engine.docker(["exec", "-i", id, "true"], { input: much });
    assert.equal(early.code, 0);
  });

  test("detached it goes on by itself", async () => {
    assert.equal(await exec("-d", id, "sh", "-c", "echo made >/tmp/made; exec sleep 1000"), "");
    assert.equal(await exec(id, "sh", "-c", "until [ -s /tmp/made ]; do :; done; cat /tmp/made"), "made");
    const [session = ""] = JSON.parse(await inspected(engine, "{{json .ExecIDs}}", id)) as string[];
    const { body } = await engine.request("GET", `/exec/${session}/json`);
    const { Running, ContainerID, ProcessConfig, Pid } = JSON.parse(body);
    assert.deepEqual([Running, ContainerID, ProcessConfig.entrypoint], [true, id, "sh"]);
    await exec(id, "sh", "-c", "kill $(pidof sleep | tr ' ' '\\n' | sort -n | tail -1)");
    assert.ok(Pid > 0);
  });

  test("what it has started goes on when it has ended", async () => {
    const begin = performance.now();
    assert.equal(await exec(id, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo started"), "started");
    assert.ok(performance.now() - begin < 10_000);
    assert.match(await said(engine, "top", id), /sleep 1000/);
  });

  test("many at once", async () => {
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, index) => engine.docker(["exec", id, "sh", "-c", `echo ${index}; exit ${index}`])),
    );
    assert.deepEqual(
      all.map(({ code, stdout }) => [code, stdout]),
      all.map((_, index) => [index, `${index}\n`]),
    );
  });

  test("a client that is killed leaves the session running, its session's end is seen", async () => {
    const client = new Listener(
      engine.spawn("docker", ["exec", "-i", id, "sh", "-c", "echo up; cat; echo over >/tmp/over"]),
    );
    await client.seen(/up/);
    client.child.kill("SIGKILL");
    await client.ended();
    assert.equal(await exec(id, "sh", "-c", "until [ -e /tmp/over ]; do :; done; cat /tmp/over"), "over");
  });

  test("a session runs once, and is known by its id", async () => {
    const create = await engine.request("POST", `/containers/${id}/exec`, '{"Cmd":["sh","-c","exit 4"]}');
    assert.equal(create.status, 201);
    const { Id } = JSON.parse(create.body) as { Id: string };
    const state = async () => {
      const { Running, ExitCode } = JSON.parse((await engine.request("GET", `/exec/${Id}/json`)).body);
      return [Running, ExitCode];
    };
    assert.deepEqual(await state(), [false, null]);
    assert.equal((await engine.request("POST", `/exec/${Id}/start`, '{"Detach":true}')).status, 200);
    while ((await state())[0] === true);
    assert.deepEqual(await state(), [false, 4]);
    assert.equal((await engine.request("POST", `/exec/${Id}/start`, '{"Detach":true}')).status, 409);
    assert.equal((await engine.request("POST", `/exec/${"0".repeat(64)}/start`, "{}")).status, 404);
    assert.equal((await engine.request("POST", `/containers/${id}/exec`, '{"Cmd":[]}')).status, 400);
  });

  test("how a session ended is known, though its keeper is spoken to when it has left", async () => {
    const trap = "trap 'exit 3' TERM; touch /tmp/set; while :; do sleep 1 & wait; done";
    const create = await engine.request(
      "POST",
      `/containers/${id}/exec`,
      JSON.stringify({ Cmd: ["sh", "-c", trap], Tty: true }),
    );
    const { Id } = JSON.parse(create.body) as { Id: string };
    const state = async () => JSON.parse((await engine.request("GET", `/exec/${Id}/json`)).body);
    assert.equal((await engine.request("POST", `/exec/${Id}/start`, '{"Detach":true,"Tty":true}')).status, 200);
    await exec(id, "sh", "-c", "until [ -e /tmp/set ]; do :; done");
    const { Pid: pid } = await state();
    const keeper = keeperOf(pid);
    // On a connection that the daemon has: what comes by it is met before what the keeper says later.
    const connection = connect(engine.socket);
    const answers = new Promise<string>((resolve) => {
      let text = "";
      connection.on("data", (data) => {
        text += data;
        if (/HTTP.*HTTP/s.test(text)) resolve(text);
      });
    });
    connection.write(`GET /_ping HTTP/1.1\r\nHost: pier\r\n\r\n`);
    await once(connection, "data");
    process.kill(engine.pid, "SIGSTOP");
    connection.write(`POST /exec/${Id}/resize?h=30&w=90 HTTP/1.1\r\nHost: pier\r\nContent-Length: 0\r\n\r\n`);
    process.kill(pid, "SIGTERM");
    await until("its keeper has left", () => !isAlive(keeper));
    process.kill(engine.pid, "SIGCONT");
    await answers;
    connection.destroy();
    await until("its end is known", async () => !(await state()).Running);
    assert.equal((await state()).ExitCode, 3);
  });
});
