import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { downloadArchive } from "./downloads.ts";

const piece = Buffer.alloc(64 * 1024, "x");

/** A server that never says how long anything is, unless it is told to. */
const serving = async (
  answer: RequestListener,
  work: (url: string, directory: string) => Promise<void>,
): Promise<void> => {
  const server = createServer(answer);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const directory = await mkdtemp(join(tmpdir(), "pier-download-"));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, directory);
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
};

const signal = new AbortController().signal;

describe("what ADD fetches from a URL", () => {
  test("is a file of the build's, whole, named by its URL, and nothing is left beside it", () =>
    serving(
      (_, response) => {
        response.writeHead(200, { "last-modified": "Thu, 01 Jan 1970 00:01:40 GMT" });
        for (let count = 0; count < 40; count++) response.write(piece);
        response.end("end");
      },
      async (url, directory) => {
        const content = Buffer.concat([...Array.from({ length: 40 }, () => piece), Buffer.from("end")]);
        const checksum = `sha256:${createHash("sha256").update(content).digest("hex")}`;
        const { name, tree } = await downloadArchive(`${url}/a/file.bin?x=1`, { checksum, directory, signal });
        assert.equal(name, "file.bin");
        const entry = tree.find("/file.bin");
        assert.ok(entry?.type === "file");
        assert.equal(entry.mtime.seconds, 100n);
        assert.deepEqual(Buffer.concat([...tree.contents(entry)]), content);
        assert.deepEqual((await readdir(directory)).sort(), ["index", "tar"]);
        const wrong = { checksum: `sha256:${"0".repeat(64)}`, directory, signal };
        await assert.rejects(downloadArchive(`${url}/x`, wrong), /has checksum sha256:/);
      },
    ));

  test("has a bound also where the server says no length, and is asked for no further", async () => {
    let sent = 0;
    await serving(
      (_, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(piece)) sent += piece.length;
          if (!response.destroyed) response.once("drain", more);
        };
        more();
      },
      async (url, directory) => {
        const options = { checksum: undefined, directory, signal, limit: 1024 * 1024 };
        await assert.rejects(downloadArchive(`${url}/endless`, options), /it is larger than 1048576 bytes/);
        assert.deepEqual(await readdir(directory), []);
      },
    );
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were sent`);
  });

  test("may be elsewhere, by http alone, and not for ever", () =>
    serving(
      (request, response) => {
        const to: Readonly<Record<string, string>> = {
          "/once": "/there",
          "/loop": "/loop",
          "/file": "file:///etc/passwd",
        };
        const location = to[request.url ?? ""];
        if (location !== undefined) response.writeHead(302, { location }).end();
        else response.end("there");
      },
      async (url, directory) => {
        const options = { checksum: undefined, directory, signal };
        const { name, tree } = await downloadArchive(`${url}/once`, options);
        assert.equal(name, "once");
        assert.equal(Buffer.from(tree.read("/once", 100)!).toString(), "there");
        await assert.rejects(downloadArchive(`${url}/loop`, options), /more than 10 redirects/);
        await assert.rejects(downloadArchive(`${url}/file`, options), /redirected to file:/);
      },
    ));
});
