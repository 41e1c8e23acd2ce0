/** What a container has written: `diff` lists it, `commit` makes a layer of it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf, probeLayer } from "../probe/image.ts";
import { busybox, inspected, said } from "./containers.ts";
import { Runner } from "./run.ts";

const changing = [
  "mkdir -p /made/deep; echo new >/made/deep/file; ln /made/deep/file /made/same; ln -s nowhere /made/link",
  "echo more >>/etc/passwd; rm /bin/vi; rm -r /var/spool; mkdir /var/spool; echo again >/var/spool/x",
  "mknod /made/null c 1 3; mkfifo /made/pipe; chmod 4711 /made/deep/file; chown 5:6 /made/deep; touch /vol/x",
].join("; ");

const changed = [
  "D /bin/vi",
  "C /bin",
  "C /etc",
  "C /etc/passwd",
  "A /made",
  "A /made/deep",
  "A /made/deep/file",
  "A /made/link",
  "A /made/null",
  "A /made/pipe",
  "A /made/same",
  "C /var",
  "C /var/spool",
  "A /var/spool/x",
  "A /vol",
].sort();

describe("what a container has written", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
  });
  after(() => engine.stop());

  const diff = async (id: string) => (await said(engine, "diff", id)).split("\n").filter(Boolean).sort();

  test("is listed: what was added, changed, deleted, and nothing that is ours", async () => {
    const fresh = await said(engine, "create", busybox, "true");
    assert.deepEqual(await diff(fresh), []);
    await said(engine, "start", "-a", fresh);
    assert.deepEqual(await diff(fresh), []);
    const id = await runner.detached("-v", "/vol", busybox, "sh", "-c", `${changing}; echo done; sleep 1000`);
    await runner.hasSaid(id, /done/);
    assert.deepEqual(await diff(id), changed);
    await said(engine, "kill", id);
    assert.deepEqual((await engine.pier(["diff", id])).stdout.split("\n").filter(Boolean).sort(), changed);
    assert.match((await engine.docker(["diff", "nosuch"])).stderr, /No such container: nosuch/);
    await said(engine, "rm", "-v", fresh, id);
  });

  test("becomes an image that has all of it, owners, links and deletions too", async () => {
    const id = await runner.detached(
      "-e",
      "A=b",
      "-v",
      "/vol",
      busybox,
      "sh",
      "-c",
      `${changing}; echo done; sleep 1000`,
    );
    await runner.hasSaid(id, /done/);
    const image = await said(
      engine,
      "commit",
      "-m",
      "a message",
      "-a",
      "An Author",
      "-c",
      'CMD ["cat","/made/same"]',
      "-c",
      "ENV C=d",
      id,
      "committed:one",
    );
    assert.match(image, /^sha256:[0-9a-f]{64}$/);
    assert.equal(await inspected(engine, "{{.State.Status}}", id), "running");
    assert.equal(await runner.says("committed:one"), "new");
    const script = [
      "stat -c '%n %a %u:%g %F' /made/deep /made/deep/file /made/null /made/pipe",
      "stat -c %h /made/same; readlink /made/link; tail -1 /etc/passwd; ls /bin/vi /var/spool /vol 2>&1; echo $A$C",
    ].join("; ");
    assert.equal(
      await runner.says("committed:one", "sh", "-c", script),
      [
        "/made/deep 755 5:6 directory",
        "/made/deep/file 4711 0:0 regular file",
        "/made/null 644 0:0 character special file",
        "/made/pipe 644 0:0 fifo",
        "2",
        "nowhere",
        "more",
        "ls: /bin/vi: No such file or directory",
        "/var/spool:",
        "x",
        "",
        "/vol:",
        "bd",
      ].join("\n"),
    );
    const [told] = JSON.parse(await said(engine, "inspect", image));
    assert.deepEqual(
      [told.Author, told.Comment, told.Config.Cmd, told.Config.Volumes],
      ["An Author", "a message", ["cat", "/made/same"], { "/vol": {} }],
    );
    const history = await said(engine, "history", "--no-trunc", "--format", "{{.Comment}} {{.CreatedBy}}", image);
    assert.match(history.split("\n")[0] ?? "", /^a message sh -c mkdir/);
    // The same bytes give the same layer.
    const layers = (name: string) => inspected(engine, "{{json .RootFS.Layers}}", name);
    const again = await said(engine, "commit", "--pause=false", id, "committed:two");
    assert.equal(await layers(again), await layers(image));
    await said(engine, "rm", "-f", "-v", id);
    const stopped = await said(engine, "create", "committed:one", "true");
    const same = await said(engine, "commit", stopped);
    assert.equal(await layers(same), await layers(image), "what was never started has written nothing");
    await said(engine, "rm", "-v", stopped);
    await said(engine, "rmi", image, again, same);
  });

  test("stands still while it is committed, and is told of", async () => {
    const since = (Date.now() / 1000 - 0.001).toFixed(3);
    const id = await runner.detached(busybox, "sh", "-c", "echo x >/x; echo done; sleep 1000");
    await runner.hasSaid(id, /done/);
    const ran = await engine.pier(["commit", "-c", "LABEL a=b", id, "committed:three"]);
    assert.equal(ran.code, 0, ran.stderr);
    const image = ran.stdout.trim();
    const words = [
      "events",
      "--since",
      since,
      "--until",
      (Date.now() / 1000 + 0.1).toFixed(3),
      "--format",
      "{{.Type}} {{.Action}} {{.Actor.Attributes.imageRef}}",
    ];
    const told = (await said(engine, ...words)).split("\n").map((line) => line.replace(/ (<no value>)?$/, ""));
    assert.deepEqual(
      told.filter((line) => /pause|commit|image (create|tag)/.test(line)),
      ["container pause", "image create", "image tag", "container unpause", "container commit committed:three"],
    );
    assert.equal(await inspected(engine, "{{.Config.Labels.a}}", image), "b");
    for (const [sentence, ...flags] of [
      [/No such container: nosuch/, "nosuch"],
      [/dockerfile parse error|unknown instruction|not a valid change command/i, "-c", "BOGUS x", id],
      [/invalid reference format/, id, "UPPER:case:x"],
    ] as const) {
      const refused = await engine.docker(["commit", ...flags]);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, sentence);
    }
    await said(engine, "rm", "-f", id);
    await said(engine, "rmi", image);
  });

  test("by an image without anything has no marks of ours in its layer either", async () => {
    await engine.load(await imageOf({ name: "bare:latest", layers: [probeLayer().slice(0, 1)] }));
    const id = await said(engine, "create", "bare", "write", "/data", "x");
    await said(engine, "start", "-a", id);
    assert.deepEqual(await diff(id), ["A /data"]);
    const image = await said(engine, "commit", id, "bare:two");
    assert.equal(await runner.says("bare:two", "cat", "/data"), "x");
    const tar = JSON.parse(await inspected(engine, "{{json .RootFS.Layers}}", image))
      .at(-1)
      .slice("sha256:".length);
    const names = execFileSync("tar", ["-tf", `${engine.root}/layers/${tar}/tar`], { encoding: "utf8" });
    assert.equal(names, "data\n");
    await said(engine, "rm", id);
    await said(engine, "rmi", "bare:two");
  });
});
