import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { FrameDecoder } from "../format/raw-stream.ts";
import { ask, Line, makeRecord, World } from "./test-services.ts";

const upgrade = (path: string, body = ""): string =>
  [
    `POST ${path} HTTP/1.1`,
    "Host: docker",
    "Connection: Upgrade",
    "Upgrade: tcp",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");

const attachable = (tty = false) =>
  makeRecord("a", { OpenStdin: true, Tty: tty }, { state: { status: "running", pid: 1, startedAt: 1 } });

describe("a hijacked connection", () => {
  it("begins with Docker's 101, and then carries bytes both ways", async () => {
    await using world = await World.open();
    world.records.push(attachable());
    using line = new Line(world);
    line.say(upgrade("/v1.51/containers/a/attach?stream=1&stdin=1&stdout=1"));
    const head = await line.until("\r\n\r\n");
    assert.equal(
      head,
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n" +
        "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    );
    line.say("hello");
    assert.equal(await line.until("hello"), "hello");
  });

  it("keeps its output when the client's input has ended", async () => {
    await using world = await World.open();
    world.records.push(attachable());
    world.attach = async (client) => {
      client.resume();
      await once(client, "end");
      client.write("after the end");
    };
    using line = new Line(world);
    line.say(upgrade("/containers/a/attach?stream=1&stdin=1&stdout=1"));
    await line.until("\r\n\r\n");
    line.socket.end("input");
    assert.equal(await line.rest(), "after the end");
  });

  it("is raw for terminals, and for clients before 1.42", async () => {
    await using world = await World.open();
    world.records.push(attachable(true));
    for (const path of ["/v1.51/containers/a/attach?stream=1&stdout=1", "/v1.41/containers/a/attach?stream=1"]) {
      using line = new Line(world);
      line.say(upgrade(path));
      assert.match(await line.until("\r\n\r\n"), /Content-Type: application\/vnd\.docker\.raw-stream\r\n/);
    }
  });

  it("is refused with a whole answer before anything is taken over", async () => {
    await using world = await World.open();
    using line = new Line(world);
    line.say(upgrade("/containers/nope/attach?stream=1"));
    const answer = await line.rest();
    assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n/);
    assert.match(answer, /\r\n\r\n\{"message":"No such container: nope"\}\n$/);
  });

  it("reads the body of an exec's start, and leaves what follows it to the stream", async () => {
    await using world = await World.open();
    world.records.push(attachable());
    const created = await ask(world, "POST", "/containers/a/exec", '{"Cmd":["cat"],"AttachStdin":true}');
    assert.equal(created.status, 201);
    const { Id: id } = JSON.parse(created.body) as { Id: string };
    using line = new Line(world);
    const body = '{"Tty":false,"ConsoleSize":[24,80]}';
    line.say(`${upgrade(`/exec/${id}/start`, body)}input`);
    await line.until("\r\n\r\n");
    assert.equal(await line.until("input"), "input");
    assert.deepEqual(world.asked.at(-1), ["startExec", { detach: false, tty: false, rows: 24, columns: 80 }]);
  });

  it("is refused for a body that is no JSON", async () => {
    await using world = await World.open();
    using line = new Line(world);
    line.say(upgrade("/exec/x/start", "{"));
    assert.match(await line.rest(), /^HTTP\/1\.1 400 Bad Request\r\n.*invalid JSON/s);
  });

  it("tells in the stream what an exec could not run", async () => {
    await using world = await World.open({ startExec: () => Promise.reject(new Error("no such file")) });
    world.records.push(attachable());
    const { Id: id } = JSON.parse((await ask(world, "POST", "/containers/a/exec", '{"Cmd":["x"]}')).body) as {
      Id: string;
    };
    using line = new Line(world);
    line.say(upgrade(`/exec/${id}/start`, "{}"));
    await line.until("\r\n\r\n");
    const frames = new FrameDecoder().push(Buffer.from(await line.rest(), "latin1"));
    assert.equal(Buffer.concat(frames.map(({ data }) => data)).toString(), "no such file\r\n");
    assert.equal(frames[0]?.stream, "stdout");
  });

  it("works without an upgrade for output, and says what input needs", async () => {
    await using world = await World.open();
    world.records.push(attachable());
    world.attach = async (client) => void client.write("output");
    const output = await ask(world, "POST", "/containers/a/attach?stream=1&stdout=1");
    assert.deepEqual([output.status, output.body], [200, "output"]);
    assert.equal(output.headers["content-type"], "application/vnd.docker.multiplexed-stream");
    const input = await ask(world, "POST", "/containers/a/attach?stream=1&stdin=1");
    assert.equal(input.status, 400);
    assert.match(input.body, /Upgrade: tcp/);
  });

  it("starts a detached exec with a plain answer", async () => {
    await using world = await World.open();
    world.records.push(attachable());
    const { Id: id } = JSON.parse((await ask(world, "POST", "/containers/a/exec", '{"Cmd":["x"]}')).body) as {
      Id: string;
    };
    assert.equal((await ask(world, "POST", `/exec/${id}/start`, '{"Detach":true}')).status, 200);
    assert.deepEqual(world.asked.at(-1), ["startExec", { detach: true, tty: false }]);
  });

  it("slows down who writes more than the client reads", async () => {
    await using world = await World.open();
    world.records.push(attachable());
    const chunk = Buffer.alloc(64 * 1024);
    const total = 64 * 1024 * 1024;
    let written = 0;
    world.attach = async (client) => {
      while (written < total) {
        written += chunk.length;
        if (!client.write(chunk)) await once(client, "drain");
      }
    };
    using line = new Line(world);
    line.socket.pause();
    line.say(upgrade("/containers/a/attach?stream=1&stdout=1"));
    // A client that reads nothing: what the daemon gives out is what buffers hold.
    let before = -1;
    while (written !== before) {
      before = written;
      await ask(world, "GET", "/_ping");
    }
    assert.ok(written < 8 * 1024 * 1024, `${written} bytes were taken from the container for a client that reads none`);
    line.socket.removeAllListeners("data");
    let read = 0;
    line.socket.on("data", (data: Buffer) => {
      read += data.length;
    });
    line.socket.resume();
    await once(line.socket, "end");
    assert.ok(read >= total);
  });

  it("does not lose the end of the output to input that nobody read", async () => {
    await using world = await World.open();
    world.records.push(attachable());
    world.attach = async (client) => {
      client.pause();
      client.write("the end");
    };
    using line = new Line(world);
    line.say(upgrade("/containers/a/attach?stream=1&stdin=1&stdout=1")).say(Buffer.alloc(1024 * 1024));
    await line.until("\r\n\r\n");
    assert.equal(await line.rest(), "the end");
  });

  it("answers other routes as if nobody had asked for an upgrade", async () => {
    await using world = await World.open();
    using line = new Line(world);
    line.say("GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    assert.match(await line.until("\r\n\r\nOK"), /^HTTP\/1\.1 200 OK\r\n/);
  });
});
