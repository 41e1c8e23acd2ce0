import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readTar } from "../../format/tar/read.ts";
import { type TarHeader, type TarOutput, writeTar } from "../../format/tar/write.ts";
import { packEntries } from "./pack.ts";
import { parseRemote, planCopy, renamed, splitPath } from "./places.ts";
import { unpack } from "./unpack.ts";

describe("the ends of a copy", () => {
  test("a container's path has a colon; what begins with a dot or a slash is of this machine", () => {
    assert.deepEqual(parseRemote("web:/etc"), { container: "web", path: "/etc" });
    assert.deepEqual(parseRemote("web:a:b"), { container: "web", path: "a:b" });
    for (const local of ["/a:b", "./a:b", "../a:b", "plain"]) assert.equal(parseRemote(local), undefined);
  });

  test("a path that ends in a dot is its directory's contents", () => {
    assert.deepEqual(splitPath("/a/b"), { directory: "/a", name: "b" });
    assert.deepEqual(splitPath("/a/b/"), { directory: "/a", name: "b" });
    assert.deepEqual(splitPath("/a/b/."), { directory: "/a/b", name: "." });
    assert.deepEqual(splitPath("."), { directory: ".", name: "." });
    assert.deepEqual(splitPath("/"), { directory: "/", name: "/" });
  });

  const place = (path: string, kind: "file" | "directory" | "none") => ({
    path,
    exists: kind !== "none",
    isDirectory: kind === "directory",
  });

  test("what is called how follows cp's rules", () => {
    const plan = (
      from: readonly [string, "file" | "directory"],
      to: readonly [string, "file" | "directory" | "none"],
    ) => planCopy(place(...from), place(...to));
    assert.deepEqual(plan(["/s/f", "file"], ["/d", "directory"]), { directory: "/d" });
    assert.deepEqual(plan(["/s/f", "file"], ["/d/x", "file"]), { directory: "/d", rename: { from: "f", to: "x" } });
    assert.deepEqual(plan(["/s/f", "file"], ["/d/x", "none"]), { directory: "/d", rename: { from: "f", to: "x" } });
    assert.deepEqual(plan(["/s", "directory"], ["/d/x", "none"]), { directory: "/d", rename: { from: "s", to: "x" } });
    assert.deepEqual(plan(["/s/.", "directory"], ["/d/x", "none"]), {
      directory: "/d",
      rename: { from: ".", to: "x" },
    });
    assert.throws(() => plan(["/s", "directory"], ["/d/x", "file"]), /cannot copy directory/);
    assert.throws(() => plan(["/s/f", "file"], ["/d/x/", "none"]), /no such directory/);
    assert.equal(renamed("s/a/s", { from: "s", to: "x" }), "x/a/s");
    assert.equal(renamed("ss/a", { from: "s", to: "x" }), "ss/a");
    assert.equal(renamed("./a", { from: ".", to: "x" }), "x/a");
    assert.equal(renamed("/a", { from: "/", to: "x" }), "x/a");
  });
});

describe("files of this machine", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-cp-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const header = (path: string, type: TarHeader["type"], link = "", size = 0): TarOutput => ({
    header: {
      ...{ path: Buffer.from(path), type, mode: 0o644, uid: 0, gid: 0, size, link: Buffer.from(link) },
      ...{ mtime: { seconds: 0n, nanoseconds: 0 }, major: 0, minor: 0, xattrs: new Map() },
    },
    ...(size === 0 ? {} : { content: [Buffer.alloc(size, 1)] }),
  });

  test("are packed and unpacked the same", async () => {
    const [from, to] = [join(directory, "from"), join(directory, "to")];
    mkdirSync(join(from, "a/b"), { recursive: true });
    mkdirSync(to);
    writeFileSync(join(from, "a/file"), "x".repeat(3_000_000), { mode: 0o640 });
    linkSync(join(from, "a/file"), join(from, "same"));
    symlinkSync("/nowhere", join(from, "link"));
    utimesSync(join(from, "a"), 5, 7.5);
    chmodSync(join(from, "a/b"), 0o500);
    await unpack(readTar(writeTar(packEntries(from, "from"))), { directory: to, rename: { from: "from", to: "new" } });
    const made = join(to, "new");
    assert.deepEqual(readdirSync(made).sort(), ["a", "link", "same"]);
    assert.equal(readFileSync(join(made, "a/file")).length, 3_000_000);
    assert.equal(statSync(join(made, "a/file")).ino, statSync(join(made, "same")).ino);
    assert.equal(readlinkSync(join(made, "link")), "/nowhere");
    assert.deepEqual([statSync(join(made, "a")).mtimeMs, statSync(join(made, "a/b")).mode & 0o777], [7500, 0o500]);
    assert.equal(statSync(join(made, "a/file")).mode & 0o777, 0o640);
  });

  test("what an archive says leads nowhere else", async () => {
    const [to, canary] = [join(directory, "to"), join(directory, "canary")];
    mkdirSync(to);
    mkdirSync(canary);
    const cases: readonly (readonly TarOutput[])[] = [
      [header("../canary/x", "file", "", 1)],
      [header("out", "symlink", canary), header("out/x", "file", "", 1)],
      [header("up", "symlink", ".."), header("up/canary/x", "file", "", 1)],
      [header("hard", "hardlink", "../canary/secret")],
      [header("fifo", "fifo")],
    ];
    for (const entries of cases) await assert.rejects(unpack(readTar(writeTar(entries)), { directory: to }));
    assert.deepEqual(readdirSync(canary), []);
    await unpack(readTar(writeTar([header("/absolute", "file", "", 1)])), { directory: to });
    assert.ok(existsSync(join(to, "absolute")));
  });

  test("a directory and what is none do not stand in for each other", async () => {
    mkdirSync(join(directory, "d"));
    writeFileSync(join(directory, "f"), "kept");
    await assert.rejects(
      unpack(readTar(writeTar([header("d", "file", "", 1)])), { directory }),
      /cannot overwrite directory/,
    );
    await assert.rejects(
      unpack(readTar(writeTar([header("f", "directory")])), { directory }),
      /cannot overwrite non-directory/,
    );
    symlinkSync(join(directory, "d"), join(directory, "l"));
    await unpack(readTar(writeTar([header("l", "file", "", 1)])), { directory });
    assert.deepEqual([readdirSync(join(directory, "d")), readFileSync(join(directory, "l")).length], [[], 1]);
  });
});
