import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeFrames, encodeFrame, encodeFrameHeader, FrameDecoder, type StreamName } from "./raw-stream.ts";

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("frames", () => {
  it("have Docker's eight bytes in front", () => {
    assert.deepEqual([...encodeFrame("stderr", Buffer.from("hi"))], [2, 0, 0, 0, 0, 0, 0, 2, 104, 105]);
    assert.deepEqual([...encodeFrameHeader("stdout", 0x01020304)], [1, 0, 0, 0, 1, 2, 3, 4]);
  });

  it("come back whole from chunks of any size", async () => {
    const frame = fc.tuple(fc.constantFrom<StreamName>("stdin", "stdout", "stderr"), fc.uint8Array({ maxLength: 50 }));
    await fc.assert(
      fc.asyncProperty(fc.array(frame), fc.integer({ min: 1, max: 40 }), async (frames, size) => {
        const stream = Buffer.concat(frames.map(([name, data]) => encodeFrame(name, data)));
        const decoded = { stdin: "", stdout: "", stderr: "" };
        for await (const { stream: name, data } of decodeFrames(inPieces(stream, size))) {
          decoded[name] += Buffer.from(data).toString("latin1");
        }
        for (const name of ["stdin", "stdout", "stderr"] as const) {
          const sent = frames
            .filter(([other]) => other === name)
            .map(([, data]) => Buffer.from(data).toString("latin1"));
          assert.equal(decoded[name], sent.join(""));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("are refused when the stream is none of theirs, or ends inside one", () => {
    assert.throws(() => new FrameDecoder().push(Buffer.from("HTTP/1.1 200 OK")), /unrecognized stream: 72/);
    for (const length of [3, 8, 9]) {
      const decoder = new FrameDecoder();
      decoder.push(encodeFrame("stdout", Buffer.from("hi")).subarray(0, length));
      assert.throws(() => decoder.end(), /ends inside a frame/);
    }
  });
});
