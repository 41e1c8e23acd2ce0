/** A pull that somebody interrupts: the client goes, the download stops, and what came is not fetched again. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { ChaosRegistry } from "../registry/chaos.ts";
import { noisyTar, putImage } from "../registry/rooms.ts";
import { inspected, until } from "./containers.ts";

describe("a pull that is interrupted", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
  });
  after(() => engine.stop());

  for (const [client, seed] of [
    ["docker", 1],
    ["pier", 3],
  ] as const) {
    test(`by ${client}'s user ends, and the next one fetches only the rest`, async () => {
      await using registry = await ChaosRegistry.start();
      const tars = [await noisyTar(2_000, seed), await noisyTar(1_200_000, seed + 1)];
      const put = putImage(registry, client, "1", tars);
      const [small, large] = put.blobs as [string, string];
      const name = `${registry.host}/${client}:1`;
      const dropped = Promise.withResolvers<void>();
      registry.fault = ({ path, response, bytes }) => {
        if (!path.endsWith(large)) return false;
        response.on("close", () => dropped.resolve());
        response.writeHead(200, { "Content-Length": bytes.length }).write(bytes.subarray(0, 600_000));
        return true;
      };
      const pull = engine.spawn(client, ["pull", name]);
      let said = "";
      pull.stdout?.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      await until("the small layer is whole", () => said.includes(`${small.slice(7, 19)}: Pull complete`));
      const partial = join(engine.root, "blobs", "partial", large.slice("sha256:".length));
      const kept = () => statSync(partial, { throwIfNoEntry: false })?.size;
      await until("what came of the large one is on the disk", () => kept() === 600_000);
      // The registry says nothing more: without the signal neither would ever end.
      pull.kill("SIGINT");
      const [code, signal] = await once(pull, "exit");
      assert.ok(code !== 0 || signal === "SIGINT");
      await dropped.promise;
      assert.equal((await engine.docker(["inspect", name])).code, 1);

      registry.fault = undefined;
      registry.asked.splice(0);
      const again = await engine[client](["pull", name]);
      assert.equal(again.code, 0, again.stderr);
      assert.equal(registry.count("GET", small), 0);
      const ranges = registry.asked.filter(({ path }) => path.endsWith(large)).map(({ range }) => range);
      assert.deepEqual(ranges, [`bytes=600000-${registry.blobs.get(large)!.length - 1}`]);
      assert.equal(await inspected(engine, "{{.Id}}", name), put.config);
    });
  }
});
