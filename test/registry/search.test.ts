/** Search, as the index of Docker Hub answers it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChaosRegistry, refuse } from "./chaos.ts";
import { openPulls } from "./rooms.ts";

const found = [
  { name: "busybox", description: "Busybox base image.", star_count: 3000, is_official: true, is_automated: false },
  { name: "me/busybox", description: "", star_count: 0, is_official: false, is_automated: false },
];

describe("a search", () => {
  test("tells what an index has found, and asks it for no more than wanted", async () => {
    await using registry = await ChaosRegistry.start();
    registry.fault = ({ response, path }) => {
      if (path !== "/v1/search") return false;
      const body = { query: "busy box", num_results: 2, results: found };
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
      return true;
    };
    await using world = await openPulls();
    assert.deepEqual(await world.registries.search(registry.host, "busy box", 7, undefined), found);
    assert.equal(registry.asked.at(-1)?.path, "/v1/search?q=busy+box&n=7");
  });

  test("of a registry that has none, or that answers nonsense, says so", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    registry.fault = ({ response }) => {
      refuse(response, 404, "UNSUPPORTED");
      return true;
    };
    await assert.rejects(world.registries.search(registry.host, "x", 1, undefined), /404/);
    registry.fault = ({ response }) => {
      response.writeHead(200).end('{"results":[{"name":7}]}');
      return true;
    };
    await assert.rejects(world.registries.search(registry.host, "x", 1, undefined), /results\[0\]\.name/);
  });

  test("is asked for as who is logged in there", async () => {
    const basic = `Basic ${Buffer.from("me:word").toString("base64")}`;
    await using registry = await ChaosRegistry.start({
      guard: ({ headers }) => (headers.authorization === basic ? undefined : 'Basic realm="index"'),
    });
    registry.fault = ({ response }) => {
      response.writeHead(200).end('{"results":null}');
      return true;
    };
    await using world = await openPulls();
    const me = { username: "me", password: "word", identityToken: "", registryToken: "" };
    assert.deepEqual(await world.registries.search(registry.host, "x", 1, me), []);
    await assert.rejects(world.registries.search(registry.host, "x", 1, undefined), /authentication required|401/);
  });
});
