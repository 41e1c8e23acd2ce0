/** Lines of the log that the keeper sends away: to sockets of ours, which listen, do not listen, and come back. Needs root. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { hostname } from "node:os";
import { after, before, describe, test } from "node:test";
import { type Step, syslogFormats } from "../../src/kernel/steps.ts";
import { UnixDatagrams } from "./datagrams.ts";
import { type Container, cannotKeep, codeOf, Keepers, probe, until } from "./keepers.ts";

const stream = 1;
const datagram = 2;

/** What is sent to a port, or to a path. */
class Streams implements AsyncDisposable {
  text = "";
  readonly server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("data", (chunk: Buffer) => {
        this.text += chunk.toString();
      });
      socket.on("error", () => {});
    });
  }

  async listen(at: string | number): Promise<number> {
    if (typeof at === "string") this.server.listen(at);
    else this.server.listen(at, "127.0.0.1");
    await once(this.server, "listening");
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }
}

const unix = (type: number, path: string): Step => ({
  step: "sendLog",
  type,
  path,
  address: new Uint8Array(),
  port: 0,
});
const inet = (type: number, port: number): Step => ({
  ...{ step: "sendLog", type, path: "", port },
  address: Uint8Array.of(127, 0, 0, 1),
});
const asSyslog = (format: keyof typeof syslogFormats): Step => ({
  ...{ step: "asSyslog", format: syslogFormats[format], facility: 3, host: hostname(), tag: "web" },
});

