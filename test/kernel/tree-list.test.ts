/** The keeper writes a tree from a list: what the list says, where it says it, and never anywhere else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { StepFailure } from "../../src/kernel/keeper.ts";
import { type ErrnoName, errnos } from "../../src/kernel/numbers/errno.ts";
import { noSlot, type Plan, type Step } from "../../src/kernel/steps.ts";
import { encodeTreeEntry, encodeTreeHeader, type TreeAttributes, type TreeEntry } from "../../src/kernel/tree-list.ts";
import { cannotKeep, Keepers, makePipe } from "./keepers.ts";

const attributes: TreeAttributes = {
  ...{ mode: 0o644, uid: 0, gid: 0 },
  mtime: { seconds: 1n, nanoseconds: 2 },
  xattrs: new Map(),
};
const leave: TreeEntry = { kind: "leave", ...attributes, mode: 0o755 };
const empty = (name: string): TreeEntry => ({ kind: "file", name, size: 0, extents: [], ...attributes });
/** Its byte lies in the source. */
const filled = (name: string): TreeEntry => ({
  ...{ kind: "file", name, size: 1, ...attributes },
  extents: [{ logical: 0, offset: 0, length: 1 }],
});
const linkTo = (name: string, target: string): TreeEntry => ({
  ...{ kind: "symlink", name, ...attributes },
  target: new TextEncoder().encode(target),
});

const listOf = (entries: readonly TreeEntry[]): Buffer => {
  const body = Buffer.concat(entries.map(encodeTreeEntry));
  const header = encodeTreeHeader(0).length;
  return Buffer.concat([encodeTreeHeader(header + body.length), body]);
};

/** What `writeTree` works on, and beside it what it must not touch. */
class Place {
  readonly path: string;
  readonly links: string;
  readonly list: string;
  readonly source: string;
  readonly canary: string;

  constructor(keepers: Keepers) {
    const top = keepers.path("place");
    [this.path, this.links, this.list, this.source, this.canary] = ["files", "links", "list", "source", "canary"].map(
      (name) => join(top, name),
    ) as [string, string, string, string, string];
    for (const directory of [top, this.path, this.links, this.canary]) mkdirSync(directory);
    writeFileSync(this.source, "0123456789");
    writeFileSync(join(this.canary, "file"), "untouched", { mode: 0o600 });
  }

  plan(list: Uint8Array | readonly TreeEntry[], before: readonly Step[] = []): Plan {
    writeFileSync(this.list, list instanceof Uint8Array ? list : listOf(list));
    const { path, links, source } = this;
    return {
      outside: [{ step: "clone", namespaces: 0, cgroup: noSlot }],
      inside: [
        { step: "dieWithParent" },
        ...before,
        { step: "writeTree", path, links, list: this.list, sources: [source] },
      ],
      after: [],
    };
  }

  isUntouched(): void {
    assert.deepEqual(readdirSync(this.canary), ["file"]);
    assert.equal(readFileSync(join(this.canary, "file"), "utf8"), "untouched");
    assert.equal(statSync(join(this.canary, "file")).mode & 0o7777, 0o600);
    assert.equal(readFileSync(this.source, "utf8"), "0123456789");
  }
}

const moving = (from: string, to: string): Plan => ({
  outside: [{ step: "moveTree", from, to }],
  inside: [],
  after: [],
});

const failsWith = (name: ErrnoName, running: Promise<unknown>): Promise<void> =>
  assert.rejects(running, (error) => {
    assert.ok(error instanceof StepFailure, String(error));
    assert.equal(error.errno, errnos[name].number);
    return true;
  });

