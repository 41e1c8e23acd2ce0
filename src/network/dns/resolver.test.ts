import assert from "node:assert/strict";
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server as Listener } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { type DecodedPacket, decode, encode, type OptAnswer, type Packet, RECURSION_DESIRED } from "dns-packet";
import { HostServers, parseServers } from "./host-servers.ts";
import { NameResolver } from "./resolver.ts";
import type { Server } from "./upstream.ts";

const codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

type Say = (query: Packet, isStream: boolean) => Packet | undefined;

/** A resolver of the host, for datagrams and streams alike. */
class FakeServer {
  asked: string[] = [];
  say: Say = () => undefined;
  readonly #datagrams: Datagrams = createSocket("udp4");
  readonly #streams: Listener = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const answer = this.#answer(chunk.subarray(2), true);
      if (answer === undefined) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    });
  });

  async open(): Promise<Server> {
    this.#streams.listen(0, "127.0.0.1");
    await once(this.#streams, "listening");
    const { port } = this.#streams.address() as { port: number };
    this.#datagrams.bind(port, "127.0.0.1");
    await once(this.#datagrams, "listening");
    this.#datagrams.on("message", (bytes, from) => {
      const answer = this.#answer(bytes, false);
      if (answer !== undefined) this.#datagrams.send(answer, from.port, from.address);
    });
    return { address: "127.0.0.1", port };
  }

  close(): void {
    this.#datagrams.close();
    this.#streams.close();
  }

  #answer(bytes: Buffer, isStream: boolean): Buffer | undefined {
    const query = decode(bytes);
    this.asked.push(`${query.questions?.[0]?.name} ${isStream ? "tcp" : "udp"}`);
    const said = this.say(query, isStream);
    return said === undefined ? undefined : encode({ ...said, id: query.id ?? 0 });
  }
}

const address = (name: string, data: string, ttl = 60): Say => {
  return (query) => ({
    type: "response",
    questions: query.questions ?? [],
    answers: [{ type: "A", name, data, ttl }],
  });
};

const question = (name: string, type: "A" | "AAAA" | "TXT" = "A", size?: number): Buffer =>
  encode({
    type: "query",
    id: 4711,
    flags: RECURSION_DESIRED,
    questions: [{ type, name }],
    additionals:
      size === undefined
        ? []
        : [
            {
              type: "OPT",
              name: ".",
              udpPayloadSize: size,
              flags: 0,
              options: [],
              extendedRcode: 0,
              ednsVersion: 0,
              flag_do: false,
            },
          ],
  });

/** Servers at any port: a file names none. */
class Hosts extends HostServers {
  servers: readonly Server[] = [];
  isNew = false;
  override look(): { servers: readonly Server[]; isNew: boolean } {
    const { servers, isNew } = this;
    this.isNew = false;
    return { servers, isNew };
  }
}

