import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkDetachKeys, DetachKeys, defaultDetachKeys, parseDetachKeys } from "./attach.ts";

const keys = parseDetachKeys(defaultDetachKeys)!;

/** What goes through when these pieces come in, and how often the user has left. */
const typed = async (...pieces: readonly string[]): Promise<{ passed: string; left: number }> => {
  let left = 0;
  let passed = "";
  const filter = new DetachKeys(keys, () => {
    left++;
  });
  filter.on("data", (chunk: Buffer) => {
    passed += chunk.toString("latin1");
  });
  for (const piece of pieces) filter.write(Buffer.from(piece, "latin1"));
  await new Promise((resolve) => filter.end(resolve));
  return { passed, left };
};

describe("detach keys", () => {
  test("are letters, or ctrl- and a letter or one of @ [ \\ ] ^ _", () => {
    assert.deepEqual([...parseDetachKeys("ctrl-p,ctrl-q")!], [16, 17]);
    assert.deepEqual([...parseDetachKeys("a,ctrl-@,ctrl-_,DEL")!], [97, 0, 31, 127]);
    assert.equal(parseDetachKeys("ctrl-1"), undefined);
    assert.equal(parseDetachKeys("ctrl-p,,"), undefined);
  });

  test("that are none are refused in Docker's words", () => {
    for (const keys of [undefined, "", defaultDetachKeys, "DEL"]) checkDetachKeys(keys, "detach");
    assert.throws(() => checkDetachKeys("ctrl-1", "detach"), /^PierError: Invalid detach keys \(ctrl-1\) provided/);
  });

  test("lead out, also when they come one by one, and are kept back", async () => {
    assert.deepEqual(await typed("ls\n\x10\x11"), { passed: "ls\n", left: 1 });
    assert.deepEqual(await typed("ls\n\x10", "\x11", "more"), { passed: "ls\n", left: 1 });
  });

  test("broken off, go through whole", async () => {
    assert.deepEqual(await typed("\x10x"), { passed: "\x10x", left: 0 });
    assert.deepEqual(await typed("\x10", "\x10\x11"), { passed: "\x10", left: 1 });
  });

  test("what follows them goes nowhere", async () => {
    assert.deepEqual(await typed("\x10\x11rm -rf /\n"), { passed: "", left: 1 });
  });
});