describe("a tree that is moved in", { skip: cannotKeep }, () => {
  test("is where it belongs afterwards, with its own owner, mode and attributes", async () => {
    await using keepers = await Keepers.open();
    const [from, to] = [keepers.path("from"), keepers.path("to")];
    mkdirSync(join(from, "d/e"), { recursive: true });
    mkdirSync(to);
    for (let number = 0; number < 300; number++) writeFileSync(join(from, `f${number}`), String(number));
    symlinkSync("/etc/passwd", join(from, "link"));
    chmodSync(from, 0o2751);
    chownSync(from, 5, 6);
    chmodSync(from, 0o2751);
    await keepers.errand(moving(from, to));
    assert.equal(readdirSync(to).length, 302);
    assert.equal(readFileSync(join(to, "f299"), "utf8"), "299");
    const { mode, uid, gid } = statSync(to);
    assert.deepEqual([mode & 0o7777, uid, gid], [0o2751, 5, 6]);
    assert.throws(() => statSync(from), /ENOENT/);
  });

  test("replaces nothing, and follows no link", async () => {
    await using keepers = await Keepers.open();
    const [from, to, canary] = [keepers.path("from"), keepers.path("to"), keepers.path("canary")];
    for (const path of [from, to, canary]) mkdirSync(path);
    writeFileSync(join(from, "name"), "new");
    symlinkSync(join(canary, "name"), join(to, "name"));
    await failsWith("EEXIST", keepers.errand(moving(from, to)));
    assert.deepEqual([readdirSync(canary), readdirSync(from)], [[], ["name"]]);
    const link = keepers.path("link");
    symlinkSync(canary, link);
    await failsWith("ENOTDIR", keepers.errand(moving(from, link)));
    await failsWith("ENOTDIR", keepers.errand(moving(link, to)));
    await failsWith("ENOENT", keepers.errand(moving(keepers.path("absent"), to)));
  });
});

