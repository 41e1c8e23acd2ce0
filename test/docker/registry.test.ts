/** Images from and to a registry that others made, through the docker command and our own. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine, fixture } from "../engine.ts";
import { execute } from "../execute.ts";
import { tarOf } from "../image/rooms.ts";
import { digestOf } from "../registry/chaos.ts";
import { busybox, said } from "./containers.ts";
import { DebianRegistry, hasRegistry, tool } from "./registries.ts";

const skip = cannotRun("busybox.oci.tar", "debian.oci.tar") || hasRegistry;

describe("images of a registry", { skip }, () => {
  let engine: Engine;
  let registry: DebianRegistry;
  before(async () => {
    [registry, engine] = await Promise.all([DebianRegistry.start(), Engine.launch()]);
    for (const name of ["busybox", "debian"]) {
      const target = `docker://${registry.host}/test/${name}:1`;
      const ran = await tool("skopeo", [
        "copy",
        "--dest-tls-verify=false",
        `oci-archive:${fixture(`${name}.oci.tar`)}`,
        target,
      ]);
      assert.equal(ran.code, 0, ran.stderr);
    }
  });
  after(async () => {
    await engine?.stop();
    await registry?.stop();
  });
  const image = (name: string): string => `${registry.host}/test/${name}`;

  test("are pulled by both commands, which say the same", async () => {
    const first = await said(engine, "pull", image("busybox:1"));
    assert.match(first, /^1: Pulling from test\/busybox\n[0-9a-f]{12}: Pulling fs layer\n/);
    assert.match(first, /Pull complete\nDigest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for .*\n/);
    const again = await engine.pier(["pull", image("busybox:1")]);
    assert.match(
      again.stdout,
      /^1: Pulling from .*\n[0-9a-f]{12}: Already exists\nDigest: .*\nStatus: Image is up to date for /,
    );
    assert.equal(again.stdout.split("\n").at(-2), image("busybox:1"));
    const quiet = await engine.pier(["pull", "--quiet", image("busybox:1")]);
    assert.equal(quiet.stdout, `${image("busybox:1")}\n`);
    assert.equal(await said(engine, "run", "--rm", image("busybox:1"), "echo", "hi"), "hi");
  });

  test("that are not there are missed in Docker's words", async () => {
    const ran = await engine.docker(["pull", image("nothing:1")]);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^Error response from daemon: manifest for test\/nothing:1 not found: manifest unknown/);
  });

  test("come by themselves when a container needs them, if it may", async () => {
    await engine.docker(["rmi", "--force", image("busybox:1")]);
    const never = await engine.pier(["run", "--rm", "--pull", "never", image("busybox:1"), "true"]);
    assert.equal(never.code, 125);
    assert.match(never.stderr, /No such image/);
    for (const client of ["docker", "pier"] as const) {
      const ran = await engine[client](["run", "--rm", image("busybox:1"), "echo", "came"]);
      assert.equal(ran.stdout, "came\n");
      assert.match(ran.stderr, /^Unable to find image '.*\/test\/busybox:1' locally\n/);
      const always = await engine[client](["run", "--rm", "--pull", "always", image("busybox:1"), "true"]);
      assert.match(always.stderr + always.stdout, /Image is up to date/);
      await engine.docker(["rmi", image("busybox:1")]);
    }
  });

  test("are found by their digests", async () => {
    await said(engine, "pull", image("debian:1"));
    const digest = await said(engine, "inspect", "--format", "{{index .RepoDigests 0}}", image("debian:1"));
    await said(engine, "rmi", image("debian:1"));
    await said(engine, "pull", digest);
    assert.equal(
      await said(engine, "images", "--digests", "--format", "{{.Repository}}@{{.Digest}}", image("debian")),
      digest,
    );
    assert.match(await said(engine, "run", "--rm", digest, "cat", "/etc/debian_version"), /^12/);
  });

  test("are pushed by both commands, and skopeo finds the very digest", async () => {
    await said(engine, "pull", image("busybox:1"));
    const digest = await said(engine, "inspect", "--format", "{{index .RepoDigests 0}}", image("busybox:1"));
    for (const client of ["docker", "pier"] as const) {
      const target = image(`by-${client}:2`);
      await said(engine, "tag", image("busybox:1"), target);
      const pushed = await engine[client](["push", target]);
      assert.equal(pushed.code, 0, pushed.stderr);
      assert.match(pushed.stdout, /^The push refers to repository \[127.0.0.1:\d+\/test\/by-(docker|pier)\]\n/);
      assert.match(pushed.stdout, /: (Mounted from test\/busybox|Pushed|Layer already exists)\n/);
      assert.match(pushed.stdout, /\n2: digest: sha256:[0-9a-f]{64} size: \d+\n$/);
      const found = await tool("skopeo", [
        "inspect",
        "--tls-verify=false",
        "--format",
        "{{.Digest}}",
        `docker://${target}`,
      ]);
      assert.equal(found.stdout.trim(), /sha256:.*/.exec(digest)?.[0], found.stderr);
    }
  });

  test("go and come with all tags of their repository", async () => {
    await said(engine, "pull", image("busybox:1"));
    for (const client of ["docker", "pier"] as const) {
      const repository = image(`all-by-${client}`);
      const names = [`${repository}:a`, `${repository}:b`];
      for (const name of names) await said(engine, "tag", image("busybox:1"), name);
      for (const command of ["push", "pull"] as const) {
        const ran = await engine[client]([command, "--all-tags", repository]);
        assert.equal(ran.code, 0, ran.stderr);
        if (command === "push") await said(engine, "rmi", ...names);
      }
      const tags = await said(engine, "images", "--format", "{{.Repository}}:{{.Tag}}", repository);
      assert.deepEqual(tags.split("\n").sort(), names);
    }
  });

  test("that were loaded plain are pushed, pulled elsewhere, and the same", async () => {
    await engine.load();
    await said(engine, "tag", busybox, image("loaded:1"));
    await said(engine, "push", image("loaded:1"));
    const id = await said(engine, "inspect", "--format", "{{.Id}}", busybox);
    const elsewhere = await Engine.launch();
    try {
      await said(elsewhere, "pull", image("loaded:1"));
      assert.equal(await said(elsewhere, "inspect", "--format", "{{.Id}}", image("loaded:1")), id);
    } finally {
      await elsewhere.stop();
    }
  });

  test("are saved byte for byte, for docker, skopeo and umoci to read", async () => {
    for (const name of ["busybox", "debian"]) await said(engine, "pull", image(`${name}:1`));
    const place = mkdtempSync(join(tmpdir(), "pier-saved-"));
    try {
      const [first, second, both] = ["first.tar", "second.tar", "both.tar"].map((name) => join(place, name)) as [
        string,
        string,
        string,
      ];
      assert.equal((await engine.docker(["save", "-o", first, image("debian:1")])).code, 0);
      assert.equal((await engine.pier(["save", "-o", second, image("debian:1")])).code, 0);
      assert.deepEqual(readFileSync(first), readFileSync(second));
      mkdirSync(join(place, "oci"));
      assert.equal((await execute("tar", ["-xf", first, "-C", join(place, "oci")])).code, 0);
      const source = await said(engine, "inspect", "--format", "{{index .RepoDigests 0}}", image("debian:1"));
      const manifest = /sha256:(.*)/.exec(source)![1]!;
      const blob = (digest: string): Buffer =>
        readFileSync(join(place, "oci/blobs/sha256", digest.replace("sha256:", "")));
      assert.equal(digestOf(blob(manifest)), `sha256:${manifest}`);
      for (const { digest } of JSON.parse(blob(manifest).toString()).layers)
        assert.equal(digestOf(blob(digest)), digest);
      const archive = await tool("skopeo", ["inspect", "--config", `docker-archive:${first}`]);
      assert.equal(archive.code, 0, archive.stderr);
      const layout = await tool("umoci", ["stat", "--image", `${join(place, "oci")}:1`]);
      assert.equal(layout.code, 0, layout.stderr);
      assert.equal((await engine.pier(["save", "-o", both, image("debian:1"), image("busybox:1")])).code, 0);
      const elsewhere = await Engine.launch();
      try {
        const loaded = await elsewhere.docker(["load", "-i", both]);
        assert.deepEqual(
          loaded.stdout.trim().split("\n").sort(),
          ["busybox", "debian"].map((name) => `Loaded image: ${image(`${name}:1`)}`),
        );
        assert.equal((await elsewhere.docker(["save", "-o", second, image("debian:1")])).code, 0);
        assert.deepEqual(readFileSync(second), readFileSync(first));
      } finally {
        await elsewhere.stop();
      }
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  test("are told of without being taken", async () => {
    const manifest = await engine.pier(["manifest", "inspect", image("debian:1")]);
    assert.equal(JSON.parse(manifest.stdout).schemaVersion, 2);
    const answer = await engine.request("GET", `/distribution/${image("debian:1")}/json`);
    const { Descriptor, Platforms } = JSON.parse(answer.body);
    assert.equal(Descriptor.digest, digestOf(manifest.stdout.slice(0, -1)));
    assert.deepEqual(Platforms, [{ architecture: "amd64", os: "linux" }]);
    const searched = await engine.docker(["search", `${registry.host}/debian`]);
    assert.match(searched.stderr, /has no search: it answers 404 to \/v1\/search/);
  });

  test("are looked into without running anything", async () => {
    const image = (name: string): string => `${name}:look`;
    const files = { "etc/": "", "etc/name": "one", "etc/same": "same", gone: "x" };
    for (const [name, content] of Object.entries({
      first: files,
      second: { "etc/": "", "etc/name": "two", "etc/same": "same", fresh: "" },
    })) {
      const ran = await engine.docker(["import", "-", image(name)], { input: await tarOf(content) });
      assert.equal(ran.code, 0, ran.stderr);
    }
    const pier = async (...args: string[]): Promise<string> => {
      const ran = await engine.pier(["image", ...args]);
      assert.equal(ran.code, 0, ran.stderr);
      return ran.stdout;
    };
    assert.equal(await pier("diff", image("first"), image("second")), "C /etc/name\nA /fresh\nD /gone\n");
    assert.match(
      await pier("files", image("first"), "/etc"),
      /^drwxr-xr-x 0:0 .* \/etc\n-rw-r--r-- 0:0 +3 .* \/etc\/name\n.* \/etc\/same\n$/,
    );
    assert.equal(await pier("files", "--content", image("second"), "etc/name"), "two");
    await said(engine, "tag", image("first"), "again:look");
    assert.match(
      await pier("tree", image("first")),
      /^again:look, first:look \([0-9a-f]{12}, \d+B\)\n└── [0-9a-f]{12} +8B/,
    );
    const absent = await engine.pier(["image", "files", image("first"), "/nothing"]);
    assert.match(absent.stderr, /the image has no \/nothing/);
    assert.equal((await engine.pier(["system", "check"])).stdout, "everything is as it was stored\n");
  });

  test("go by prune: those without a name, or all that no container needs", async () => {
    await said(engine, "pull", image("debian:1"));
    await said(engine, "tag", image("busybox:1"), image("debian:1"));
    const dangling = await said(engine, "image", "prune", "--force");
    assert.match(dangling, /Deleted Images:\nuntagged: .*\/debian@sha256:[0-9a-f]+\ndeleted: sha256:/);
    const id = await said(engine, "create", image("busybox:1"), "true");
    const all = await engine.pier(["image", "prune", "--all", "--force"]);
    assert.match(all.stdout, /Total reclaimed space: /);
    assert.match(await said(engine, "images", "--format", "{{.Repository}}"), /busybox/);
    await said(engine, "rm", id);
    await said(engine, "image", "prune", "--all", "--force");
    assert.equal(await said(engine, "images", "--quiet"), "");
    assert.deepEqual(readdirSync(join(engine.root, "blobs/sha256")), []);
  });
});
