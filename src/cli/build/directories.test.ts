import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { decodeFrames, encodeFrames } from "../../format/buildkit/grpc.ts";
import { packet, packetTypes } from "../../format/buildkit/messages.ts";
import { directoryMethods } from "./directories.ts";

test("a directory is listed by names of any kind, and its files are given when they are asked for", async () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-directories-"));
  try {
    mkdirSync(join(directory, "d"));
    writeFileSync(join(directory, "d/é"), "content", { mode: 0o640 });
    writeFileSync(join(directory, "left-out"), "");
    symlinkSync("ü", join(directory, "link"));
    const [[, method] = []] = directoryMethods(new Map([["context", directory]]));
    const asked = encodeFrames(packet, [{ type: packetTypes.request, ID: 1 }, { type: packetTypes.end }]);
    const said: Uint8Array[] = [];
    await method!(
      {
        stream: Readable.from([asked]) as unknown as ServerHttp2Stream,
        headers: { "dir-name": "context", "exclude-patterns": "left-out" },
        signal: new AbortController().signal,
      },
      (frame) => said.push(frame),
    );
    const told: string[] = [];
    for await (const { type, ID, stat, data } of decodeFrames(packet, Readable.from(said))) {
      const about = stat && `${stat.path} ${(stat.mode % 512).toString(8)} ${stat.size} ${stat.linkname}`.trim();
      told.push([type, ID, about, Buffer.from(data).toString()].filter(Boolean).join(" "));
    }
    assert.deepEqual(told, [
      "d 755 0",
      "d/é 640 7",
      "link 777 0 ü",
      "",
      `${packetTypes.data} 1 content`,
      `${packetTypes.data} 1`,
      `${packetTypes.end}`,
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
