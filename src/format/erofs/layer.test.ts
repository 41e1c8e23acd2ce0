import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PierError } from "../../base/errors.ts";
import type { TarEntry, TarEntryType } from "../tar/entry.ts";
import { LayerTree } from "./layer.ts";
import { defaultLayerLimits, type LayerLimits } from "./limits.ts";
import { isDot, ROOT, type Tree, WHITEOUT } from "./tree.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

type Changes = Partial<Omit<TarEntry, "path" | "type" | "link">> & { readonly link?: string };

const entry = (path: string, type: TarEntryType = "file", { link = "", ...changes }: Changes = {}): TarEntry => ({
  path: bytes(path),
  type,
  mode: 420,
  uid: 0,
  gid: 0,
  size: 0,
  link: bytes(link),
  major: 0,
  minor: 0,
  mtime: {
    seconds: 5n,
    nanoseconds: 0,
  },
  xattrs: new Map(),
  extents: [],
  ...changes,
});

const directory = (path: string, changes: Changes = {}): TarEntry =>
  entry(path, "directory", { mode: 0o755, ...changes });
const symlink = (path: string, link: string): TarEntry => entry(path, "symlink", { link });
const hardlink = (path: string, link: string, changes: Changes = {}): TarEntry =>
  entry(path, "hardlink", { link, ...changes });

const build = (entries: readonly TarEntry[], limits: LayerLimits = defaultLayerLimits): Tree => {
  const layer = new LayerTree(limits);
  for (const one of entries) layer.add(one);
  return layer.tree;
};

/** The inode at a path, no link followed. */
const inodeAt = (tree: Tree, path: string): number => {
  let inode = ROOT;
  for (const name of path.split("/")) {
    const next = tree.find(inode, name);
    assert.notEqual(next, undefined, `${path} is missing`);
    inode = next!;
  }
  return inode;
};

const paths = (tree: Tree): string[] => {
  const pathOf = (name: number): string =>
    name === ROOT ? "" : `${pathOf(tree.directoryOf(name))}/${tree.nameOf(name)}`;
  const found = [...tree.list()]
    .filter((name) => !isDot(name))
    .map((name) => {
      const inode = tree.inodeOf(name);
      const type = inode === WHITEOUT ? "whiteout" : tree.typeOf(inode);
      return `${pathOf(name)} ${type}${tree.isOpaque(inode) ? " opaque" : ""}`;
    });
  return found.sort();
};

const refuses = (message: RegExp, ...entries: TarEntry[]): void => {
  assert.throws(
    () => build(entries),
    (error) => error instanceof PierError && error.status === 400 && message.test(error.message),
  );
};

const xattrs = (values: Record<string, string>): Changes => ({
  xattrs: new Map(Object.entries(values).map(([name, value]) => [name, bytes(value)])),
});

