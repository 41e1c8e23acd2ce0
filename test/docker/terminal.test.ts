/** Containers and sessions at a terminal. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, removeAll, said } from "./containers.ts";
import { Runner } from "./run.ts";
import { Api } from "./soak.ts";
import { Terminal } from "./terminal.ts";

const interrupt = "\x03";
const endOfInput = "\x04";
const detach = "\x10\x11";

describe("a terminal", { skip: cannotRun() }, () => {
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

  const run = (...args: string[]) => Terminal.open(engine, ["run", "-it", "--network", "none", ...args]);

  test("it is the container's console, controls it, and has the client's size", async () => {
    const terminal = run("--rm", busybox, "sh");
    await terminal.seen(/# /);
    terminal.type("tty; stty size; ls -l /dev/console; echo $TERM; echo done\n");
    await terminal.seen(/\/dev\/pts\/0\r\n30 90\r\ncrw--w---- .* 136, +0 .*\/dev\/console\r\nxterm\r\ndone\r\n/);
    terminal.type("sh -c 'echo go; sleep 1000'\n");
    await terminal.seen(/\r\ngo\r\n/);
    terminal.type(interrupt);
    await terminal.seen(/\^C[\s\S]*# /);
    terminal.type("exit 5\n");
    assert.equal(await terminal.ended(), 5);
  });

  test("it grows with the client's", async () => {
    const terminal = run("--rm", "probe", "trap", "0");
    await terminal.seen(/ready/);
    await terminal.resize(41, 101, /signal 28: 41 rows and 101 columns/);
    await terminal.resize(20, 30, /signal 28: 20 rows and 30 columns/);
    terminal.type(interrupt);
    await terminal.seen(/signal 2\r\n/);
    const [id = ""] = (await said(engine, "ps", "-q")).split("\n");
    await said(engine, "kill", id);
    assert.equal(await terminal.ended(), 137);
  });

  test("the end of input is the container's to see", async () => {
    const terminal = run("--rm", busybox, "cat");
    terminal.type("line\n");
    await terminal.seen(/line\r\nline\r\n/);
    terminal.type(endOfInput);
    assert.equal(await terminal.ended(), 0);
  });

  test("the keys that detach leave the container running; others go through", async () => {
    const first = run("--name", "kept", busybox, "cat");
    first.type("one\n");
    await first.seen(/one\r\none\r\n/);
    first.type(detach);
    assert.equal(await first.ended(), 0);
    assert.equal(await inspected(engine, "{{.State.Running}}", "kept"), "true");
    const second = Terminal.open(engine, ["attach", "--detach-keys", "ctrl-a,x", "kept"]);
    second.type("two\n");
    await second.seen(/two\r\ntwo\r\n/);
    // Docker's usual keys mean themselves now, and half of ours does too.
    second.type("\x10\x11\x01y\n");
    await second.seen(/y\r\n[\s\S]*y\r\n/);
    second.type("\x01");
    second.type("x");
    await second.ended();
    assert.match(second.text, /read escape sequence/);
    assert.equal(await inspected(engine, "{{.State.Running}}", "kept"), "true");
    assert.match(await said(engine, "logs", "kept"), /^one\r\none\r\ntwo\r\n[\s\S]*two\r\n/);
  });

  test("a client that goes away with its terminal leaves the container alone", async () => {
    const terminal = run("--name", "left", "probe", "trap", "0");
    await terminal.seen(/ready/);
    terminal.child.kill("SIGKILL");
    await terminal.ended();
    const again = Terminal.open(engine, ["attach", "left"]);
    // So that what is there is drawn again, a client that attaches changes the size for a moment.
    await again.seen(/signal 28: 30 rows and 90 columns\r\n/);
    await said(engine, "kill", "--signal", "USR2", "left");
    await again.seen(/signal 12\r\n/);
    await said(engine, "kill", "left");
    assert.equal(await again.ended(), 137);
  });

  test("much through it is whole", async () => {
    const { stdout, code } = await runner.run(["-t", busybox, "sh", "-c", "seq 1 20000; exit 3"]);
    assert.equal(code, 3);
    assert.equal(stdout, Array.from({ length: 20_000 }, (_, index) => `${index + 1}\r\n`).join(""));
  });

  test("a session has one of its own", async () => {
    const id = await runner.detached(busybox, "sleep", "1000");
    const terminal = Terminal.open(engine, ["exec", "-it", id, "sh"]);
    await terminal.seen(/# /);
    terminal.type("tty; stty size; echo $TERM; echo done\n");
    await terminal.seen(/\/dev\/pts\/0\r\n30 90\r\nxterm\r\ndone\r\n/);
    terminal.type("until stty size | grep '22 33'; do :; done\n");
    await terminal.resize(22, 33, /\n22 33\r\n/);
    terminal.type("exit 7\n");
    assert.equal(await terminal.ended(), 7);
    const left = Terminal.open(engine, ["exec", "-it", "--detach-keys", "ctrl-a", id, "sh"]);
    await left.seen(/# /);
    left.type("\x01");
    await left.ended();
    assert.match(left.text, /read escape sequence/);
    assert.match(await said(engine, "top", id), /sh$/m);
  });

  test("keys of one's own lead out of a session of the API, which is an event; what are no keys is refused", async () => {
    const id = await runner.detached(busybox, "sleep", "1000");
    using api = new Api(engine);
    const asked = { Cmd: ["sh"], Tty: true, AttachStdin: true, AttachStdout: true, DetachKeys: "ctrl-a,DEL" };
    const exec = await api.ask<{ Id: string }>("POST", `/containers/${id}/exec`, asked);
    const stream = await api.hijack(`/exec/${exec.Id}/start`, '{"Tty":true}');
    const over = once(stream.resume(), "close");
    stream.write("\x01\x7f");
    stream.end();
    await over;
    const told = await engine.request("GET", `/events?since=1&until=${Math.ceil(Date.now() / 1000)}`);
    assert.match(told.body, new RegExp(`"exec_detach".*${exec.Id}`));
    const attach = await engine.request("POST", `/containers/${id}/attach?stdin=1&stream=1&detachKeys=ctrl-1`);
    assert.deepEqual(
      [attach.status, JSON.parse(attach.body)],
      [400, { message: "Invalid detach keys (ctrl-1) provided" }],
    );
    const wrong = JSON.stringify({ ...asked, DetachKeys: "ctrl-" });
    const refused = await engine.request("POST", `/containers/${id}/exec`, wrong);
    assert.deepEqual(
      [refused.status, JSON.parse(refused.body)],
      [400, { message: "Invalid escape keys (ctrl-) provided" }],
    );
  });

  test("what cannot be run is said at it, and a terminal is asked for only at one", async () => {
    const terminal = run("--rm", busybox, "nosuch");
    assert.equal(await terminal.ended(), 127);
    assert.match(terminal.text, /exec: "nosuch": executable file not found in \$PATH/);
    const piped = await engine.docker(["run", "--rm", "-it", busybox, "true"], { input: "" });
    assert.match(piped.stderr, /the input device is not a TTY/);
    const id = await runner.detached(busybox, "sleep", "1000");
    assert.equal((await engine.request("POST", `/containers/${id}/resize?h=10&w=10`)).status, 409);
    assert.equal((await engine.request("POST", `/containers/${id}/resize?h=x&w=10`)).status, 400);
  });
});
