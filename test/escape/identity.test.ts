/** Who a process is, when the image, its files and the client all would have it somebody else. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { busybox, said } from "../docker/containers.ts";
import { cannotRun } from "../engine.ts";
import type { ImageFile } from "../probe/image.ts";
import { peakMemory, probePath, Stage } from "./stage.ts";

/** Names that look like numbers, each of them root; numbers that look like names are nobody's. */
const hostilePasswd = [
  "root:x:0:0:root:/root:/probe",
  ...["4294967296", "1000", "+1", "-1", "1e3", " 1", "1.0", "٣"].map((name) => `${name}:x:0:0::/:/probe`),
  "0x0:x:7:7::/:/probe",
  "wraps:x:4294967296:0::/:/probe",
  "negative:x:-1:0::/:/probe",
  "broken",
  "nul\0:x:0:0::/:/probe",
  "app:x:1000:1000:app:/home/app:/probe",
].join("\n");

/** What is asked for, and the uid that it is; undefined: refused. */
const users: readonly (readonly [user: string, uid: number | undefined])[] = [
  ["0", 0],
  ["1", 1],
  ["1:", 1],
  ["1000", 1000],
  ["0000001000", 1000],
  ["2147483647", 2_147_483_647],
  ["2147483648", undefined],
  ["4294967295", undefined],
  ["4294967296", undefined],
  ["4294967297", undefined],
  ["18446744073709551616", undefined],
  ["1000000000000000000000000000000", undefined],
  ["+1", undefined],
  ["-1", undefined],
  ["0x0", 7],
  ["root", 0],
  ["root:0", 0],
  ["1:4294967296", undefined],
  ["1:-1", undefined],
  ["1:nosuch", undefined],
  ["wraps", undefined],
  ["negative", undefined],
  ["broken", undefined],
  ["nosuch", undefined],
  ["root\n", undefined],
  ["app\0", undefined],
];

