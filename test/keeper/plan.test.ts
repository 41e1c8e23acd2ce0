/** The keeper's reader of plans against plans that no encoder wrote, watched by the compiler's sanitizers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodePlan } from "../../src/kernel/encode.ts";
import type { Step } from "../../src/kernel/steps.ts";
import { compileChecked, noCompiler } from "./compile.ts";
import { decodeAll, EBADMSG, EPROTONOSUPPORT, withBytes, wordChanges } from "./decoders.ts";
import { plans } from "./plans.ts";

test("the decoder takes what the encoder writes, and refuses the rest without falling", { skip: noCompiler }, () => {
  using checked = compileChecked("plan-check", ["test/keeper/plan-check.c", "keeper/plan.c"]);
  const samples = fc.sample(plans, { numRuns: 40, seed: 7 });
  const valid = samples.map(encodePlan);
  assert.ok(decodeAll(checked, valid).every(({ error }) => error === 0));

  const cut = valid.slice(0, 6).flatMap((bytes) => Array.from(bytes, (_, length) => bytes.subarray(0, length)));
  assert.ok(decodeAll(checked, cut).every(({ error }) => error === EBADMSG));
  const longer = valid.map((bytes) => Buffer.concat([bytes, new Uint8Array(8)]));
  assert.ok(decodeAll(checked, longer).every(({ error }) => error === EBADMSG));

  const flipped = fc
    .sample(fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.integer({ min: 1, max: 255 })), { numRuns: 4000, seed: 8 })
    .map(([bytes, at, mask]) => withBytes(bytes, at % bytes.length, bytes[at % bytes.length]! ^ mask));
  const changed = [...flipped, ...valid.slice(0, 5).flatMap(wordChanges)];
  const answers = decodeAll(checked, changed);
  assert.equal(answers.length, changed.length);
  // A changed value is another plan; nothing else is one.
  const sums = new Set(decodeAll(checked, valid).map(({ sum }) => sum));
  const accepted = answers.filter(({ error }) => error === 0);
  assert.ok(answers.every(({ error }) => error === 0 || error === EBADMSG || error === EPROTONOSUPPORT));
  assert.ok(accepted.length < answers.length / 2);
  assert.ok(sums.size > 30);
});

test("a slot is refused where it leads nowhere", { skip: noCompiler }, () => {
  using checked = compileChecked("plan-check", ["test/keeper/plan-check.c", "keeper/plan.c"]);
  const step: Step = { step: "openDirectory", slot: "d", path: "/" };
  const bytes = encodePlan({ outside: [step], inside: [], after: [] });
  const slotAt = 40 + 16;
  const none = Array<number>(8).fill(0xff);
  const answers = decodeAll(checked, [bytes, withBytes(bytes, slotAt, 0, 8), withBytes(bytes, slotAt, ...none)]);
  assert.deepEqual(
    answers.map(({ error }) => error),
    [0, EBADMSG, EBADMSG],
  );
});
