/** The keeper's reader of plans against plans that no encoder wrote, watched by the compiler's sanitizers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { encodePlan } from "../../src/kernel/encode.ts";
import type { Step } from "../../src/kernel/steps.ts";
import { type Checked, compileChecked, noCompiler } from "./compile.ts";
import { plans } from "./plans.ts";

const EBADMSG = 74;
const EPROTONOSUPPORT = 93;

/** What the decoder says of each: its error number, and what it read. */
const decodeAll = (checked: Checked, all: readonly Uint8Array[]): { error: number; sum: string }[] => {
  const input = Buffer.concat(
    all.flatMap((bytes) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(bytes.length);
      return [size, bytes];
    }),
  );
  const file = join(dirname(checked.program), "plan");
  const output = execFileSync(checked.program, [file], { input, maxBuffer: 1 << 26, encoding: "utf8" });
  return output
    .trimEnd()
    .split("\n")
    .map((line) => ({ error: Number(line.split(" ")[0]), sum: line.split(" ")[1]! }));
};

const withBytes = (bytes: Uint8Array, at: number, ...values: readonly number[]): Uint8Array => {
  const changed = bytes.slice();
  changed.set(values, at);
  return changed;
};

/** Every word that could be a size, a count or a code, made large, small and off by a little. */
const wordChanges = (bytes: Uint8Array): Uint8Array[] => {
  const changed: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 4 <= bytes.length; at += 4) {
    const value = view.getUint32(at, true);
    for (const other of [0, 1, value + 1, value - 1, value + 8, value - 8, 0x7fff_ffff, 0xffff_ffff, 0xffff_fff8]) {
      const copy = bytes.slice();
      new DataView(copy.buffer).setUint32(at, other >>> 0, true);
      if (other >>> 0 !== value) changed.push(copy);
    }
  }
  return changed;
};

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
  const answers = decodeAll(checked, [bytes, withBytes(bytes, slotAt, 0, 2), withBytes(bytes, slotAt, ...none)]);
  assert.deepEqual(
    answers.map(({ error }) => error),
    [0, EBADMSG, EBADMSG],
  );
});
