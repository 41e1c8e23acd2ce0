import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  boolean,
  integer,
  keys,
  list,
  map,
  nullable,
  object,
  oneOf,
  optional,
  parseJson,
  type Shape,
  string,
  stringOrList,
} from "./shape.ts";

const parse = <T>(shape: Shape<T>, json: string): T => parseJson(shape, Buffer.from(json));
const fails = (shape: Shape<unknown>, json: string, message: RegExp): void =>
  assert.throws(() => parse(shape, json), { status: 400, message });

const body = object({
  Image: string,
  Tty: boolean,
  Memory: integer(),
  Cmd: nullable(stringOrList),
  Labels: map(string),
  ExposedPorts: keys,
  HostConfig: object({ Binds: list(string), PidsLimit: optional(integer(-1, 10)), Mode: oneOf("host", "private") }),
});

describe("shapes", () => {
  it("give zero values for what is absent or null", () => {
    const empty = parse(body, '{"Memory":null,"HostConfig":null}');
    assert.equal(empty.Image, "");
    assert.equal(empty.Tty, false);
    assert.equal(empty.Memory, 0);
    assert.equal(empty.Cmd, null);
    assert.deepEqual(empty.ExposedPorts, []);
    assert.deepEqual(empty.HostConfig, { Binds: [], PidsLimit: undefined, Mode: "" });
  });

  it("tell an empty list from none where that matters", () => {
    assert.deepEqual(parse(body, '{"Cmd":[]}').Cmd, []);
    assert.deepEqual(parse(body, '{"Cmd":"ls"}').Cmd, ["ls"]);
  });

  it("ignore the case of field names, the last spelling counts, and unknown fields are ignored", () => {
    const value = parse(body, '{"image":"a","IMAGE":"b","hostconfig":{"bInDs":["/a:/b"]},"Nothing":{"x":1}}');
    assert.equal(value.Image, "b");
    assert.deepEqual(value.HostConfig.Binds, ["/a:/b"]);
  });

  it("keep the case of a map's names, which are data", () => {
    assert.deepEqual(Object.keys(parse(body, '{"Labels":{"a":"1","A":"2"}}').Labels), ["a", "A"]);
  });

  it("name the path of what is wrong", () => {
    fails(body, '{"HostConfig":{"Binds":["a",7]}}', /HostConfig\.Binds\[1\] must be a string, not 7/);
    fails(body, '{"Labels":{"a b":[]}}', /Labels\["a b"\] must be a string, not a list/);
    fails(body, '{"Tty":"yes"}', /Tty must be true or false, not a string/);
    fails(body, '{"HostConfig":[]}', /HostConfig must be an object, not a list/);
    fails(body, '{"HostConfig":{"Mode":"x"}}', /HostConfig\.Mode must be one of host, private/);
    fails(body, "[]", /the body must be an object, not a list/);
    fails(body, '{"ExposedPorts":{"80/tcp":1}}', /ExposedPorts\["80\/tcp"\] must be an object/);
  });

  it("refuse numbers that are not whole, not exact or out of range", () => {
    for (const number of ["9007199254740993", "1e400", "-1e400", "0.5", '"1"', "true", "[]"])
      fails(body, `{"Memory":${number}}`, /Memory must be a whole number below 2\^53/);
    fails(
      body,
      '{"HostConfig":{"PidsLimit":11}}',
      /HostConfig\.PidsLimit must be a whole number from -1 to 10, not 11/,
    );
    assert.ok(Object.is(parse(body, '{"Memory":-0}').Memory, 0));
    assert.equal(parse(body, '{"Memory":9007199254740991}').Memory, Number.MAX_SAFE_INTEGER);
  });

  it("take __proto__ as a name like any other", () => {
    const polluted = '{"__proto__":{"Image":"evil","polluted":1},"Labels":{"__proto__":"x","constructor":"y"}}';
    const value = parse(body, polluted);
    assert.equal(value.Image, "");
    assert.equal(Object.getPrototypeOf(value.Labels), null);
    assert.deepEqual(Object.entries(value.Labels), [
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    assert.equal(JSON.stringify(value.Labels), '{"__proto__":"x","constructor":"y"}');
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });

  it("refuse what is not one JSON value", () => {
    for (const text of ["", "{", '{"Image":"a"} x', "nul", '{"Image":}', "[".repeat(200_000)])
      assert.throws(() => parse(body, text), { status: 400 });
  });

  it("refuse lists and maps of absurd length", () => {
    fails(list(string), JSON.stringify(Array(100_001).fill("")), /a list of at most 100000 entries/);
  });
});
