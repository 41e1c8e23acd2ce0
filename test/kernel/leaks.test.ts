import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks, leakSet, leaksBetween } from "./leaks.ts";

const root = process.getuid?.() === 0;

test("nothing is left where nothing happened", async () => {
  await assertNoLeaks(leakSet({ daemon: process.pid }), { daemon: process.pid });
});

test("a file that stays is named", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leaks-"));
  try {
    const before = leakSet({ directories: [directory] });
    writeFileSync(join(directory, "left"), "");
    await assert.rejects(assertNoLeaks(before, { directories: [directory] }, 50), /files: .*\/left/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a namespace is found by its holder", { skip: !root && "needs root" }, async () => {
  const before = leakSet();
  const child = spawn("unshare", ["--net", "--uts", "sh", "-c", "echo; exec sleep 60"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const leaks = leaksBetween(before, leakSet());
  child.kill("SIGKILL");
  assert.ok(
    leaks.some((line) => line.startsWith("namespaces: net:[") && line.includes(`/proc/${child.pid}/ns/net`)),
    leaks.join("\n"),
  );
  await assertNoLeaks(before);
});
