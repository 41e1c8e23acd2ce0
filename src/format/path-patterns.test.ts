import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesPath, parsePathPattern } from "./path-patterns.ts";

/** Facts about Go's path.Match; undefined: no pattern at all. */
const cases: readonly (readonly [pattern: string, path: string, matches: boolean | undefined])[] = [
  ["abc", "abc", true],
  ["*", "abc", true],
  ["*c", "abc", true],
  ["a*", "a", true],
  ["a*/b", "abc/b", true],
  ["a*/b", "a/c/b", false],
  ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
  ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["a*b?c*x", "abxbbxdbxebxczzy", false],
  ["ab[c]", "abc", true],
  ["ab[b-d]", "abc", true],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a???b", "a☺b", false],
  ["[a-ζ]*", "α", true],
  ["*[a-ζ]", "A", false],
  ["a?b", "a/b", false],
  ["a*b", "a/b", false],
  ["[\\]a]", "]", true],
  ["[\\-x]", "-", true],
  ["[x\\-]", "z", false],
  ["[]a]", "]", undefined],
  ["[-]", "-", undefined],
  ["[x-]", "x", undefined],
  ["[-x]", "x", undefined],
  ["\\", "a", undefined],
  ["[a-b-c]", "a", undefined],
  ["[", "a", undefined],
  ["[^bc", "a", undefined],
  ["a[", "ab", undefined],
];

describe("patterns of paths", () => {
  for (const [pattern, path, expected] of cases) {
    test(`${pattern} and ${path}: ${expected ?? "malformed"}`, () => {
      const parsed = parsePathPattern(pattern, { deep: false });
      assert.equal(parsed && matchesPath(parsed, path), expected);
    });
  }

  test("need no more time than their length allows, whatever they say", () => {
    const parsed = parsePathPattern(`${"**/a*".repeat(200)}b`, { deep: true })!;
    assert.equal(matchesPath(parsed, "a/".repeat(2000)), false);
  });
});