describe("paths of a layer", () => {
  it("are cleaned as text and never leave the root", () => {
    assert.deepEqual(paths(build([entry("./a"), entry("//b"), entry("d/../c"), entry("e/./f/")])), [
      "/a file",
      "/b file",
      "/c file",
      "/e directory",
      "/e/f file",
    ]);
    for (const path of ["../x", "a/../../x", "/../x", ".."]) refuses(/invalid entry name/, entry(path));
    refuses(/file name too long/, entry("n".repeat(256)));
    refuses(/file name too long/, entry("d/".repeat(2048)));
  });

  it("of the root itself change nothing, whatever the entry is", () => {
    const tree = build([entry("/"), symlink(".", "/etc"), directory("./", { mode: 0o700 }), entry("")]);
    assert.ok(tree.isEmpty);
    assert.equal(tree.attributesOf(ROOT).mode, 0o755);
  });

  it("make missing parents, 0755 and root's, with the time of what needed them", () => {
    const tree = build([entry("a/b/c", "file", { uid: 7 })]);
    const made = inodeAt(tree, "a/b");
    assert.equal(tree.typeOf(made), "directory");
    assert.deepEqual(tree.attributesOf(made), {
      mode: 493,
      uid: 0,
      gid: 0,
      mtime: {
        seconds: 5n,
        nanoseconds: 0,
      },
      xattrs: new Map(),
    });
  });

  it("follow links of the layer, inside its root, and make what these point to", () => {
    const links = [symlink("l", "/t/u"), symlink("up", "../../../t"), symlink("chain", "l/.././u")];
    assert.deepEqual(paths(build([...links, entry("l/a"), entry("up/b"), entry("chain/c")])), [
      "/chain symlink",
      "/l symlink",
      "/t directory",
      "/t/b file",
      "/t/u directory",
      "/t/u/a file",
      "/t/u/c file",
      "/up symlink",
    ]);
    refuses(/too many links/, symlink("a", "b"), symlink("b", "a"), entry("a/x"));
    refuses(/not a directory/, entry("f"), entry("f/x"));
    refuses(/not a directory/, entry("f"), symlink("l", "f/x/y"), entry("l/x"));
    refuses(/file name too long/, symlink("l", "n".repeat(256)), entry("l/x"));
  });
});

describe("entries of one name", () => {
  it("replace one another, but a directory keeps what is in it and its attributes", () => {
    const tree = build([
      directory("d", { mode: 0o700, ...xattrs({ "user.a": "1", "user.b": "1" }) }),
      entry("d/x"),
      directory("d", { mode: 0o711, ...xattrs({ "user.b": "2" }) }),
    ]);
    assert.ok(inodeAt(tree, "d/x"));
    const { mode, xattrs: kept } = tree.attributesOf(inodeAt(tree, "d"));
    assert.equal(mode, 0o711);
    assert.deepEqual(
      [...kept].map(([name, value]) => name + value),
      ["user.a49", "user.b50"],
    );
    assert.deepEqual(paths(build([directory("n"), entry("n/in"), symlink("n", "d"), directory("n")])), [
      "/n directory",
    ]);
    assert.deepEqual(paths(build([entry("n"), directory("n"), entry("n/in"), entry("n")])), ["/n file"]);
  });
});

describe("entries beside one another", () => {
  it("go where their path leads when its directory was replaced meanwhile", () => {
    assert.deepEqual(paths(build([entry("d/a"), symlink("d", "e"), entry("d/b")])), [
      "/d symlink",
      "/e directory",
      "/e/b file",
    ]);
    assert.deepEqual(paths(build([symlink("l", "d"), entry("l/a"), symlink("l", "e"), entry("l/b")])), [
      "/d directory",
      "/d/a file",
      "/e directory",
      "/e/b file",
      "/l symlink",
    ]);
    refuses(/not a directory/, entry("d/a"), entry("d"), entry("d/b"));
    refuses(/not a directory/, entry("f"), entry("d/a"), hardlink("d", "f"), entry("d/b"));
  });

  it("go where their path leads when one of them was part of it", () => {
    const link = [symlink("l", "."), entry("l/a")];
    refuses(/not a directory/, ...link, entry("l/l"), entry("l/b"));
    refuses(/not a directory/, ...link, hardlink("l/l", "a"), entry("l/b"));
    assert.deepEqual(paths(build([...link, directory("l/l"), entry("l/b")])), ["/a file", "/l directory", "/l/b file"]);
  });

  it("are not beside a directory whose own entry ends with a slash, or otherwise than with its name", () => {
    for (const own of ["d/", "d//", "d/.", "./d/", "d/./", "d/e/.."]) {
      assert.deepEqual(paths(build([directory(own), entry("d/a"), hardlink("d/b", "d/a")])), [
        "/d directory",
        "/d/a file",
        "/d/b file",
      ]);
    }
    assert.deepEqual(paths(build([directory("d/d/"), entry("d/d/a"), entry("d/b")])), [
      "/d directory",
      "/d/b file",
      "/d/d directory",
      "/d/d/a file",
    ]);
  });

  it("are named and refused as any other", () => {
    assert.deepEqual(paths(build([entry("d/a"), entry("d//b"), entry("d/./c"), entry("d/../e"), entry("d/f/")])), [
      "/d directory",
      "/d/a file",
      "/d/b file",
      "/d/c file",
      "/d/f file",
      "/e file",
    ]);
    assert.deepEqual(paths(build([entry("a"), entry(".wh.b"), entry(".")])), ["/a file", "/b whiteout"]);
    refuses(/invalid entry name/, entry("d/a"), entry("d/../.."));
    refuses(/invalid entry name/, entry("a"), entry(".."));
    refuses(/NUL/, entry("d/a"), entry("d/b\0c"));
    refuses(/file name too long/, entry("d/a"), entry(`d/${"n".repeat(256)}`));
  });
});

