import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SaidOutput } from "./said.ts";

const mebibyte = 1024 * 1024;

describe("what a step says", () => {
  test("is told as it comes", () => {
    const told: string[] = [];
    const said = new SaidOutput((stream, data) => told.push(`${stream} ${Buffer.from(data)}`));
    said.add("stdout", Buffer.from("a"));
    said.add("stderr", Buffer.from("b"));
    assert.deepEqual(told, ["stdout a", "stderr b"]);
    said.end();
    assert.equal(told.length, 2);
  });

  test("without end is told in its beginning and its end, and no more is kept of it", () => {
    const told: Buffer[] = [];
    const said = new SaidOutput((_, data) => told.push(Buffer.from(data)));
    for (let line = 0; line < 20_000; line++)
      said.add("stdout", Buffer.from(`${line}`.padStart(1023, "0").concat("\n")));
    said.add("stderr", Buffer.from("this is why\n"));
    const before = Buffer.concat(told).toString();
    assert.ok(before.length < 2.01 * mebibyte);
    assert.match(before, /^0+\n0+1\n/);
    assert.equal(before.match(/output clipped, log limit 2MiB reached/g)?.length, 1);
    said.end();
    const after = Buffer.concat(told).toString().slice(before.length);
    assert.match(after, /0+19999\nthis is why\n$/);
    assert.ok(after.length < mebibyte / 8);
  });
});
