import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { list, map, object, string } from "../api/shape.ts";
import { PierError } from "../base/errors.ts";
import { parseDocument } from "./document.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shape = object({ a: string, labels: map(string), list: list(string) });
const refusal = (input: string | Uint8Array): string => {
  try {
    parseDocument("x.json", typeof input === "string" ? bytes(input) : input, shape);
  } catch (error) {
    assert.ok(error instanceof PierError);
    assert.equal(error.status, 400);
    return error.message;
  }
  return assert.fail("it was accepted");
};

describe("documents of archives", () => {
  test("__proto__ is a key like any other", () => {
    const parsed = parseDocument("x.json", bytes('{"labels":{"__proto__":"p","constructor":"c"}}'), shape);
    assert.deepEqual(Object.entries(parsed.labels), [
      ["__proto__", "p"],
      ["constructor", "c"],
    ]);
    assert.equal(({} as Record<string, unknown>).p, undefined);
  });

  test("strings that look like structure are strings", () => {
    const text = '{"a":"{\\"a\\":1,\\"a\\":2}","list":["a","a",":"],"labels":{"a":"a","b":"a,"}}';
    assert.equal(parseDocument("x.json", bytes(text), shape).list.length, 3);
  });

  const cases: readonly (readonly [what: string, input: string | Uint8Array, sentence: RegExp])[] = [
    ["a key twice", '{"a":"1","b":{},"a":"2"}', /the key "a" stands twice/],
    ["a key twice, once escaped", '{"a":"1","\\u0061":"2"}', /the key "a" stands twice/],
    [
      "a key twice, far below",
      `[${'{"x":'.repeat(50)}{"y":1,"z":[],"y"   :2}${"}".repeat(50)}]`,
      /must be|stands twice/,
    ],
    ["a byte order mark", '\ufeff{"a":"1"}', /byte order mark/],
    ["bytes that are not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /not UTF-8/],
    ["a wrong type", '{"a":1}', /^invalid x\.json: a must be a string/],
    ["a wrong type of the whole", "[]", /^invalid x\.json: it must be an object/],
    ["no JSON", "{", /^invalid x\.json: /],
    ["nothing", "", /^invalid x\.json: /],
    ["100,000 brackets", "[".repeat(100_000), /^invalid x\.json: /],
    ["4 MiB of quotes", '"\\'.repeat(2_097_152), /^invalid x\.json: /],
    ["more than 4 MiB", " ".repeat(4 * 1024 * 1024 + 1), /more than 4194304 bytes/],
  ];
  for (const [what, input, sentence] of cases) {
    test(`${what} is refused`, () => assert.match(refusal(input), sentence));
  }
});