describe("hard links", () => {
  it("are one file under two names, with what the last entry says of it", () => {
    const tree = build([
      entry("f"),
      hardlink("d/h", "/f", { mode: 0o600, uid: 9 }),
      hardlink("i", "d/h", { mode: 0o640 }),
    ]);
    const inode = inodeAt(tree, "f");
    assert.ok(tree.typeOf(inode) === "file" && inodeAt(tree, "d/h") === inode && inodeAt(tree, "i") === inode);
    const { mode, uid } = tree.attributesOf(inode);
    assert.deepEqual([mode, uid], [0o640, 0]);
  });

  it("go to symbolic links themselves, and through links on the way", () => {
    const tree = build([directory("d"), symlink("d/s", "/etc/shadow"), symlink("l", "d"), hardlink("h", "l/s")]);
    const inode = inodeAt(tree, "h");
    assert.ok(tree.typeOf(inode) === "symlink" && inode === inodeAt(tree, "d/s"));
    assert.equal(tree.attributesOf(inode).mode, 0o777);
  });

  it("are refused to nothing of this layer, to themselves, to directories, whiteouts and places outside", () => {
    const missing = /no such file or directory/;
    refuses(missing, hardlink("h", "/etc/shadow"));
    refuses(missing, hardlink("h", "h"));
    refuses(missing, entry("h"), hardlink("h", "h"));
    refuses(missing, entry(".wh.f"), hardlink("h", "f"));
    refuses(missing, symlink("e", "/etc"), hardlink("h", "e/shadow"));
    refuses(/it is a directory/, directory("d"), hardlink("h", "d"));
    refuses(/invalid hardlink target/, hardlink("h", "../../etc/shadow"));
    refuses(/invalid hardlink target/, hardlink("h", "."));
  });
});

describe("whiteouts", () => {
  it("hide a name, or all that lower layers have in a directory", () => {
    assert.deepEqual(
      paths(build([entry(".wh.a"), entry("d/.wh.b", "symlink", { link: "x" }), entry("e/.wh..wh..opq")])),
      ["/a whiteout", "/d directory", "/d/b whiteout", "/e directory opaque"],
    );
    assert.deepEqual(paths(build([entry(".wh..wh.plnk", "directory")])), ["/.wh.plnk whiteout"]);
    assert.deepEqual(paths(build([entry("f"), entry("f/.wh..wh..opq")])), ["/f file"]);
    assert.ok(!build([entry(".wh..wh..opq")]).isEmpty);
  });

  it("are replaced by what comes later, and refused after it", () => {
    assert.deepEqual(paths(build([entry(".wh.d"), directory("d"), entry("d/x")])), ["/d directory", "/d/x file"]);
    refuses(/the same layer has that file/, entry("f"), entry(".wh.f"));
    refuses(/the same layer has that file/, entry(".wh.f"), entry(".wh.f"));
    refuses(/not a directory/, entry(".wh.d"), entry("d/new"));
  });

  it("are refused when they name no file", () => {
    for (const path of [".wh.", "d/.wh.", ".wh..", "d/.wh..."]) refuses(/invalid whiteout entry/, entry(path));
  });
});