describe("lines that are sent", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  before(async () => {
    keepers = await Keepers.open();
  });
  after(() => keepers[Symbol.asyncDispose]());

  const run = (args: readonly string[], outside: readonly Step[]): Promise<Container> =>
    keepers.run(args, { log: {}, stdin: "open", outside });
  const ended = async (container: Container): Promise<void> => {
    assert.equal(codeOf(await container.keeper.exited), 0);
    await container.keeper.closed;
  };
  const script = "echo out; echo err >&2; printf rest";

  test("are messages of syslog in the forms that Docker knows", async () => {
    const day = "[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d";
    const full = (fraction: string) => `\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d${fraction}(?:Z|[+-]\\d\\d:\\d\\d)`;
    // A machine that nobody has named is called `(none)`.
    const host = hostname().replace(/[()]/g, "\\$&");
    const heads = {
      unix: `${day} web\\[\\d+\\]: `,
      rfc3164: `${day} ${host} web\\[\\d+\\]: `,
      rfc5424: `1 ${full("")} ${host} web \\d+ web - `,
      rfc5424micro: `1 ${full("\\.\\d{6}")} ${host} web \\d+ web - `,
    } as const;
    for (const [format, head] of Object.entries(heads) as [keyof typeof heads, string][]) {
      const path = keepers.path("log-socket");
      await using target = await UnixDatagrams.open(path);
      await ended(await run(["/bin/sh", "-c", script], [unix(datagram, path), asSyslog(format)]));
      await until(
        () => target.got.length === 3,
        () => `${target.got.length} messages`,
      );
      const texts = target.got.map(String).sort();
      for (const [index, [priority, text]] of (
        [
          [27, "err"],
          [30, "out"],
          [30, "rest"],
        ] as const
      ).entries())
        assert.match(texts[index]!, new RegExp(`^<${priority}>${head}${text}\\n$`));
    }
  });

  test("are entries of the journal, whose lines may have any byte, and whose pieces say that they are some", async () => {
    const path = keepers.path("journal");
    await using target = await UnixDatagrams.open(path);
    const fields = Buffer.from("CONTAINER_NAME=web\n");
    const long = "printf 'a\\001b\\n'; head -c 20000 /dev/zero | tr '\\0' x; echo; echo err >&2";
    await ended(await run(["/bin/sh", "-c", long], [unix(datagram, path), { step: "asJournal", fields }]));
    await until(
      () => target.got.length === 4,
      () => `${target.got.length} entries`,
    );
    const entry = (text: string, priority: number, partial = false) => {
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(text.length));
      const head = `PRIORITY=${priority}\n${partial ? "CONTAINER_PARTIAL_MESSAGE=true\n" : ""}MESSAGE\n`;
      return Buffer.concat([fields, Buffer.from(head), length, Buffer.from(`${text}\n`)]).toString("latin1");
    };
    assert.deepEqual(
      target.got.map((bytes) => bytes.toString("latin1")).sort(),
      [entry("a\u0001b", 6), entry("x".repeat(16_384), 6, true), entry("x".repeat(3616), 6), entry("err", 3)].sort(),
    );
  });

  test("go by TCP, by UDP and by streams of Unix", async () => {
    await using tcp = new Streams();
    await using local = new Streams();
    const path = keepers.path("stream");
    const udp = createSocket("udp4");
    const datagrams: string[] = [];
    udp.on("message", (message) => datagrams.push(message.toString()));
    udp.bind(0, "127.0.0.1");
    await once(udp, "listening");
    const targets: readonly Step[] = [inet(stream, await tcp.listen(0)), inet(datagram, udp.address().port)];
    await local.listen(path);
    // As many as a socket holds for somebody who does not read yet: more of UDP would be lost.
    for (const target of [...targets, unix(stream, path)])
      await ended(await run([probe, "lines", "100"], [target, asSyslog("unix")]));
    const isWhole = (text: string) => text.split("\n").length === 101;
    await until(
      () => isWhole(tcp.text) && isWhole(local.text) && datagrams.length === 100,
      () => `${tcp.text.length} ${local.text.length} ${datagrams.length}`,
    );
    udp.close();
  });

  test("whoever takes none is not waited for, and what is lost to it stands in the file", async () => {
    await using deaf = new Streams();
    deaf.server.on("connection", (socket: Socket) => socket.pause());
    const container = await run([probe, "lines", "100000"], [inet(stream, await deaf.listen(0)), asSyslog("unix")]);
    await ended(container);
    assert.equal(readFileSync(container.log, "utf8").split("\n").length, 100_001);
  });

  test("go on when the other side comes back", async () => {
    const first = new Streams();
    const port = await first.listen(0);
    const container = await run(["/bin/cat"], [inet(stream, port), asSyslog("unix")]);
    const client = await keepers.attach(container, { stdin: true });
    client.socket.write("one\n");
    await until(
      () => first.text.includes("one"),
      () => first.text,
    );
    await first[Symbol.asyncDispose]();
    await using second = new Streams();
    await second.listen(port);
    client.socket.write("two\n");
    await until(
      () => second.text.includes("two"),
      () => second.text,
    );
    client.socket.end();
    await container.keeper.signal(9);
    await container.keeper.closed;
  });

  test("a socket of Unix that is made anew is found again", async () => {
    const path = keepers.path("again");
    const first = await UnixDatagrams.open(path);
    const container = await run(["/bin/cat"], [unix(datagram, path), asSyslog("unix")]);
    const client = await keepers.attach(container, { stdin: true });
    client.socket.write("one\n");
    await until(
      () => first.got.length === 1,
      () => "nothing came",
    );
    await first[Symbol.asyncDispose]();
    rmSync(path);
    client.socket.write("two\n");
    await client.said("two");
    await using second = await UnixDatagrams.open(path);
    await until(
      () => second.got.some((message) => message.includes("two")),
      () => "nothing came again",
    );
    client.socket.end();
    await container.keeper.signal(9);
    await container.keeper.closed;
  });

  test("where nobody listens, nothing begins", async () => {
    for (const target of [unix(datagram, keepers.path("nobody")), inet(stream, 1)]) {
      const failure = await run(["/bin/true"], [target, asSyslog("unix")]).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.ok(failure instanceof Error);
    }
  });
});
