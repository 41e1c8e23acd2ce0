import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeText, encodeText } from "./grpc.ts";

describe("the text of a status", () => {
  test("comes through as it is", () => {
    for (const text of ["", "a process", "100 %\nof ünïcode 🙂"]) assert.equal(decodeText(encodeText(text)), text);
  });

  test("that is too long for a frame of trailers keeps its two ends", () => {
    for (const letter of ["x", "\n", "ü", "€", "🙂"]) {
      const encoded = encodeText(`process "${letter.repeat(20_000)}" did not complete: exit code: 3`);
      assert.ok(encoded.length < 16_000, letter);
      assert.match(decodeText(encoded), /^process "[^…]{250,} … [^…]{250,}exit code: 3$/su);
    }
  });

  test("that was cut within a character is a text all the same", () => {
    assert.equal(decodeText(encodeText("🙂".slice(0, 1))), "\ufffd");
    assert.equal(decodeText("100% and %zz"), "100% and %zz");
  });
});
