/** What goes into containers and comes out of them, through real keepers. Needs root. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { attachTo } from "../../src/kernel/keeper.ts";
import { execute } from "../execute.ts";
import {
  Client,
  type Container,
  cannotKeep,
  codeOf,
  gone,
  isLean,
  Keepers,
  makePipe,
  parentOf,
  probe,
  until,
} from "./keepers.ts";

const shell = (script: string): string[] => ["/bin/sh", "-c", script];

/** The program's only thread waits for room in its standard output. */
const isBlocked = (container: Container): boolean =>
  /pipe_write/.test(readFileSync(`/proc/${container.process.pid}/wchan`, "latin1"));

const blocked = (container: Container): Promise<void> =>
  until(
    () => isBlocked(container),
    () => "the container is not held up",
  );

const ticksOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
};

const residentKilobytes = (pid: number): number =>
  Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);

/** What `probe bytes` says: every eight bytes are their own ordinal. */
const pattern = (first: number, size: number): Buffer => {
  const words = new BigUint64Array(size / 8);
  for (let index = 0; index < words.length; index++) words[index] = BigInt(first / 8 + index);
  return Buffer.from(words.buffer);
};

const patternHash = (size: number): string => {
  const hash = createHash("sha256");
  const piece = 1 << 22;
  for (let at = 0; at < size; at += piece) hash.update(pattern(at, Math.min(piece, size - at)));
  return hash.digest("hex");
};

const writeAll = async (socket: Socket, bytes: Uint8Array): Promise<void> => {
  if (!socket.write(bytes)) await once(socket, "drain");
};

