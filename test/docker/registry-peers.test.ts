/** Other people's tools at the same registries: what pier pushes and saves is theirs, and what they push and save is pier's. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { execute } from "../execute.ts";
import { ChaosRegistry } from "../registry/chaos.ts";
import { said } from "./containers.ts";
import { DebianRegistry, hasRegistry, Podman, tool } from "./registries.ts";

const fixtures = [
  ["busybox.docker-archive.tar", "fixture/busybox:1.35"],
  ["busybox.oci.tar", "fixture/busybox:1.35"],
  ["debian.docker-archive.tar.gz", "fixture/debian:bookworm"],
  ["debian.oci.tar", "fixture/debian:bookworm"],
] as const;
const skip = cannotRun(...fixtures.map(([file]) => file)) || hasRegistry;

/** The program has ended well, and this is what it said. */
const ok = async (ran: ReturnType<typeof tool>): Promise<string> => {
  const { code, stdout, stderr } = await ran;
  assert.equal(code, 0, stderr);
  return stdout.trim();
};

interface Opened {
  readonly host: string;
  stop(): Promise<void>;
}

const own = async (): Promise<Opened> => {
  const registry = await ChaosRegistry.start();
  return { host: registry.host, stop: () => registry[Symbol.asyncDispose]() };
};

for (const [kind, open, files] of [
  ["Debian's registry", (): Promise<Opened> => DebianRegistry.start(), fixtures],
  // The large ones tell nothing more here.
  ["the registry of the tests", own, fixtures.slice(0, 2)],
] as const) {
  describe(`at ${kind}`, { skip }, () => {
    let engine: Engine;
    let elsewhere: Engine;
    let registry: Opened;
    let place: string;
    before(async () => {
      place = mkdtempSync(join(tmpdir(), "pier-peers-"));
      [registry, engine] = await Promise.all([open(), Engine.launch()]);
      elsewhere = await Engine.launch();
    });
    after(async () => {
      await elsewhere?.stop();
      await engine?.stop();
      await registry?.stop();
      rmSync(place, { recursive: true, force: true });
    });
    const idOf = (of: Engine, name: string): Promise<string> => said(of, "inspect", "--format", "{{.Id}}", name);
    /** What tools keep of an image when they write another kind of configuration: its layers. */
    const layersOf = (of: Engine, name: string): Promise<string> =>
      said(of, "inspect", "--format", "{{json .RootFS.Layers}}", name);
    const image = (name: string): string => `${registry.host}/peers/${name}`;

    for (const [file, name] of files) {
      test(`${file} is pushed, pulled elsewhere and saved there as the same`, async () => {
        const target = image(`${file.replaceAll(".", "-")}:1`);
        await engine.load(file);
        await said(engine, "tag", name, target);
        await said(engine, "push", target);
        const digests = await said(engine, "inspect", "--format", '{{join .RepoDigests " "}}', target);
        const digest = digests.split(" ").find((one) => one.startsWith(`${target.slice(0, -2)}@`))!;
        await said(elsewhere, "pull", digest);
        await said(elsewhere, "pull", target);
        assert.equal(await idOf(elsewhere, target), await idOf(engine, name));
        const archive = join(place, "saved.tar");
        await said(elsewhere, "save", "-o", archive, target);
        const found = await ok(tool("skopeo", ["inspect", "--format", "{{.Digest}}", `oci-archive:${archive}`]));
        assert.equal(digest.split("@")[1], found);
        await said(elsewhere, "rmi", "--force", target);
        await said(elsewhere, "load", "-i", archive);
        assert.equal(await idOf(elsewhere, target), await idOf(engine, name));
      });
    }

    test("skopeo copies what pier pushed and saved, and pier pulls and loads what skopeo copied", async () => {
      const [file, name] = fixtures[0];
      await engine.load(file);
      await said(engine, "tag", name, image("skopeo:1"));
      await said(engine, "push", image("skopeo:1"));
      const [id, layers] = [await idOf(engine, name), await layersOf(engine, name)];
      const remote = (tag: string): string => `docker://${image(`skopeo:${tag}`)}`;
      const copy = (from: string, to: string): Promise<string> =>
        ok(tool("skopeo", ["copy", "--src-tls-verify=false", "--dest-tls-verify=false", from, to]));
      const at = (name: string): string => join(place, `skopeo-${name}`);
      await copy(remote("1"), `oci:${at("layout")}:1`);
      await copy(`oci:${at("layout")}:1`, remote("2"));
      await copy(remote("1"), `docker-archive:${at("archive.tar")}:copied:1`);
      await said(engine, "save", "-o", at("saved.tar"), image("skopeo:1"));
      await copy(`docker-archive:${at("saved.tar")}`, remote("3"));
      await copy(`oci-archive:${at("saved.tar")}`, remote("4"));
      for (const tag of ["2", "3", "4"]) {
        await said(elsewhere, "pull", image(`skopeo:${tag}`));
        assert.equal(await layersOf(elsewhere, image(`skopeo:${tag}`)), layers, tag);
      }
      await said(elsewhere, "load", "-i", at("archive.tar"));
      assert.equal(await idOf(elsewhere, "copied:1"), id);
    });

    test("umoci unpacks what pier saved", async () => {
      const [file, name] = fixtures[0];
      await engine.load(file);
      const [archive, layout, bundle] = ["umoci.tar", "umoci", "bundle"].map((one) => join(place, one));
      await said(engine, "save", "-o", archive!, name);
      mkdirSync(layout!);
      await ok(execute("tar", ["-xf", archive!, "-C", layout!]));
      const tag = name.split(":")[1];
      await ok(tool("umoci", ["unpack", "--image", `${layout}:${tag}`, bundle!]));
    });

    test("podman pulls and loads what pier pushed and saved, and pier what podman did", {
      skip: Podman.missing,
    }, async () => {
      const [file, name] = fixtures[0];
      await engine.load(file);
      const id = await idOf(engine, name);
      await said(engine, "tag", name, image("podman:1"));
      await said(engine, "push", image("podman:1"));
      const podman = new Podman(join(place, "podman"));
      const run = (...args: readonly string[]): Promise<string> => ok(podman.run(args));
      const found = async (reference: string): Promise<string> =>
        `sha256:${await run("image", "inspect", "--format", "{{.Id}}", reference)}`;
      await run("pull", "--tls-verify=false", image("podman:1"));
      assert.equal(await found(image("podman:1")), id);
      await run("tag", image("podman:1"), image("podman:2"));
      await run("push", "--tls-verify=false", image("podman:2"));
      await said(elsewhere, "pull", image("podman:2"));
      assert.equal(await idOf(elsewhere, image("podman:2")), id);
      const archive = join(place, "podman.tar");
      for (const format of ["docker-archive", "oci-archive"]) {
        rmSync(archive, { force: true });
        await run("save", "--format", format, "-o", archive, image("podman:1"));
        await said(elsewhere, "rmi", "--force", image("podman:1"), image("podman:2"));
        await said(elsewhere, "load", "-i", archive);
        assert.equal(await layersOf(elsewhere, image("podman:1")), await layersOf(engine, name), format);
      }
      await run("rmi", "--all", "--force");
      await said(engine, "save", "-o", archive, image("podman:1"));
      await run("load", "-i", archive);
      assert.equal(await found(image("podman:1")), id);
    });
  });
}
