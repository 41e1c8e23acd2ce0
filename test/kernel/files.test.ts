/** Files on the host and beneath a container's root, as the keeper makes and takes them away. Needs root. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { StepFailure } from "../../src/kernel/keeper.ts";
import { errnos } from "../../src/kernel/numbers/errno.ts";
import { mountAttributes } from "../../src/kernel/numbers/mount.ts";
import type { Step } from "../../src/kernel/steps.ts";
import { cannotKeep, Keepers, textBytes } from "./keepers.ts";

const { EEXIST, ENOENT, ENOTDIR, ELOOP, EPERM, EROFS, ENXIO } = errnos;

const errnoOf = (promise: Promise<unknown>): Promise<number> =>
  promise.then(
    () => 0,
    (error: StepFailure) => error.errno,
  );

describe("files", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  before(async () => {
    keepers = await Keepers.open();
  });
  after(() => keepers[Symbol.asyncDispose]());

  const directory = (name: string): string => {
    const path = keepers.path(name);
    mkdirSync(path);
    return path;
  };

  describe("on the host", () => {
    test("a file holds the content and nothing else, and no link leads its maker away", async () => {
      const [path, link, canary] = [keepers.path("file"), keepers.path("link"), keepers.path("canary")];
      writeFileSync(path, "a longer content than the next", { mode: 0o600 });
      writeFileSync(canary, "untouched");
      symlinkSync(canary, link);
      const create = (at: string): Promise<unknown> =>
        keepers.errand({ outside: [{ step: "createFile", path: at, mode: 0o664, content: textBytes("\u0000short") }] });
      await create(path);
      assert.equal(readFileSync(path, "latin1"), "\u0000short");
      assert.equal(statSync(path).mode & 0o7777, 0o664);
      assert.equal(await errnoOf(create(link)), ELOOP.number);
      assert.equal(readFileSync(canary, "utf8"), "untouched");
    });

    test("a directory that may be there already is no file and no link", async () => {
      const [fresh, file, link] = [keepers.path("fresh"), keepers.path("file"), keepers.path("link")];
      writeFileSync(file, "");
      symlinkSync(keepers.directory, link);
      const make = (path: string): Promise<number> => {
        const step: Step = { step: "makeDirectory", path, mode: 0o750, tolerate: [EEXIST.number] };
        return errnoOf(keepers.errand({ outside: [step] }));
      };
      assert.equal(await make(fresh), 0);
      assert.equal(statSync(fresh).mode & 0o7777, 0o750);
      assert.equal(await make(fresh), 0);
      assert.equal(await make(file), ENOTDIR.number);
      assert.equal(await make(link), ENOTDIR.number);
    });

    test("a write gives to what exists, and makes nothing", async () => {
      const path = keepers.path("missing");
      const write = keepers.errand({ outside: [{ step: "write", path, content: textBytes("x") }] });
      assert.equal(await errnoOf(write), ENOENT.number);
      assert.equal(existsSync(path), false);
    });

    describe("a tree is taken away", () => {
      const remove = (path: string): Promise<number> =>
        errnoOf(keepers.errand({ outside: [{ step: "removeTree", path }] }));

      test("deeper than there are descriptors, and with any names", async () => {
        const top = directory("deep");
        const names = ["-rf", "*", " ", "new\nline", ".hidden", "..almost", "\u00ff", "é漢😀", "x".repeat(255)];
        for (const name of names) {
          mkdirSync(join(top, name));
          writeFileSync(join(top, name, name), "x");
        }
        writeFileSync(Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xff, 0xfe, 0x80])]), "x");
        // The very names that the keeper would use for what it moves.
        for (let index = 0; index < 4; index++) writeFileSync(join(top, `.pier-deep-${index}`), "x");
        mkdirSync(join(top, ".pier-deep-4", "full"), { recursive: true });
        // A path has 4,096 bytes: what is deeper is put beneath what is new.
        for (let part = 0; part < 3; part++) {
          const chain = join(top, `chain${part}`);
          mkdirSync(join(chain, "d/".repeat(1000)), { recursive: true });
          writeFileSync(join(chain, "d/".repeat(1000), "file"), "x");
          if (part > 0) renameSync(join(top, `chain${part - 1}`), join(chain, "d/".repeat(1000), "d"));
        }
        assert.equal(await remove(top), 0);
        assert.equal(existsSync(top), false);
      });

      test("with many files in one directory", async () => {
        const top = directory("wide");
        execFileSync("/bin/sh", ["-c", "seq 1 2000 | xargs touch"], { cwd: top });
        assert.equal(await remove(top), 0);
        assert.equal(existsSync(top), false);
      });

      test("without following a link or entering a mount", async () => {
        const [top, canary] = [directory("tree"), directory("canary")];
        writeFileSync(join(canary, "file"), "untouched");
        symlinkSync(canary, join(top, "absolute"));
        symlinkSync("../..", join(top, "upwards"));
        symlinkSync("loop", join(top, "loop"));
        mkdirSync(join(top, "inner"));
        symlinkSync(join(canary, "file"), join(top, "inner", "file"));
        assert.equal(await remove(top), 0);
        assert.equal(readFileSync(join(canary, "file"), "utf8"), "untouched");

        const link = keepers.path("link");
        symlinkSync(canary, link);
        assert.equal(await remove(link), ENOTDIR.number);
        const file = keepers.path("file");
        writeFileSync(file, "");
        assert.equal(await remove(file), ENOTDIR.number);
        assert.equal(await remove(keepers.path("missing")), ENOENT.number);

        const mounted = directory("with-a-mount");
        mkdirSync(join(mounted, "inner", "mount"), { recursive: true });
        const steps: Step[] = [
          { step: "openTree", slot: "canary", path: canary, recursive: 0 },
          { step: "openProcess", slot: "holder", pid: keepers.holder.pid, startTime: keepers.holder.startTime },
          { step: "joinProcess", slot: "holder", kinds: 0x20000 },
          {
            step: "mount",
            at: "",
            source: canary,
            target: join(mounted, "inner", "mount"),
            type: "",
            flags: 4096,
            data: "",
          },
          { step: "removeTree", path: mounted },
        ];
        const unmount: Step = { step: "unmount", path: join(mounted, "inner", "mount"), flags: 2 };
        assert.equal(await errnoOf(keepers.errand({ outside: steps, after: [unmount] })), errnos.EXDEV.number);
        assert.equal(readFileSync(join(canary, "file"), "utf8"), "untouched");
        assert.equal(await remove(mounted), 0);
      });

      test("except for what may not be, which is said", async (t) => {
        const top = directory("immutable");
        mkdirSync(join(top, "inner"));
        const file = join(top, "inner", "file");
        writeFileSync(file, "x");
        try {
          execFileSync("chattr", ["+i", file], { stdio: "ignore" });
        } catch {
          t.skip("the file system knows no immutable files");
          return;
        }
        try {
          assert.equal(await remove(top), EPERM.number);
          assert.equal(readFileSync(file, "utf8"), "x");
        } finally {
          execFileSync("chattr", ["-i", file]);
        }
        assert.equal(await remove(top), 0);
      });
    });
  });

  describe("beneath a root", () => {
    /** A root, the steps in it, and what is there in its mount namespace afterwards, told by a shell in it. */
    const inRoot = (root: string, steps: readonly Step[], outside: readonly Step[] = []): Promise<unknown> =>
      keepers.inside([{ step: "openRoot", path: root }, ...steps], outside);

    const tell = async (root: string, steps: readonly Step[], script: string, outside: readonly Step[] = []) => {
      const answer = keepers.path("answer");
      await keepers.inside(
        [
          { step: "openRoot", path: root },
          ...steps,
          { step: "findProgram", candidates: ["/bin/sh"] },
          {
            step: "exec",
            args: ["/bin/sh", "-c", `(${script}) >${answer} 2>&1; :`],
            env: ["PATH=/usr/bin:/bin"],
            init: 0,
          },
        ],
        outside,
      );
      return readFileSync(answer, "utf8").replaceAll(root, "");
    };

    test("directories are made with their parents, and belong to whom they shall", async () => {
      const root = directory("root");
      const make = (path: string): Step => ({ step: "rootMakeDirectory", path, mode: 0o1777, uid: 12, gid: 34 });
      await inRoot(root, [make("/a/b/../c//d/"), make("/a/b"), make("/"), make("relative")]);
      for (const path of ["a", "a/b", "a/c", "a/c/d", "relative"]) {
        const { mode, uid, gid } = statSync(join(root, path));
        assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 12, 34], path);
      }
      writeFileSync(join(root, "file"), "x");
      assert.equal(await errnoOf(inRoot(root, [make("/file")])), ENOTDIR.number);
      assert.equal(await errnoOf(inRoot(root, [make("/file/inner")])), ENOTDIR.number);
      assert.equal(await errnoOf(inRoot(root, [make(`/${"x".repeat(256)}`)])), errnos.ENAMETOOLONG.number);
      assert.equal(await errnoOf(inRoot(root, [make("/x".repeat(3000))])), errnos.ENAMETOOLONG.number);
    });

    test("nodes and links are made once", async () => {
      const root = directory("root");
      const node: Step = {
        step: "rootMakeNode",
        path: "/dev/x/null",
        mode: 0o020666,
        major: 1,
        minor: 3,
        uid: 5,
        gid: 6,
      };
      const link: Step = { step: "rootMakeLink", path: "/dev/fd", target: "/proc/self/fd" };
      await inRoot(root, [node, link, { ...node, tolerate: [EEXIST.number] }, { ...link, tolerate: [EEXIST.number] }]);
      const made = statSync(join(root, "dev/x/null"));
      assert.deepEqual([made.mode, made.rdev, made.uid, made.gid], [0o020666, 0x103, 5, 6]);
      assert.equal(readlinkSync(join(root, "dev/fd")), "/proc/self/fd");
      assert.equal(await errnoOf(inRoot(root, [node])), EEXIST.number);
      assert.equal(await errnoOf(inRoot(root, [{ ...node, path: "/" }])), EEXIST.number);
    });

    test("mounts hang where they should, with their attributes", async () => {
      const [root, source] = [directory("root"), directory("source")];
      writeFileSync(join(source, "file"), "from the source");
      const file = keepers.path("file");
      writeFileSync(file, "a file");
      const slots: Step[] = [
        { step: "openTree", slot: "directory", path: source, recursive: 1 },
        { step: "openTree", slot: "file", path: file, recursive: 0 },
      ];
      const attached = { recursive: 0, propagation: 0, propagationRecursive: 0 } as const;
      const { MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NOEXEC } = mountAttributes;
      const text = await tell(
        root,
        [
          {
            step: "rootMount",
            source: "tmpfs",
            target: "/made/tmp",
            type: "tmpfs",
            flags: MOUNT_ATTR_NOEXEC,
            data: "size=64k,mode=1777",
          },
          {
            step: "rootAttach",
            slot: "directory",
            target: "/made/bind",
            attributes: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME,
            ...attached,
          },
          { step: "rootAttach", slot: "file", target: "/made/etc/hosts", attributes: 0, ...attached },
          { step: "rootBind", path: "/made/own" },
        ],
        `cd ${root}/made; cat bind/file; echo; cat etc/hosts; echo; true >bind/no; stat -c '%a %A' tmp; grep '${root}' /proc/self/mountinfo | cut -d' ' -f5,6 | sort`,
        slots,
      );
      assert.match(text, /^from the source\na file\n.*Read-only file system\n1777 drwxrwxrwt\n/);
      assert.match(
        text,
        /\/made\/bind ro,noatime\n\/made\/etc\/hosts rw,relatime\n\/made\/own rw,relatime\n\/made\/tmp rw,noexec,relatime\n$/,
      );
      assert.ok(statSync(join(root, "made/etc/hosts")).isFile());
    });

    test("masks hide, what is read-only stays so, and the rest is as it was", async () => {
      const root = directory("root");
      for (const path of ["dev", "secret/inner", "other", "fixed/inner", "free"])
        mkdirSync(join(root, path), { recursive: true });
      for (const path of ["secret/inner/file", "key", "fixed/inner/file", "free/file"])
        writeFileSync(join(root, path), "bytes");
      const mask = (path: string): Step => ({ step: "rootMask", path, tolerate: [ENOENT.number] });
      const steps: Step[] = [
        { step: "rootMakeNode", path: "/dev/null", mode: 0o020666, major: 1, minor: 3, uid: 0, gid: 0 },
        { step: "rootMount", source: "tmpfs", target: "/fixed/mount", type: "tmpfs", flags: 0, data: "" },
        ...["/secret", "/other", "/key", "/missing"].map(mask),
        { step: "rootReadOnly", path: "/fixed" },
        { step: "rootReadOnly", path: "/missing", tolerate: [ENOENT.number] },
      ];
      const text = await tell(
        root,
        steps,
        `cd ${root}; ls secret other; cat key; true >secret/x; true >fixed/inner/file; true >fixed/mount/x; cat fixed/inner/file; true >free/file && echo; cat free/file; echo end`,
      );
      assert.deepEqual(
        text.split("\n").map((line) => /Read-only/.exec(line)?.[0] ?? line),
        ["other:", "", "secret:", "Read-only", "Read-only", "Read-only", "bytes", "end", ""],
      );
    });

    test("only the real null device hides a file", async () => {
      const root = directory("root");
      mkdirSync(join(root, "dev"));
      writeFileSync(join(root, "key"), "bytes");
      // That a file is not there is no failure; that it cannot be hidden is one.
      const mask: Step = { step: "rootMask", path: "/key", tolerate: [ENOENT.number, ENOTDIR.number] };
      const fakes: (() => void)[] = [
        () => {},
        () => symlinkSync("/dev/zero", join(root, "dev/null")),
        () => writeFileSync(join(root, "dev/null"), ""),
        () => mkdirSync(join(root, "dev/null")),
        () => execFileSync("mknod", [join(root, "dev/null"), "c", "1", "5"]),
      ];
      for (const fake of fakes) {
        execFileSync("rm", ["-rf", join(root, "dev/null")]);
        fake();
        assert.equal(await errnoOf(inRoot(root, [mask])), ENXIO.number);
      }
    });

    test("a remount changes one mount, and only a mount", async () => {
      const root = directory("root");
      const mount: Step = { step: "rootMount", source: "tmpfs", target: "/a", type: "tmpfs", flags: 0, data: "" };
      const remount: Step = { step: "rootRemount", path: "/a", set: mountAttributes.MOUNT_ATTR_RDONLY, clear: 0 };
      const make: Step = { step: "rootMakeDirectory", path: "/a/b", mode: 0o755, uid: 0, gid: 0 };
      assert.equal(await errnoOf(inRoot(root, [mount, make, remount, { ...make, path: "/a/c" }])), EROFS.number);
      assert.equal(await errnoOf(inRoot(root, [remount])), errnos.EINVAL.number);
    });

    test("containers that make the same place at once do not meet", async () => {
      const root = directory("root");
      const make: Step = { step: "rootMakeDirectory", path: "/one/two/three/four", mode: 0o755, uid: 0, gid: 0 };
      const place: Step = {
        step: "rootAttach",
        slot: "f",
        target: "/one/file",
        attributes: 0,
        recursive: 0,
        propagation: 0,
        propagationRecursive: 0,
      };
      const open: Step = { step: "openTree", slot: "f", path: "/etc/hostname", recursive: 0 };
      const all = Array.from({ length: 20 }, () => inRoot(root, [make, place], [open]));
      await Promise.all(all);
      assert.ok(statSync(join(root, "one/two/three/four")).isDirectory());
    });

    describe("no link leads out", () => {
      /** Everything in and below a directory, and what it is. */
      const pictureOf = (path: string): string => {
        const hash = createHash("sha256");
        for (const name of readdirSync(path, { recursive: true }).map(String).sort()) {
          const { mode, uid, gid, nlink, rdev } = lstatSync(join(path, name));
          hash.update(`${name} ${mode} ${uid} ${gid} ${nlink} ${rdev}\n`);
          if ((mode & 0o170000) === 0o100000) hash.update(readFileSync(join(path, name)));
        }
        return hash.digest("hex");
      };

      const attacks: Readonly<Record<string, (canary: string) => [name: string, target: string][]>> = {
        absolute: (canary) => [["evil", canary]],
        relative: () => [["evil", "../canary"]],
        "far upwards": (canary) => [["evil", `${"../".repeat(40)}${canary}`]],
        "a chain": (canary) => [
          ["evil", "second"],
          ["second", "/third"],
          ["third", canary],
        ],
        dangling: (canary) => [["evil", `${canary}/missing`]],
        "a loop": () => [
          ["evil", "second"],
          ["second", "evil"],
        ],
        itself: () => [["evil", "evil"]],
        magic: () => [["evil", "/proc/self/root"]],
      };
      const attached = { attributes: 0, recursive: 0, propagation: 0, propagationRecursive: 0 } as const;
      const steps = (path: string): Step[] => [
        { step: "rootMakeDirectory", path, mode: 0o777, uid: 7, gid: 7 },
        { step: "rootMakeDirectory", path: `${path}/new/deep`, mode: 0o777, uid: 7, gid: 7 },
        { step: "rootMakeNode", path, mode: 0o020666, major: 1, minor: 3, uid: 7, gid: 7 },
        { step: "rootMakeNode", path: `${path}/node`, mode: 0o020666, major: 1, minor: 3, uid: 7, gid: 7 },
        { step: "rootMakeNode", path: `${path}/new/node`, mode: 0o020666, major: 1, minor: 3, uid: 7, gid: 7 },
        { step: "rootMakeLink", path, target: "x" },
        { step: "rootMakeLink", path: `${path}/link`, target: "x" },
        { step: "rootMount", source: "tmpfs", target: path, type: "tmpfs", flags: 0, data: "" },
        { step: "rootMount", source: "tmpfs", target: `${path}/mount`, type: "tmpfs", flags: 0, data: "" },
        { step: "rootAttach", slot: "file", target: `${path}/file`, ...attached },
        { step: "rootAttach", slot: "file", target: path, ...attached },
        { step: "rootAttach", slot: "directory", target: `${path}/directory`, ...attached },
        { step: "rootBind", path },
        { step: "rootBind", path: `${path}/own` },
        { step: "rootMask", path },
        { step: "rootMask", path: `${path}/keep` },
        { step: "rootReadOnly", path: `${path}/inner` },
        { step: "rootRemount", path, set: 1, clear: 0 },
        { step: "readFile", index: 0, path: `${path}/keep`, limit: 100 },
      ];

      for (const [name, links] of Object.entries(attacks))
        test(name, async () => {
          const top = directory("world");
          const [root, canary] = [join(top, "root"), join(top, "canary")];
          mkdirSync(join(canary, "inner"), { recursive: true });
          mkdirSync(root);
          writeFileSync(join(canary, "keep"), "secret");
          for (const [link, target] of links(canary)) symlinkSync(target, join(root, link));
          const before = pictureOf(canary);
          const slots: Step[] = [
            { step: "openTree", slot: "file", path: "/etc/hostname", recursive: 0 },
            { step: "openTree", slot: "directory", path: "/etc", recursive: 0 },
          ];
          const attack = async (step: Step): Promise<void> => {
            const told = keepers.path("told");
            const script = `grep -c /canary /proc/self/mountinfo >${told}; :`;
            const keeper = await keepers
              .inside(
                [
                  { step: "openRoot", path: root },
                  { ...step, tolerate: [ENOENT.number, ENOTDIR.number, ELOOP.number, EEXIST.number] },
                  { step: "findProgram", candidates: ["/bin/sh"] },
                  { step: "exec", args: ["/bin/sh", "-c", script], env: ["PATH=/usr/bin:/bin"], init: 0 },
                ],
                slots,
              )
              .catch(() => undefined);
            // Where the step is refused outright, nobody lives to tell: nothing was mounted.
            if (keeper === undefined) return;
            assert.equal(readFileSync(told, "utf8"), "0\n", `${step.step}: a mount outside`);
            assert.equal(keeper.bytes(0).length, 0, `${step.step}: read from outside`);
          };
          for (const path of ["/evil", "/evil/", "evil", "/x/../../evil"]) {
            await Promise.all(steps(path).map(attack));
            assert.equal(pictureOf(canary), before, path);
          }
        });
    });
  });
});
