/** Standard streams between a client and a container: nothing is lost, doubled, or left open. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, Listener, removeAll, said } from "./containers.ts";
import { Runner } from "./run.ts";

// `PIER_LONG=1` moves as much as the promise says.
const isLong = process.env.PIER_LONG === "1";
const much = isLong ? 10_000_000_000 : 200_000_000;

/** The bytes that the probe's `bytes` says: every eight are their own ordinal. */
const expectedHash = (size: number): string => {
  const hash = createHash("sha256");
  const chunk = 65_536;
  for (let done = 0; done < size; done += chunk) {
    const words = new BigUint64Array(chunk / 8);
    for (let index = 0; index < words.length; index++) words[index] = BigInt(done / 8 + index);
    hash.update(new Uint8Array(words.buffer, 0, Math.min(chunk, size - done)));
  }
  return hash.digest("hex");
};

describe("standard streams", { skip: cannotRun() }, () => {
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

  const cat = ["run", "--rm", "-i", "--network", "none", busybox, "cat"];

  test("input reaches the container up to its end", async () => {
    assert.equal((await engine.docker(cat, { input: "hi\n" })).stdout, "hi\n");
    assert.equal((await engine.docker(cat, { input: "" })).stdout, "");
    // Half-closed: the answer comes after the end of the input.
    const late = await runner.run(["-i", busybox, "sh", "-c", "cat >/dev/null; echo bye; echo err >&2"], {
      input: "x".repeat(1_000_000),
    });
    assert.deepEqual([late.code, late.stdout, late.stderr], [0, "bye\n", "err\n"]);
    // Without -i there is none.
    assert.equal((await runner.run([busybox, "cat"], { input: "hi\n" })).stdout, "");
    // Who reads none, or not all, ends all the same.
    for (const command of [["true"], ["head", "-c", "5"]])
      assert.equal((await runner.run(["-i", busybox, ...command], { input: Buffer.alloc(5_000_000, "x") })).code, 0);
  });

  test("the streams that were asked for, each for itself", async () => {
    const both = [busybox, "sh", "-c", "echo out; echo err >&2"];
    const streams = async (...flags: string[]) => {
      const { stdout, stderr } = await runner.run([...flags, ...both]);
      return [stdout, stderr];
    };
    assert.deepEqual(await streams(), ["out\n", "err\n"]);
    assert.deepEqual(await streams("-a", "stdout"), ["out\n", ""]);
    assert.deepEqual(await streams("-a", "stderr"), ["", "err\n"]);
    assert.deepEqual(await streams("-t"), ["out\r\nerr\r\n", ""]);
    const detached = await said(engine, "run", "-d", "--network", "none", ...both);
    assert.match(detached, /^[0-9a-f]{64}$/);
  });

  test("there and back again, whole", async () => {
    const input = Buffer.alloc(20_000_000);
    for (let index = 0; index < input.length; index += 4) input.writeUInt32LE(index, index);
    const { output } = await engine.docker(cat, { input });
    assert.ok(output.equals(input), `${output.length} of ${input.length} bytes`);
    const verified = await runner.run(["-i", "probe", "verify"], {
      input: Buffer.from(new BigUint64Array(8192).map((_, index) => BigInt(index)).buffer),
    });
    assert.equal(verified.code, 0, verified.stdout);
  });

  test("a reader that is slow to begin gets every byte", { timeout: 600_000 }, async () => {
    const client = engine.spawn("docker", [
      "run",
      "--rm",
      "--network",
      "none",
      "--log-driver",
      "none",
      "probe",
      "bytes",
      String(much),
    ]);
    // The container stands still once every buffer on the way is full: its processor time no longer grows.
    const id = async () => (await said(engine, "ps", "-q", "--no-trunc")).trim();
    while ((await id()) === "");
    await setTimeout(200);
    const begin = performance.now();
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of client.stdout!) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
    const seconds = (performance.now() - begin) / 1000;
    if (isLong) console.log(`${much} bytes in ${seconds.toFixed(1)} s: ${(much / seconds / 1e6).toFixed(0)} MB/s`);
    assert.equal(size, much);
    assert.equal(hash.digest("hex"), expectedHash(much));
    const ended = client.exitCode ?? (await new Promise((resolve) => client.once("close", resolve)));
    assert.equal(ended, 0);
  });

  test("a reader that leaves ends the program, as in a shell", async () => {
    const client = engine.spawn("docker", ["run", "--rm", "--network", "none", busybox, "yes"]);
    const listener = new Listener(client);
    await listener.seen(/y\ny\n/);
    client.stdout?.destroy();
    assert.notEqual(await listener.ended(), 0);
  });

  test("attach joins what runs: late, several at once, with and without input", async () => {
    const id = await runner.detached(
      "-i",
      "--name",
      "shared",
      busybox,
      "sh",
      "-c",
      "while read line; do echo got $line; done; exit 6",
    );
    const filters = ["--filter", "event=attach", "--filter", `container=${id}`];
    const events = new Listener(engine.spawn("docker", ["events", ...filters, "--since", "0"]));
    let attached = 0;
    const attach = async (...flags: string[]) => {
      const client = new Listener(engine.spawn("docker", ["attach", ...flags, "shared"]));
      attached++;
      await events.seen(new RegExp(`^(.* container attach .*\\n){${attached}}$`));
      return client;
    };
    const one = await attach();
    one.child.stdin?.write("one\n");
    await one.seen(/got one\n/);
    const watcher = await attach("--no-stdin");
    const two = await attach();
    two.child.stdin?.write("two\n");
    await Promise.all([one.seen(/got two\n/), two.seen(/got two\n/)]);
    one.child.stdin?.write("three\n");
    await Promise.all([one.seen(/three\n/), two.seen(/three\n/), watcher.seen(/three\n/)]);
    // What came before is not said again; who leaves leaves the others.
    assert.equal(two.text, "got two\ngot three\n");
    two.child.kill("SIGKILL");
    await two.ended();
    one.child.stdin?.write("four\n");
    await Promise.all([one.seen(/four\n/), watcher.seen(/four\n/)]);
    const replay = await engine.request("POST", `/containers/${id}/attach?logs=1&stdout=1`);
    assert.match(replay.body, /got one\n[\s\S]*got four\n/);
    await said(engine, "kill", id);
    assert.deepEqual([await one.ended(), await watcher.ended()], [137, 137]);
    events.child.kill();
    await events.ended();
    const gone = await engine.docker(["attach", "shared"]);
    assert.match(gone.stderr, /cannot attach to a stopped container, start it first/i);
    assert.equal(gone.code, 1);
  });

  test("input stays open for the next client where the container was not made for one", async () => {
    const id = await runner.detached("-i", busybox, "sh", "-c", "read a; read b; echo $a $b");
    await engine.docker(["attach", id], { input: "first\n", timeout: 1_000 }).catch(() => {});
    const last = new Listener(engine.spawn("docker", ["attach", id]));
    last.child.stdin?.write("second\n");
    assert.equal(await last.ended(), 0);
    assert.equal(last.text, "first second\n");
    assert.equal(await inspected(engine, "{{.Config.OpenStdin}} {{.Config.StdinOnce}}", id), "true false");
  });

  test("create, then start with everything attached", async () => {
    const id = await said(
      engine,
      "create",
      "-i",
      "--network",
      "none",
      busybox,
      "sh",
      "-c",
      "cat; echo err >&2; exit 3",
    );
    const ran = await engine.docker(["start", "-a", "-i", id], { input: "through\n" });
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [3, "through\n", "err\n"]);
    assert.equal(await inspected(engine, "{{.Config.StdinOnce}} {{.Config.AttachStdin}}", id), "true true");
  });
});
