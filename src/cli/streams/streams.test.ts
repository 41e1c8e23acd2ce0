import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DetachKeys, parseDetachKeys } from "./detach-keys.ts";

const type = (keys: string, ...typed: string[]) => {
  const watch = new DetachKeys(parseDetachKeys(keys));
  const pushed = typed.map((text) => watch.push(Buffer.from(text, "latin1")));
  return { sent: pushed.map(({ data }) => Buffer.from(data).toString("latin1")), detached: pushed.at(-1)!.detached };
};

describe("the keys that leave a container", () => {
  test("are ctrl-p and ctrl-q unless others are asked for", () => {
    assert.deepEqual([...parseDetachKeys("")], [0x10, 0x11]);
    assert.deepEqual([...parseDetachKeys("ctrl-a,x,ctrl-@,ctrl-_,DEL")], [0x01, 0x78, 0x00, 0x1f, 0x7f]);
    for (const keys of ["bad", "ctrl-", "ctrl-A", ",", "ctrl-a,"])
      assert.throws(() => parseDetachKeys(keys), /Unknown character/);
  });

  test("are held back, and go nowhere once they are complete", () => {
    assert.deepEqual(type("", "ab\x10", "\x11cd"), { sent: ["ab", ""], detached: true });
  });

  test("go to the container when something else follows", () => {
    assert.deepEqual(type("", "\x10", "x"), { sent: ["", "\x10x"], detached: false });
    assert.deepEqual(type("", "\x10\x10\x11"), { sent: ["\x10"], detached: true });
    assert.deepEqual(type("a,b", "aab"), { sent: ["a"], detached: true });
  });
});
