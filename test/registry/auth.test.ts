/** Who is let in, and who learns the password: the registry and the realm that it names, and nobody else. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { Credentials } from "../../src/registry/credentials.ts";
import { tarOf } from "../image/rooms.ts";
import { type Authority, hasOpenssl, makeAuthority } from "./certificates.ts";
import { ChaosRegistry, type Context } from "./chaos.ts";
import { noisyTar, openPulls, putImage } from "./rooms.ts";

const layer = await tarOf({ "a/b": "hello" });
const large = await noisyTar(1_200_000, 3);
const me: Credentials = { username: "me", password: "secret word", identityToken: "", registryToken: "" };
const basic = `Basic ${Buffer.from("me:secret word").toString("base64")}`;

interface TokenServer extends AsyncDisposable {
  readonly realm: string;
  readonly asked: {
    readonly method: string;
    readonly url: string;
    readonly authorization: string | undefined;
    readonly body: string;
  }[];
  /** Tokens that count, the youngest last. */
  readonly tokens: string[];
}

const startTokenServer = async (
  allows: (authorization: string | undefined, body: string) => boolean,
): Promise<TokenServer> => {
  const asked: TokenServer["asked"] = [];
  const tokens: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      asked.push({ method, url, authorization: headers.authorization, body });
      if (!allows(headers.authorization, body)) {
        response.writeHead(401).end('{"details":"incorrect username or password"}');
        return;
      }
      tokens.push(`token-${tokens.length}`);
      response.writeHead(200).end(JSON.stringify({ token: tokens.at(-1), expires_in: 300 }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    asked,
    tokens,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

/** Wants the youngest token. */
const guardWith =
  (server: TokenServer) => (request: { readonly headers: { readonly authorization?: string | undefined } }) =>
    request.headers.authorization === `Bearer ${server.tokens.at(-1) ?? "none"}`
      ? undefined
      : `Bearer realm="${server.realm}",service="reg",scope="repository:app:pull"`;

describe("a token", () => {
  test("is fetched without a name where nobody is logged in, and with it where somebody is", async () => {
    for (const credentials of [undefined, me]) {
      await using tokens = await startTokenServer((authorization) => authorization === (credentials && basic));
      await using registry = await ChaosRegistry.start({ guard: guardWith(tokens) });
      await using world = await openPulls();
      putImage(registry, "app", "1", [layer]);
      await world.pulls.pull(`${registry.host}/app:1`, { credentials });
      const query = new URL(tokens.asked[0]!.url, "http://x").searchParams;
      assert.equal(query.get("scope"), "repository:app:pull");
      assert.equal(query.get("service"), "reg");
      assert.equal(query.get("account"), credentials?.username ?? null);
      assert.equal(tokens.asked.length, 1);
      assert.ok(registry.asked.every(({ authorization }) => !authorization?.startsWith("Basic")));
    }
  });

  test("is refreshed with the token of the login", async () => {
    await using tokens = await startTokenServer(
      (_, body) => new URLSearchParams(body).get("refresh_token") === "long lived",
    );
    await using registry = await ChaosRegistry.start({ guard: guardWith(tokens) });
    await using world = await openPulls();
    putImage(registry, "app", "1", [layer]);
    const credentials = { username: "", password: "", identityToken: "long lived", registryToken: "" };
    await world.pulls.pull(`${registry.host}/app:1`, { credentials });
    assert.equal(tokens.asked[0]!.method, "POST");
  });

  test("that expires in the midst of a layer is fetched anew, and the layer goes on", async () => {
    await using tokens = await startTokenServer(() => true);
    await using registry = await ChaosRegistry.start({ guard: guardWith(tokens) });
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [large]);
    registry.fault = (one: Context) => {
      if (!one.path.endsWith(put.blobs[0]!) || one.before > 0) return false;
      one.response.writeHead(200, { "Content-Length": one.bytes.length });
      one.response.write(one.bytes.subarray(0, 300_000), () => {
        tokens.tokens.push("another");
        setImmediate(() => one.response.destroy());
      });
      return true;
    };
    await world.pulls.pull(`${registry.host}/app:1`);
    assert.ok(world.room.images.find(`${registry.host}/app:1`));
    assert.equal(tokens.asked.length, 2);
  });

  test("that is refused is told with the reason, once", async () => {
    await using tokens = await startTokenServer(() => false);
    await using registry = await ChaosRegistry.start({ guard: guardWith(tokens) });
    await using world = await openPulls();
    await assert.rejects(
      world.pulls.pull(`${registry.host}/app:1`, { credentials: me }),
      /login attempt to .* failed: 401 incorrect username or password/,
    );
    assert.equal(tokens.asked.length, 1);
  });
});

describe("a password", () => {
  test("goes to a registry that asks for it, and not before it has asked", async () => {
    await using registry = await ChaosRegistry.start({
      guard: ({ headers }) => (headers.authorization === basic ? undefined : 'Basic realm="reg"'),
    });
    await using world = await openPulls();
    putImage(registry, "app", "1", [layer]);
    await world.pulls.pull(`${registry.host}/app:1`, { credentials: me });
    assert.deepEqual(
      registry.asked.slice(0, 2).map(({ authorization }) => authorization),
      [undefined, basic],
    );
    await assert.rejects(
      world.pulls.pull(`${registry.host}/app:1`),
      /pull access denied for app, repository does not exist or may require 'docker login'/,
    );
    const wrong = { ...me, password: "other" };
    await assert.rejects(world.registries.login(registry.host, wrong), /login attempt to .* failed/);
    await world.registries.login(registry.host, me);
  });

  test("does not follow a redirect to another host", async () => {
    await using elsewhere = await ChaosRegistry.start();
    await using registry = await ChaosRegistry.start({
      guard: ({ headers }) => (headers.authorization === basic ? undefined : 'Basic realm="reg"'),
    });
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [layer]);
    elsewhere.put(registry.blobs.get(put.blobs[0]!)!);
    registry.fault = (one) => {
      if (!one.path.endsWith(put.blobs[0]!)) return false;
      one.response.writeHead(307, { Location: `http://${elsewhere.host}${one.path}` }).end();
      return true;
    };
    await world.pulls.pull(`${registry.host}/app:1`, { credentials: me });
    assert.deepEqual(
      elsewhere.asked.map(({ authorization }) => authorization),
      [undefined],
    );
  });

  test("is not given to the host of a redirect that asks for it", async () => {
    await using elsewhere = await ChaosRegistry.start({ guard: () => 'Basic realm="give it to me"' });
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [layer]);
    registry.fault = (one) => {
      if (!one.path.endsWith(put.blobs[0]!)) return false;
      one.response.writeHead(307, { Location: `http://${elsewhere.host}${one.path}` }).end();
      return true;
    };
    await assert.rejects(world.pulls.pull(`${registry.host}/app:1`, { credentials: me }), /pull access denied/);
    assert.deepEqual(
      elsewhere.asked.map(({ authorization }) => authorization),
      [undefined],
    );
  });

  test("is not given to a mirror", async () => {
    await using mirror = await ChaosRegistry.start({ guard: () => 'Basic realm="mirror"' });
    await using registry = await ChaosRegistry.start({
      guard: ({ headers }) => (headers.authorization === basic ? undefined : 'Basic realm="reg"'),
    });
    const mirrors = new Map([[registry.host, [new URL(`http://${mirror.host}`)]]]);
    await using world = await openPulls({ mirrors });
    putImage(registry, "app", "1", [layer]);
    await world.pulls.pull(`${registry.host}/app:1`, { credentials: me });
    assert.ok(mirror.asked.length > 0 && mirror.asked.every(({ authorization }) => authorization === undefined));
  });
});

