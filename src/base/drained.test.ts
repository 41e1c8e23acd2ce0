import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { describe, test } from "node:test";
import { drained } from "./drained.ts";

/** Takes one byte at a time, each when it is told to. */
const slow = (): { stream: Writable; take: () => void } => {
  let taken = (): void => {};
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      taken = done;
    },
  });
  return { stream, take: () => taken() };
};
const listeners = (stream: Writable): number => stream.listenerCount("drain") + stream.listenerCount("close");

describe("a stream that is full", () => {
  test("is waited for until there is room", async () => {
    const { stream, take } = slow();
    const found = listeners(stream);
    assert.equal(stream.write("a"), false);
    const room = drained(stream);
    take();
    await room;
    assert.equal(stream.writableNeedDrain, false);
    assert.equal(listeners(stream), found);
  });

  test("is not waited for when it has gone, or goes", async () => {
    const { stream } = slow();
    const found = listeners(stream);
    stream.write("a");
    const gone = drained(stream);
    stream.destroy();
    await gone;
    await drained(stream);
    assert.equal(listeners(stream), found);
  });
});
