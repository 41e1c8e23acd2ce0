import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { release } from "./memory.ts";

describe("memory that is given back", () => {
  test("is gone at once with the last part of a buffer, and before stays", () => {
    const buffer = new Uint8Array(300_000).fill(7);
    release(buffer.subarray(0, 200_000));
    assert.equal(buffer[299_999], 7);
    release(buffer.subarray(200_000));
    assert.equal(buffer.buffer.byteLength, 0);
  });

  test("stays where it may be somebody else's as well", () => {
    const small = Buffer.from("a part of what the runtime keeps for small ones");
    release(small);
    assert.equal(small.toString(), "a part of what the runtime keeps for small ones");
    const shared = new Uint8Array(new SharedArrayBuffer(300_000)).fill(7);
    release(shared);
    assert.equal(shared[0], 7);
  });
});
