/** Names in user networks: containers, aliases, the way back, the rest of the world; with and without a daemon. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { decode, encode, type Packet } from "dns-packet";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, pidOf, removeAll, runDetached, said } from "./containers.ts";

const kinds = { A: 1, AAAA: 28, PTR: 12 } as const;
const hostFile = "/etc/resolv.conf";

/** A resolver of the host at an address of its loopback: what it knows, it says to datagrams and streams. */
class Resolver {
  readonly asked: string[] = [];
  readonly address: string;
  isSilent = false;
  readonly #answers: Readonly<Record<string, string>>;
  readonly #datagrams: Datagrams = createSocket("udp4");
  readonly #streams: Server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const answer = this.#answer(chunk.subarray(2), true);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    });
  });

  constructor(address: string, answers: Readonly<Record<string, string>>) {
    this.address = address;
    this.#answers = answers;
  }

  async open(): Promise<void> {
    this.#datagrams.bind(53, this.address);
    await once(this.#datagrams, "listening");
    this.#streams.listen(53, this.address);
    await once(this.#streams, "listening");
    this.#datagrams.on("message", (bytes, from) => {
      const answer = this.#answer(bytes, false);
      if (!this.isSilent) this.#datagrams.send(answer, from.port, from.address);
    });
  }

  close(): void {
    this.#datagrams.close();
    this.#streams.close();
  }

  #answer(bytes: Buffer, isStream: boolean): Buffer {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    const name = question?.name.toLowerCase() ?? "";
    this.asked.push(`${name} ${question?.type} ${isStream ? "tcp" : "udp"}`);
    const data = this.#answers[name];
    const isCut = name.startsWith("cut.") && !isStream;
    const answer: Packet = {
      type: "response",
      id: query.id ?? 0,
      flags: (data === undefined ? 3 : 0) | (isCut ? 1 << 9 : 0) | 0x180,
      questions: query.questions ?? [],
      answers:
        data === undefined || question?.type !== "A" || isCut ? [] : [{ type: "A", name: question.name, ttl: 1, data }],
    };
    return encode(answer);
  }
}

/** Asks 127.0.0.11 in the container's network, as a program there would: a name and type, and what came back. */
const asker = `
import socket, struct, sys
def ask(name, kind, how, port):
    q = struct.pack('>HHHHHH', 77, 256, 1, 0, 0, 0)
    q += b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\\0' + struct.pack('>HH', kind, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if how == 'tcp' else socket.SOCK_DGRAM)
    s.settimeout(15)
    s.connect(('127.0.0.11', port))
    s.send(struct.pack('>H', len(q)) + q if how == 'tcp' else q)
    if how == 'tcp':
        size = struct.unpack('>H', s.recv(2, socket.MSG_WAITALL))[0]
        return s.recv(size, socket.MSG_WAITALL)
    return s.recv(65535)
for words in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3]):
    print(ask(words[0], int(words[1]), words[2], 53).hex())
`;

