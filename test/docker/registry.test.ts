/** Images from and to a registry that others made, through the docker command and our own. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine, fixture } from "../engine.ts";
import { said } from "./containers.ts";
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
});