describe("streams", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  before(async () => {
    keepers = await Keepers.open();
  });
  after(() => keepers[Symbol.asyncDispose]());

  const finish = async ({ keeper }: Container, signal = 9): Promise<number> => {
    await keeper.signal(signal);
    const code = codeOf(await keeper.exited);
    await keeper.closed;
    return code;
  };

  describe("output", () => {
    test("is complete for whoever attached before the start, in its order and by its stream", async () => {
      const container = await keepers.create(shell("echo one; echo two >&2; echo three; printf four"));
      const clients = await Promise.all([keepers.attach(container), keepers.attach(container)]);
      const streams = { stdin: false, stdout: false, stderr: true };
      const errors = new Client(await attachTo(container.control, streams), true);
      await container.keeper.start();
      await Promise.all([container.keeper.closed, errors.ended, ...clients.map(({ ended }) => ended)]);
      for (const { text, stderr } of clients) {
        assert.equal(text, "one\nthree\nfour");
        assert.equal(Buffer.concat(stderr).toString(), "two\n");
      }
      assert.deepEqual([...Buffer.concat(errors.stdout)], [2, 0, 0, 0, 0, 0, 0, 4, ...Buffer.from("two\n")]);
    });

    test("waits for a client that does not read, with nothing lost and little kept", async () => {
      const size = 96 << 20;
      const container = await keepers.create([probe, "bytes", String(size)]);
      const slow = await keepers.attach(container);
      const fast = await keepers.attach(container);
      const pid = parentOf(container.process.pid);
      slow.socket.pause();
      await container.keeper.start();
      await blocked(container);
      assert.ok(!isLean || residentKilobytes(pid) < 2048, `${residentKilobytes(pid)} KB`);
      const [hash, other] = [createHash("sha256"), createHash("sha256")];
      let [pauses, received] = [0, 0];
      const take = (client: typeof slow, into: typeof hash): void => {
        for (const piece of client.stdout.splice(0)) into.update(piece);
      };
      slow.socket.on("data", (chunk: Buffer) => {
        take(slow, hash);
        received += chunk.length;
        if (received < (pauses + 1) * (20 << 20)) return;
        pauses++;
        slow.socket.pause();
        blocked(container).then(
          () => slow.socket.resume(),
          (error: Error) => slow.socket.destroy(error),
        );
      });
      fast.socket.on("data", () => take(fast, other));
      slow.socket.resume();
      await Promise.all([slow.ended, fast.ended, container.keeper.closed]);
      const expected = patternHash(size);
      assert.deepEqual([hash.digest("hex"), other.digest("hex")], [expected, expected]);
      assert.ok(pauses >= 4);
    });

    test("goes on when a client that did not read is gone", async () => {
      const container = await keepers.create([probe, "bytes", String(2 << 20)], { log: {} });
      const client = await keepers.attach(container);
      client.socket.pause();
      await container.keeper.start();
      await blocked(container);
      client.socket.destroy();
      assert.equal(codeOf(await container.keeper.exited), 0);
      await container.keeper.closed;
    });

    test("that is left when the container has ended arrives, and then the keeper leaves", async () => {
      const container = await keepers.create([probe, "bytes", String(48 << 10)], { log: {} });
      const slow = await keepers.attach(container);
      await container.keeper.start();
      assert.equal(codeOf(await container.keeper.exited), 0);
      await slow.ended;
      assert.ok(Buffer.concat(slow.stdout).equals(pattern(0, 48 << 10)));
      await container.keeper.closed;
    });

    test("held back by a slow client at the container's end is not lost, and no keeper waits for it", async () => {
      // Half a megabyte lies in the client's socket, the keeper and the pipe when the program ends.
      const container = await keepers.create([probe, "bytes", String(1 << 20)]);
      const slow = await keepers.attach(container);
      slow.socket.pause();
      await container.keeper.start();
      await blocked(container);
      const pid = parentOf(container.process.pid);
      await container.keeper.signal(9);
      await container.keeper.exited;
      await gone(pid);
      slow.socket.resume();
      await slow.ended;
      const got = Buffer.concat(slow.stdout);
      assert.ok(got.length >= 64 << 10 && got.equals(pattern(0, 1 << 20).subarray(0, got.length)));
    });

    test("that a container has closed costs its keeper nothing while a client is slow", async () => {
      const told = makePipe(keepers.path("told"));
      const container = await keepers.create(
        shell(`${probe} bytes 300000; exec >&- 2>&-; echo closed >${told}; exec ${probe} sleep`),
      );
      const client = await keepers.attach(container);
      client.socket.pause();
      await container.keeper.start();
      // 300,000 bytes fit into the socket, the keeper and the pipe: the program goes on, and closes its side.
      assert.equal((await execute("cat", [told])).stdout, "closed\n");
      const pid = parentOf(container.process.pid);
      const before = ticksOf(pid);
      await execute("sleep", ["0.3"]);
      assert.ok(ticksOf(pid) - before < 5, "it spins");
      client.socket.resume();
      assert.equal(await finish(container), 137);
      await client.ended;
      assert.equal(Buffer.concat(client.stdout).length, 300_000);
    });

    test("reaches three hundred clients", async () => {
      const container = await keepers.create([probe, "lines", "2000"]);
      const clients = await Promise.all(Array.from({ length: 300 }, () => keepers.attach(container)));
      await container.keeper.start();
      await Promise.all([container.keeper.closed, ...clients.map(({ ended }) => ended)]);
      const expected = Array.from({ length: 2000 }, (_, index) => `line ${index + 1}\n`).join("");
      assert.ok(clients.every(({ text }) => text === expected));
    });

    test("goes to the log when nobody is attached, whole by the time the end is told", async () => {
      const container = await keepers.run([probe, "lines", "100000"], { log: {} });
      assert.equal(codeOf(await container.keeper.exited), 0);
      assert.equal(readFileSync(container.log, "latin1").split("\n").length, 100_001);
      await container.keeper.closed;
    });
  });

  describe("input", () => {
    test("ends with its client's, once, and the output still comes", async () => {
      const container = await keepers.create([probe, "echo"], { stdin: "once" });
      const client = await keepers.attach(container, { stdin: true });
      await container.keeper.start();
      client.socket.end("to the end");
      assert.equal(codeOf(await container.keeper.exited), 0);
      await client.ended;
      assert.equal(client.text, "to the end");
    });

    test("that stays open is given by one client after the other", async () => {
      const container = await keepers.create(shell("read a; echo got $a; read b; echo $a and $b"), { stdin: "open" });
      const watcher = await keepers.attach(container);
      // Who has no part in the input can end its half: that is nobody's end.
      watcher.socket.end();
      const first = await keepers.attach(container, { stdin: true });
      await container.keeper.start();
      first.socket.end("one\n");
      await watcher.said("got one\n");
      const second = await keepers.attach(container, { stdin: true });
      second.socket.write("two\n");
      assert.equal(codeOf(await container.keeper.exited), 0);
      await Promise.all([watcher.ended, first.ended, second.ended]);
      assert.equal(watcher.text, "got one\none and two\n");
    });

    test("of several clients at once arrives, each one's in its order", async () => {
      const container = await keepers.create([probe, "echo"], { stdin: "open" });
      const watcher = await keepers.attach(container);
      const clients = await Promise.all(["a", "b", "c"].map(() => keepers.attach(container, { stdin: true })));
      await container.keeper.start();
      const lines = (name: string): string[] => Array.from({ length: 200 }, (_, index) => `${name}${index}`);
      for (const [index, name] of ["a", "b", "c"].entries())
        for (const line of lines(name)) clients[index]!.socket.write(`${line}\n`);
      await Promise.all(["a199", "b199", "c199"].map((last) => watcher.said(`${last}\n`)));
      const got = watcher.text.split("\n");
      for (const name of ["a", "b", "c"])
        assert.deepEqual(
          got.filter((line) => line.startsWith(name)),
          lines(name),
        );
      await finish(container);
    });

    test("waits for a container that does not read, with nothing lost and little kept", async () => {
      const go = makePipe(keepers.path("go"));
      const size = 32 << 20;
      const container = await keepers.create(shell(`read go <${go}; exec ${probe} verify`), { stdin: "once" });
      const client = await keepers.attach(container, { stdin: true });
      await container.keeper.start();
      const pid = parentOf(container.process.pid);
      const piece = 1 << 20;
      const written = (async () => {
        for (let at = 0; at < size; at += piece) await writeAll(client.socket, pattern(at, piece));
        client.socket.end();
      })();
      assert.ok(!isLean || residentKilobytes(pid) < 2048);
      await writeFile(go, "go\n");
      await written;
      await client.ended;
      assert.equal(client.text, `verify: ${size}\n`);
      assert.equal(codeOf(await container.keeper.exited), 0);
    });

    test("of a client that is gone arrives, also when the container is slow", async () => {
      const go = makePipe(keepers.path("go"));
      const container = await keepers.create(shell(`read go <${go}; exec ${probe} verify`), { stdin: "once" });
      const client = await keepers.attach(container, { stdin: true });
      const watcher = await keepers.attach(container);
      await container.keeper.start();
      const size = 160 << 10;
      // More than the pipe and the keeper take, and no more than the socket does.
      await writeAll(client.socket, pattern(0, size));
      client.socket.destroy();
      await writeFile(go, "go\n");
      await watcher.ended;
      assert.equal(watcher.text, `verify: ${size}\n`);
    });

    test("for a container that has closed it is thrown away, and hurts nobody", async () => {
      const container = await keepers.create(shell(`exec <&-; echo closed; exec ${probe} trap 1`), { stdin: "open" });
      const client = await keepers.attach(container, { stdin: true });
      await container.keeper.start();
      await client.said("closed");
      await writeAll(client.socket, Buffer.alloc(4 << 20, "x"));
      client.socket.end();
      await client.said("ready");
      assert.equal(await finish(container, 15), 15);
      await client.ended;
      assert.match(client.text, /signal 15/);
    });
  });

  describe("a terminal", () => {
    test("passes bytes as they are, both ways, and ends with its own end of input", async () => {
      const container = await keepers.create(shell("stty size; cat; echo over"), { stdio: "terminal", stdin: "once" });
      const client = await keepers.attach(container, { stdin: true, raw: true });
      await container.keeper.start();
      await client.said("24 80\r\n");
      client.socket.write("hello\n");
      // Once from the terminal's echo, once from the program.
      await client.said("hello\r\nhello\r\n");
      client.socket.write("\u0004");
      await Promise.all([client.ended, container.keeper.closed]);
      assert.match(client.text, /over\r\n$/);
    });

    test("a client that ends its half ends nobody's input", async () => {
      const container = await keepers.create(shell("read line; echo got $line"), { stdio: "terminal", stdin: "once" });
      const first = await keepers.attach(container, { stdin: true, raw: true });
      await container.keeper.start();
      first.socket.end();
      const second = await keepers.attach(container, { stdin: true, raw: true });
      second.socket.write("later\n");
      await Promise.all([first.ended, second.ended]);
      assert.match(first.text, /got later\r\n$/);
    });

    test("changes its size, and says so to the program", async () => {
      const container = await keepers.create([probe, "trap", "1"], { stdio: "terminal" });
      const client = await keepers.attach(container, { raw: true });
      await container.keeper.start();
      await client.said("ready");
      assert.equal(await container.keeper.resize(50, 132), 0);
      await client.said("signal 28: 50 rows and 132 columns");
      await client.ended;
    });

    test("that nobody has open for a while is heard when it is opened again", async () => {
      const [pause, terminal] = [makePipe(keepers.path("pause")), '"/proc/self/fd/0"'];
      const script = `name=$(tty); exec </dev/null >/dev/null 2>&1; read go <${pause}; exec <$name >$name 2>&1; echo back; read line; echo got $line; ls -l ${terminal} >/dev/null`;
      const container = await keepers.create(shell(script), { stdio: "terminal", stdin: "open" });
      const client = await keepers.attach(container, { stdin: true, raw: true });
      await container.keeper.start();
      const pid = parentOf(container.process.pid);
      const before = ticksOf(pid);
      await execute("sleep", ["0.2"]);
      assert.ok(ticksOf(pid) - before < 5, "it spins");
      await writeFile(pause, "go\n");
      await client.said("back\r\n");
      client.socket.write("more\n");
      await client.ended;
      assert.match(client.text, /got more\r\n$/);
    });

    test("is slowed down by a slow client, and loses nothing", async () => {
      const container = await keepers.create(shell("stty -opost; exec seq 1 60000"), { stdio: "terminal", log: {} });
      const client = await keepers.attach(container, { raw: true });
      client.socket.pause();
      await container.keeper.start();
      await until(
        () => /tty_write|n_tty|write|wait_woken/.test(readFileSync(`/proc/${container.process.pid}/wchan`, "latin1")),
        () => "the container is not held up",
      );
      client.socket.resume();
      await client.ended;
      assert.equal(client.text, Array.from({ length: 60_000 }, (_, index) => `${index + 1}\n`).join(""));
    });
  });
});