describe("encryption", { skip: hasOpenssl ? false : "there is no openssl" }, () => {
  let authority: Authority;
  before(() => {
    authority = makeAuthority();
  });
  after(() => rmSync(authority.directory, { recursive: true }));

  test("needs an authority that is trusted, for this registry alone", async () => {
    await using registry = await ChaosRegistry.start({ tls: authority.server });
    putImage(registry, "app", "1", [layer]);
    // Loopback may do without; a name that only leads there may not.
    const name = `registry.test:${registry.port}/app:1`;
    await using world = await openPulls({ certificates: [authority.trust(`registry.test:${registry.port}`)], resolve });
    await world.pulls.pull(name);
    await using other = await openPulls({ certificates: [authority.trust("other.test")], resolve });
    await assert.rejects(other.pulls.pull(name), /the certificate of registry.test:\d+ cannot be trusted/);
  });

  test("is never given up for a registry that has it", async () => {
    await using registry = await ChaosRegistry.start();
    putImage(registry, "app", "1", [layer]);
    await using world = await openPulls({ resolve });
    await assert.rejects(
      world.pulls.pull(`registry.test:${registry.port}/app:1`),
      /gave an HTTP response to an HTTPS request|cannot reach/,
    );
    assert.deepEqual(registry.asked, []);
    await using insecure = await openPulls({ resolve, insecure: [`registry.test:${registry.port}`] });
    await insecure.pulls.pull(`registry.test:${registry.port}/app:1`);
  });

  test("shows who we are where the registry wants to see it", async () => {
    await using registry = await ChaosRegistry.start({ tls: { ...authority.server, ca: authority.ca } });
    putImage(registry, "app", "1", [layer]);
    const host = `registry.test:${registry.port}`;
    await using world = await openPulls({ certificates: [authority.trust(host, true)], resolve });
    await world.pulls.pull(`${host}/app:1`);
    await using unknown = await openPulls({ certificates: [authority.trust(host)], resolve });
    await assert.rejects(unknown.pulls.pull(`${host}/app:1`), /cannot reach|ended its answer/);
  });

  test("does not let a registry send the password to a realm without it", async () => {
    await using tokens = await startTokenServer(() => true);
    await using registry = await ChaosRegistry.start({ tls: authority.server, guard: guardWith(tokens) });
    const host = `registry.test:${registry.port}`;
    await using world = await openPulls({ certificates: [authority.trust(host)], resolve });
    await assert.rejects(
      world.pulls.pull(`${host}/app:1`, { credentials: me }),
      /wants the password sent to http:.*, which is neither encrypted nor the registry itself/,
    );
    assert.deepEqual(tokens.asked, []);
  });

  test("does not let a redirect end it", async () => {
    await using plain = await ChaosRegistry.start();
    await using registry = await ChaosRegistry.start({ tls: authority.server });
    const put = putImage(registry, "app", "1", [layer]);
    plain.put(registry.blobs.get(put.blobs[0]!)!);
    registry.fault = (one) => one.path.endsWith(put.blobs[0]!) && redirect(one, `http://${plain.host}${one.path}`);
    const host = `registry.test:${registry.port}`;
    await using world = await openPulls({ certificates: [authority.trust(host)], resolve });
    await assert.rejects(world.pulls.pull(`${host}/app:1`), /redirects to http:.*, which is not encrypted/);
    assert.deepEqual(plain.asked, []);
  });

  test("does not lead a redirect, or a realm, to this machine's own services", async () => {
    await using own = await ChaosRegistry.start({ tls: authority.server });
    await using registry = await ChaosRegistry.start({ tls: authority.server });
    const put = putImage(registry, "app", "1", [layer]);
    const host = `registry.test:${registry.port}`;
    await using world = await openPulls({ certificates: [authority.trust(host)], resolve });
    for (const target of [
      `https://127.0.0.1:${own.port}`,
      `https://localhost:${own.port}`,
      "https://169.254.169.254",
      `https://[::1]:${own.port}`,
      `https://[::ffff:127.0.0.1]:${own.port}`,
      "https://0.0.0.0",
    ]) {
      registry.fault = (one) => one.path.endsWith(put.blobs[0]!) && redirect(one, `${target}${one.path}`);
      await assert.rejects(
        world.pulls.pull(`${host}/app:1`),
        /leads to .*, where only this machine's own services are/,
        target,
      );
      registry.fault = (one) => {
        one.response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${target}/token"` }).end();
        return true;
      };
      await assert.rejects(
        world.pulls.pull(`${host}/app:1`, { credentials: me }),
        /leads to .*, where only this machine's own services are/,
        target,
      );
    }
    assert.deepEqual(own.asked, []);
  });
});

const redirect = ({ response }: Context, location: string): true => {
  response.writeHead(307, { Location: location }).end();
  return true;
};

/** A name of the tests that leads to this machine, as a hosts file would say. */
const resolve = async (host: string) => [
  { address: host === "registry.test" ? "127.0.0.1" : "::1", family: host === "registry.test" ? 4 : 6 },
];