describe("who a process is", { skip: cannotRun() }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage[Symbol.asyncDispose]());

  /** What it says of itself, or nothing when it never was. */
  const start = async (config: object): Promise<string | undefined> => {
    const created = await stage.engine.request("POST", "/containers/create?name=who", JSON.stringify(config));
    if (created.status !== 201) {
      assert.ok(created.status < 500, created.body);
      return undefined;
    }
    const { code, stdout } = await stage.engine.docker(["start", "--attach", "who"]);
    await said(stage.engine, "rm", "--force", "who");
    return code === 0 ? stdout : undefined;
  };

  test("CVE-2016-3697, CVE-2024-40635: a number is that user and no other, and no number wraps", async () => {
    await stage.make("users", [{ path: "etc/passwd", content: hostilePasswd }]);
    for (const [user, uid] of users) {
      const text = await start({ Image: "users", User: user, Cmd: ["id"], HostConfig: { NetworkMode: "none" } });
      const found = text === undefined ? undefined : /^uid: (\d+) (\d+) (\d+)$/m.exec(text)?.slice(1).map(Number);
      assert.deepEqual(found, uid === undefined ? undefined : [uid, uid, uid], JSON.stringify(user));
    }
  });

  test("CVE-2016-3697: the same when the image says who it is", async () => {
    for (const [user, uid] of users.filter((_, index) => index % 5 === 0)) {
      await stage.make("user", [{ path: "etc/passwd", content: hostilePasswd }], { User: user });
      const { code, stdout } = await stage.run("user", "id");
      if (uid === undefined) assert.notEqual(code, 0, user);
      else assert.match(stdout, new RegExp(`^uid: ${uid} ${uid} ${uid}$`, "m"), user);
    }
  });

  test("CVE-2026-47262: files of users that are no files, or have no end, end a lookup at once", async () => {
    const kinds: Readonly<Record<string, readonly ImageFile[]>> = {
      "a FIFO": [{ path: "etc/passwd", type: "fifo" }],
      "a device": [{ path: "etc/passwd", type: "character", device: [1, 5] }],
      "a directory": [{ path: "etc/passwd", type: "directory" }],
      "a link to the host": [{ path: "etc/passwd", type: "symlink", link: stage.canary.secretFile }],
      "a link to zeroes": [{ path: "etc/passwd", type: "symlink", link: "/dev/zero" }],
      "a loop": [{ path: "etc/passwd", type: "symlink", link: "/etc/passwd" }],
      "a hundred thousand groups": [
        { path: "etc/group", content: Array.from({ length: 100_000 }, (_, id) => `g${id}:x:${id}:app`).join("\n") },
      ],
      "a line without end": [{ path: "etc/passwd", content: "x".repeat(9_000_000) }],
    };
    for (const [what, files] of Object.entries(kinds)) {
      await stage.make("odd", files);
      const { code, stderr } = await stage.run("--user", "app", "odd", "id");
      assert.notEqual(code, 0, what);
      assert.match(stderr, /unable to find user app|no matching entries|groups/, what);
      if (what !== "a hundred thousand groups")
        assert.match(await stage.says("--user", "7", "odd", "id"), /^uid: 7 7 7$/m);
    }
  });

  test("CVE-2026-47262: nor do those that a container makes for its sessions and for its next start", async () => {
    const make = [
      "rm /etc/passwd; mkfifo /etc/passwd",
      "rm /etc/passwd; ln -s /dev/zero /etc/passwd",
      `rm /etc/passwd; ln -s ${stage.canary.secretFile} /etc/passwd`,
      "rm /etc/passwd; truncate -s 10G /etc/passwd",
      "rm /etc/passwd; mknod /etc/passwd c 1 5",
    ];
    const flags = ["-v", `${probePath}:/probe:ro`, busybox];
    for (const script of make) {
      const id = await stage.runner.detached(...flags, "sh", "-c", `${script}; echo ready; exec sleep 1000`);
      await stage.runner.hasSaid(id, /ready/);
      const session = await stage.engine.docker(["exec", "--user", "app", id, "id"]);
      assert.match(session.stdout + session.stderr, /unable to find user app/, script);
      assert.match(await said(stage.engine, "exec", "--user", "7", id, "/probe", "id"), /^uid: 7 7 7$/m, script);
      await said(stage.engine, "kill", id);
      await said(stage.engine, "start", id);
      await said(stage.engine, "rm", "--force", id);
    }
    assert.ok(peakMemory(stage.engine.pid) < 300 * 1024, `${peakMemory(stage.engine.pid)} kB`);
  });

  test("CVE-2022-4318: a newline in a variable makes no user", async () => {
    const line = "x\nroot2:x:0:0::/:/probe";
    const env = [`HOME=${line}`, `USER=${line}`].flatMap((entry) => ["--env", entry]);
    const before = await stage.says("probe", "cat", "/etc/passwd");
    assert.equal(await stage.says(...env, "--hostname", "x", "probe", "cat", "/etc/passwd"), before);
    await stage.make("home", [{ path: "etc/passwd", content: `app:x:1000:1000::${line}:/probe\n` }]);
    assert.match(await stage.says("--user", "app", "home", "env"), /^HOME=x$/m);
    await stage.make("environment", [], { Env: [`HOME=${line}`, "PATH=/"] });
    assert.ok((await stage.says("environment", "env")).includes(`HOME=${line}`));
  });

  test("CVE-2022-36109, CVE-2023-25173: the primary group is among the groups, and what it may not it cannot", async () => {
    await stage.make("denied", [
      { path: "denied", mode: 0o707, gid: 1000, content: "for others" },
      { path: "further", mode: 0o707, gid: 29, content: "for others" },
    ]);
    const verbs = ["id", "then", "cat", "/denied", "then", "cat", "/further"];
    const { stdout } = await stage.run("--user", "app", "denied", ...verbs);
    assert.match(stdout, /^groups: 29 1000$/m);
    assert.match(stdout, /^\/denied: EACCES$/m);
    assert.match(stdout, /^\/further: EACCES$/m);
    assert.match(
      (await stage.run("--user", "7:1000", "denied", ...verbs)).stdout,
      /^groups: 1000$[\s\S]*^\/denied: EACCES$/m,
    );
    const id = await stage.runner.detached("denied", "sleep");
    const session = await stage.engine.docker(["exec", "--user", "app", id, "/probe", ...verbs]);
    assert.match(session.stdout, /^groups: 29 1000$[\s\S]*^\/denied: EACCES$/m);
    await said(stage.engine, "rm", "--force", id);
  });

  test("CVE-2022-24769, CVE-2022-29162, CVE-2016-8867: no capability is inherited or ambient, and no user but root has one", async () => {
    const none = /^inheritable: 0+$[\s\S]*^ambient: 0+$/m;
    for (const flags of [
      [],
      ["--user", "7"],
      ["--cap-add", "ALL"],
      ["--privileged"],
      ["--init"],
      ["--user", "7", "--cap-add", "NET_RAW"],
    ]) {
      const text = await stage.says(...flags, "probe", "caps");
      assert.match(text, none, flags.join(" "));
      if (flags.includes("--user")) assert.match(text, /^effective: 0+\npermitted: 0+$/m);
    }
    const id = await stage.runner.detached("--cap-add", "NET_ADMIN", "probe", "sleep");
    for (const flags of [[], ["--user", "7"], ["--privileged"], ["--privileged", "--user", "7"]]) {
      const text = await said(stage.engine, "exec", ...flags, id, "/probe", "caps");
      assert.match(text, none, flags.join(" "));
      if (flags.includes("--user")) assert.match(text, /^effective: 0+\npermitted: 0+$/m);
    }
    await said(stage.engine, "rm", "--force", id);
  });

  test("a set-uid program gives nothing where it must not: with no-new-privileges, and on file systems in memory", async () => {
    const volume = join(stage.canary.directory, "set-uid");
    mkdirSync(volume);
    copyFileSync(probePath, join(volume, "probe"));
    chmodSync(join(volume, "probe"), 0o4755);
    const run = (...args: string[]) =>
      stage.says("--user", "app", "-v", `${volume}:/v`, ...args, "probe", "exec", "/v/probe", "id");
    // A volume is the host's: what is set-uid there is so in the container, as in Docker.
    assert.match(await run(), /^uid: 1000 0 0$/m);
    assert.match(await run("--security-opt", "no-new-privileges"), /^uid: 1000 1000 1000$/m);
    const script = "cp /bin/busybox /t/id && chown 0:0 /t/id && chmod 4755 /t/id && echo ready && exec sleep 1000";
    const id = await stage.runner.detached("--tmpfs", "/t:exec", busybox, "sh", "-c", script);
    await stage.runner.hasSaid(id, /ready/);
    assert.equal(await said(stage.engine, "exec", "--user", "7", id, "/t/id", "-u"), "7");
    await said(stage.engine, "rm", "--force", id);
    // Nor is what a container made set-uid in its own layer within reach of anybody on the host: images.test.ts.
  });
});
