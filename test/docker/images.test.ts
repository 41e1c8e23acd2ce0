/** Images through docker's own command: how they come, what they are called, and how they go. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { cannotRun, Engine, executable, fixture } from "../engine.ts";
import { patience } from "../patience.ts";
import { tarOf } from "../probe/image.ts";
import { busybox, removeAll, said, until } from "./containers.ts";

const debian = "fixture/debian:bookworm";

interface Hostile {
  readonly file: string;
  readonly expected: string;
  readonly what: string;
}

const hostile = (): readonly Hostile[] =>
  existsSync(fixture("hostile/index.jsonl"))
    ? readFileSync(fixture("hostile/index.jsonl"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Hostile)
    : [];

describe("images", {
  skip: cannotRun("busybox.oci.tar", "debian.docker-archive.tar.gz", "hostile/index.jsonl"),
}, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
  });
  after(() => engine.stop());
  afterEach(async () => {
    await removeAll(engine);
    const names = (await said(engine, "images", "--format", "{{.Repository}}:{{.Tag}}")).split("\n");
    for (const name of names) if (name !== "hello:latest") await said(engine, "rmi", "--force", name);
    await nothingIsKept();
  });

  /** What of images lies on the disk. */
  const kept = (): readonly string[] =>
    ["layers", "blobs/sha256"].flatMap((name) => readdirSync(join(engine.root, name)).map((file) => `${name}/${file}`));
  let clean: readonly string[];
  before(() => {
    clean = kept();
  });
  /** Large files are taken away behind the answer. */
  const nothingIsKept = async (): Promise<void> => {
    await until("their bytes are gone", () => kept().length === clean.length);
    assert.deepEqual(kept(), clean);
  };
  const idOf = (name: string): Promise<string> => said(engine, "inspect", "--format", "{{.Id}}", name);

  for (const file of ["busybox.docker-archive.tar", "busybox.oci.tar"]) {
    test(`${file} is loaded and runs`, async () => {
      assert.equal(await said(engine, "load", "-i", fixture(file)), `Loaded image: ${busybox}`);
      assert.match(await said(engine, "images", busybox), /fixture\/busybox +1\.35 +[0-9a-f]{12} .*MB/);
      assert.equal(await said(engine, "run", "--rm", busybox, "id", "-u", "app"), "1000");
    });
  }

  test("gzip and zstd are seen through, and the same image is the same", async () => {
    await said(engine, "load", "-i", fixture("debian.docker-archive.tar.gz"));
    assert.equal(
      await said(engine, "run", "--rm", debian, "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"),
      "bookworm",
    );
    await engine.load("busybox.docker-archive.tar");
    const [id, files] = [await idOf(busybox), kept()];
    await engine.load(zstdCompressSync(readFileSync(fixture("busybox.docker-archive.tar"))));
    assert.deepEqual([await idOf(busybox), kept()], [id, files]);
  });

  test("names come and go, and the last one takes the bytes along", async () => {
    await engine.load();
    await said(engine, "tag", busybox, "other/name:tag");
    assert.equal(await idOf("other/name:tag"), await idOf(busybox));
    assert.equal(await said(engine, "rmi", busybox), `Untagged: ${busybox}`);
    assert.equal(await said(engine, "run", "--rm", "other/name:tag", "echo", "hi"), "hi");
    assert.match(await said(engine, "rmi", "other/name:tag"), /^Untagged: other\/name:tag\nDeleted: sha256:/);
    await nothingIsKept();
  });

  test("an image in use stays, and one removed by force is kept for its containers", async () => {
    await engine.load();
    const id = await said(engine, "create", busybox, "echo", "still");
    const refused = await engine.docker(["rmi", busybox]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /conflict: unable to remove repository reference .* container [0-9a-f]{12} is using/);
    await said(engine, "rmi", "--force", busybox);
    assert.equal(await said(engine, "start", "--attach", id), "still");
    await said(engine, "rm", id);
    await nothingIsKept();
  });

  test("a file system is imported with changes", async () => {
    const probe = readFileSync(join(executable, "../probe"));
    const input = await tarOf([{ path: "probe", mode: 0o755, content: probe }]);
    const imported = await engine.docker(["import", "-c", 'ENTRYPOINT ["/probe"]', "-", "imported:1"], { input });
    assert.match(imported.stdout, /^sha256:[0-9a-f]{64}\n$/);
    assert.equal(await said(engine, "run", "--rm", "imported:1", "cwd"), "cwd: /");
    const bad = await engine.docker(["import", "-c", "NOPE x", "-", "other:1"], { input });
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /NOPE is not a valid change command/);
  });

  test("every broken archive is refused with a sentence, and leaves nothing", {
    timeout: patience(60_000),
  }, async () => {
    const refused = hostile().filter(({ expected }) => expected === "refused");
    assert.ok(refused.length > 50);
    const names = refused.values();
    await Promise.all(
      [1, 2].map(async () => {
        for (const { file, what } of names) {
          const ran = await engine.docker(["load", "-i", fixture(`hostile/${file}`)]);
          assert.equal(ran.code, 1, `${file}: ${what}\n${ran.stdout}`);
          assert.match(ran.stderr, /\S/, file);
          assert.doesNotMatch(ran.stderr, /\n {4}at |undefined|\[object/, file);
        }
      }),
    );
    assert.equal(await said(engine, "images", "--format", "{{.Repository}}"), "hello");
    await nothingIsKept();
  });

  test("a client that goes in the middle of an archive leaves nothing", async () => {
    const client = engine.spawn("docker", ["load"]);
    const archive = createReadStream(fixture("debian.oci.tar"), { end: 20_000_000 });
    archive.pipe(client.stdin!, { end: false });
    client.stdin?.on("error", () => {});
    await once(archive, "close");
    client.kill("SIGKILL");
    await once(client, "close");
    await nothingIsKept();
    assert.equal(await said(engine, "images", "--format", "{{.Repository}}"), "hello");
    await engine.load("debian.oci.tar");
  });

  test("a daemon that dies in the middle of an archive leaves nothing that the next one keeps", async () => {
    const client = engine.spawn("docker", ["load"]);
    const archive = createReadStream(fixture("debian.oci.tar"), { end: 20_000_000 });
    archive.pipe(client.stdin!, { end: false });
    client.stdin?.on("error", () => {});
    // It may be over before the daemon is: whoever listens then hears nothing.
    const over = once(client, "close");
    await once(archive, "close");
    await engine.kill9();
    // A client that has nothing more to send and waits for its own input does not notice.
    client.stdin?.destroy();
    await over;
    await engine.restart();
    assert.deepEqual(kept(), clean);
    assert.equal(await said(engine, "images", "--format", "{{.Repository}}"), "hello");
  });
});
