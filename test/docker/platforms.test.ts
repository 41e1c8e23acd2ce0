/** Which machine an image is for, where somebody asks. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine, fixture } from "../engine.ts";
import { tarOf } from "../probe/image.ts";
import { ChaosRegistry, digestOf } from "../registry/chaos.ts";
import { noisyTar, putImage, putIndex } from "../registry/rooms.ts";
import { busybox, inspected } from "./containers.ts";

const own = { x64: "amd64" }[process.arch as "x64"] ?? process.arch;

describe("platforms", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  const refuses = async (sentence: RegExp, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await engine.docker(args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stdout + stderr, sentence);
  };

  test("import makes an image for the asked one", async () => {
    const root = await tarOf([{ path: "f", content: "x" }]);
    const platformOf = async (name: string, ...flags: readonly string[]) => {
      const { code, stderr } = await engine.docker(["import", ...flags, "-", name], { input: root });
      assert.equal(code, 0, stderr);
      return inspected(engine, "{{.Os}}/{{.Architecture}}/{{.Variant}}", name);
    };
    assert.equal(await platformOf("mine:1"), `linux/${own}/`);
    assert.equal(await platformOf("other:1", "--platform", "linux/s390x"), "linux/s390x/");
    assert.equal(await platformOf("arm:1", "--platform", "linux/arm/v6"), "linux/arm/v6");
    assert.equal(await platformOf("named:1", "--platform", "aarch64"), "linux/arm64/");
    await refuses(/operating system is not supported/, "import", "--platform", "windows/amd64", "/dev/null");
    await refuses(/unknown operating system or architecture/, "import", "--platform", "bogus", "/dev/null");
    await refuses(/cannot parse platform specifier/, "import", "--platform", "a/b/c/d", "/dev/null");
  });

  test("load takes images for the asked one, and says so when there are none", async () => {
    const archive = fixture("busybox.docker-archive.tar");
    const { code, stderr } = await engine.docker(["load", "--platform", `linux/${own}`, "--input", archive]);
    assert.equal(code, 0, stderr);
    await refuses(/no image for linux\/s390x in the archive/, "load", "--platform", "linux/s390x", "--input", archive);
    const bare = await engine.request("POST", "/images/load?platform=nonsense", "");
    assert.equal(bare.status, 400);
  });

  test("history is shown for the asked one, which the image must be for", async () => {
    const { code, stderr } = await engine.docker(["history", "--platform", `linux/${own}`, busybox]);
    assert.equal(code, 0, stderr);
    const sentence = /was found but does not provide the specified platform \(linux\/s390x\)/;
    await refuses(sentence, "history", "--platform", "linux/s390x", busybox);
  });

  test("push and save give what a name stands for on the asked one, or on all of them", async () => {
    await using registry = await ChaosRegistry.start();
    const put = async (architecture: string, seed: number) => ({
      image: putImage(registry, "app", architecture, [await noisyTar(1000, seed)], { config: { architecture } }),
      platform: { os: "linux", architecture },
    });
    const [mine, other] = [await put(own, 1), await put("s390x", 2)];
    const index = putIndex(registry, "app", "all", [other, mine]);
    const [source, target] = [`${registry.host}/app:all`, `${registry.host}/copy:1`];
    const pier = async (...words: readonly string[]) => {
      const { code, stderr } = await engine.pier(words);
      assert.equal(code, 0, stderr);
    };
    await pier("pull", "--all-platforms", source);
    await pier("tag", source, target);
    const pushed = async (...flags: readonly string[]) => {
      await pier("push", ...flags, target);
      return digestOf(registry.manifests.get("copy 1")!.bytes);
    };
    assert.equal(await pushed("--all-platforms"), index.digest);
    assert.equal(await pushed("--platform", "linux/s390x"), other.image.digest);
    assert.equal(await pushed("--platform", `linux/${own}`), mine.image.digest);
    // All that the name stands for is here.
    assert.equal(await pushed(), index.digest);
    const wrong = await engine.pier(["push", "--platform", "linux/riscv64", target]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /does not provide the specified platform \(linux\/riscv64\)/);

    const archive = join(engine.directory, "s390x.tar");
    await pier("save", "--platform", "linux/s390x", "--output", archive, target);
    await pier("load", "--input", archive);
    assert.equal(await inspected(engine, "{{.Architecture}} {{.Id}}", target), `s390x ${other.image.config}`);

    const all = join(engine.directory, "all.tar");
    await pier("save", "--all-platforms", "--output", all, source);
    await pier("rmi", "--force", mine.image.config, other.image.config);
    await pier("load", "--input", all);
    assert.equal(await inspected(engine, "{{.Id}}", source), mine.image.config);
    await pier("tag", source, target);
    assert.equal(await pushed("--all-platforms"), index.digest);
    await pier("rmi", "--force", mine.image.config, other.image.config);
  });

  test("rmi takes the asked one's image away and leaves the others under their name", async () => {
    await using registry = await ChaosRegistry.start();
    const put = async (architecture: string, seed: number) => ({
      image: putImage(registry, "kept", architecture, [await noisyTar(1000, seed)], { config: { architecture } }),
      platform: { os: "linux", architecture },
    });
    const [mine, other, third] = [await put(own, 3), await put("s390x", 4), await put("riscv64", 5)];
    putIndex(registry, "kept", "all", [other, mine, third]);
    const name = `${registry.host}/kept:all`;
    assert.equal((await engine.pier(["pull", "--all-platforms", name])).code, 0);
    const here = async () => {
      const { stdout } = await engine.docker(["images", "--all", "--no-trunc", "--quiet"]);
      const ids = new Set(stdout.split("\n"));
      return [mine, other, third].map(({ image }) => ids.has(image.config));
    };

    await refuses(/does not provide the specified platform \(linux\/mips64le\)/, "rmi", "--platform", "mips64le", name);
    // One that is not there: nothing goes.
    const both = `linux/${own},linux/mips64le`;
    assert.equal((await engine.pier(["rmi", "--platform", both, name])).code, 1);
    const bare = await engine.request("DELETE", `/images/${name}?platforms=nonsense`);
    assert.equal(bare.status, 400);
    assert.deepEqual(await here(), [true, true, true]);

    const removed = await engine.docker(["rmi", "--platform", "linux/riscv64", name]);
    assert.equal(removed.code, 0, removed.stderr);
    assert.match(removed.stdout, new RegExp(`Deleted: ${third.image.config}`));
    assert.deepEqual(await here(), [true, true, false]);
    assert.equal(await inspected(engine, "{{.Id}}", name), mine.image.config);

    // The name is that of those that are left.
    const own1 = await engine.pier(["rmi", "--platform", `linux/${own}`, name]);
    assert.equal(own1.code, 0, own1.stderr);
    assert.doesNotMatch(own1.stdout, /kept:all/);
    assert.deepEqual(await here(), [false, true, false]);
    assert.equal(await inspected(engine, "{{.Id}}", name), other.image.config);

    const last = await engine.docker(["rmi", "--platform", "linux/s390x", name]);
    assert.equal(last.code, 0, last.stderr);
    assert.match(last.stdout, /Untagged: .*kept:all/);
    assert.deepEqual(await here(), [false, false, false]);
  });

  test("rmi of one platform minds who lives on its image", async () => {
    await using registry = await ChaosRegistry.start();
    const put = async (architecture: string, seed: number) => ({
      image: putImage(registry, "used", architecture, [await noisyTar(1000, seed)], { config: { architecture } }),
      platform: { os: "linux", architecture },
    });
    const [mine, other] = [await put(own, 6), await put("s390x", 7)];
    putIndex(registry, "used", "all", [mine, other]);
    const name = `${registry.host}/used:all`;
    assert.equal((await engine.pier(["pull", "--all-platforms", name])).code, 0);
    const made = await engine.docker(["create", "--name", "user", name, "true"]);
    assert.equal(made.code, 0, made.stderr);
    await refuses(/is being used by stopped container/, "rmi", "--platform", `linux/${own}`, name);
    assert.equal(await inspected(engine, "{{.Id}}", name), mine.image.config);
    await engine.docker(["rm", "user"]);
    assert.equal((await engine.docker(["rmi", "--platform", `linux/${own}`, name])).code, 0);
    assert.equal((await engine.docker(["rmi", name])).code, 0);
  });
});
