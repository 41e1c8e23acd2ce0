import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type TarOutput, writeTar } from "../../format/tar/write.ts";
import { packContext, unpackContext } from "./archive.ts";

const context = { Name: "far", Metadata: { Description: "far away" }, Endpoints: { docker: { Host: "tcp://far:1" } } };

async function* whole(bytes: Uint8Array): AsyncGenerator<Buffer> {
  yield Buffer.from(bytes);
}

const archiveOf = async (...files: readonly (readonly [path: string, content: string])[]): Promise<Buffer> => {
  const items = files.map(([path, content]): TarOutput => {
    const bytes = Buffer.from(content);
    const owner = { uid: 0, gid: 0, major: 0, minor: 0, link: Buffer.alloc(0), xattrs: new Map<string, Uint8Array>() };
    const mtime = { seconds: 0n, nanoseconds: 0 };
    return {
      header: { ...owner, mtime, path: Buffer.from(path), type: "file", mode: 0o600, size: bytes.length },
      content: [bytes],
    };
  });
  return Buffer.concat(await Array.fromAsync(writeTar(items)));
};

describe("a context as an archive", () => {
  test("comes back as it was, with its certificates", async () => {
    const certificates = { docker: { "ca.pem": Buffer.from("ca"), "key.pem": Buffer.from("key") } };
    const archive = Buffer.concat(await Array.fromAsync(packContext(context, certificates)));
    assert.deepEqual(await unpackContext(whole(archive)), { context, certificates });
  });

  test("has nothing but what a context has", async () => {
    const meta = ["meta.json", JSON.stringify(context)] as const;
    for (const [files, sentence] of [
      [[], /no metadata found/],
      [[["meta.json", "[]"]], /meta\.json is no context/],
      [[["meta.json", '{"Endpoints":{"docker":7}}']], /meta\.json is no context/],
      [[meta, ["other", ""]], /other: unexpected context file/],
      [[meta, ["tls/docker/../../x", ""]], /unexpected context file/],
      [[meta, ["tls/../x", ""]], /unexpected context file/],
      [[meta, ["tls/docker/a/b", ""]], /unexpected context file/],
      [[meta, ["/tls/docker/ca.pem", ""]], /unexpected context file/],
    ] as const) {
      await assert.rejects(unpackContext(whole(await archiveOf(...files))), sentence);
    }
    const archive = await archiveOf(meta, ["tls/docker/ca.pem", "ca"]);
    await assert.rejects(unpackContext(whole(archive.subarray(0, archive.length - 1024 - 511))), /ends early/);
    await unpackContext(whole(archive.subarray(0, archive.length - 1024 - 510)));
    await assert.rejects(unpackContext(whole(Buffer.from("PK\x03\x04..."))), /a zip file is not read/);
    await assert.rejects(unpackContext(whole(Buffer.alloc(10 * 1024 * 1024 + 1))), /larger than any context/);
  });
});
