import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedSync } from "./shared-sync.ts";

test("who asks while a sync runs shares the next one", async () => {
  const begun: PromiseWithResolvers<void>[] = [];
  const shared = new SharedSync(() => {
    const sync = Promise.withResolvers<void>();
    begun.push(sync);
    return sync.promise;
  });
  const ended: string[] = [];
  const ask = (name: string) => shared.run().then(() => void ended.push(name));
  const first = ask("first");
  await Promise.resolve();
  await Promise.resolve();
  const others = Promise.all([ask("second"), ask("third")]);
  assert.equal(begun.length, 1);
  begun[0]!.resolve();
  await first;
  assert.deepEqual(ended, ["first"]);
  while (begun.length < 2) await Promise.resolve();
  begun[1]!.resolve();
  await others;
  assert.deepEqual(ended, ["first", "second", "third"]);
  assert.equal(begun.length, 2);
});

test("one that fails is the failure of those who waited for it alone", async () => {
  let fails = true;
  const shared = new SharedSync(() => (fails ? Promise.reject(new Error("no disk")) : Promise.resolve()));
  await assert.rejects(shared.run(), /no disk/);
  fails = false;
  await shared.run();
});
