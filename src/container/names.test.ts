import assert from "node:assert/strict";
import { test } from "node:test";
import { parseName, randomName } from "./names.ts";

test("a name that is made is one that may be asked for", () => {
  for (let count = 0; count < 500; count++) {
    const name = randomName(() => false);
    assert.match(name, /^[a-z]+_[a-z]+$/);
    assert.equal(parseName(name), name);
  }
});

test("a taken name is not given again, however many are taken", () => {
  const taken = new Set<string>();
  for (let count = 0; count < 20_000; count++) {
    const name = randomName((candidate) => taken.has(candidate));
    assert.ok(!taken.has(name));
    taken.add(name);
  }
});

test("names are checked as Docker checks them", () => {
  assert.equal(parseName("/web-1.a_b"), "web-1.a_b");
  for (const name of ["", "a", "-a", ".a", "a b", "a/b", "//a", "../x", "a%2e", "ä1", "a\n", "a\0b", "x".repeat(256)]) {
    assert.throws(() => parseName(name), /^PierError: Invalid container name/, JSON.stringify(name));
  }
});
