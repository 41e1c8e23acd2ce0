/** What a container sees of files: binds, tmpfs, a root that is read-only, the image's volumes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf, probeLayer } from "../probe/image.ts";
import { busybox, inspected, said } from "./containers.ts";
import { Runner } from "./run.ts";

describe("files", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-files-"));
    mkdirSync(join(directory, "sub"));
    writeFileSync(join(directory, "file"), "of the host\n");
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    const data = [
      { path: "data", type: "directory", mode: 0o1777, uid: 1000, gid: 1000 },
      { path: "data/file", content: "of the image\n" },
    ] as const;
    await engine.load(
      await imageOf({
        name: "volumes:latest",
        layers: [probeLayer(), data],
        config: { Volumes: { "/data": {}, "/new/dir": {} } },
      }),
    );
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const sh = (script: string, ...flags: string[]) => runner.says(...flags, busybox, "sh", "-c", script);
  /** What the kernel says of a mount, without what some kernels add to every tmpfs. */
  const options = (path: string) => `sed -n 's#,inode64##;s#^[^ ]* ${path} \\([^ ]* [^ ]*\\).*#\\1#p' /proc/mounts`;
  const propagation = (path: string) => `sed -n 's#.* ${path} [^ ]* \\(.*\\)- .*#\\1#p' /proc/self/mountinfo`;

  test("a directory and a file of the host, and one within the other", async () => {
    const mounts = ["-v", `${directory}:/v`, "-v", `${join(directory, "file")}:/v/sub/f:ro`];
    assert.equal(
      await sh("cat /v/file /v/sub/f; echo x >/v/new; echo y >/v/sub/f 2>/dev/null || echo no", ...mounts),
      "of the host\nof the host\nno",
    );
    assert.equal(readFileSync(join(directory, "new"), "utf8"), "x\n");
    assert.equal(readFileSync(join(directory, "file"), "utf8"), "of the host\n");
  });

  test("what is read-only is so with all that is mounted below it", async () => {
    const below = join(directory, "sub");
    execFileSync("mount", ["-t", "tmpfs", "below", below]);
    try {
      const touch = "touch /v/x 2>/dev/null || echo no; touch /v/sub/x 2>/dev/null || echo nor below";
      assert.equal(await sh(touch, "-v", `${directory}:/v:ro`), "no\nnor below");
      const mount = `type=bind,src=${directory},dst=/v,readonly`;
      assert.equal(await sh(touch, "--mount", mount), "no\nnor below");
      assert.equal(await sh(touch, "--mount", `${mount},bind-recursive=writable`), "no");
      rmSync(join(below, "x"));
      assert.equal(
        await sh(
          "ls /v/sub/x 2>/dev/null; touch /v/sub/x && echo yes",
          "--mount",
          `type=bind,src=${directory},dst=/v,bind-recursive=disabled`,
        ),
        "yes",
      );
    } finally {
      execFileSync("umount", [below]);
      rmSync(join(below, "x"), { force: true });
    }
  });

  test("a missing source is made by -v, and missed by --mount", async () => {
    const made = join(directory, "made/deep");
    assert.equal(await sh("touch /v/x; stat -c %F:%a /v", "-v", `${made}:/v`), "directory:755");
    assert.ok(existsSync(join(made, "x")));
    const source = join(directory, "absent");
    await runner.refuses(
      new RegExp(`invalid mount config for type "bind": bind source path does not exist: ${source}`),
      ...["--mount", `type=bind,src=${source},dst=/v`, busybox],
    );
    assert.equal(existsSync(source), false);
  });

  test("mounts of the host come and go where propagation is asked for", async () => {
    const point = join(directory, "shared");
    mkdirSync(join(point, "in"), { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "shared", point]);
    try {
      await runner.refuses(/is mounted on .* but it is not a shared/, "-v", `${point}:/v:rshared`, busybox);
      execFileSync("mount", ["--make-shared", point]);
      mkdirSync(join(point, "in"));
      const id = await runner.detached("-v", `${point}:/v:rslave`, busybox, "sleep", "1000");
      execFileSync("mount", ["-t", "tmpfs", "late", join(point, "in")]);
      assert.match(await said(engine, "exec", id, "grep", "/v/in ", "/proc/mounts"), /^late /);
      execFileSync("umount", [join(point, "in")]);
      assert.equal((await engine.docker(["exec", id, "grep", "/v/in ", "/proc/mounts"])).stdout, "");
      await said(engine, "rm", "--force", id);
      assert.match(await sh(propagation("/v"), "-v", `${point}:/v:rshared`), /^shared:\d+ $/);
      assert.match(await sh(propagation("/v"), "-v", `${point}:/v:rslave`), /^master:\d+ $/);
      assert.equal(await sh(propagation("/v"), "-v", `${point}:/v`), "");
    } finally {
      execFileSync("umount", ["--recursive", point]);
    }
  });

  test("tmpfs, by both flags", async () => {
    assert.equal(
      await sh(`${options("/t")}; stat -c %a /t`, "--tmpfs", "/t"),
      "tmpfs rw,nosuid,nodev,noexec,relatime\n1777",
    );
    assert.equal(
      await sh(`${options("/t")}; stat -c %a /t`, "--tmpfs", "/t:size=1m,mode=700,exec"),
      "tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=700\n700",
    );
    const mount = "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770";
    assert.equal(
      await sh(`${options("/t")}; stat -c %a /t`, "--mount", mount),
      "tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=1770\n1770",
    );
    assert.equal(
      await sh("head -c 2m /dev/zero >/t/x 2>/dev/null; stat -c %s /t/x", "--mount", mount),
      String(2 ** 20),
    );
    assert.equal(await sh("ls -A /etc", "--tmpfs", "/etc"), "hostname\nhosts\nresolv.conf");
  });

  test("shared memory has the asked size", async () => {
    const size = (...flags: string[]) => sh("df -k /dev/shm | tail -1 | awk '{print $2}'", ...flags);
    assert.equal(await size(), "65536");
    assert.equal(await size("--shm-size", "1m"), "1024");
    await runner.refuses(/SHM size can not be less than 0|size must be positive|invalid/i, "--shm-size", "-1", busybox);
  });

  test("a read-only root leaves what is mounted in it as it is", async () => {
    const script =
      "for f in /x /etc/x /dev/x /dev/shm/x /t/x /v/x /etc/hosts; do (: >>$f) 2>/dev/null && echo $f; done; true";
    assert.equal(
      await sh(script, "--read-only", "--tmpfs", "/t", "-v", `${directory}:/v`),
      "/dev/x\n/dev/shm/x\n/t/x\n/v/x",
    );
  });

  test("a volume of the image begins with what the image has there, and goes with the container", async () => {
    const verbs = "cat /data/file then write /data/new x then stat /data then list /data then list /new/dir";
    const words = ["run", "--network", "none", "--read-only", "--name", "vols", "volumes", ...verbs.split(" ")];
    const ran = await engine.docker(words);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /^of the image\n.*\n\/data: d 1777 1000:1000 .*\nfile\nnew\n$/);
    const mounts = await inspected(engine, "{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}}\n{{end}}", "vols");
    assert.equal(mounts.trim(), "volume /data true\nvolume /new/dir true");
    // It is the container's, from one run to the next.
    assert.match(await said(engine, "start", "--attach", "vols"), /\nfile\nnew$/);
    await said(engine, "rm", "--volumes", "vols");
  });

  test("an anonymous volume in front of a read-only root can be written to", async () => {
    const script = "touch /anon/x && ls /anon; touch /x 2>/dev/null || echo no";
    assert.equal(await sh(script, "--read-only", "-v", "/anon"), "x\nno");
  });

  test("a mount that cannot be is refused", async () => {
    const cases: readonly (readonly [RegExp, ...string[]])[] = [
      [/invalid specification: destination can't be '\/'/, "-v", `${directory}:/`],
      [/mount path must be absolute/, "-v", `${directory}:relative`],
      [/invalid mode: bogus/, "-v", `${directory}:/v:bogus`],
      [/invalid mode: ro,rw/, "-v", `${directory}:/v:ro,rw`],
      [/Duplicate mount point: \/v/, "-v", `${directory}:/v`, "-v", "/tmp:/v"],
      [/Duplicate mount point: \/v/, "-v", `${directory}:/v`, "--tmpfs", "/v"],
      [/Are you trying to mount a directory onto a file/, "-v", `${join(directory, "file")}:/etc`],
      [/Are you trying to mount a directory onto a file/, "-v", `${directory}:/etc/passwd`],
      [/invalid tmpfs option/, "--tmpfs", "/t:bogus"],
      [/mount path must be absolute/, "--tmpfs", "t"],
      [
        /mount path must be absolute|bind source path must be absolute|invalid mount path/,
        "--mount",
        "type=bind,src=rel,dst=/v",
      ],
      [/type "tmpfs": field Source must not be specified/, "--mount", "type=tmpfs,src=/x,dst=/v"],
      [/mount type unknown|unsupported mount type|invalid/i, "--mount", "type=bogus,dst=/v"],
      [/field Source must not be empty|source/i, "--mount", "type=bind,dst=/v"],
      [/unexpected key 'bogus'/, "--mount", "type=bind,src=/tmp,dst=/v,bogus=1"],
      [/a mount inside \/proc|inside proc/i, "-v", `${directory}:/proc/sys`],
    ];
    for (const [sentence, ...flags] of cases) await runner.refuses(sentence, ...flags, busybox, "true");
  });

  test("what was made for a mount in the image stays within the container", async () => {
    const target = join(directory, "within");
    assert.equal(
      await sh("cat /made/here/f; stat -c %a /made", "-v", `${join(directory, "file")}:/made/here/f`),
      "of the host\n755",
    );
    assert.equal(existsSync("/made"), false);
    assert.equal(
      await sh(
        "rm -rf /v/sub; mkdir /v/linked; ln -s / /v/linked/root; ls -d /v/linked/root/bin",
        "-v",
        `${target}:/v`,
      ),
      "/v/linked/root/bin",
    );
    assert.ok(statSync("/bin").isDirectory());
    // A link of the container's leads to its own root, never to the host's.
    writeFileSync(join(target, "f"), "bound");
    assert.equal(
      await sh(
        "cat /v/linked/root/deep/f; ls /deep",
        "-v",
        `${target}:/v`,
        "-v",
        `${join(target, "f")}:/v/linked/root/deep/f`,
      ),
      "boundf",
    );
    assert.equal(existsSync("/deep"), false);
  });
});
