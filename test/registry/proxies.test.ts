/** Registries behind a proxy: one that passes on what is plain, and tunnels what is encrypted, itself encrypted or not. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import type { Credentials } from "../../src/registry/credentials.ts";
import { proxiesFrom } from "../../src/registry/settings.ts";
import { tarOf } from "../image/rooms.ts";
import { type Authority, hasOpenssl, type Identity, makeAuthority } from "./certificates.ts";
import { ChaosRegistry } from "./chaos.ts";
import { openPulls, putImage } from "./rooms.ts";

const layer = await tarOf({ "a/b": "hello" });
const me: Credentials = { username: "me", password: "secret word", identityToken: "", registryToken: "" };
const basic = `Basic ${Buffer.from("me:secret word").toString("base64")}`;
const known = Buffer.from("proxy:word").toString("base64");

/** Names that lead to this machine, as a hosts file would say: what is named by a loopback address is never asked by proxy. */
const resolve = () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]);

interface TestProxy extends AsyncDisposable {
  /** With the name and the password of who may use it. */
  readonly address: string;
  /** Each request's first line, without the version. */
  readonly asked: string[];
}

const startProxy = async (identity?: Identity): Promise<TestProxy> => {
  const asked: string[] = [];
  const clients = new Set<Socket>();
  const serve = (client: Socket): void => {
    clients.add(client);
    client.on("error", () => {});
    client.once("data", (head: Buffer) => {
      const text = head.toString("latin1");
      asked.push(text.split(" HTTP/", 1)[0]!);
      if (/Proxy-Authorization: Basic (.*)\r\n/.exec(text)?.[1] !== known) {
        client.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      const isTunnel = text.startsWith("CONNECT ");
      const port = Number(/^[A-Z]+ (?:http:\/\/)?[^:/]+:(\d+)/.exec(text)?.[1]);
      const upstream = connect(port, "127.0.0.1", () => {
        if (isTunnel) client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        else {
          // One request for each connection is enough here.
          const passed = text.replace(/^([A-Z]+) http:\/\/[^/]+/, "$1 ").replace(/\r\nProxy-Authorization: .*/, "");
          upstream.write(passed.replace("\r\n", "\r\nConnection: close\r\n"), "latin1");
        }
        upstream.pipe(client);
        client.pipe(upstream);
      });
      upstream.on("error", () => client.destroy());
      client.on("close", () => upstream.destroy());
    });
  };
  const server = identity === undefined ? createServer(serve) : createTlsServer({ ...identity }, serve);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    address: `${identity === undefined ? "http" : "https"}://proxy:word@proxy.test:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await new Promise((done) => server.close(done));
    },
  };
};

describe("a proxy", { skip: hasOpenssl ? false : "there is no openssl" }, () => {
  let authority: Authority;
  before(() => {
    authority = makeAuthority();
  });
  after(() => rmSync(authority.directory, { recursive: true, force: true }));

  for (const encrypted of [false, true]) {
    const kind = encrypted ? "that is itself encrypted " : "";
    test(`${kind}tunnels to a registry, and sees neither the request nor the password`, async () => {
      await using proxy = await startProxy(encrypted ? authority.server : undefined);
      await using registry = await ChaosRegistry.start({
        tls: authority.server,
        guard: ({ headers }) => (headers.authorization === basic ? undefined : 'Basic realm="reg"'),
      });
      putImage(registry, "app", "1", [layer]);
      const host = `registry.test:${registry.port}`;
      const certificates = [authority.trust(host), authority.trust(new URL(proxy.address).host)];
      const settings = { certificates, resolve, proxies: proxiesFrom({ https_proxy: proxy.address }) };
      await using world = await openPulls(settings);
      await world.pulls.pull(`${host}/app:1`, { credentials: me });
      assert.ok(proxy.asked.length > 0);
      assert.deepEqual([...new Set(proxy.asked)], [`CONNECT ${host}`]);

      const proxies = proxiesFrom({ HTTPS_PROXY: proxy.address, NO_PROXY: "other.test, registry.test" });
      await using direct = await openPulls({ ...settings, proxies });
      const before = proxy.asked.length;
      await direct.pulls.pull(`${host}/app:1`, { credentials: me });
      assert.equal(proxy.asked.length, before);
    });
  }

  test("is not believed when it is encrypted with a certificate that nobody vouches for", async () => {
    await using proxy = await startProxy(authority.server);
    const proxies = proxiesFrom({ https_proxy: proxy.address });
    await using world = await openPulls({ resolve, proxies, attempts: 1 });
    await assert.rejects(world.pulls.pull("registry.test/app:1"), /certificate/);
    assert.deepEqual(proxy.asked, []);
  });

  test("passes on what is plain, and is told who we are", async () => {
    await using proxy = await startProxy();
    await using registry = await ChaosRegistry.start();
    putImage(registry, "app", "1", [layer]);
    const host = `registry.test:${registry.port}`;
    const settings = { insecure: [host], resolve };
    // Whether it is encrypted is tried first, without a proxy: for that there is none here.
    await using world = await openPulls({ ...settings, proxies: proxiesFrom({ http_proxy: proxy.address }) });
    await world.pulls.pull(`${host}/app:1`);
    assert.equal(proxy.asked[0], `GET http://${host}/v2/app/manifests/1`);
    assert.ok(proxy.asked.length >= 3);

    const stranger = proxiesFrom({ http_proxy: proxy.address.replace("word", "wrong") });
    await using refused = await openPulls({ ...settings, proxies: stranger, attempts: 1 });
    await assert.rejects(refused.pulls.pull(`${host}/app:1`), /407/);
  });
});
