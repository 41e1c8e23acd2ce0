import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TarHeader } from "../format/tar/write.ts";
import { listContext, planChanges } from "./context-changes.ts";

const header = (path: string, more: Partial<TarHeader> = {}): TarHeader => ({
  ...{ path: Buffer.from(path), type: path.endsWith("/") ? "directory" : "file", mode: 0o644, uid: 0, gid: 0, size: 1 },
  ...{ mtime: { seconds: 1n, nanoseconds: 0 }, link: new Uint8Array(), major: 0, minor: 0, xattrs: new Map() },
  ...more,
});

const changes = (before: readonly TarHeader[], now: readonly (TarHeader | undefined)[]) => {
  const found = planChanges(listContext(before), now);
  return (
    found && {
      read: found.places.map((place) => Buffer.from(now[place]!.path).toString()),
      gone: found.whiteouts.map(({ path }) => Buffer.from(path).toString()),
    }
  );
};

describe("what has changed in a context", () => {
  const before = [header("a"), header("d/"), header("d/e/"), header("d/e/f"), header("d/g"), header("z")];

  test("is nothing where all is told alike", () => {
    assert.deepEqual(changes(before, [...before, undefined]), { read: [], gone: [] });
  });

  test("is each file that is told otherwise, with the directories above it", () => {
    const later = { mtime: { seconds: 1n, nanoseconds: 1 } };
    const now = before.map((one) => (Buffer.from(one.path).toString() === "d/e/f" ? header("d/e/f", later) : one));
    assert.deepEqual(changes(before, [...now, header("new")]), { read: ["d/", "d/e/", "d/e/f", "new"], gone: [] });
    for (const more of [{ size: 2 }, { mode: 0o755 }, { type: "symlink", link: Buffer.from("x") }] as const)
      assert.deepEqual(changes([header("a")], [header("a", more)]), { read: ["a"], gone: [] });
  });

  test("is what is gone, a directory as a whole", () => {
    const without = (gone: RegExp) => before.filter(({ path }) => !gone.test(Buffer.from(path).toString()));
    assert.deepEqual(changes(before, without(/^d\/e/)), { read: ["d/"], gone: ["d/.wh.e"] });
    assert.deepEqual(changes(before, without(/^d/)), { read: [], gone: [".wh.d"] });
    // A file in the place of a directory hides what was in it.
    assert.deepEqual(changes(before, [...without(/^d/), header("d")]), { read: ["d"], gone: [] });
  });

  test("is not told of hard links, which all names together are", () => {
    const link = header("b", { type: "hardlink", link: Buffer.from("a") });
    assert.equal(changes(before, [...before, link]), undefined);
  });
});
