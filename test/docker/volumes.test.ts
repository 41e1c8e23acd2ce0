/** Volumes: they begin with what an image has, outlive containers and daemons, and go only when somebody says so. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf, probeLayer } from "../probe/image.ts";
import { busybox, inspected, said } from "./containers.ts";
import { Runner } from "./run.ts";

/** Two layers: what the upper one hides and adds is seen in what a volume begins with. */
const layers = [
  [
    ...probeLayer(),
    { path: "data", type: "directory", mode: 0o2750, uid: 1000, gid: 29 },
    { path: "data/low", content: "of the lower layer\n", mode: 0o4755, uid: 5, gid: 6 },
    { path: "data/hidden", content: "x" },
    { path: "data/deep", type: "directory", mode: 0o700 },
    { path: "data/deep/null", type: "character", mode: 0o600, device: [1, 3] },
    { path: "link", type: "symlink", link: "/data" },
  ],
  [
    { path: "data", type: "directory", mode: 0o2750, uid: 1000, gid: 29 },
    { path: "data/.wh.hidden" },
    { path: "data/high", content: "of the upper layer\n", xattrs: { "user.mark": Buffer.from("kept") } },
    { path: "data/same", type: "hardlink", link: "data/high" },
    { path: "data/host", type: "symlink", link: "/etc/shadow" },
  ],
] as const;

