import assert from "node:assert/strict";
import { test } from "node:test";
import { Recent } from "./recent.ts";

test("what was made lately is made once; what was not asked for longest is made again", () => {
  const made: number[] = [];
  const recent = new Recent<{ readonly key: number }>(2);
  const make = (key: number) => () => {
    made.push(key);
    return { key };
  };
  for (const key of [1, 2, 1, 3, 1, 2]) assert.equal(recent.get(key, make(key)).key, key);
  assert.deepEqual(made, [1, 2, 3, 2]);
});

test("what could not be made is tried again", () => {
  let tries = 0;
  const recent = new Recent<number>(2);
  const make = (): number => {
    if (++tries === 1) throw new Error("not yet");
    return tries;
  };
  assert.throws(() => recent.get("x", make), /not yet/);
  assert.equal(recent.get("x", make), 2);
});
