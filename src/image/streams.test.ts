import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { collectGarbage } from "../base/platform.ts";
import { abortable } from "./streams.ts";

async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n++) yield new Uint8Array(1024 * 1024).fill(n);
}

describe("content that can be stopped", () => {
  test("is all there when nobody stops it, and nothing of it is kept", async () => {
    const count = 500;
    let seen = 0;
    collectGarbage();
    const before = process.memoryUsage.rss();
    let most = 0;
    for await (const piece of abortable(pieces(count), new AbortController().signal)) {
      assert.equal(piece[5], seen++ % 256);
      if (seen % 50 === 0) collectGarbage();
      most = Math.max(most, process.memoryUsage.rss());
    }
    assert.equal(seen, count);
    assert.ok(most - before < 250 * 1024 * 1024, `${Math.round((most - before) / 1e6)} MB more`);
  });

  test("is left when it is stopped, also while nothing comes", async () => {
    const silent = Promise.withResolvers<never>();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1);
      await silent.promise;
    }
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of abortable(source(), controller.signal)) setImmediate(() => controller.abort("enough"));
    })();
    await assert.rejects(reading, (error) => error === "enough");
    await assert.rejects(abortable(pieces(1), controller.signal).next(), (error) => error === "enough");
    const other = new AbortController();
    const stopped = (async () => {
      for await (const _ of abortable(pieces(9), other.signal)) other.abort("between two pieces");
    })();
    await assert.rejects(stopped, (error) => error === "between two pieces");
  });
});
