/** Archives that would reach the host, another layer, or what is not theirs, through the daemon that loads them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DiffId } from "../../src/base/ids.ts";
import { IndexBuilder } from "../../src/format/erofs/builder.ts";
import { busybox, said } from "../docker/containers.ts";
import { cannotRun, fixture } from "../engine.ts";
import { type ImageFile, imageOf, probeLayer, tarOf } from "../probe/image.ts";
import { probePath, Stage } from "./stage.ts";

interface Hostile {
  readonly file: string;
  readonly expected: "refused" | "accepted" | "either";
}

describe("hostile images", { skip: cannotRun("hostile") }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage[Symbol.asyncDispose]());

  const load = (bytes: Uint8Array) =>
    stage.engine.request("POST", "/images/load?quiet=1", bytes, { "content-type": "application/x-tar" });
  const isLoaded = (body: string): boolean => /Loaded image/.test(body) && !/"error"/.test(body);
  const images = (): Promise<string> =>
    said(stage.engine, "images", "--all", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}");
  const stored = (): readonly string[] =>
    ["layers", "blobs/sha256"].flatMap((name) => readdirSync(join(stage.engine.root, name)));

  test("CVE-2014-9356, CVE-2018-15664, CVE-2021-32760, CVE-2025-47290: every hostile archive ends as it should, and the host is as it was", async () => {
    const index: readonly Hostile[] = readFileSync(fixture("hostile/index.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Hostile);
    // That each is refused or gives its golden tree, with the reasons where pier refuses more: test/image/load.test.ts, and
    // mounted by the kernel: test/kernel/images.test.ts. Here the daemon takes them, one after the other, and lives.
    const [list, files, taken] = [await images(), stored(), [] as string[]];
    const refusedFirst = index.toSorted((a, b) => Number(b.expected === "refused") - Number(a.expected === "refused"));
    for (const { file, expected } of refusedFirst) {
      const { status, body } = await load(readFileSync(fixture(`hostile/${file}`)));
      assert.ok(status === 200 || status === 400, `${file}: ${status} ${body}`);
      if (expected === "refused") {
        assert.ok(!isLoaded(body), file);
        assert.match(body, /"(message|error)":"[^"]{8,}/, file);
        assert.deepEqual(stored(), files, file);
      } else if (isLoaded(body)) taken.push(file);
      else if (taken.length === 0) assert.equal(await images(), list, file);
    }
    stage.canary.assertUntouched();
    assert.ok(taken.length > 20, `${taken.length} were taken`);
  });

  test("overlay's own attributes, smuggled into a layer, lead nowhere", async () => {
    const value = (text: string) => Buffer.from(text);
    const names = [
      "redirect",
      "opaque",
      "metacopy",
      "whiteout",
      "whiteouts",
      "origin",
      "impure",
      "protattr",
      "nlink",
      "upper",
      "uuid",
    ];
    const base: readonly ImageFile[] = [
      ...probeLayer(),
      { path: "hidden", type: "directory" },
      { path: "hidden/file", content: "of the base" },
      { path: "other", type: "directory" },
      { path: "other/secret", content: "somewhere else" },
    ];
    for (const space of ["trusted", "user"])
      for (const redirect of ["/other", "other", "y"]) {
        const xattrs = Object.fromEntries(
          names.map((name) => [`${space}.overlay.${name}`, value(name === "redirect" ? redirect : "y")]),
        );
        const top: readonly ImageFile[] = [
          { path: "hidden", type: "directory", xattrs },
          { path: "pub", type: "directory", xattrs },
          { path: "probe2", mode: 0o644, content: "", xattrs },
        ];
        assert.ok(isLoaded((await load(await imageOf({ name: "smuggled:latest", layers: [base, top] }))).body));
        const verbs = [
          "list",
          "/pub",
          "then",
          "cat",
          "/hidden/file",
          "then",
          "cat",
          "/pub/secret",
          "then",
          "stat",
          "/probe2",
        ];
        const { stdout } = await stage.run("smuggled", ...verbs);
        assert.match(
          stdout,
          /^of the base\/pub\/secret: ENOENT\n\/probe2: - 0644 0:0 device 0:0 size 0$/m,
          `${space} ${redirect}`,
        );
      }
  });

  test("the device by which overlayfs knows what was deleted deletes nothing", async () => {
    const top: readonly ImageFile[] = [{ path: "etc/passwd", type: "character", device: [0, 0] }];
    const { body } = await load(await imageOf({ name: "whiteout:latest", layers: [probeLayer(), top] }));
    assert.match(body, /device 0:0/);
    assert.equal((await stage.engine.docker(["image", "inspect", "whiteout"])).code, 1);
  });

  test("CVE-2021-41091, CVE-2024-25621: nobody on the host finds a set-uid program of an image or a container", async () => {
    const [probe, ...others] = probeLayer();
    await load(await imageOf({ name: "set-uid:latest", layers: [[{ ...probe!, mode: 0o6755 }, ...others]] }));
    const script = "cp /bin/busybox /own && chmod 6755 /own && echo ready && exec sleep 1000";
    const image = await stage.runner.detached("set-uid", "sleep");
    const own = await stage.runner.detached(busybox, "sh", "-c", script);
    await stage.runner.hasSaid(own, /ready/);
    const places = [stage.engine.root, stage.engine.run, `/proc/${stage.engine.pid}/root${stage.engine.run}`];
    const find = (...words: string[]) =>
      spawnSync("find", [...places, "-xdev", "-type", "f", "-perm", "/6000", ...words], {
        encoding: "utf8",
        ...nobody,
      });
    const nobody = { uid: 65_534, gid: 65_534 };
    assert.equal(find().stdout, "");
    const upper = join(stage.engine.root, "containers", own, "upper", "own");
    // It is there, where the container put it; the way to it is root's.
    assert.match(spawnSync(probePath, ["stat", upper], { encoding: "utf8" }).stdout, /- 6755/);
    assert.match(spawnSync(probePath, ["stat", upper], { encoding: "utf8", ...nobody }).stdout, /EACCES/);
    await said(stage.engine, "rm", "--force", image, own);
  });

  test("nothing is mounted that pier did not write: a file system is no layer and no archive", async () => {
    const [layer = ""] = readdirSync(join(stage.engine.root, "layers"));
    const index = readFileSync(join(stage.engine.root, "layers", layer, "index"));
    const files = stored();
    assert.ok(!isLoaded((await load(index)).body));
    for (const mediaType of [
      "application/vnd.erofs.layer.v1",
      "application/vnd.oci.image.layer.v1.erofs",
      "application/x-erofs",
    ]) {
      const { status, body } = await load(await layoutOf(index, mediaType));
      assert.ok(status === 400 || /"error"/.test(body), body);
      assert.match(body, /unsupported media type|invalid|not a tar/);
    }
    assert.deepEqual(stored(), files);
  });

  test("CVE-2014-8178, CVE-2014-8179: names and ids are never taken from an archive without a look", async () => {
    const tags = [
      "../../x:1",
      "a/../b:1",
      "a:../../x",
      "UPPER:1",
      "a b:1",
      "a:\x1b[31m",
      `${"a".repeat(4096)}:1`,
      "x@sha256:12",
      "sha256:1",
      ":1",
      "/x:1",
      "a\0b:1",
    ];
    const list = await images();
    for (const tag of tags) {
      const { body } = await load(await imageOf({ name: tag }));
      assert.ok(!isLoaded(body), JSON.stringify(tag));
      // What an error shows of it holds nothing that steers a terminal.
      assert.doesNotMatch(body, /\\u001b\[31m.*\\u001b\[31m|\x1b/);
    }
    assert.equal(await images(), list);
    assert.match((await stage.engine.docker(["tag", "probe", "sha256:1"])).stderr, /ambiguous tag/);
    for (const id of ["../../x", "..", "a/b", "%2e%2e", "x\0y"]) {
      const manifest = [{ Config: `${id}.json`, RepoTags: ["x:1"], Layers: [`${id}/layer.tar`] }];
      const { body } = await load(
        await tarOf([
          { path: `${id.replace("\0", "")}.json`, content: "{}" },
          { path: "manifest.json", content: JSON.stringify(manifest) },
        ]),
      );
      assert.ok(!isLoaded(body), id);
    }
    assert.equal(await images(), list);
  });

  test("no byte of the daemon's memory gets into what it writes: the same layer gives the same bytes, whatever lay around", async () => {
    const files = probeLayer().map((file) => ({ ...file, xattrs: { "user.x": Buffer.from("odd length") } }));
    const facts = { diffId: `sha256:${"1".repeat(64)}` as DiffId, tarSize: 1024 };
    const index = () => Buffer.concat([...new IndexBuilder().finish(facts)]);
    const plain = [await tarOf(files), index()];
    const { allocUnsafe, allocUnsafeSlow } = Object.getOwnPropertyDescriptors(Buffer);
    const poisoned = { value: (size: number) => Buffer.alloc(size, 0xa5), configurable: true, writable: true };
    Object.defineProperties(Buffer, { allocUnsafe: poisoned, allocUnsafeSlow: poisoned });
    try {
      const again = [await tarOf(files), index()];
      for (const [at, bytes] of plain.entries()) assert.ok(Buffer.from(bytes).equals(again[at]!));
    } finally {
      Object.defineProperties(Buffer, { allocUnsafe, allocUnsafeSlow });
    }
    // That all slack of an index is zero: test/format/index.test.ts.
  });
});

/** An OCI layout whose one layer has these bytes and is called so. */
const layoutOf = async (layer: Uint8Array, mediaType: string): Promise<Uint8Array> => {
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: [`sha256:${digest(layer)}`] },
    }),
  );
  const describe = (bytes: Uint8Array, type: string) => ({
    mediaType: type,
    digest: `sha256:${digest(bytes)}`,
    size: bytes.length,
  });
  const type = "application/vnd.oci.image";
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${type}.manifest.v1+json`,
      config: describe(config, `${type}.config.v1+json`),
      layers: [describe(layer, mediaType)],
    }),
  );
  const index = { schemaVersion: 2, manifests: [describe(manifest, `${type}.manifest.v1+json`)] };
  return tarOf([
    { path: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    ...[layer, config, manifest].map((content) => ({ path: `blobs/sha256/${digest(content)}`, content })),
    { path: "index.json", content: JSON.stringify(index) },
  ]);
};
