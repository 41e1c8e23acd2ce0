/** What `pier pull` and `pier push` show: at a terminal, elsewhere, and when nothing is wanted. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine, executable } from "../engine.ts";
import { ChaosRegistry } from "../registry/chaos.ts";
import { noisyTar, putImage } from "../registry/rooms.ts";
import { Terminal } from "./terminal.ts";

describe("the progress of pulls and pushes", { skip: cannotRun() }, () => {
  let engine: Engine;
  let registry: ChaosRegistry;
  before(async () => {
    [engine, registry] = await Promise.all([Engine.launch(), ChaosRegistry.start()]);
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await engine.stop();
  });

  test("moves at a terminal: a line for each layer with bytes, speed and time left, and the whole", async () => {
    const put = putImage(registry, "app", "1", [await noisyTar(2_000_000, 1), await noisyTar(3000, 2)]);
    const name = `${registry.host}/app:1`;
    const seen = Promise.withResolvers<void>();
    // It trickles until the terminal has shown how fast.
    registry.fault = ({ path, response, bytes }) => {
      if (!path.endsWith(put.blobs[0]!)) return false;
      response.writeHead(200, { "Content-Length": bytes.length });
      let at = 0;
      const send = (size: number): void => {
        response.write(bytes.subarray(at, at + size));
        at += size;
      };
      const timer = setInterval(() => send(at < bytes.length / 2 ? 10_000 : 10), 50);
      void seen.promise.then(() => {
        clearInterval(timer);
        send(bytes.length);
        response.end();
      });
      return true;
    };
    const pull = Terminal.open(engine, ["pull", name], [executable]);
    const [large] = put.blobs.map((digest) => digest.slice(7, 19));
    await pull.seen(new RegExp(`${large}: Downloading +\\[=*> +\\] [\\d.]+[kM]B/[\\d.]+MB [\\d.]+[kM]?B/s \\d+`));
    await pull.seen(/all: [01] of 2 layers +\[=*> +\] [\d.]+[kM]B\/[\d.]+MB [\d.]+[kM]?B\/s \d+/);
    seen.resolve();
    assert.equal(await pull.ended(), 0, pull.text);
    assert.match(pull.text, /all: 2 of 2 layers/);
    assert.match(pull.text, new RegExp(`${large}: Pull complete`));
    registry.fault = undefined;

    const push = Terminal.open(engine, ["push", name], [executable]);
    assert.equal(await push.ended(), 0, push.text);
    assert.match(push.text, new RegExp(`${large}: Layer already exists`));
    assert.match(push.text, /all: 2 of 2 layers/);
  });

  test("is plain lines where there is no terminal, and nothing when nothing is wanted", async () => {
    putImage(registry, "plain", "1", [await noisyTar(300_000, 3)]);
    const name = `${registry.host}/plain:1`;
    const pulled = await engine.pier(["pull", name]);
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.doesNotMatch(pulled.stdout, /\x1b|\r|\d+kB/);
    assert.match(pulled.stdout, /^1: Pulling from plain\n[0-9a-f]{12}: Pulling fs layer\n/);
    assert.match(pulled.stdout, new RegExp(`: Pull complete\nDigest: sha256:[0-9a-f]{64}\nStatus: .*\n${name}\n$`));
    for (const command of ["pull", "push"] as const) {
      const quiet = await engine.pier([command, "--quiet", name]);
      assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, `${name}\n`, ""]);
    }
  });
});