describe("what no table answers", () => {
  const first = new FakeServer();
  const second = new FakeServer();
  const hosts = new Hosts();
  let resolver: NameResolver;
  let places: Server[];
  before(async () => {
    places = [await first.open(), await second.open()];
  });
  after(() => {
    first.close();
    second.close();
  });
  beforeEach(() => {
    resolver = new NameResolver(hosts);
    hosts.servers = places;
    for (const server of [first, second]) {
      server.asked = [];
      server.say = () => undefined;
    }
  });
  afterEach(() => resolver.close());

  const ask = async (bytes: Buffer, isStream = false): Promise<DecodedPacket & { code: string }> => {
    const answer = await resolver.answer(bytes, isStream);
    assert.ok(answer);
    return { ...decode(answer), code: codes[answer[3]! & 15]! };
  };

  test("is asked of the host's first resolver, under another number", async () => {
    const ids: (number | undefined)[] = [];
    first.say = (query, isStream) => {
      ids.push(query.id);
      return address("example.org", "192.0.2.1")(query, isStream);
    };
    for (const name of ["a.example.org", "b.example.org", "c.example.org", "d.example.org"]) {
      const answer = await ask(question(name));
      assert.equal(answer.id, 4711);
      assert.deepEqual(
        answer.answers?.map((one) => "data" in one && one.data),
        ["192.0.2.1"],
      );
    }
    assert.ok(ids.some((id) => id !== 4711));
    assert.deepEqual(second.asked, []);
  });

  test("is kept as long as it holds, by name without regard to case", async () => {
    first.say = address("example.org", "192.0.2.1", 60);
    await ask(question("example.org"));
    const again = await ask(question("EXAMPLE.org"));
    assert.equal(again.questions?.[0]?.name, "EXAMPLE.org");
    assert.equal(first.asked.length, 1);
    first.say = address("short.example.org", "192.0.2.1", 0);
    await ask(question("short.example.org"));
    await ask(question("short.example.org"));
    assert.equal(first.asked.length, 3);
  });

  test("is asked once, however many wait for it", async () => {
    first.say = address("example.org", "192.0.2.1");
    await Promise.all(Array.from({ length: 50 }, () => ask(question("example.org"))));
    assert.equal(first.asked.length, 1);
  });

  test("is kept as not existing as long as the zone says", async () => {
    first.say = (query) => ({
      type: "response",
      flags: 3,
      questions: query.questions ?? [],
      authorities: [
        {
          type: "SOA",
          name: "example.org",
          ttl: 300,
          data: {
            mname: "ns.example.org",
            rname: "root.example.org",
            serial: 1,
            refresh: 1,
            retry: 1,
            expire: 1,
            minimum: 60,
          },
        },
      ],
    });
    assert.equal((await ask(question("no.example.org"))).code, "NXDOMAIN");
    assert.equal((await ask(question("no.example.org"))).code, "NXDOMAIN");
    assert.equal(first.asked.length, 1);
  });

  test("comes from the second resolver where the first is silent, fails, or answers something else", async () => {
    second.say = address("example.org", "192.0.2.2");
    await ask(question("silent.example.org"));
    first.say = (query) => ({ type: "response", flags: 2, questions: query.questions ?? [] });
    await ask(question("failing.example.org"));
    first.say = () => ({ type: "response", questions: [{ type: "A", name: "other.example.org" }] });
    await ask(question("wrong.example.org"));
    assert.deepEqual(second.asked, ["silent.example.org udp", "failing.example.org udp", "wrong.example.org udp"]);
  });

  test("is a failure where no resolver answers or none is known", async () => {
    first.say = second.say = (query) => ({ type: "response", flags: 5, questions: query.questions ?? [] });
    assert.equal((await ask(question("example.org"))).code, "REFUSED");
    hosts.servers = [];
    const failed = await ask(question("example.org"));
    assert.equal(failed.code, "SERVFAIL");
    assert.equal(failed.questions?.[0]?.name, "example.org");
  });

  test("is asked by a stream where a datagram has no room, and cut for those who ask by datagram", async () => {
    const text = (count: number): Buffer[] => Array.from({ length: count }, () => Buffer.alloc(200, "x"));
    first.say = (query, isStream) => ({
      type: "response",
      flags: isStream ? 0 : 1 << 9,
      questions: query.questions ?? [],
      answers: isStream ? [{ type: "TXT", name: "example.org", ttl: 60, data: text(6) }] : [],
    });
    const whole = await resolver.answer(question("example.org", "TXT"), true);
    assert.ok(whole && whole.length > 1200);
    assert.deepEqual(first.asked, ["example.org udp", "example.org tcp"]);
    assert.equal((await ask(question("example.org", "TXT"))).flag_tc, true);
    assert.equal((await ask(question("example.org", "TXT", 4096))).flag_tc, false);
    first.say = (query) => ({
      type: "response",
      questions: query.questions ?? [],
      answers: [{ type: "TXT", name: "big.example.org", ttl: 60, data: text(6) }],
    });
    assert.equal((await ask(question("big.example.org", "TXT", 4096))).flag_tc, false);
  });

  test("an answer to one client's options is nobody else's", async () => {
    const from = (ip: string): Buffer => {
      const query = decode(question("example.org", "A", 1232));
      const [option] = query.additionals as [OptAnswer];
      return encode({ ...query, additionals: [{ ...option, options: [{ code: 8, ip, sourcePrefixLength: 24 }] }] });
    };
    // A server gives back the options that it was given.
    first.say = (query, isStream) => ({
      ...address("example.org", "192.0.2.1")(query, isStream),
      additionals: query.additionals ?? [],
    });
    const options = async (bytes: Buffer): Promise<readonly unknown[]> =>
      ((await ask(bytes)).additionals as OptAnswer[]).flatMap((one) =>
        one.options.map((option) => "ip" in option && option.ip),
      );
    assert.deepEqual(await options(from("192.0.2.0")), ["192.0.2.0"]);
    assert.deepEqual(await options(from("198.51.100.0")), ["198.51.100.0"]);
    assert.deepEqual(await options(question("example.org", "A", 1232)), []);
    assert.equal(first.asked.length, 3);
    // What everybody may have is kept as before.
    assert.deepEqual(await options(question("example.org", "A", 1232)), []);
    assert.equal(first.asked.length, 3);
  });

  test("follows the host to other resolvers, and forgets what the old ones said", async () => {
    first.say = address("example.org", "192.0.2.1");
    second.say = address("example.org", "192.0.2.2");
    await ask(question("example.org"));
    hosts.servers = [places[1]!];
    hosts.isNew = true;
    const answer = await ask(question("example.org"));
    assert.deepEqual(
      answer.answers?.map((one) => "data" in one && one.data),
      ["192.0.2.2"],
    );
  });

  test("is nothing for bytes that are no question", async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(12), Buffer.alloc(40, 0xff), question("a.b").subarray(0, 14)]) {
      assert.equal(await resolver.answer(bytes, false), undefined);
    }
  });

  const frame = (tag: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(8 + bytes.length, 0);
    head.writeUInt32LE(tag, 4);
    return Buffer.concat([head, bytes]);
  };

  test("one container's questions leave room for those of the others", async () => {
    const directory = mkdtempSync(join(tmpdir(), "pier-names-"));
    try {
      hosts.servers = [places[0]!];
      first.say = (query, isStream) =>
        query.questions?.[0]?.name === "good" ? address("good", "192.0.2.1")(query, isStream) : undefined;
      await resolver.listen(join(directory, "sock"));
      const [greedy, other] = [connect(join(directory, "sock")), connect(join(directory, "sock"))];
      greedy.write(
        Buffer.concat(Array.from({ length: 1200 }, (_, index) => frame(index, question(`${index}.example`)))),
      );
      // Those that are too many are told so.
      await once(greedy, "data");
      other.write(frame(1, question("good")));
      const [answer] = (await once(other, "data")) as [Buffer];
      assert.equal(decode(answer.subarray(8)).answers?.length, 1);
      greedy.destroy();
      other.destroy();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("comes over the keepers' connection in frames, whatever pieces they come in", async () => {
    const directory = mkdtempSync(join(tmpdir(), "pier-names-"));
    try {
      first.say = address("example.org", "192.0.2.1");
      await resolver.listen(join(directory, "sock"));
      const socket = connect(join(directory, "sock"));
      const all = Buffer.concat([
        frame(7, question("a.example.org")),
        frame(8, Buffer.from("nonsense")),
        frame(9, question("b.example.org")),
      ]);
      socket.write(all.subarray(0, 5));
      socket.write(all.subarray(5));
      let held = Buffer.alloc(0);
      const tags: number[] = [];
      while (tags.length < 3) {
        const [chunk] = (await once(socket, "data")) as [Buffer];
        held = Buffer.concat([held, chunk]);
        while (held.length >= 8 && held.length >= 4 + held.readUInt32LE(0)) {
          tags.push(held.readUInt32LE(4));
          held = held.subarray(4 + held.readUInt32LE(0));
        }
      }
      assert.deepEqual(tags.sort(), [7, 8, 9]);
      socket.destroy();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("the host's resolvers", () => {
  test("are the addresses that its file names", () => {
    const text =
      "# nameserver 1.1.1.1\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # two\nnameserver x\nsearch nameserver\n";
    assert.deepEqual(
      parseServers(text).map((one) => one.address),
      ["192.0.2.1", "2001:db8::1"],
    );
  });

  test("are looked up anew when the file is another", () => {
    const directory = mkdtempSync(join(tmpdir(), "pier-names-"));
    try {
      const path = join(directory, "resolv.conf");
      const hosts = new HostServers(path);
      assert.deepEqual(hosts.look(), { servers: [], isNew: true });
      writeFileSync(path, "nameserver 192.0.2.1\n");
      assert.deepEqual(hosts.look(), { servers: [{ address: "192.0.2.1", port: 53 }], isNew: true });
      assert.equal(hosts.look().isNew, false);
      writeFileSync(path, "nameserver 192.0.2.22\n");
      assert.deepEqual(hosts.look().servers, [{ address: "192.0.2.22", port: 53 }]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
