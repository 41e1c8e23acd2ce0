import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { contextOf, defaultHost, type Place } from "./host.ts";
import { parseHost } from "./host-words.ts";

const tls = { tls: false, tlsverify: false, tlscacert: "", tlscert: "", tlskey: "" };
const place = (more: Partial<Place> = {}): Place => ({
  ...{ ...tls, context: undefined, host: undefined, run: undefined, root: undefined },
  ...more,
});
const unread = { DOCKER_CONFIG: "/nowhere" };

describe("where the daemon is", () => {
  test("is said by the first of those who say something", () => {
    const docker = { ...unread, DOCKER_CONTEXT: "a" };
    assert.equal(contextOf(place(), unread), "default");
    assert.equal(contextOf(place(), docker), "a");
    assert.equal(contextOf(place({ context: "b" }), { ...docker, DOCKER_HOST: "unix:///x", PIER_RUN: "/y" }), "b");
    for (const name of ["DOCKER_HOST", "PIER_HOST", "PIER_RUN"]) {
      assert.equal(contextOf(place(), { ...docker, [name]: "unix:///x" }), "default");
    }
    assert.equal(contextOf(place({ host: "unix:///x" }), docker), "default");
    assert.equal(contextOf(place({ run: "/y" }), docker), "default");
    assert.throws(() => contextOf(place({ host: "unix:///x", context: "b" }), {}), /both --host and --context/);
  });

  test("is our own socket where nobody says anything", () => {
    assert.equal(defaultHost(place(), {}), "unix:///run/pier/pier.sock");
    assert.equal(defaultHost(place({ run: "/y" }), { DOCKER_HOST: "unix:///x" }), "unix:///y/pier.sock");
    assert.equal(defaultHost(place(), { DOCKER_HOST: "unix:///x", PIER_RUN: "/y" }), "unix:///y/pier.sock");
    assert.equal(defaultHost(place({ run: "/y" }), { PIER_HOST: "unix:///z" }), "unix:///z");
    assert.equal(defaultHost(place(), { DOCKER_HOST: "unix:///x" }), "unix:///x");
  });

  test("is a socket or a port; ssh brings a socket here", () => {
    assert.deepEqual(parseHost("unix:///a/b"), { kind: "socket", path: "/a/b" });
    assert.deepEqual(parseHost("tcp://[::1]:2376/"), { kind: "port", host: "::1", port: 2376 });
    assert.deepEqual(parseHost("tcp://far"), { kind: "port", host: "far", port: undefined });
    for (const text of ["unix://a", "tcp://", "tcp://a:70000", "tcp://a/b", "npipe:////./pipe", "http://a"]) {
      assert.throws(() => parseHost(text), /unable to use the host/);
    }
    assert.throws(() => parseHost("ssh://me@far"), { hint: /^ssh .* me@far & pier -H / });
  });
});
