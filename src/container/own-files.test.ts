import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TreeEntry } from "../image/tree.ts";
import type { ToldEntry } from "../kernel/tree-stream.ts";
import { listChanges, ownEntries } from "./own-files.ts";

const entry = (kind: ToldEntry["kind"], name: string, more: Partial<ToldEntry> = {}): ToldEntry => ({
  kind,
  name,
  ...{ mode: 0o755, uid: 0, gid: 0, size: 0, inode: 0n, target: new Uint8Array(), major: 1, minor: 3 },
  mtime: { seconds: 5n, nanoseconds: 0 },
  xattrs: new Map(),
  content: (async function* () {})(),
  ...more,
});
const enter = (name: string, more: Partial<ToldEntry> = {}) => entry("enter", name, more);
const leave = entry("leave", "");
const whiteout = (name: string) => entry("character", name, { major: 0, minor: 0 });

/** An image that has these directories and files. */
const imageWith = (...paths: readonly string[]) => ({
  at: (path: string): TreeEntry | undefined =>
    paths.includes(path)
      ? ({ type: "directory", mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 5n, nanoseconds: 0 } } as TreeEntry)
      : undefined,
});

async function* told(...entries: readonly ToldEntry[]): AsyncGenerator<ToldEntry> {
  yield* entries;
}

const changes = async (entries: readonly ToldEntry[], ...image: readonly string[]) =>
  (await listChanges(ownEntries(told(...entries), imageWith(...image)))).map(
    ({ path, kind }) => `${"CAD"[kind]} ${path}`,
  );

describe("what a container has written", () => {
  const marks = [entry("file", "hosts"), entry("file", "hostname"), entry("symlink", "mtab")];

  test("is nothing where only marks of ours are", async () => {
    const start = [
      entry("file", ".dockerenv"),
      enter("dev"),
      leave,
      enter("etc"),
      ...marks,
      leave,
      enter("proc"),
      leave,
    ];
    assert.deepEqual(await changes(start), []);
    // The directory is the image's, and its time is another for what we made in it.
    const later = { mtime: { seconds: 9n, nanoseconds: 0 } };
    assert.deepEqual(await changes([enter("etc", later), ...marks, leave], "/etc"), []);
  });

  test("has marks of ours where they are not what we make", async () => {
    const written = entry("file", "hosts", { size: 3 });
    assert.deepEqual(await changes([enter("etc"), written, leave], "/etc"), ["C /etc", "A /etc/hosts"]);
    assert.deepEqual(await changes([enter("etc"), ...marks, entry("file", "x"), leave], "/etc"), [
      "C /etc",
      "A /etc/x",
    ]);
    assert.deepEqual(await changes([enter("etc", { mode: 0o700 }), ...marks, leave], "/etc"), ["C /etc"]);
    assert.deepEqual(await changes([enter("dev"), entry("file", "x"), leave]), ["A /dev", "A /dev/x"]);
  });

  test("is told with the directories above, once each", async () => {
    const deep = [enter("a"), enter("b"), entry("file", "x"), entry("file", "y"), leave, whiteout("gone"), leave];
    assert.deepEqual(await changes(deep, "/a", "/a/b", "/a/b/y", "/a/gone"), [
      "C /a",
      "C /a/b",
      "A /a/b/x",
      "C /a/b/y",
      "D /a/gone",
    ]);
  });

  test("is a directory that became another, and none that is as it was", async () => {
    assert.deepEqual(await changes([enter("a"), leave], "/a"), []);
    assert.deepEqual(await changes([enter("a", { mtime: { seconds: 6n, nanoseconds: 0 } }), leave], "/a"), ["C /a"]);
    const opaque = { xattrs: new Map([["trusted.overlay.opaque", Buffer.from("y")]]) };
    assert.deepEqual(await changes([enter("a", opaque), leave], "/a"), ["C /a"]);
    assert.deepEqual(await changes([enter("new"), leave]), ["A /new"]);
  });
});
