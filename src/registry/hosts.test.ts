import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isLoopback, isOwnAddress, matchesHost } from "./addresses.ts";
import { parseChallenges } from "./challenge.ts";
import { proxyFor } from "./connection.ts";
import { redirected } from "./exchange.ts";
import { endpointsOf } from "./hosts.ts";
import { reasonOf } from "./reasons.ts";
import { parseRetryAfter } from "./retry.ts";
import { defaultSettings, parseInsecure, parseMirror, proxiesFrom } from "./settings.ts";

const ways = (registry: string, settings: Partial<typeof defaultSettings> = {}): string[] =>
  endpointsOf(registry, { ...defaultSettings, ...settings }).map(
    ({ url, isMirror, isUnverified }) => `${url.href}${isMirror ? " mirror" : ""}${isUnverified ? " unverified" : ""}`,
  );

describe("the ways to a registry", () => {
  test("are encrypted, and Docker Hub's is where it lies", () => {
    assert.deepEqual(ways("docker.io"), ["https://registry-1.docker.io/"]);
    assert.deepEqual(ways("ghcr.io"), ["https://ghcr.io/"]);
    assert.deepEqual(ways("10.0.0.1:5000"), ["https://10.0.0.1:5000/"]);
  });

  test("may be plain where this machine is the registry, or somebody said so", () => {
    const both = (host: string): string[] => [`https://${host}/ unverified`, `http://${host}/`];
    for (const host of ["localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"])
      assert.deepEqual(ways(host), both(host));
    assert.deepEqual(ways("reg.test:5000", { insecure: ["reg.test:5000"] }), both("reg.test:5000"));
    assert.deepEqual(ways("reg.test:5001", { insecure: ["reg.test:5000"] }), ["https://reg.test:5001/"]);
    assert.deepEqual(ways("sub.reg.test", { insecure: ["reg.test"] }), ["https://sub.reg.test/"]);
    assert.deepEqual(ways("10.1.2.3:5000", { insecure: ["10.0.0.0/8"] }), both("10.1.2.3:5000"));
    assert.deepEqual(ways("11.1.2.3:5000", { insecure: ["10.0.0.0/8"] }), ["https://11.1.2.3:5000/"]);
  });

  test("begin with its mirrors", () => {
    const mirrors = new Map([
      ["docker.io", [new URL("https://mirror.test/hub/")]],
      ["ghcr.io", [new URL("http://other.test:5000")]],
    ]);
    assert.deepEqual(ways("docker.io", { mirrors }), [
      "https://mirror.test/hub mirror",
      "https://registry-1.docker.io/",
    ]);
    assert.deepEqual(ways("ghcr.io", { mirrors }), ["http://other.test:5000/ mirror", "https://ghcr.io/"]);
  });
});

describe("hosts", () => {
  test("are this machine's own by any spelling", () => {
    for (const own of [
      "127.0.0.1",
      "127.1.2.3",
      "::1",
      "[::1]",
      "0.0.0.0",
      "::",
      "169.254.169.254",
      "fe80::1",
      "::ffff:127.0.0.1",
    ])
      assert.ok(isOwnAddress(own), own);
    for (const other of ["10.0.0.1", "192.168.1.1", "8.8.8.8", "2001:db8::1", "128.0.0.1"])
      assert.ok(!isOwnAddress(other), other);
    assert.ok(isLoopback("localhost") && isLoopback("a.localhost") && !isLoopback("localhost.test"));
  });

  test("match entries as NO_PROXY has them", () => {
    const matches = (entry: string, host: string, port = "443"): boolean => matchesHost(entry, host, port);
    assert.ok(matches("*", "any.test") && matches("a.test", "a.test") && matches("a.test", "b.a.test"));
    assert.ok(matches(".a.test", "b.a.test") && matches("a.test:443", "a.test") && matches("10.0.0.0/8", "10.9.9.9"));
    assert.ok(!matches("a.test", "ba.test") && !matches("a.test:80", "a.test") && !matches("10.0.0.0/8", "11.0.0.1"));
  });

  test("are reached through the proxy of their scheme, if they are not excepted", () => {
    const proxies = proxiesFrom({ HTTPS_PROXY: "http://p:3128", no_proxy: "a.test, 10.0.0.0/8" });
    const proxy = (url: string): string | undefined => proxyFor(new URL(url), { proxies })?.host;
    assert.deepEqual(
      ["https://b.test", "https://a.test", "http://b.test", "https://10.1.1.1", "https://localhost:5000"].map(proxy),
      ["p:3128", undefined, undefined, undefined, undefined],
    );
    assert.throws(
      () => proxiesFrom({ HTTP_PROXY: "socks5://user:word@p" }),
      (error) => !String(error).includes("word"),
    );
  });
});

test("settings are read, or refused with what to type", () => {
  assert.deepEqual(parseMirror("https://m.test"), ["docker.io", new URL("https://m.test")]);
  assert.deepEqual(parseMirror("ghcr.io=http://m.test/x"), ["ghcr.io", new URL("http://m.test/x")]);
  for (const bad of ["m.test", "ftp://m.test", "https://m.test/?a=b", "https://me:word@m.test"])
    assert.throws(() => parseMirror(bad));
  assert.equal(parseInsecure("http://Reg.test:5000/"), "reg.test:5000");
  assert.throws(() => parseInsecure("a b"));
});

test("challenges are read as RFC 9110 writes them", () => {
  const [bearer, basic] = parseChallenges(
    'Bearer realm="https://a/t?x=1,2",service=reg,scope="r:a:pull,push", Basic realm="a \\"b\\""',
  );
  assert.equal(bearer?.scheme, "bearer");
  assert.deepEqual(
    [...bearer!.parameters],
    [
      ["realm", "https://a/t?x=1,2"],
      ["service", "reg"],
      ["scope", "r:a:pull,push"],
    ],
  );
  assert.deepEqual([basic?.scheme, basic?.parameters.get("realm")], ["basic", 'a "b"']);
  for (const odd of ["", ",,,", "=", '"', 'Bearer realm="', "\u0000", "a".repeat(100_000)])
    assert.ok(Array.isArray(parseChallenges(odd)));
});

test("redirects never end encryption", () => {
  const from = new URL("https://a.test/v2/x");
  assert.equal(redirected(from, "/y", { host: "a.test" }).href, "https://a.test/y");
  assert.equal(redirected(from, "https://b.test/y", { host: "a.test" }).href, "https://b.test/y");
  for (const bad of ["http://a.test/y", "ftp://a.test", "javascript:1", "http://["])
    assert.throws(() => redirected(from, bad, { host: "a.test" }));
});

test("a registry's reason is one line that steers no terminal", () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text);
  assert.equal(
    reasonOf(bytes('{"errors":[{"code":"DENIED","message":"no\\u001b[2J\\nentry"}]}')),
    "denied: no [2J entry",
  );
  assert.equal(
    reasonOf(bytes('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')),
    "manifest unknown",
  );
  assert.equal(reasonOf(bytes("<html>")), "<html>");
  assert.equal(reasonOf(bytes("")), "no reason is given");
  assert.equal(reasonOf(bytes("x".repeat(10_000))).length, 500);
});

test("Retry-After is seconds or a date", () => {
  assert.equal(parseRetryAfter("3", 0), 3000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:00:10 GMT", 4000), 6000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:00:10 GMT", 40_000), 0);
  assert.equal(parseRetryAfter("soon", 0), undefined);
});
