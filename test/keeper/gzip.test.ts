/** The keeper's compressor: what it writes is gzip to those who read it, and worth the while. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { type Checked, compileChecked, noCompiler } from "./compile.ts";

describe("gzip", { skip: noCompiler }, () => {
  let checked: Checked;
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-gzip-"));
    checked = compileChecked("gzip-check", ["test/keeper/gzip-check.c", "keeper/gzip.c"]);
  });
  after(() => {
    checked[Symbol.dispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  const pack = (bytes: Buffer): Buffer => {
    const [from, to] = [join(directory, "from"), join(directory, "to")];
    writeFileSync(from, bytes);
    const { status, stderr } = spawnSync(checked.program, [from, to], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return readFileSync(to);
  };

  const log = (lines: number): Buffer =>
    Buffer.from(
      Array.from({ length: lines }, (_, line) => {
        const log = `GET /items/${(line * 7919) % 1000} 200 in ${(line * 31) % 97} ms\n`;
        return `${JSON.stringify({ log, stream: "stdout", time: new Date(line * 1237).toISOString() })}\n`;
      }).join(""),
    );

  test("whatever is in the file comes out again", () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const far = randomBytes(32_767);
    const contents = [
      ...["", "a", "abc", "abcd", "aaaa", "a".repeat(257), "a".repeat(258), "a".repeat(259), "a".repeat(100_000)],
      ...[every, Buffer.concat([every, every]), randomBytes(200_000), log(5000)],
      // At the window's edge: found again, or too far away.
      ...[-1, 0, 1].map((more) =>
        Buffer.concat([far.subarray(0, far.length + Math.min(more, 0)), Buffer.alloc(Math.max(more, 0)), far]),
      ),
      ...Array.from({ length: 60 }, (_, length) => Buffer.from("ab".repeat(length + 1)).subarray(0, length)),
    ].map((content) => Buffer.from(content));
    for (const content of contents) assert.ok(gunzipSync(pack(content)).equals(content), `${content.length} bytes`);
  });

  test("a log becomes a fifth of what it was, at most", () => {
    const bytes = log(20_000);
    const packed = pack(bytes);
    assert.ok(packed.length * 5 < bytes.length, `${packed.length} of ${bytes.length}`);
  });

  test("the note stands in the header", () => {
    assert.equal(
      pack(Buffer.from("x")).toString("latin1", 0, 32),
      "\x1f\x8b\b\x04\0\0\0\0\0\x03\x14\0PI\x10\x000123456789abcdef",
    );
  });
});
