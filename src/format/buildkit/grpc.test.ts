import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { decodeFrames, decodeText, encodeFrame, encodeText } from "./grpc.ts";
import { fileData } from "./messages.ts";

describe("the messages of a stream", () => {
  const read = async (bytes: Buffer, pieceSize: number) => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += pieceSize) pieces.push(bytes.subarray(at, at + pieceSize));
    const found: string[] = [];
    for await (const { data } of decodeFrames(fileData, Readable.from(pieces)))
      found.push(Buffer.from(data).toString());
    return found;
  };

  test("are the same wherever the stream is cut", async () => {
    const texts = ["one", "", "x".repeat(300), "last"];
    const bytes = Buffer.concat(texts.map((text) => encodeFrame(fileData, { data: Buffer.from(text) })));
    for (const size of [1, 2, 3, 4, 5, 6, 7, 11, 64, 299, bytes.length])
      assert.deepEqual(await read(bytes, size), texts, `${size}`);
    // What ends in the middle is none.
    assert.deepEqual(await read(bytes.subarray(0, -1), 7), texts.slice(0, -1));
  });

  test("that are compressed or too long are refused as soon as they say so", async () => {
    await assert.rejects(read(Buffer.from([1, 0, 0, 0, 0]), 1), /compressed or too long/);
    await assert.rejects(read(Buffer.from([0, 1, 0, 0, 1]), 5), /compressed or too long/);
  });
});

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
