import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ask, Line, World } from "./test-services.ts";

const raw = async (world: World, bytes: string): Promise<string> => {
  using line = new Line(world);
  line.say(bytes);
  return await line.rest();
};

const post = (headers: readonly string[], body = ""): string =>
  ["POST /containers/create HTTP/1.1", "Host: x", ...headers, "", body].join("\r\n");

describe("hostile clients", () => {
  it("cannot smuggle a request into another's body", async () => {
    await using world = await World.open();
    const inner = "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n";
    const attempts = [
      post(["Content-Length: 5", "Transfer-Encoding: chunked"], `0\r\n\r\n${inner}`),
      post(["Content-Length: 2", "Content-Length: 3"], `{}${inner}`),
      post(["Transfer-Encoding: xchunked"], `0\r\n\r\n${inner}`),
      post(["Transfer-Encoding: chunked"], `zz\r\n{}\r\n0\r\n\r\n${inner}`),
      post(["Content-Length: 99999999999999999999"], inner),
      post(["Content-Length: -1"], inner),
      "GET /_ping HTTP/1.1\nHost: x\n\n",
      "GET /_ping HTTP/1.1\r\nHost : x\r\n\r\n",
      "GET /_ping HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
    ];
    for (const attempt of attempts) {
      const answer = await raw(world, attempt);
      assert.match(answer, /^HTTP\/1\.1 400 /, attempt);
      assert.doesNotMatch(answer, /200 OK/, attempt);
    }
    assert.deepEqual(world.asked, []);
  });

  it("cannot send heads without end", async () => {
    await using world = await World.open();
    const many = Array.from({ length: 100_000 }, (_, index) => `H${index}: x\r\n`).join("");
    for (const head of [`A: ${"a".repeat(1_000_000)}\r\n`, many]) {
      const answer = await raw(world, `GET /_ping HTTP/1.1\r\nHost: x\r\n${head}\r\n`).catch(() => "");
      assert.doesNotMatch(answer, /200 OK/);
    }
    assert.equal((await ask(world, "GET", "/_ping")).status, 200);
  });

  it("cannot make the daemon hold a body without end", async () => {
    await using world = await World.open();
    using line = new Line(world);
    line.say(post(["Content-Type: application/json", "Content-Length: 1073741824"], "{"));
    const head = await line.until("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 413 /);
    assert.match(head, /\r\nconnection: close\r\n/i);
    const chunk = `${(64 * 1024).toString(16)}\r\n${" ".repeat(64 * 1024)}\r\n`;
    using chunked = new Line(world);
    chunked.say(post(["Content-Type: application/json", "Transfer-Encoding: chunked"], chunk.repeat(65)));
    assert.match(await chunked.until("\r\n\r\n"), /^HTTP\/1\.1 413 /);
  });

  it("get 400 for a list in a query that is none", async () => {
    await using world = await World.open();
    for (const text of ["[", "[7]", '["a" ']) {
      const { status } = await ask(world, "POST", `/build?extrahosts=${encodeURIComponent(text)}`);
      assert.equal(status, 400, text);
    }
  });

  it("get 400 for JSON that is none, or not what it should be", async () => {
    await using world = await World.open();
    const bodies = [
      "",
      "{",
      "nul",
      "[]",
      '"x"',
      '{"Image":"a"} x',
      '{"Image":7}',
      '{"Image":{"__proto__":1}}',
      '{"Image":"busybox:1.35","Labels":{"__proto__":{}}}',
      '{"Image":"busybox:1.35","HostConfig":{"Memory":9007199254740993}}',
      '{"Image":"busybox:1.35","HostConfig":{"Memory":1e400}}',
      '{"Image":"busybox:1.35","HostConfig":{"Memory":"1"}}',
      '{"Image":"busybox:1.35","HostConfig":{"Memory":1.5}}',
      '{"Image":"busybox:1.35","HostConfig":{"Binds":"x"}}',
      '{"Image":"busybox:1.35","Env":[null,1]}',
      "[".repeat(100_000),
    ];
    for (const path of ["/containers/create", "/pier/explain"]) {
      for (const body of bodies) {
        const { status, body: answer } = await ask(world, "POST", path, body);
        assert.equal(status, 400, `${path} ${body.slice(0, 80)}: ${answer}`);
        assert.equal(typeof (JSON.parse(answer) as { message: unknown }).message, "string");
      }
    }
    assert.deepEqual(world.asked, []);
  });

  it("cannot reach anything by __proto__", async () => {
    await using world = await World.open();
    const body = '{"Image":"busybox:1.35","Labels":{"__proto__":"x"},"__proto__":{"Tty":true},"constructor":{}}';
    assert.equal((await ask(world, "POST", "/containers/create", body)).status, 201);
    const [, request] = world.asked[0] as [string, { labels: Record<string, string>; tty: boolean }];
    assert.deepEqual(Object.entries(request.labels), [["__proto__", "x"]]);
    assert.equal(request.tty, false);
    assert.equal(({} as { Tty?: boolean }).Tty, undefined);
  });

  it("cannot send JSON under another name, as a browser would", async () => {
    await using world = await World.open();
    const headers = { "Content-Type": "text/plain" };
    const answer = await ask(world, "POST", "/containers/create", '{"Image":"busybox:1.35"}', headers);
    assert.equal(answer.status, 400);
    assert.match(answer.body, /unsupported Content-Type header \(text\/plain\): must be 'application\/json'/);
  });

  it("get 400 for queries that are not what they should be", async () => {
    await using world = await World.open();
    for (const path of [
      "/containers/json?limit=x",
      "/containers/json?filters=x",
      "/containers/json?filters=%7B%22foo%22%3A%5B%22x%22%5D%7D",
      "/containers/json?filters=%7B%22status%22%3A%5B%22x%22%5D%7D",
      "/containers/json?filters=%7B%22name%22%3A%5B%22(a%2B)%2B%24%22%5D%7D",
      "/events?since=yesterday",
      "/images/json?filters=%5B%5D",
    ])
      assert.equal((await ask(world, "GET", path)).status, 400, path);
  });

  it("do not end the daemon by leaving in the middle", async () => {
    await using world = await World.open();
    for (const words of ["GET /eve", post(["Content-Length: 100"], "{"), "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"]) {
      using line = new Line(world);
      line.say(words);
      await ask(world, "GET", "/_ping");
    }
    assert.equal((await ask(world, "GET", "/_ping")).status, 200);
  });
});
