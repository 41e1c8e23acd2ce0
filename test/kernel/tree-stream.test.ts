/** The keeper tells a tree: every name once and in order, what each is, and all of its content. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { layerEntries } from "../../src/container/upper.ts";
import { readTar } from "../../src/format/tar/read.ts";
import { writeTar } from "../../src/format/tar/write.ts";
import { streamErrand } from "../../src/kernel/errand.ts";
import { StepFailure } from "../../src/kernel/keeper.ts";
import { errnos } from "../../src/kernel/numbers/errno.ts";
import { decodeTree, type ToldEntry } from "../../src/kernel/tree-stream.ts";
import { cannotKeep, Keepers } from "./keepers.ts";

type Told = Omit<ToldEntry, "content"> & { readonly text: string };

const setAttribute = (path: string, name: string, value: string): void => {
  execFileSync("python3", [
    "-c",
    "import os,sys; os.setxattr(sys.argv[1],sys.argv[2],sys.argv[3].encode())",
    path,
    name,
    value,
  ]);
};

describe("a tree that the keeper tells", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  before(async () => {
    keepers = await Keepers.open();
  });
  after(() => keepers[Symbol.asyncDispose]());

  const stream = (path: string): AsyncGenerator<Uint8Array> =>
    streamErrand(keepers.holder, dirname(keepers.path("errand")), {
      outside: [{ step: "readTree", index: 0, path }],
      inside: [],
      after: [],
    });

  const read = async (path: string): Promise<Told[]> => {
    const told: Told[] = [];
    for await (const { content, ...entry } of decodeTree(stream(path))) {
      const parts: Uint8Array[] = [];
      for await (const part of content) parts.push(part);
      told.push({ ...entry, text: Buffer.concat(parts).toString("latin1") });
    }
    return told;
  };

  test("has names in order, attributes, contents, links and devices as they are", async () => {
    const top = keepers.path("tree");
    mkdirSync(join(top, "b"), { recursive: true });
    writeFileSync(join(top, "b/two"), "two", { mode: 0o640 });
    writeFileSync(join(top, "b/one"), "1".repeat(200_000));
    linkSync(join(top, "b/one"), join(top, "z"));
    symlinkSync("/etc/shadow", join(top, "a"));
    lutimesSync(join(top, "a"), 7, 7);
    execFileSync("mkfifo", [join(top, "c")]);
    execFileSync("mknod", [join(top, "d"), "c", "1", "3"]);
    setAttribute(join(top, "b/two"), "user.note", "x");
    chownSync(join(top, "b/two"), 3_000_000_000, 7);
    chmodSync(join(top, "b/two"), 0o4750);
    utimesSync(join(top, "b/two"), 5, 5.5);
    const told = await read(top);
    assert.deepEqual(
      told.map(({ kind, name }) => `${kind} ${name}`.trim()),
      ["symlink a", "enter b", "file one", "file two", "leave", "fifo c", "character d", "link z"],
    );
    const [link, , one, two, , , device, name] = told;
    assert.equal(Buffer.from(link!.target).toString(), "/etc/shadow");
    assert.deepEqual(link!.mtime, { seconds: 7n, nanoseconds: 0 });
    assert.equal(one!.text, "1".repeat(200_000));
    assert.equal(name!.inode, one!.inode);
    assert.deepEqual(
      [two!.text, two!.mode, two!.uid, two!.gid, two!.mtime.nanoseconds],
      ["two", 0o4750, 3_000_000_000, 7, 500_000_000],
    );
    assert.equal(Buffer.from(two!.xattrs.get("user.note")!).toString(), "x");
    assert.deepEqual([device!.major, device!.minor], [1, 3]);
  });

  test("becomes the tar of a layer, with overlayfs' marks as those of images", async () => {
    const top = keepers.path("upper");
    mkdirSync(join(top, "new"), { recursive: true });
    writeFileSync(join(top, "new/file"), "content");
    execFileSync("mknod", [join(top, "gone"), "c", "0", "0"]);
    linkSync(join(top, "gone"), join(top, "new/gone"));
    setAttribute(join(top, "new"), "trusted.overlay.opaque", "y");
    const names: string[] = [];
    for await (const { entry, content } of readTar(writeTar(layerEntries(decodeTree(stream(top)))))) {
      for await (const _ of content);
      assert.equal(entry.xattrs.size, 0);
      names.push(`${entry.type} ${Buffer.from(entry.path).toString()}`);
    }
    assert.deepEqual(names, [
      "file .wh.gone",
      "directory new/",
      "file new/.wh..wh..opq",
      "file new/file",
      "file new/.wh.gone",
    ]);
  });

  test("that is too deep, or not there, is an error and no half of one", async () => {
    const fails = async (path: string): Promise<number> => {
      const failure = await read(path).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.ok(failure instanceof StepFailure);
      return failure.errno;
    };
    assert.equal(await fails(keepers.path("missing")), errnos.ENOENT.number);
    const deep = keepers.path("deep");
    execFileSync("python3", [
      "-c",
      "import os,sys\nos.mkdir(sys.argv[1]); os.chdir(sys.argv[1])\nfor i in range(1000): os.mkdir('d'); os.chdir('d')",
      deep,
    ]);
    assert.equal(await fails(deep), errnos.ENAMETOOLONG.number);
    execFileSync("rm", ["-rf", deep]);
    rmSync(deep, { recursive: true, force: true });
  });

  test("waits for whoever reads it slowly", async () => {
    const top = keepers.path("large");
    mkdirSync(top);
    for (let file = 0; file < 8; file++) writeFileSync(join(top, `${file}`), Buffer.alloc(1024 * 1024, file));
    let size = 0;
    for await (const part of stream(top)) {
      await new Promise((resolve) => setImmediate(resolve));
      size += part.length;
    }
    assert.equal(size, 8 * (1024 * 1024 + 64 + 1));
  });
});
