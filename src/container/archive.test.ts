import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readTar } from "../format/tar/read.ts";
import { type TarOutput, writeTar } from "../format/tar/write.ts";
import { decodeTree } from "../kernel/tree-stream.ts";
import { archiveEntries, putRecords } from "./archive.ts";

const output = (
  path: string,
  type: TarOutput["header"]["type"],
  more: Partial<TarOutput["header"]> = {},
  content = "",
): TarOutput => ({
  header: {
    ...{ path: Buffer.from(path), type, mode: 0o640, uid: 1, gid: 2, size: content.length, link: Buffer.from("") },
    ...{ mtime: { seconds: 7n, nanoseconds: 8 }, major: 0, minor: 0, xattrs: new Map<string, Uint8Array>() },
    ...more,
  },
  content: [Buffer.from(content)],
});

/** What the keeper is told to make, one word for each record. */
const records = async (directory: string, ...entries: readonly TarOutput[]): Promise<string[]> => {
  const words: string[] = [];
  for await (const { kind, name, target, content } of decodeTree(putRecords(readTar(writeTar(entries)), directory))) {
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(part);
    words.push([kind, name, Buffer.from(target).toString(), Buffer.concat(parts).toString()].filter(Boolean).join(" "));
  }
  return words;
};

describe("an archive that is put into a container", () => {
  test("becomes records beneath the directory, times of directories last", async () => {
    const made = await records(
      "/to",
      output("./", "directory"),
      output("a/", "directory"),
      output("a/f", "file", {}, "text"),
      output("a/l", "symlink", { link: Buffer.from("/etc/x") }),
      output("h", "hardlink", { link: Buffer.from("a/f") }),
      output("/b/", "directory"),
    );
    assert.deepEqual(made, [
      "enter /to/a",
      "file /to/a/f text",
      "symlink /to/a/l /etc/x",
      "link /to/h /to/a/f",
      "enter /to/b",
      "leave /to/b",
      "leave /to/a",
    ]);
    assert.deepEqual(await records("/", output("x", "file", {}, "y")), ["file /x y"]);
  });

  test("does not lead out of it by its names", async () => {
    for (const path of ["..", "../x", "a/../../x"]) {
      await assert.rejects(records("/to", output(path, "file")), /is outside of "\/to"/);
    }
    await assert.rejects(records("/to", output("x", "hardlink", { link: Buffer.from("../y") })), /is outside of/);
    // An absolute name is one beneath the directory.
    assert.deepEqual(await records("/to", output("/../x", "file")), ["file /to/x"]);
  });

  test("brings no attributes that overlayfs would read", async () => {
    const xattrs = new Map([
      ["trusted.overlay.redirect", Buffer.from("/etc")],
      ["user.kept", Buffer.from("1")],
    ]);
    for await (const entry of decodeTree(putRecords(readTar(writeTar([output("x", "file", { xattrs })])), "/"))) {
      assert.deepEqual([...entry.xattrs.keys()], ["user.kept"]);
    }
  });

  test("comes back under another first name, with its links", async () => {
    const put = putRecords(readTar(writeTar([output("d/", "directory"), output("d/f", "file", {}, "z")])), "/");
    const names: string[] = [];
    for await (const { header } of archiveEntries(decodeTree(put), "new"))
      names.push(Buffer.from(header.path).toString());
    assert.deepEqual(names[0], "new/");
  });
});
