import assert from "node:assert/strict";
import { test } from "node:test";
import { gather } from "./gather.ts";

async function* pieces(...lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const [index, length] of lengths.entries()) yield new Uint8Array(length).fill(index);
}

test("small pieces are put together, large ones pass as they are, and the bytes stay the same", async () => {
  const lengths = [10, 0, 20, 70_000, 30_000, 30_000, 10_000, 5];
  const gathered = await Array.fromAsync(gather(pieces(...lengths)));
  assert.deepEqual(
    gathered.map(({ length }) => length),
    [30, 70_000, 70_000, 5],
  );
  assert.deepEqual(Buffer.concat(gathered), Buffer.concat(await Array.fromAsync(pieces(...lengths))));
  assert.deepEqual(await Array.fromAsync(gather(pieces())), []);
});