describe("what a layer must not ask for", () => {
  it("is overlayfs' own: its device is refused, its attributes are left out", () => {
    refuses(/0:0 is overlayfs' mark/, entry("f", "character"));
    const device = build([entry("f", "block")]);
    assert.equal(device.typeOf(inodeAt(device, "f")), "block");
    const mine = xattrs({ "trusted.overlay.redirect": "/etc", "trusted.overlay.opaque": "y", "trusted.mine": "1" });
    const tree = build([directory("d", mine)]);
    const inode = inodeAt(tree, "d");
    assert.ok(!tree.isOpaque(inode));
    assert.deepEqual([...tree.attributesOf(inode).xattrs.keys()], ["trusted.mine"]);
  });

  it("is an attribute that the kernel would not set", () => {
    const capability = bytes(`\x01\0\0\x02${"\0".repeat(16)}`);
    assert.ok(build([entry("f", "file", { xattrs: new Map([["security.capability", capability]]) })]));
    refuses(/operation not supported/, entry("f", "file", xattrs({ "nosuch.space": "x" })));
    refuses(/operation not supported/, entry("f", "file", xattrs({ "user.": "x" })));
    refuses(/argument list too long/, entry("f", "file", xattrs({ "user.a": "x".repeat(65_536) })));
    refuses(/its name is too long/, entry("f", "file", xattrs({ [`user.${"n".repeat(251)}`]: "x" })));
    refuses(/invalid argument/, entry("f", "file", xattrs({ "security.capability": "x" })));
    refuses(/invalid argument/, entry("f", "file", xattrs({ "system.posix_acl_access": "x" })));
    const many = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`user.${index}`, "x".repeat(60_000)]));
    refuses(/bytes of extended attributes/, entry("f", "file", xattrs(many)));
    refuses(
      /bytes of extended attributes/,
      ...Object.keys(many).map((name) => directory("d", xattrs({ [name]: many[name]! }))),
    );
  });

  it("is an owner, device, target or place that cannot be", () => {
    refuses(/no user or group/, entry("f", "file", { uid: -1 }));
    refuses(/no user or group/, entry("f", "file", { gid: 2 ** 32 - 1 }));
    const tree = build([entry("f", "file", { uid: -2 })]);
    assert.equal(tree.attributesOf(inodeAt(tree, "f")).uid, 4_294_967_294);
    refuses(/no device/, entry("f", "block", { major: 4096 }));
    refuses(/to nothing/, symlink("s", ""));
    refuses(/too long for a symbolic link/, symlink("s", "t".repeat(4096)));
    const far = { size: 512, extents: [{ logical: 0, offset: 2 ** 41, length: 512 }] };
    refuses(/beyond the first 2 TiB/, entry("f", "file", far));
  });

  it("is more than its limits allow", () => {
    const limited = (limits: Partial<LayerLimits>, ...entries: TarEntry[]) => {
      assert.throws(
        () => build(entries, { ...defaultLayerLimits, ...limits }),
        /the layer has (more|too many)|chunks, the limit/,
      );
    };
    limited({ memory: 200 }, entry("a/b/c/d/e/f"));
    limited({ memory: 1000 }, symlink("a", "t".repeat(1000)));
    limited({ memory: 1000 }, entry("a", "file", xattrs({ "user.a": "x".repeat(1000) })));
    limited({ depth: 3 }, entry("a/b/c/d"));
    const holes = { size: 2 ** 40, extents: [{ logical: 512, offset: 512, length: 512 }] };
    limited({ chunks: 1000 }, entry("f", "file", holes));
  });

  it("is told without control characters", () => {
    assert.throws(() => build([entry("\x1b[31m\n/../..")]), /invalid entry name "\ufffd\[31m\ufffd\/\.\.\/\.\."/);
  });
});
