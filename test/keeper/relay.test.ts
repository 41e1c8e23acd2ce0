import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { type Checked, compileChecked, noCompiler } from "./compile.ts";

let relay: Checked;
const open: { close(): unknown }[] = [];

interface Relay {
  readonly port: number;
  readonly child: ChildProcess;
}

/** Ends with the test; a finding of the sanitizers fails it. */
const openRelay = async (
  protocol: "tcp" | "udp",
  target: number,
  address = "127.0.0.1",
  targetAddress = "127.0.0.1",
): Promise<Relay> => {
  const child = spawn(relay.program, [protocol, address, String(target), targetAddress], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaints = "";
  child.stderr.on("data", (chunk) => {
    complaints += chunk;
  });
  const ended = once(child, "exit");
  open.push({
    close: async () => {
      child.stdin.end();
      const [status] = await ended;
      assert.equal(status, 0, complaints);
    },
  });
  const [line] = await once(child.stdout, "data");
  return { port: Number(line), child };
};

const openServer = async (onConnection: (socket: Socket) => unknown): Promise<number> => {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    void onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(server);
  return (server.address() as AddressInfo).port;
};

const openClient = async (port: number): Promise<Socket> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
};

/** Until the other side says it has written everything; this side can still write (an iterator would close it). */
const collect = async (socket: Socket): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
};

/** A port that nobody listens on. */
const closedPort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};

const openDatagrams = async (): Promise<{ socket: DatagramSocket; port: number }> => {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  open.push(socket);
  return { socket, port: socket.address().port };
};

test("the relay outlives the want of descriptors, and forgets who is gone", { skip: noCompiler }, () => {
  using checked = compileChecked("relay-check", ["test/keeper/relay-check.c"]);
  const { status, stderr } = spawnSync(checked.program, { encoding: "utf8", env: { ASAN_OPTIONS: "detect_leaks=0" } });
  assert.equal(status, 0, `relay-check.c:${status} ${stderr}`);
});

