import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, it } from "node:test";
import { routes } from "../api/routes.ts";
import { ask, makeRecord, World } from "./test-services.ts";

const messageOf = (body: string): string => (JSON.parse(body) as { message: string }).message;

describe("the front desk", () => {
  it("answers a ping with what clients look at", async () => {
    await using world = await World.open();
    const get = await ask(world, "GET", "/_ping");
    assert.equal(get.body, "OK");
    assert.equal(get.headers["api-version"], "1.51");
    assert.equal(get.headers["docker-experimental"], "false");
    assert.equal(get.headers.ostype, "linux");
    assert.match(String(get.headers.server), /^pier\//);
    const head = await ask(world, "HEAD", "/_ping");
    assert.deepEqual([head.status, head.body], [200, ""]);
    assert.equal(head.headers["api-version"], "1.51");
  });

  it("takes every version from 1.24 to 1.51, and says what is wrong with others", async () => {
    await using world = await World.open();
    for (const version of ["", "/v1.24", "/v1.51"])
      assert.equal((await ask(world, "GET", `${version}/containers/json`)).status, 200);
    const tooNew = await ask(world, "GET", "/v1.52/containers/json");
    assert.equal(tooNew.status, 400);
    assert.match(messageOf(tooNew.body), /^client version 1\.52 is too new\. Maximum supported API version is 1\.51$/);
    assert.equal((await ask(world, "GET", "/v1.12/containers/json")).status, 400);
  });

  it("says 404 for what nobody knows, 501 with a sentence for what comes later", async () => {
    await using world = await World.open();
    const unknown = await ask(world, "GET", "/nothing");
    assert.deepEqual([unknown.status, unknown.body], [404, '{"message":"page not found"}\n']);
    assert.equal((await ask(world, "PUT", "/containers/json")).status, 404);
    for (const route of Object.values(routes)) {
      if (!("later" in route)) continue;
      const reply = await ask(world, route.method, route.path.replace(/\{\w+\+?\}/, "x"));
      assert.deepEqual([reply.status, messageOf(reply.body)], [501, route.later]);
    }
  });

  it("tells rooms' errors with their status and sentence, and logs defects", async () => {
    await using world = await World.open({
      start: () => Promise.reject(new Error("a defect")),
    });
    const missing = await ask(world, "GET", "/containers/nope/json");
    assert.deepEqual([missing.status, missing.body], [404, '{"message":"No such container: nope"}\n']);
    const defect = await ask(world, "POST", "/containers/x/start?token=secret");
    assert.deepEqual([defect.status, messageOf(defect.body)], [500, "a defect"]);
    assert.ok(
      world.logged.some((line) => line.includes("error POST /containers/x/start") && line.includes("a defect")),
    );
    assert.ok(!world.logged.some((line) => line.includes("secret")));
  });

  it("gives the socket to root and its group alone", async () => {
    await using world = await World.open();
    assert.equal(statSync(world.socket).mode & 0o777, 0o660);
  });

  it("reads names with escapes, and with the slash that Docker shows before them", async () => {
    await using world = await World.open();
    world.records.push(makeRecord("a"));
    assert.equal((await ask(world, "GET", "/containers//name-a/json")).status, 200);
    assert.equal((await ask(world, "GET", "/images/registry.example%2Ftools/busybox:latest/json")).status, 200);
    assert.equal((await ask(world, "GET", "/images/registry.example/tools/busybox:latest/json")).status, 200);
    assert.equal((await ask(world, "GET", "/containers/%E0%A4%A/json")).status, 400);
    for (const odd of ["..", "..%2fx", "%00", "a%2fb"])
      assert.equal((await ask(world, "GET", `/containers/${odd}/json`)).status, 404);
  });

  it("answers another request with the same connection while one waits", async () => {
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number }>();
    await using world = await World.open({ wait: () => promise });
    world.records.push(makeRecord("a"));
    const waiting = ask(world, "POST", "/containers/a/wait");
    assert.equal((await ask(world, "GET", "/_ping")).status, 200);
    resolve({ exitCode: 3 });
    assert.equal((await waiting).body, '{"StatusCode":3}\n');
  });
});
