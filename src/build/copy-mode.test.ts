import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseMode } from "./copy-mode.ts";

describe("--chmod", () => {
  test("is octal, or the words of chmod(1)", () => {
    const cases: readonly (readonly [text: string, before: number, isDirectory: boolean, after: number])[] = [
      ["755", 0o600, false, 0o755],
      ["4711", 0o600, false, 0o4711],
      ["+x", 0o644, false, 0o755],
      ["u=rwX,go=rX", 0o600, false, 0o644],
      ["u=rwX,go=rX", 0o700, true, 0o755],
      ["a+X", 0o610, false, 0o711],
      ["g-r,o=", 0o644, false, 0o600],
      ["u+s,g+s", 0o755, false, 0o6755],
      ["+t", 0o777, true, 0o1777],
      ["u-w+x", 0o600, false, 0o500],
    ];
    for (const [text, before, isDirectory, after] of cases) {
      assert.equal(parseMode(text)(before, isDirectory).toString(8), after.toString(8), text);
    }
  });

  test("is refused when it is neither", () => {
    for (const text of ["", "99", "777777", "u", "u+q", "x+r", "u+r,"]) {
      assert.throws(() => parseMode(text), /invalid chmod parameter/, text);
    }
  });
});
