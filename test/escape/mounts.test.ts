/** Images and volumes that would have something mounted, made or written in another place than the container's root. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { busybox, inspected, said } from "../docker/containers.ts";
import { cannotRun } from "../engine.ts";
import type { ImageFile } from "../probe/image.ts";
import { Stage } from "./stage.ts";

/** Where an engine mounts or makes something in every container. */
const targets = ["dev", "proc", "sys", "etc", "run", "tmp", "dev/shm", "dev/pts", "sys/fs/cgroup", "etc/hosts"];

const parentsOf = (path: string): readonly ImageFile[] =>
  path
    .split("/")
    .slice(0, -1)
    .map((_, index, names) => ({ path: names.slice(0, index + 1).join("/"), type: "directory" }) as const);

const link = (path: string, target: string): ImageFile => ({ path, type: "symlink", link: target });

describe("where things are mounted", { skip: cannotRun() }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage[Symbol.asyncDispose]());

  /** The ways in which a name may lead to the host's directory that is watched. */
  const ways = (): Readonly<Record<string, (path: string) => readonly ImageFile[]>> => {
    const { watched } = stage.canary;
    const up = "../".repeat(12);
    return {
      absolute: (path) => [link(path, watched)],
      relative: (path) => [link(path, up + watched.slice(1))],
      "a chain": (path) => [link(path, "/hop1"), link("hop1", "hop2"), link("hop2", `/proc/1/root${watched}`)],
      magic: (path) => [link(path, `/proc/self/cwd${watched}`)],
      "a loop": (path) => [link(path, `/${path}`)],
      dangling: (path) => [link(path, join(watched, "not", "there"))],
      "its own root": (path) => [link(path, "/")],
      "a file": (path) => [{ path, content: "x" }],
      "a FIFO": (path) => [{ path, type: "fifo" }],
    };
  };

  for (const target of targets)
    test(`CVE-2026-41579, CVE-2026-47766: an image whose /${target} leads elsewhere has nothing made there`, async () => {
      for (const [how, files] of Object.entries(ways())) {
        await stage.make("elsewhere", [...parentsOf(target), ...files(target)]);
        const { secretFile, watched } = stage.canary;
        // Whether it runs is the image's affair; that nothing is read or made is ours.
        const code = await stage.start({
          Image: "elsewhere",
          Tty: true,
          HostConfig: { NetworkMode: "none", Tmpfs: { "/run": "" }, Binds: ["/tmp/v"] },
          Cmd: ["write", "/dev/x", "x", "then", "write", `${watched}/file`, "x", "then", "cat", secretFile],
        });
        assert.notEqual(code, 0, `${target}, ${how}: the host's secret was read`);
        stage.canary.assertUntouched();
      }
    });

  test("where /proc of the image is a link, the masks are where the kernel's files are", async () => {
    for (const to of ["/elsewhere", "elsewhere/deeper", "/data"]) {
      const path = to.replace(/^\//, "");
      await stage.make("moved", [...parentsOf(path), { path, type: "directory" }, link("proc", to)]);
      const { stdout } = await stage.run(
        "-v",
        "/data",
        "moved",
        "cat",
        "/proc/kcore",
        "then",
        "list",
        "/proc/acpi",
        "then",
        "write",
        "/proc/sys/kernel/domainname",
        "x",
        "then",
        "write",
        `${to}/sysrq-trigger`,
        "x",
        "then",
        "cat",
        `/${path}/keys`,
      ); // prettier-ignore
      // Where the volume lies over the kernel's files, what is written is its own, and nothing of theirs is in sight.
      const own = to === "/data" ? "/data/sysrq-trigger: ok" : "";
      assert.doesNotMatch(stdout.replace(own, ""), /: ok$|keyring/m, to);
    }
  });

  test("CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: nothing is mounted over /proc or within it", async () => {
    const places = [
      "/proc",
      "/proc/",
      "//proc",
      "/x/../proc",
      "/proc/sys",
      "/proc/sys/net",
      "/proc/self/attr",
      "/proc/1",
    ];
    for (const place of places)
      for (const flags of [
        ["-v", `${stage.canary.watched}:${place}`],
        ["--tmpfs", place],
        ["-v", place],
      ])
        await stage.runner.refuses(/inside \/proc|inside proc|cannot be mounted|duplicate/i, ...flags, "probe", "id");
  });

  test("CVE-2023-28642: a volume that a link of the image leads into /proc hides nothing and opens nothing", async () => {
    const fake = join(stage.canary.directory, "fake");
    mkdirSync(join(fake, "kernel"), { recursive: true });
    writeFileSync(join(fake, "kernel", "core_pattern"), "");
    await stage.make("linked", [link("vol", "/proc"), link("vol2", "/proc/sys"), link("vol3", "/proc/self/fd")]);
    for (const place of ["/vol", "/vol2", "/vol3", "/vol/1/root", "/vol/self/cwd/x"]) {
      const sysctl = ["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=9001"];
      const verbs = [
        "write",
        "/proc/sys/kernel/core_pattern",
        "|/x",
        "then",
        "cat",
        "/proc/keys",
        "then",
        "list",
        "/proc/acpi",
      ];
      const { stdout } = await stage.run("-v", `${fake}:${place}`, ...sysctl, "linked", ...verbs);
      assert.doesNotMatch(stdout, /keyring/, place);
    }
    // What was to be the container's setting is not in the volume: it was written through a proc of our own.
    assert.equal(readFileSync(join(fake, "kernel", "core_pattern"), "utf8").includes("1"), false);
  });

  test("CVE-2025-52881: a setting lands in the container's namespace, the host keeps its own", async () => {
    const names = ["net.ipv4.ip_forward", "kernel.msgmax", "net.ipv4.conf.all.accept_redirects"];
    const paths = names.map((name) => `/proc/sys/${name.replaceAll(".", "/")}`);
    const before = paths.map((path) => readFileSync(path, "utf8"));
    const flags = ["--sysctl", `${names[0]}=1`, "--sysctl", `${names[1]}=9002`, "--sysctl", `${names[2]}=0`];
    assert.equal(await stage.says(...flags, busybox, "cat", ...paths), "1\n9002\n0");
    assert.deepEqual(
      paths.map((path) => readFileSync(path, "utf8")),
      before,
    );
  });

  test("CVE-2025-31133: what is masked is masked by the kernel's null device, or nothing runs", async () => {
    const masked = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"];
    const look = masked.flatMap((path) => ["then", "cat", path]).slice(1);
    // Empty, or not on this kernel.
    const unseen = /^(\/proc\/\w+: ENOENT\n?)*$/;
    const impostors: Readonly<Record<string, readonly ImageFile[]>> = {
      "a link to a file of the kernel": [link("dev/null", "/proc/sys/kernel/core_pattern")],
      "a link to the host": [link("dev/null", stage.canary.secretFile)],
      "a directory": [{ path: "dev/null", type: "directory" }],
      "a file": [{ path: "dev/null", content: "", mode: 0o666 }],
      "another device": [{ path: "dev/null", type: "character", device: [1, 1] }],
      "a FIFO": [{ path: "dev/null", type: "fifo" }],
    };
    for (const [how, files] of Object.entries(impostors)) {
      await stage.make("null", [{ path: "dev", type: "directory" }, ...files]);
      assert.match(await stage.says("null", ...look), unseen, how);
    }
    // A /dev of the user's own or of the image's, with no null device or a wrong one in it: nothing can hide the files, and
    // so nothing runs. (Without the device they once were not hidden: an image needed no more than VOLUME /dev.)
    await stage.make("volume", [], { Volumes: { "/dev": {} } });
    await stage.runner.refuses(
      /\/proc\/\w+ cannot be hidden: \/dev\/null of the container is not the null device/,
      "volume",
      ...look,
    );
    const volume = join(stage.canary.directory, "dev");
    mkdirSync(volume);
    for (const make of [() => {}, () => symlinkSync("/proc/sys/kernel/core_pattern", join(volume, "null"))]) {
      make();
      const { code, stderr } = await stage.run("-v", `${volume}:/dev`, "probe", ...look);
      assert.notEqual(code, 0);
      assert.match(stderr, /cannot be hidden/);
    }
    // With the real one they are made.
    execFileSync("rm", [join(volume, "null")]);
    execFileSync("mknod", ["-m", "666", join(volume, "null"), "c", "1", "3"]);
    assert.match(await stage.says("-v", `${volume}:/dev`, "probe", ...look), unseen);
    for (const setting of ["core_pattern", "modprobe"])
      assert.doesNotMatch(await stage.says("probe", "write", `/proc/sys/kernel/${setting}`, "x").catch(String), /: ok/);
  });

  test("CVE-2025-52565: a console is a terminal of the container's own, whatever /dev the image has", async () => {
    const places = [
      [link("dev/console", stage.canary.secretFile)],
      [{ path: "dev/console", type: "directory" }],
      [link("dev/pts", stage.canary.watched)],
      [link("dev/ptmx", "/dev/pts/../../x")],
    ] as const;
    for (const files of places) {
      await stage.make("console", [{ path: "dev", type: "directory" }, ...files]);
      assert.match(await stage.says("-t", "console", "stat", "/dev/console"), /: c 0620 0:\d+ device 136:0 /);
    }
    const volume = join(stage.canary.directory, "consoles");
    mkdirSync(volume);
    symlinkSync(stage.canary.secretFile, join(volume, "console"));
    const { code } = await stage.run("-t", "-v", `${volume}:/dev`, "probe", "stat", "/dev/console");
    assert.notEqual(code, 0);
  });

  test("CVE-2022-23648: a volume of the image's is a place beneath the root, and brings nothing of the host in", async () => {
    const { watched } = stage.canary;
    const volumes = [
      `/../../../..${watched}`,
      "/proc",
      "/proc/self",
      "/proc/1/root",
      "/sys",
      "/dev",
      "/etc",
      "/",
      "//",
      ".",
      "",
      "relative",
      "/a/../..",
      "/link",
      "/link/deeper",
      "/dot/../link",
    ];
    for (const volume of volumes) {
      const files = [link("link", watched), { path: "dot", type: "directory" } as const];
      await stage.make("volume", files, { Volumes: { [volume]: {} } });
      const verbs = [
        "cat",
        stage.canary.secretFile,
        "then",
        "write",
        `${watched}/file`,
        "x",
        "then",
        "list",
        "/link",
        "then",
      ];
      // Nor does it take away what hides the kernel's: the masks come last.
      const { stdout, stderr } = await stage.run("volume", ...verbs, "cat", "/proc/keys");
      assert.doesNotMatch(stdout, /of the host|deeper|keyring/, volume);
      assert.doesNotMatch(stderr, /^\s+at |undefined/, volume);
      stage.canary.assertUntouched();
      await said(stage.engine, "rmi", "--force", "volume");
    }
  });

  test("CVE-2024-45310, CVE-2021-30465: a place that a link of a volume leads away from is made inside, or not at all", async () => {
    const volume = join(stage.canary.directory, "shared");
    mkdirSync(volume);
    for (const [name, to] of [
      ["out", stage.canary.watched],
      ["up", `${"../".repeat(12)}${stage.canary.watched.slice(1)}`],
      ["none", join(stage.canary.watched, "new")],
      ["magic", "/proc/self/root"],
    ] as const) {
      symlinkSync(to, join(volume, name));
      for (const place of [name, `${name}/made`, `${name}/made/deep`, `${name}/`]) {
        const flags = [
          "-v",
          `${volume}:/v`,
          "--tmpfs",
          `/v/${place}`,
          "-v",
          `${stage.canary.secretFile}:/v/${name}/f:ro`,
        ];
        const { stdout } = await stage.runner.run([...flags, "probe", "list", stage.canary.watched]);
        assert.doesNotMatch(stdout, /directory|of the host/, place);
        stage.canary.assertUntouched();
      }
    }
  });

  test("a link with a slash behind it leads no further than without (Go's CVE-2026-39822)", async () => {
    await stage.make("slashes", [link("out", stage.canary.watched), link("self", "/")], { WorkingDir: "/out/" });
    for (const flags of [[], ["-w", "/out/"], ["-w", "/self/out/"], ["-v", "/out/"], ["--tmpfs", "/out/"]]) {
      const { stdout } = await stage.run(...flags, "slashes", "list", "/out/", "then", "cwd");
      assert.doesNotMatch(stdout, /directory|of the host/, flags.join(" "));
    }
  });

  test("devices that are asked for are made in the container, wherever links lead", async () => {
    await stage.make("devices", [link("out", stage.canary.watched), link("dev", stage.canary.watched)]);
    const { code } = await stage.run(
      "--device",
      "/dev/null:/out/null",
      "--device",
      "/dev/null:/dev/x",
      "devices",
      "id",
    );
    assert.notEqual(code, 0);
  });

  test("nothing of a container's mounts is seen on the host", async () => {
    const id = await stage.runner.detached("-v", "/data", "--tmpfs", "/t", "-t", "probe", "sleep");
    stage.canary.assertUntouched();
    assert.equal(await inspected(stage.engine, "{{.State.Running}}", id), "true");
    await said(stage.engine, "rm", "--force", "--volumes", id);
  });
});