describe("volumes", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-volumes-"));
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf({ name: "filled:latest", layers, config: { Volumes: { "/data": {} } } }));
  });
  after(async () => {
    const names = (await said(engine, "volume", "ls", "-q")).split("\n").filter((name) => name !== "");
    const ids = (await said(engine, "ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await said(engine, "rm", "-f", ...ids);
    if (names.length > 0) await said(engine, "volume", "rm", ...names);
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const sh = (script: string, ...flags: string[]) => runner.says(...flags, busybox, "sh", "-c", script);
  const names = async (...filters: string[]) =>
    (await said(engine, "volume", "ls", "-q", ...filters.flatMap((one) => ["--filter", one])))
      .split("\n")
      .filter(Boolean);
  const place = (name: string) => join(engine.root, "volumes", name, "data");

  test("a named volume is made by its first user, shared, and there when all of them are gone", async () => {
    assert.equal(await sh("echo kept >/v/file", "-v", "shared-1:/v"), "");
    const id = await runner.detached("-v", "shared-1:/w:ro", busybox, "sleep", "1000");
    assert.equal(await said(engine, "exec", id, "cat", "/w/file"), "kept");
    assert.equal((await engine.docker(["exec", id, "touch", "/w/x"])).code, 1);
    assert.equal(await sh("echo more >>/v/file; cat /v/file", "--mount", "src=shared-1,dst=/v"), "kept\nmore");
    assert.equal(await said(engine, "exec", id, "cat", "/w/file"), "kept\nmore");
    const mounts = JSON.parse(await inspected(engine, "{{json .Mounts}}", id));
    assert.deepEqual(mounts, [
      {
        Type: "volume",
        Name: "shared-1",
        Source: place("shared-1"),
        Destination: "/w",
        Driver: "local",
        Mode: "ro",
        RW: false,
        Propagation: "",
      },
    ]);
    const refused = await engine.docker(["volume", "rm", "shared-1"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`remove shared-1: volume is in use - \\[${id}\\]`));
    await said(engine, "rm", "-f", "-v", id);
    assert.equal(readFileSync(join(place("shared-1"), "file"), "utf8"), "kept\nmore\n");
    await said(engine, "volume", "rm", "shared-1");
    assert.equal(existsSync(join(engine.root, "volumes/shared-1")), false);
    const gone = await engine.docker(["volume", "inspect", "shared-1"]);
    assert.match(gone.stderr, /get shared-1: no such volume/);
  });

  test("create, list and inspect say what was asked for", async () => {
    assert.equal(await said(engine, "volume", "create", "--label", "a=b", "--label", "c", "made-1"), "made-1");
    assert.equal(await said(engine, "volume", "create", "made-1"), "made-1");
    const anonymous = await said(engine, "volume", "create");
    assert.match(anonymous, /^[0-9a-f]{64}$/);
    const [answer] = JSON.parse(await said(engine, "volume", "inspect", "made-1"));
    assert.match(answer.CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    delete answer.CreatedAt;
    assert.deepEqual(answer, {
      Driver: "local",
      Labels: { a: "b", c: "" },
      Mountpoint: place("made-1"),
      Name: "made-1",
      Options: null,
      Scope: "local",
    });
    assert.deepEqual(await names("label=a=b"), ["made-1"]);
    assert.deepEqual(await names("label=com.docker.volume.anonymous"), [anonymous]);
    assert.deepEqual(await names("name=made", "dangling=true"), ["made-1"]);
    assert.deepEqual(await names("name=made", "dangling=false"), []);
    assert.deepEqual(await names("driver=other"), []);
    const ran = await engine.docker(["volume", "create", "a/b"]);
    assert.match(ran.stderr, /includes invalid characters for a local volume name/);
    assert.match((await engine.docker(["volume", "create", "-d", "nope", "xx"])).stderr, /plugin "nope" not found/);
    assert.match((await engine.docker(["volume", "create", "-o", "foo=bar", "xx"])).stderr, /invalid option: "foo"/);
    assert.equal(
      (await engine.pier(["volume", "ls", "--filter", "name=made"])).stdout,
      "DRIVER    VOLUME NAME\nlocal     made-1\n",
    );
    assert.equal((await engine.pier(["volume", "rm", "made-1", anonymous])).stdout, `made-1\n${anonymous}\n`);
    assert.equal((await engine.docker(["volume", "rm", "made-1"])).code, 1);
    assert.equal((await engine.docker(["volume", "rm", "--force", "made-1"])).code, 0);
  });

  test("an empty volume begins with what the image has there, to the last attribute", async () => {
    await said(engine, "create", "--name", "fills", "-v", "filled-1:/data", "-v", "filled-2:/link:nocopy", "filled");
    const seen = execFileSync("sh", ["-c", "find . -printf '%P %y %m %U:%G %l\\n' | sort"], {
      cwd: place("filled-1"),
      encoding: "utf8",
    });
    assert.equal(
      seen,
      [
        " d 2750 1000:29 ",
        "deep d 700 0:0 ",
        "deep/null c 600 0:0 ",
        "high f 644 0:0 ",
        "host l 777 0:0 /etc/shadow",
        "low f 4755 5:6 ",
        "same f 644 0:0 ",
        "",
      ].join("\n"),
    );
    assert.equal(statSync(join(place("filled-1"), "high")).ino, statSync(join(place("filled-1"), "same")).ino);
    assert.equal(readFileSync(join(place("filled-1"), "low"), "utf8"), "of the lower layer\n");
    assert.deepEqual(readdirSync(place("filled-2")), []);
    // One that has something in it is left as it is.
    rmSync(join(place("filled-1"), "low"));
    await said(engine, "create", "--name", "again", "-v", "filled-1:/data", "filled");
    assert.equal(existsSync(join(place("filled-1"), "low")), false);
    assert.deepEqual(readdirSync(join(engine.root, "volumes/filled-1")), ["data"]);
    await said(engine, "rm", "fills", "again");
  });

  test("an empty volume that somebody works in already is filled where he sees it", async () => {
    const id = await runner.detached("-v", "early-1:/v", busybox, "sleep", "1000");
    await said(engine, "create", "--name", "late", "-v", "early-1:/data", "filled");
    assert.match(await said(engine, "exec", id, "cat", "/v/high"), /of the upper layer/);
    assert.equal(await said(engine, "exec", id, "stat", "-c", "%a %u:%g", "/v"), "2750 1000:29");
    await said(engine, "rm", "-f", id, "late");
  });

  test("an anonymous volume goes with rm --volumes or --rm, and stays otherwise", async () => {
    const before = await names();
    const added = async () => (await names()).filter((name) => !before.includes(name));
    await said(engine, "create", "--name", "anon", "filled");
    const [name = ""] = await added();
    assert.match(name, /^[0-9a-f]{64}$/);
    assert.deepEqual(JSON.parse(await said(engine, "volume", "inspect", name))[0].Labels, {
      "com.docker.volume.anonymous": "",
    });
    assert.equal(
      await inspected(engine, "{{(index .Mounts 0).Name}} {{json .Config.Volumes}}", "anon"),
      `${name} {"/data":{}}`,
    );
    await said(engine, "rm", "anon");
    assert.deepEqual(await added(), [name]);
    await said(engine, "volume", "rm", name);
    await said(engine, "create", "--name", "anon", "-v", "/more", "filled");
    await said(engine, "rm", "-v", "anon");
    assert.equal(await runner.says("-v", "/more", "filled", "cat", "/data/low"), "of the lower layer");
    assert.deepEqual(await added(), []);
  });

  test("prune takes the anonymous ones that nobody uses, and all with --all", async () => {
    await said(engine, "create", "--name", "uses", "filled");
    const [used = ""] = await names("label=com.docker.volume.anonymous");
    const unused = await said(engine, "volume", "create");
    writeFileSync(join(place(unused), "big"), "x".repeat(5000));
    await said(engine, "volume", "create", "--label", "keep", "named-1");
    await said(engine, "volume", "create", "named-2");
    assert.match(
      await said(engine, "volume", "prune", "-f"),
      new RegExp(`^Deleted Volumes:\n${unused}\n\nTotal reclaimed space: 5kB$`),
    );
    assert.match(await said(engine, "volume", "prune", "-f", "--all", "--filter", "label!=keep"), /named-2/);
    const rest = await names();
    assert.ok(rest.includes(used) && rest.includes("named-1") && !rest.includes("named-2"));
    const no = await engine.pier(["volume", "prune"], { input: "n\n" });
    assert.equal(no.code, 1);
    assert.match(no.stdout, /WARNING! This will remove anonymous local volumes not used by at least one container/);
    assert.match((await engine.pier(["volume", "prune", "-a"], { input: "y\n" })).stdout, /named-1/);
    await said(engine, "rm", "-v", "uses");
  });

  test("volumes of another container, with its binds, as they are or read-only", async () => {
    writeFileSync(join(directory, "bound"), "bound\n");
    await said(
      engine,
      "create",
      "--name",
      "donor",
      "-v",
      "donor-1:/d",
      "-v",
      `${directory}:/b:ro`,
      "-v",
      "/anon",
      busybox,
    );
    assert.equal(
      await sh("echo x >/d/x; cat /b/bound; ls -d /anon; touch /b/y || echo no", "--volumes-from", "donor"),
      "bound\n/anon\nno",
    );
    assert.equal(await sh("cat /d/x; touch /d/y 2>/dev/null || echo no", "--volumes-from", "donor:ro"), "x\nno");
    assert.equal(await sh("ls /d", "--volumes-from", "donor", "-v", "/d"), "x");
    assert.equal(await sh("ls /d", "--volumes-from", "donor", "-v", `${directory}:/d`), "bound");
    assert.match((await runner.run(["--volumes-from", "absent", busybox])).stderr, /No such container: absent/);
    const id = await runner.detached("--volumes-from", "donor", busybox, "sleep", "1000");
    const [, anonymous = ""] = /"Name":"([0-9a-f]{64})"/.exec(await inspected(engine, "{{json .Mounts}}", id)) ?? [];
    // The donor goes, and what it gave stays as long as somebody has it.
    await said(engine, "rm", "-v", "donor");
    await said(engine, "exec", id, "touch", "/anon/still", "/d/still");
    assert.ok(existsSync(join(place(anonymous), "still")));
    await said(engine, "rm", "-f", "-v", id);
    assert.ok(existsSync(join(place(anonymous), "still")));
    await said(engine, "volume", "rm", anonymous);
  });

  test("a part of a volume is mounted, and no link in it leads out", async () => {
    await sh(
      "mkdir -p /v/a/b; echo in >/v/a/b/f; ln -s /usr /v/etc; ln -s ../../../../.. /v/up; ln -s a/b /v/ab",
      "-v",
      "parts-1:/v",
    );
    const part = (subpath: string) => ["--mount", `type=volume,src=parts-1,dst=/p,volume-subpath=${subpath}`];
    assert.equal(await sh("cat /p/f", ...part("a/b")), "in");
    assert.equal(await sh("cat /p/f", ...part("ab")), "in");
    assert.equal(await sh("ls /p", ...part("up")), "a\nab\netc\nup");
    const missing = await runner.run([...part("etc"), busybox]);
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /openBeneath etc: no such file or directory/);
    await runner.refuses(/subpath must be a relative path/, ...part("../x"), busybox);
    assert.equal(
      await sh(
        "cat /p; touch /p 2>/dev/null || echo no",
        ...part("a/b/f").map((word) => (word.startsWith("type") ? `${word},readonly` : word)),
      ),
      "in\nno",
    );
  });

  test("the options of the driver: a directory of the host, and a file system for all", async () => {
    const host = join(directory, "host");
    mkdirSync(host);
    await said(engine, "volume", "create", "-o", "type=none", "-o", "o=bind", "-o", `device=${host}`, "bound-1");
    await sh("echo x >/v/f", "-v", "bound-1:/v");
    assert.equal(readFileSync(join(host, "f"), "utf8"), "x\n");
    const bind = ["-o", "type=none", "-o", "o=bind,ro,noexec", "-o", `device=${host}`];
    await said(engine, "volume", "create", ...bind, "bound-2");
    const flags = "grep ' /v ' /proc/self/mountinfo | cut -d' ' -f6";
    assert.equal(
      await sh(`cat /v/f; touch /v/g 2>/dev/null || echo no; ${flags}`, "-v", "bound-2:/v"),
      "x\nno\nro,noexec,relatime",
    );
    await said(
      engine,
      "volume",
      "create",
      "-o",
      "type=tmpfs",
      "-o",
      "device=tmpfs",
      "-o",
      "o=size=1m,nosuid",
      "memory-1",
    );
    const id = await runner.detached("-v", "memory-1:/v", busybox, "sh", "-c", "echo x >/v/f; sleep 1000");
    assert.equal(
      await sh(
        "until cat /v/f 2>/dev/null; do :; done; df -k /v | tail -1 | awk '{print $1, $2}'",
        "-v",
        "memory-1:/v",
      ),
      "x\ntmpfs 1024",
    );
    assert.deepEqual(readdirSync(place("memory-1")), []);
    await engine.kill9();
    await engine.restart();
    assert.equal(await sh("cat /v/f", "-v", "memory-1:/v"), "x");
    await said(engine, "rm", "-f", id);
    // With the last one that runs, what was in memory is gone.
    assert.equal(await sh("ls /v", "-v", "memory-1:/v"), "");
    await said(engine, "volume", "create", "-o", "type=nosuchfs", "-o", "device=x", "none-1");
    await runner.refuses(
      /error while mounting volume 'none-1': failed to mount local volume: mount x: no such device/,
      "-v",
      "none-1:/v",
      busybox,
    );
  });

  test("events tell the life of a volume", async () => {
    const since = (Date.now() / 1000 - 0.001).toFixed(3);
    const id = await runner.detached("-v", "told-1:/v:ro", busybox, "true");
    await said(engine, "wait", id);
    await said(engine, "rm", id);
    await said(engine, "volume", "rm", "told-1");
    const until = (Date.now() / 1000 + 0.1).toFixed(3);
    const words = [
      "events",
      "--since",
      since,
      "--until",
      until,
      "--filter",
      "type=volume",
      "--format",
      "{{.Action}} {{json .Actor.Attributes}}",
    ];
    assert.deepEqual((await said(engine, ...words)).split("\n"), [
      'create {"driver":"local"}',
      `mount {"container":"${id}","destination":"/v","driver":"local","propagation":"","read/write":"false"}`,
      `unmount {"container":"${id}","driver":"local"}`,
      'destroy {"driver":"local"}',
    ]);
  });

  test("a daemon that was killed finds its volumes again, and clears what was half made", async () => {
    await sh("echo kept >/v/f", "-v", "lasts-1:/v");
    await engine.kill9();
    const volumes = join(engine.root, "volumes");
    for (const name of [
      ".half-1.0123456789ab.pending/data",
      "lasts-1/.filling.0123456789ab.pending/files",
      "foreign-1/data",
    ])
      mkdirSync(join(volumes, name), { recursive: true });
    // Made whole, and not yet moved to its place when the daemon died.
    mkdirSync(join(volumes, "late-1/data"), { recursive: true });
    mkdirSync(join(volumes, "late-1/filling"), { recursive: true, mode: 0o770 });
    writeFileSync(join(volumes, "late-1/filling/f"), "moved");
    await engine.restart();
    assert.equal(await sh("cat /v/f", "-v", "lasts-1:/v"), "kept");
    assert.deepEqual(readdirSync(join(volumes, "lasts-1")), ["data"]);
    assert.equal(existsSync(join(volumes, ".half-1.0123456789ab.pending")), false);
    assert.equal(readFileSync(join(place("late-1"), "f"), "utf8"), "moved");
    assert.deepEqual(readdirSync(join(volumes, "late-1")), ["data"]);
    // What the database does not know is somebody's data all the same.
    assert.deepEqual(await names("name=foreign"), ["foreign-1"]);
  });

  test("an image's volume reads nothing of the host, whatever its path or links say", async () => {
    const canary = join(directory, "canary");
    mkdirSync(canary);
    writeFileSync(join(canary, "secret"), "of the host");
    const hostile = [
      ...probeLayer(),
      { path: "out", type: "symlink", link: canary },
      { path: "up", type: "symlink", link: `../../../..${canary}` },
      { path: "file", content: "x" },
    ] as const;
    const Volumes = { "/out": {}, "/up": {}, [`/../../..${canary}`]: {} };
    await engine.load(await imageOf({ name: "hostile:latest", layers: [hostile], config: { Volumes } }));
    const before = await names();
    await said(engine, "create", "--name", "hostile", "hostile");
    for (const name of await names()) if (!before.includes(name)) assert.deepEqual(readdirSync(place(name)), []);
    await said(engine, "rm", "-v", "hostile");
    await engine.load(await imageOf({ name: "over:latest", layers: [hostile], config: { Volumes: { "/file": {} } } }));
    await runner.refuses(/cannot mount volume over existing file, file exists \/file/, "over");
    assert.deepEqual(await names(), before);
    assert.equal(readFileSync(join(canary, "secret"), "utf8"), "of the host");
  });

  test("a volume's own links do not lead a copy out of it", async () => {
    await said(engine, "volume", "create", "linked-1");
    symlinkSync("/etc", join(place("linked-1"), "deep"));
    // It has something in it, and so nothing is copied.
    await said(engine, "create", "--name", "linked", "-v", "linked-1:/data", "filled");
    assert.deepEqual(readdirSync(place("linked-1")), ["deep"]);
    await said(engine, "rm", "linked");
  });
});