describe("the relay", { skip: noCompiler }, () => {
  before(() => {
    const parts = ["keeper/relay.c", "keeper/relay-datagrams.c", "keeper/loop.c"];
    relay = compileChecked("relay-driver", ["test/keeper/relay-driver.c", ...parts]);
  });

  after(() => relay[Symbol.dispose]());

  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  test("passes on an end of one direction while the other goes on", async () => {
    const target = await openServer(async (socket) => {
      const asked = await collect(socket);
      socket.end(`heard ${asked}`);
    });
    const { port } = await openRelay("tcp", target);
    const client = await openClient(port);
    client.end("all of it");
    assert.equal(String(await collect(client)), "heard all of it");
  });

  test("passes on the end that comes from the target first", async () => {
    const heard = Promise.withResolvers<Buffer>();
    const target = await openServer((socket) => {
      socket.end("greeting");
      collect(socket).then(heard.resolve, heard.reject);
    });
    const { port } = await openRelay("tcp", target);
    const client = await openClient(port);
    assert.equal(String(await collect(client)), "greeting");
    client.end("answer");
    assert.equal(String(await heard.promise), "answer");
  });

  test("loses and changes nothing of 100 MB each way", async () => {
    const block = randomBytes(1 << 20);
    const count = 100;
    const target = await openServer((socket) => socket.pipe(socket));
    const { port } = await openRelay("tcp", target);
    const client = await openClient(port);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    const reading = (async () => {
      for await (const chunk of client) received.update(chunk as Buffer);
    })();
    for (let i = 0; i < count; i++) {
      sent.update(block);
      if (!client.write(block)) await once(client, "drain");
    }
    client.end();
    await reading;
    assert.equal(received.digest("hex"), sent.digest("hex"));
  });

  test("stops a writer whose reader does not read", async () => {
    const accepted = Promise.withResolvers<Socket>();
    const target = await openServer((socket) => {
      socket.pause();
      accepted.resolve(socket);
    });
    const { port } = await openRelay("tcp", target);
    const client = await openClient(port);
    const size = 64 << 20;
    client.end(Buffer.alloc(size, 7));
    const server = await accepted.promise;
    let received = 0;
    for await (const chunk of server) received += (chunk as Buffer).length;
    server.end();
    assert.equal(received, size);
    await collect(client);
  });

  test("resets the client when nobody listens at the target", async () => {
    const { port } = await openRelay("tcp", await closedPort());
    const client = connect(port, "127.0.0.1");
    const [error] = await once(client, "error").catch((cause: unknown) => [cause]);
    assert.equal((error as NodeJS.ErrnoException).code, "ECONNRESET");
  });

  test("ends a broken stream with a reset, not as if it were whole", async () => {
    const target = await openServer((socket) => socket.write("half", () => socket.resetAndDestroy()));
    const { port } = await openRelay("tcp", target);
    const client = await openClient(port);
    await assert.rejects(collect(client), { code: "ECONNRESET" });
  });

  test("serves hundreds of connections at a time and keeps no descriptor of them", async () => {
    const target = await openServer((socket) => socket.pipe(socket));
    const { port, child } = await openRelay("tcp", target);
    const descriptors = (): number => readdirSync(`/proc/${child.pid}/fd`).length;
    const before = descriptors();
    const clients = await Promise.all(Array.from({ length: 300 }, () => openClient(port)));
    const answers = await Promise.all(
      clients.map(async (client, index) => {
        client.end(`client ${index}`);
        return String(await collect(client));
      }),
    );
    assert.deepEqual(
      answers,
      clients.map((_, index) => `client ${index}`),
    );
    const spare = 2 * 8;
    assert.ok(descriptors() <= before + spare, `${descriptors()} open, ${before} before`);
  });

  test("answers each sender of datagrams, from the address that it had sent to", async () => {
    const echo = await openDatagrams();
    echo.socket.on("message", (message, { port }) => echo.socket.send(`re: ${message}`, port, "127.0.0.1"));
    const { port } = await openRelay("udp", echo.port, "0.0.0.0");
    const ask = async (address: string, question: string): Promise<string> => {
      const { socket } = await openDatagrams();
      // A connected socket takes datagrams from this address only.
      socket.connect(port, address);
      await once(socket, "connect");
      const answered = once(socket, "message");
      socket.send(question);
      return String((await answered)[0]);
    };
    const questions = Array.from({ length: 20 }, (_, index) => ({
      address: `127.0.0.${index + 1}`,
      text: `q${index}`,
    }));
    const answers = await Promise.all(questions.map(({ address, text }) => ask(address, text)));
    assert.deepEqual(
      answers,
      questions.map(({ text }) => `re: ${text}`),
    );
  });

  test("passes on from IPv6 to IPv4 and the other way", async () => {
    const target = await openServer((socket) => socket.pipe(socket));
    const { port } = await openRelay("tcp", target, "::1");
    const client = connect({ port, host: "::1", allowHalfOpen: true });
    client.end("hello");
    assert.equal(String(await collect(client)), "hello");
    for (const [here, there, kind] of [
      ["::1", "127.0.0.1", "udp4"],
      ["127.0.0.1", "::1", "udp6"],
      ["::1", "::1", "udp6"],
    ] as const) {
      const echo = createSocket(kind);
      open.push(echo);
      echo.bind(0, there);
      await once(echo, "listening");
      echo.on("message", (message, from) => echo.send(`re: ${message}`, from.port, there));
      const relayed = await openRelay("udp", echo.address().port, here, there);
      const socket = createSocket(here === "::1" ? "udp6" : "udp4");
      open.push(socket);
      socket.connect(relayed.port, here);
      await once(socket, "connect");
      const answered = once(socket, "message");
      socket.send("hello");
      assert.equal(String((await answered)[0]), "re: hello");
    }
  });

  test("passes on datagrams of every size", async () => {
    const echo = await openDatagrams();
    echo.socket.on("message", (message, { port }) => echo.socket.send(message, port, "127.0.0.1"));
    const { port } = await openRelay("udp", echo.port);
    const { socket } = await openDatagrams();
    for (const size of [0, 1, 1500, 9000, 65507]) {
      const message = randomBytes(size);
      const answered = once(socket, "message");
      socket.send(message, port, "127.0.0.1");
      assert.deepEqual((await answered)[0], message);
    }
  });

  test("goes on after datagrams that nobody listened to", async () => {
    const target = await closedPort();
    const { port } = await openRelay("udp", target);
    const { socket } = await openDatagrams();
    for (let i = 0; i < 5; i++) socket.send("lost", port, "127.0.0.1");
    const echo = createSocket("udp4");
    echo.bind(target, "127.0.0.1");
    await once(echo, "listening");
    open.push(echo);
    echo.on("message", (message, { port }) => echo.send(message, port, "127.0.0.1"));
    const answered = once(socket, "message");
    const asking = setInterval(() => socket.send("found", port, "127.0.0.1"), 5);
    const [answer] = await answered;
    clearInterval(asking);
    assert.ok(["found", "lost"].includes(String(answer)));
  });

  test("serves more senders of datagrams than it remembers", async () => {
    const echo = await openDatagrams();
    echo.socket.on("message", (message, { port }) => echo.socket.send(message, port, "127.0.0.1"));
    const { port } = await openRelay("udp", echo.port);
    for (let i = 0; i < 300; i++) {
      const socket = createSocket("udp4");
      const answered = once(socket, "message");
      socket.send(String(i), port, "127.0.0.1");
      assert.equal(String((await answered)[0]), String(i));
      socket.close();
    }
  });
});
