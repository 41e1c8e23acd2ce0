/** The keeper's reader of lists of trees against lists that no encoder wrote, watched by the compiler's sanitizers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileChecked, noCompiler } from "./compile.ts";
import { decodeAll, EBADMSG, EPROTONOSUPPORT, withBytes, wordChanges } from "./decoders.ts";
import { lists } from "./lists.ts";

test("the decoder takes what the encoder writes, and refuses the rest without falling", { skip: noCompiler }, () => {
  using checked = compileChecked("list-check", ["test/keeper/list-check.c", "keeper/list.c"]);
  const valid = fc.sample(lists, { numRuns: 40, seed: 7 });
  assert.ok(decodeAll(checked, valid).every(({ error }) => error === 0));

  const cut = valid.slice(0, 8).flatMap((bytes) => Array.from(bytes, (_, length) => bytes.subarray(0, length)));
  assert.ok(decodeAll(checked, cut).every(({ error }) => error === EBADMSG));

  const flipped = fc
    .sample(fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.integer({ min: 1, max: 255 })), { numRuns: 4000, seed: 8 })
    .map(([bytes, at, mask]) => withBytes(bytes, at % bytes.length, bytes[at % bytes.length]! ^ mask));
  const changed = [...flipped, ...valid.slice(0, 8).flatMap(wordChanges)];
  const answers = decodeAll(checked, changed);
  assert.equal(answers.length, changed.length);
  assert.ok(answers.every(({ error }) => error === 0 || error === EBADMSG || error === EPROTONOSUPPORT));
  assert.ok(answers.some(({ error }) => error === EPROTONOSUPPORT));
  assert.ok(answers.filter(({ error }) => error === EBADMSG).length > answers.length / 4);
});
