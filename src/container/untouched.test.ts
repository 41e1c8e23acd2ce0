import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isUntouched } from "./untouched.ts";

test("a file is untouched where no job has written beneath the first name of its path, and no link leads to it", () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-untouched-"));
  try {
    const upper = (name: string, ...made: readonly string[]): string => {
      for (const one of [".", ...made]) mkdirSync(join(directory, name, one), { recursive: true });
      return join(directory, name);
    };
    const [plain, written] = [upper("plain", "var"), upper("written", "etc")];
    const linked = upper("linked");
    symlinkSync("/nowhere", join(linked, "etc"));
    const passwd = "/etc/passwd";
    const below = { locate: (path: string) => ({ path, missing: [] }) };
    assert.equal(isUntouched(passwd, below, []), true);
    assert.equal(isUntouched(passwd, below, [plain]), true);
    assert.equal(isUntouched(passwd, below, [plain, written]), false);
    assert.equal(isUntouched(passwd, below, [linked]), false);
    assert.equal(isUntouched(passwd, { locate: () => ({ path: "/", missing: ["etc", "passwd"] }) }, [plain]), true);
    assert.equal(isUntouched(passwd, { locate: () => ({ path: "/usr/passwd", missing: [] }) }, [plain]), false);
    assert.equal(isUntouched(passwd, { locate: () => undefined }, [plain]), false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
