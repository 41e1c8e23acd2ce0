/** Who prunes while a build runs takes nothing that the build still needs. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { base, makeContext, printed } from "./contexts.ts";

describe("a prune in the midst of a build", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  test("leaves what the steps before have made, and the base", async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    const web = createServer((_, response) => asked.resolve(response)).listen(0, "127.0.0.1");
    await once(web, "listening");
    const address = `http://127.0.0.1:${(web.address() as AddressInfo).port}/`;
    const directory = makeContext(engine, {
      Dockerfile: [
        `FROM ${base}`,
        "RUN echo one > /one",
        // It runs until the prunes are over.
        `RUN wget -q -O /two ${address}`,
        "RUN cat /one /two > /three",
      ].join("\n"),
    });
    const build = engine.pier(["build", "--network", "host", "--tag", "made", directory]);
    const response = await Promise.race([asked.promise, build.then(({ stderr }) => assert.fail(stderr))]);
    for (const prune of [
      ["image", "prune", "--all", "--force"],
      ["builder", "prune", "--all", "--force"],
      ["container", "prune", "--force"],
    ]) {
      const ran = await engine.pier(prune);
      assert.equal(ran.code, 0, ran.stderr);
    }
    response.end("two\n");
    const { code, stderr } = await build;
    web.closeAllConnections();
    web.close();
    assert.equal(code, 0, stderr);
    assert.equal(await printed(engine, "made", "cat", "/three"), "one\ntwo\n");
  });
});