describe("a tree that is written from a list", { skip: cannotKeep }, () => {
  test("has contents from the source, holes between them, and no name of the links' directory", async () => {
    await using keepers = await Keepers.open();
    const place = new Place(keepers);
    const extents = [
      { logical: 0, offset: 8, length: 2 },
      { logical: 5, offset: 0, length: 3 },
    ];
    const file: TreeEntry = {
      kind: "file",
      name: "sparse",
      link: 1,
      size: 100_000,
      extents,
      ...attributes,
      mode: 0o4711,
    };
    // A file of another layer has its content in another tar.
    const second = keepers.path("second");
    writeFileSync(second, "second");
    const other: TreeEntry = { ...filled("other"), kind: "file", source: 1 } as TreeEntry;
    const two = place.plan([filled("one"), other, filled("three"), leave]);
    const inside = two.inside.map((step) =>
      step.step === "writeTree" ? { ...step, sources: [place.source, second] } : step,
    );
    await keepers.errand({ ...two, inside });
    const contents = ["one", "other", "three"].map((name) => readFileSync(join(place.path, name), "utf8"));
    assert.deepEqual(contents, ["0", "s", "0"]);
    await failsWith("EBADMSG", keepers.errand(place.plan([{ ...filled("none"), source: 1 } as TreeEntry, leave])));
    await keepers.errand(
      place.plan([{ kind: "enter", name: "d" }, file, leave, { kind: "link", name: "too", link: 1 }, leave]),
    );
    const written = readFileSync(join(place.path, "too"));
    assert.equal(written.subarray(0, 8).toString("latin1"), "89\0\0\x00012");
    assert.ok(written.length === 100_000 && written.subarray(8).every((byte) => byte === 0));
    const { mode, nlink, ino, mtimeMs } = lstatSync(join(place.path, "d/sparse"));
    assert.deepEqual([mode & 0o7777, nlink, mtimeMs], [0o4711, 2, 1_000 + 2e-6]);
    assert.equal(lstatSync(join(place.path, "too")).ino, ino);
    assert.deepEqual(readdirSync(place.links), []);
  });

  test("may be deeper than there are descriptors", async () => {
    await using keepers = await Keepers.open();
    const place = new Place(keepers);
    const depth = 300;
    const enter = Array.from({ length: depth }, (): TreeEntry => ({ kind: "enter", name: "d" }));
    const list = [...enter, empty("deepest"), ...enter.map(() => leave), empty("last"), leave];
    await keepers.errand(place.plan(list, [{ step: "setRlimit", resource: 7 /* NOFILE */, soft: 32, hard: 32 }]));
    assert.ok(existsSync(join(place.path, "d/".repeat(depth), "deepest")));
    assert.deepEqual(readdirSync(place.path).sort(), ["d", "last"]);
    assert.equal(lstatSync(join(place.path, "d")).mode & 0o7777, 0o755);
  });

  // The class of CVE-2018-15664 and CVE-2021-32760: an archive's names and links that lead out of its directory.
  for (const [what, errno, entries] of [
    ["is a path", "EBADMSG", () => [empty("../canary/new")]],
    ["is the directory above", "EBADMSG", () => [{ kind: "enter", name: ".." }, empty("new")]],
    ["is the directory itself", "EBADMSG", () => [{ kind: "enter", name: "." }]],
    ["is absolute", "EBADMSG", (canary) => [empty(`${canary}/new`)]],
    ["is nothing", "EBADMSG", () => [empty("")]],
    ["has a NUL", "EBADMSG", () => [empty("a\0b")]],
    ["is too long", "EBADMSG", () => [empty("n".repeat(256))]],
    [
      "is a link's that is entered",
      "EEXIST",
      (canary) => [linkTo("l", canary), { kind: "enter", name: "l" }, empty("new")],
    ],
    ["is a link's that is written to", "EEXIST", (canary) => [linkTo("l", `${canary}/file`), empty("l")]],
    ["is there already", "EEXIST", () => [empty("a"), empty("a")]],
    ["is a further one of nothing", "EBADMSG", () => [{ kind: "link", name: "a", link: 1 }]],
    ["is a further one of no number", "EBADMSG", () => [{ kind: "link", name: "a", link: 0 }]],
    ["has a number out of turn", "EBADMSG", () => [{ ...empty("a"), link: 2 } as TreeEntry]],
  ] as readonly (readonly [string, ErrnoName, (canary: string) => readonly TreeEntry[]])[]) {
    test(`is refused when a name ${what}`, async () => {
      await using keepers = await Keepers.open();
      const place = new Place(keepers);
      await failsWith(errno, keepers.errand(place.plan([...entries(place.canary), leave])));
      place.isUntouched();
    });
  }

  test("changes no file that a link in it points to", async () => {
    await using keepers = await Keepers.open();
    const place = new Place(keepers);
    const link = {
      ...linkTo("l", `${place.canary}/file`),
      mode: 0o777,
      uid: 5,
      xattrs: new Map([["trusted.x", new Uint8Array(1)]]),
    };
    await keepers.errand(place.plan([link as TreeEntry, leave]));
    place.isUntouched();
    assert.equal(statSync(join(place.canary, "file")).uid, 0);
    assert.equal(
      execFileSync("find", [place.path, "-type", "l", "-uid", "5", "-printf", "%f"], { encoding: "utf8" }),
      "l",
    );
  });

  test("is refused when contents lie outside of the file or of the source", async () => {
    await using keepers = await Keepers.open();
    const place = new Place(keepers);
    const file = (size: number, logical: number, offset: number, length: number): TreeEntry => ({
      ...{ kind: "file", name: `${size}-${logical}-${offset}-${length}`, size, ...attributes },
      extents: [{ logical, offset, length }],
    });
    await failsWith("EBADMSG", keepers.errand(place.plan([file(4, 2, 0, 3), leave])));
    await failsWith("EBADMSG", keepers.errand(place.plan([file(4, 5, 0, 0), leave])));
    await failsWith("EIO", keepers.errand(place.plan([file(100, 0, 5, 6), leave])));
  });

  test("is refused when its places are links", async () => {
    await using keepers = await Keepers.open();
    const place = new Place(keepers);
    const link = keepers.path("link");
    symlinkSync(place.canary, link);
    const plan = place.plan([empty("new"), leave]);
    for (const key of ["path", "links", "list"]) {
      const inside = plan.inside.map((step) => (step.step === "writeTree" ? { ...step, [key]: link } : step));
      await assert.rejects(keepers.errand({ ...plan, inside }), StepFailure);
    }
    const content = place.plan([filled("f"), leave]);
    const inside = content.inside.map((step) => (step.step === "writeTree" ? { ...step, sources: [link] } : step));
    await assert.rejects(keepers.errand({ ...content, inside }), StepFailure);
    place.isUntouched();
  });

  test("is not written on when nobody waits for it any more", async () => {
    await using keepers = await Keepers.open();
    const place = new Place(keepers);
    // Opening it lasts until somebody writes to it: for ever.
    const source = makePipe(keepers.path("pipe"));
    const plan = place.plan([filled("new"), leave]);
    const inside = plan.inside.map((step) => (step.step === "writeTree" ? { ...step, sources: [source] } : step));
    keepers.launch({ ...plan, inside }).leave();
    // That no process is left, `Keepers` sees to.
  });
});