describe("names", { skip: cannotRun() }, () => {
  let engine: Engine;
  let first: Resolver;
  let second: Resolver;
  const unchanged = readFileSync(hostFile, "utf8");
  const children = new Set<ChildProcess>();

  /** Several questions by one process: what it costs to begin one is more than all of them. */
  const askAll = async (pid: number, questions: readonly (readonly [string, keyof typeof kinds, string])[]) => {
    const words = questions.flatMap(([name, type, how]) => [name, `${kinds[type]}`, how]);
    // Not waited for synchronously: the resolvers that answer are in this process.
    const child = spawn("nsenter", ["-t", `${pid}`, "-n", "python3", "-c", asker, ...words]);
    children.add(child);
    let [lines, errors] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      lines += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    await once(child, "close");
    assert.equal(errors, "");
    return lines
      .trim()
      .split("\n")
      .map((hex) => {
        const bytes = Buffer.from(hex, "hex");
        const { answers = [] } = decode(bytes);
        const values = answers.map((one) => ("data" in one && typeof one.data === "string" ? one.data : ""));
        return { code: bytes[3]! & 15, found: values };
      });
  };
  const askAt = async (pid: number, name: string, type: keyof typeof kinds = "A", how = "udp") =>
    (await askAll(pid, [[name, type, how]]))[0]!;
  const ask = async (id: string, name: string, type: keyof typeof kinds = "A", how = "udp") =>
    askAt(await pidOf(engine, id), name, type, how);
  const found = async (...args: Parameters<typeof ask>): Promise<string[]> => (await ask(...args)).found;
  const addressIn = (id: string, network: string): Promise<string> =>
    inspected(engine, `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, id);
  const useResolvers = (...addresses: string[]): void =>
    writeFileSync(hostFile, `${addresses.map((one) => `nameserver ${one}\n`).join("")}search example.org\n`);

  before(async () => {
    first = new Resolver("127.0.0.61", { "one.example.org": "192.0.2.1", "cut.example.org": "192.0.2.9" });
    second = new Resolver("127.0.0.62", { "one.example.org": "192.0.2.2" });
    await first.open();
    await second.open();
    // The machine's own file is another's: this mount is seen by nobody else.
    execFileSync("sh", ["-ec", `cp ${hostFile} /run/resolv.conf && mount --bind /run/resolv.conf ${hostFile}`]);
    useResolvers(first.address);
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
    for (const network of ["blue", "green"]) await said(engine, "network", "create", network);
    await said(engine, "network", "create", "--internal", "inner");
  });
  afterEach(async () => {
    for (const child of children) child.kill("SIGKILL");
    children.clear();
    useResolvers(first.address);
    await removeAll(engine);
  });
  after(async () => {
    try {
      await said(engine, "network", "rm", "blue", "green", "inner");
      await engine.stop();
    } finally {
      first.close();
      second.close();
      execFileSync("umount", [hostFile]);
      assert.equal(readFileSync(hostFile, "utf8"), unchanged);
    }
  });

  test("are a container's name, id, aliases and host name, in its networks alone", async () => {
    const web = await runDetached(
      engine,
      "--name",
      "web",
      "--hostname",
      "box",
      "--network",
      "blue",
      "--network-alias",
      "www",
      "probe",
      "sleep",
    );
    const client = await runDetached(engine, "--network", "blue", "probe", "sleep");
    const stranger = await runDetached(engine, "--network", "green", "probe", "sleep");
    const address = await addressIn(web, "blue");
    const called = ["web", "WEB", "www", "box", web.slice(0, 12), "web.blue"];
    const questions = called.flatMap((name) => [[name, "A", "udp"] as const, [name, "A", "tcp"] as const]);
    for (const { found: addresses } of await askAll(await pidOf(engine, client), questions)) {
      assert.deepEqual(addresses, [address]);
    }
    assert.deepEqual(await ask(client, "web", "AAAA"), { code: 0, found: [] });
    assert.deepEqual(await found(client, `${address.split(".").reverse().join(".")}.in-addr.arpa`, "PTR"), [
      "web.blue",
    ]);
    assert.deepEqual(await ask(stranger, "web"), { code: 3, found: [] });
    const look = "cat /etc/resolv.conf; ping -c 1 -W 5 web";
    const seen = await said(engine, "run", "--rm", "--network", "blue", busybox, "sh", "-c", look);
    assert.match(seen, /^nameserver 127\.0\.0\.11\nsearch example\.org\noptions ndots:0$/m);
    assert.ok(seen.includes(`PING web (${address})`), seen);
    await said(engine, "rename", "web", "shop");
    assert.deepEqual(await found(client, "shop"), [address]);
    assert.deepEqual((await ask(client, "web")).found, []);
    await said(engine, "stop", "-t", "0", web);
    assert.deepEqual(await ask(client, "shop"), { code: 3, found: [] });
  });

  test("are what dig finds inside, with EDNS, by both ways, and backwards", {
    skip: !existsSync("/usr/bin/dig") && "needs dig; type: sh scripts/test-packages",
  }, async () => {
    await runDetached(engine, "--name", "web", "--network", "blue", "probe", "sleep");
    const address = await addressIn("web", "blue");
    const libraries = ["/usr", "/lib", "/lib64"].filter((place) => existsSync(place));
    const script = `
      set -e
      for way in +notcp +tcp +noedns; do dig $way +short web; done
      dig +short -x ${address}
      dig +short one.example.org
      dig +noall +comments web AAAA
      dig +noall +comments none.example.org`;
    const text = await said(
      engine,
      "run",
      "--rm",
      "--network",
      "blue",
      ...libraries.flatMap((place) => ["-v", `${place}:${place}:ro`]),
      busybox,
      ...["sh", "-c", script],
    );
    assert.ok(text.startsWith([address, address, address, "web.blue.", "192.0.2.1", ""].join("\n")), text);
    assert.deepEqual(text.match(/status: \w+/g), ["status: NOERROR", "status: NXDOMAIN"]);
    assert.match(text, /QUERY: 1, ANSWER: 0/);
    assert.doesNotMatch(text, /WARNING|malformed|mismatch/i);
  });

  test("that several containers share mean each of them in turn", async () => {
    const shared = ["--network", "blue", "--network-alias", "pool", "probe", "sleep"];
    const ids = [await runDetached(engine, ...shared), await runDetached(engine, ...shared)];
    const addresses = await Promise.all(ids.map((id) => addressIn(id, "blue")));
    const turns = [await found(ids[0]!, "pool"), await found(ids[0]!, "pool")];
    assert.deepEqual(
      turns.map((turn) => [...turn].sort()),
      [[...addresses].sort(), [...addresses].sort()],
    );
    assert.notEqual(turns[0]![0], turns[1]![0]);
  });

  test("come and go with networks that are connected and left", async () => {
    const web = await runDetached(engine, "--name", "web", "--network", "blue", "probe", "sleep");
    const client = await runDetached(engine, "--network", "green", "probe", "sleep");
    assert.equal((await ask(client, "web")).code, 3);
    await said(engine, "network", "connect", "--alias", "www", "green", web);
    const address = await addressIn(web, "green");
    assert.deepEqual(await found(client, "web"), [address]);
    assert.deepEqual(await found(client, "www"), [address]);
    await said(engine, "network", "disconnect", "green", web);
    assert.equal((await ask(client, "web")).code, 3);
  });

  test("are known to one that runs already when it comes into its first network with names", async () => {
    const web = await runDetached(engine, "--name", "web", "--network", "blue", "probe", "sleep");
    const client = await runDetached(engine, busybox, "sleep", "1000");
    await said(engine, "network", "connect", "blue", client);
    assert.deepEqual(await found(client, "web"), [await addressIn(web, "blue")]);
    assert.match(await said(engine, "exec", client, "cat", "/etc/resolv.conf"), /^nameserver 127\.0\.0\.11$/m);
    await said(engine, "network", "disconnect", "blue", client);
    await said(engine, "network", "connect", "blue", client);
    assert.deepEqual(await found(client, "web"), [await addressIn(web, "blue")]);
  });

  test("of a link are known to whoever has it", async () => {
    const db = await runDetached(engine, "--name", "postgres", "--network", "blue", "probe", "sleep");
    const client = await runDetached(engine, "--network", "green", "probe", "sleep");
    await said(engine, "network", "connect", "--link", "postgres:db", "blue", client);
    const other = await runDetached(engine, "--network", "blue", "probe", "sleep");
    const address = await addressIn(db, "blue");
    assert.deepEqual(await found(client, "db"), [address]);
    assert.equal((await ask(other, "db")).code, 3);
  });

  test("of this host are its own, where it is reached, unless a container is called so", async () => {
    const name = "host.docker.internal";
    const [client, inner, picky] = await Promise.all([
      runDetached(engine, "--network", "blue", "probe", "sleep"),
      runDetached(engine, "--network", "inner", "probe", "sleep"),
      runDetached(engine, "--network", "green", "--dns", "192.0.2.7", "probe", "sleep"),
    ]);
    const gateway = await said(
      engine,
      "network",
      "inspect",
      "bridge",
      "--format",
      "{{(index .IPAM.Config 0).Gateway}}",
    );
    assert.deepEqual(await found(client, name), [gateway]);
    assert.deepEqual(await ask(client, name, "AAAA"), { code: 0, found: [] });
    assert.deepEqual(await found(picky, name), [gateway]);
    assert.equal((await ask(inner, name)).code, 2);
    await engine.restart();
    assert.deepEqual(await found(client, name), [gateway]);
    const other = await runDetached(engine, "--network", "blue", "--network-alias", name, "probe", "sleep");
    assert.deepEqual(await found(client, name), [await addressIn(other, "blue")]);
  });

  test("of the rest of the world come from the host's resolvers, whichever these are", async () => {
    const client = await runDetached(engine, "--network", "blue", "probe", "sleep");
    assert.deepEqual(await found(client, "one.example.org"), ["192.0.2.1"]);
    assert.deepEqual(await found(client, "cut.example.org", "A", "tcp"), ["192.0.2.9"]);
    assert.equal((await ask(client, "none.example.org")).code, 3);
    useResolvers(second.address);
    assert.deepEqual(await found(client, "one.example.org"), ["192.0.2.2"]);
    first.isSilent = true;
    useResolvers(first.address, second.address);
    assert.deepEqual(await found(client, "one.example.org"), ["192.0.2.2"]);
    first.isSilent = false;
  });

  test("are still known while no daemon runs, and so is the rest of the world", async () => {
    const web = await runDetached(engine, "--name", "web", "--network", "blue", "probe", "sleep");
    const client = await runDetached(engine, "--network", "blue", "probe", "sleep");
    const address = await addressIn(web, "blue");
    const pid = await pidOf(engine, client);
    await engine.kill9();
    assert.deepEqual((await askAt(pid, "web")).found, [address]);
    assert.deepEqual((await askAt(pid, "one.example.org")).found, ["192.0.2.1"]);
    assert.deepEqual((await askAt(pid, "one.example.org", "A", "tcp")).found, ["192.0.2.1"]);
    await engine.restart();
    assert.deepEqual(await found(client, "web"), [address]);
  });

  test("outside are not asked for by who reaches nothing outside (CVE-2024-29018)", async () => {
    const web = await runDetached(engine, "--name", "web", "--network", "inner", "probe", "sleep");
    const client = await runDetached(engine, "--network", "inner", "--dns", first.address, "probe", "sleep");
    first.asked.length = 0;
    assert.deepEqual(await found(client, "web"), [await addressIn(web, "inner")]);
    assert.equal((await ask(client, "one.example.org")).code, 2);
    assert.equal((await ask(client, "secret.attacker.example", "A", "tcp")).code, 2);
    assert.deepEqual(first.asked, []);
  });

  test("leave port 53 to a server in the container", async () => {
    const own = await runDetached(engine, "--network", "blue", "probe", "udp-serve", "0.0.0.0", "53");
    assert.equal(await said(engine, "exec", own, "/probe", "udp-ask", "127.0.0.1", "53", "mine"), "answer: mine");
    assert.deepEqual((await ask(own, "one.example.org")).found, ["192.0.2.1"]);
  });

  test("asked for by a container that named its resolvers are asked of those, from its network", async () => {
    const server = await runDetached(engine, "--name", "resolver", "--network", "blue", "probe", "sleep");
    const pid = await pidOf(engine, server);
    const address = await addressIn(server, "blue");
    const answer = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53)); print('listening', flush=True)
while True:
    q, peer = s.recvfrom(4096)
    print(peer[0], flush=True)
    s.sendto(q[:2] + b'\\x81\\x80' + q[4:6] + b'\\0\\1\\0\\0\\0\\0' + q[12:] + b'\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\1\\0\\4' + bytes([192, 0, 2, 53]), peer)
`;
    const child = spawn("nsenter", ["-t", `${pid}`, "-n", "python3", "-c", answer]);
    children.add(child);
    let heard = "";
    child.stdout.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await once(child.stdout, "data");
    const client = await runDetached(engine, "--network", "blue", "--dns", address, "probe", "sleep");
    assert.deepEqual(await found(client, "anything.example.org"), ["192.0.2.53"]);
    assert.match(heard, new RegExp(`^${await addressIn(client, "blue")}$`, "m"));
  });
});
