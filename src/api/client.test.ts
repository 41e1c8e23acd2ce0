import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { AnswerError, Client, jsonLines, textOf, unixAddress } from "./client.ts";
import { encodeQuery } from "./request.ts";

/** What a daemon does with a connection: each request's text comes to `answer`. */
type Answer = (request: string, socket: Socket) => void;

describe("the client", () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-client-"));
  const path = join(directory, "socket");
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let connections = 0;

  const listen = async (answer: Answer): Promise<Client> => {
    connections = 0;
    server = createServer({ allowHalfOpen: true }, (socket) => {
      connections++;
      sockets.add(socket);
      socket.on("error", () => undefined).on("data", (data) => answer(data.toString("latin1"), socket));
    });
    await new Promise<void>((resolve) => server!.listen(path, resolve));
    return new Client(unixAddress(path));
  };
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
    server = undefined;
  });
  after(() => rmSync(directory, { recursive: true }));

  const json = (value: unknown, status = "200 OK"): string => {
    const body = JSON.stringify(value);
    return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  };

  test("sends what it is asked to, and keeps the connection", async () => {
    const requests: string[] = [];
    const client = await listen((request, socket) => {
      requests.push(request);
      socket.write(json({ Id: "é" }));
    });
    assert.deepEqual(await client.get("containerCreate", {}, { query: { name: "a b" }, json: { Image: "x" } }), {
      Id: "é",
    });
    await client.text("containerStop", { id: "a/b" }, { query: { t: 0, signal: "" } });
    assert.match(requests[0]!, /^POST \/containers\/create\?name=a\+b HTTP\/1\.1\r\n/);
    assert.match(requests[0]!, /\r\nContent-Type: application\/json\r\nContent-Length: 13\r\n\r\n{"Image":"x"}$/);
    assert.match(requests[1]!, /^POST \/containers\/a%2Fb\/stop\?t=0 HTTP/);
    assert.equal(connections, 1);
    client.close();
  });

  test("encodes queries as Go does", () => {
    assert.equal(
      encodeQuery({ b: "x y", a: ["1", "(2)"], no: false, none: undefined, empty: "", yes: true, n: -1 }),
      "?a=1&a=%282%29&b=x+y&n=-1&yes=1",
    );
  });

  test("reads chunks wherever the connection cuts them, and trailers", async () => {
    const answer =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n{"a":\r\nB\r\n1}\n{"a":2}\n\r\n0\r\nT: x\r\n\r\n';
    const client = await listen((_, socket) => {
      let at = 0;
      const next = (): void => void (at < answer.length && socket.write(answer[at++]!, () => setImmediate(next)));
      next();
    });
    const { body } = await client.send("events", {});
    assert.deepEqual(await Array.fromAsync(jsonLines(body)), [{ a: 1 }, { a: 2 }]);
    client.close();
  });

  test("throws the daemon's words with their status", async () => {
    const client = await listen((_, socket) =>
      socket.write(json({ message: "No such container: x" }, "404 Not Found")),
    );
    await assert.rejects(client.get("containerInspect", { id: "x" }), (error) => {
      assert.ok(error instanceof AnswerError);
      assert.deepEqual([error.status, error.message], [404, "No such container: x"]);
      return true;
    });
    client.close();
  });

  test("asks again on a new connection when a kept one was closed meanwhile", async () => {
    const client = await listen((request, socket) => {
      if (request.includes("/version")) socket.end(json({ Version: "1" }));
      else socket.write(json([]));
    });
    await client.get("version", {});
    assert.deepEqual(await client.get("containerList", {}), []);
    assert.equal(connections, 2);
    client.close();
  });

  test("hands over the socket with what came behind the head, and half closes it", async () => {
    const client = await listen((request, socket) => {
      if (!request.startsWith("POST")) return;
      assert.match(request, /\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n/);
      socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst");
      socket.on("end", () => socket.end("last"));
    });
    const { socket, first } = await client.hijack("containerAttach", { id: "x" });
    assert.equal(first.toString(), "first");
    socket.write("typed");
    socket.end();
    const rest: Buffer[] = [];
    await new Promise<void>((resolve) => {
      socket.listen({ data: (chunk) => void rest.push(chunk), end: () => resolve() });
      socket.resume();
    });
    assert.equal(Buffer.concat(rest).toString(), "last");
  });

  test("stops an upload when the daemon has refused it", async () => {
    const client = await listen((request, socket) => {
      if (!request.startsWith("POST")) return;
      socket.pause();
      socket.write(json({ message: "no" }, "400 Bad Request"));
    });
    let sent = 0;
    async function* data(): AsyncGenerator<Buffer> {
      for (;;) {
        sent++;
        yield Buffer.alloc(256 * 1024);
      }
    }
    const upload = client.send("imageLoad", {}, { stream: { type: "application/x-tar", data: data() } });
    await assert.rejects(upload, /^AnswerError: no$/);
    assert.ok(sent < 100);
  });

  test("sends uploads in chunks", async () => {
    let received = "";
    const client = await listen((request, socket) => {
      received += request;
      if (received.endsWith("0\r\n\r\n")) socket.write(json({}));
    });
    async function* data(): AsyncGenerator<Buffer> {
      yield Buffer.from("one");
      yield Buffer.alloc(0);
      yield Buffer.from("twelve bytes");
    }
    await client.text("imageLoad", {}, { stream: { type: "application/x-tar", data: data() } });
    assert.match(received, /Transfer-Encoding: chunked\r\n\r\n3\r\none\r\nc\r\ntwelve bytes\r\n0\r\n\r\n$/);
    client.close();
  });

  test("fails with the reason when an upload cannot be read", async () => {
    const client = await listen(() => undefined);
    async function* data(): AsyncGenerator<Buffer> {
      yield Buffer.from("some");
      throw new Error("open /nope: no such file or directory");
    }
    const upload = client.send("imageLoad", {}, { stream: { type: "application/x-tar", data: data() } });
    await assert.rejects(upload, /no such file/);
  });

  test("fails in words when the answer breaks off, or is none", async () => {
    const answers = [
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
      "",
      "nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ];
    const client = await listen((_, socket) => socket.end(answers.shift() ?? ""));
    for (const expected of [
      /closed the connection/,
      /closed the connection/,
      /closed the connection/,
      /no daemon/,
      /no daemon/,
    ]) {
      await assert.rejects(async () => textOf((await client.send("version", {})).body), expected);
    }
  });

  test("gives up when it is told to", async () => {
    const client = await listen(() => undefined);
    const controller = new AbortController();
    const asked = client.get("version", {}, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(asked);
  });

  test("says where nobody listens, and tries once more when somebody was started", async () => {
    await assert.rejects(new Client(unixAddress(path)).get("version", {}), {
      message: `Cannot connect to the pier daemon at unix://${path}. Is the pier daemon running?`,
    });
    const client = new Client(unixAddress(path), async () => {
      await listen((_, socket) => socket.write(json({ Version: "2" })));
      return true;
    });
    assert.equal((await client.get("version", {})).Version, "2");
    client.close();
  });
});
