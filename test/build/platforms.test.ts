/** One build for several platforms: an image for each, an index over them, and programs of another machine where the kernel runs them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspected } from "../docker/containers.ts";
import { cannotRun, Engine } from "../engine.ts";
import { tarOf } from "../probe/image.ts";
import { ChaosRegistry } from "../registry/chaos.ts";
import { putImage, putIndex } from "../registry/rooms.ts";
import { addBuildx, base, buildxMissing, dockerBuild, makeContext, printed } from "./contexts.ts";

const tools = fileURLToPath(new URL("../../build/tools", import.meta.url));
const emulator = join(tools, "emulator/aarch64-binfmt-P");
/** Of this machine's kind, and of the other. */
const programs = { amd64: join(tools, "kernel/busybox"), arm64: join(tools, "emulator/busybox") };
const isOther = process.arch === "x64" ? false : "is about a machine of x86_64";
const both = "linux/amd64,linux/arm64";

const cannotEmulate = (): string | false =>
  existsSync(emulator) && existsSync(programs.amd64)
    ? false
    : "needs an emulator; type: sh scripts/test-packages --emulator";

/** Programs of the other machine run as long as this lasts: the kernel's table is the machine's, whoever asks it. */
const emulating = (): Disposable => {
  const table = "/proc/sys/fs/binfmt_misc";
  execFileSync("mount", ["-t", "binfmt_misc", "binfmt_misc", table]);
  const name = `pier-test-${process.pid}`;
  const head = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
  const mask = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;
  writeFileSync(join(table, "register"), `:${name}:M::${head}:${mask}:${emulator}:OPF`);
  return {
    [Symbol.dispose]: () => {
      writeFileSync(join(table, name), "-1");
      execFileSync("umount", [table]);
    },
  };
};

interface Listed {
  readonly mediaType: string;
  readonly digest: string;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

describe("a build for several platforms", { skip: cannotRun() || buildxMissing || isOther }, () => {
  let engine: Engine;
  let registry: ChaosRegistry;
  before(async () => {
    engine = await Engine.launch();
    registry = await ChaosRegistry.start();
    await engine.load();
    addBuildx(engine);
  });
  after(async () => {
    await engine.stop();
    await registry[Symbol.asyncDispose]();
  });

  const place = (name: string): string => join(engine.directory, name);
  const pier = (...args: readonly string[]) => engine.pier(["build", "--progress", "plain", ...args]);
  const buildx = (...args: readonly string[]) =>
    engine.docker(["build", "--progress", "plain", ...args], { env: { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" } });
  const succeed = async (ran: Promise<{ readonly code: number | null; readonly stderr: string }>): Promise<string> => {
    const { code, stderr } = await ran;
    assert.equal(code, 0, stderr);
    return stderr;
  };

  /** A base for both machines, in the registry. */
  const putBase = async (name: string): Promise<string> => {
    const images = await Promise.all(
      Object.entries(programs).map(async ([architecture, program]) => {
        const files = existsSync(program)
          ? [
              { path: "bin/sh", mode: 0o755, content: readFileSync(program) },
              { path: "bin/uname", type: "symlink" as const, link: "sh" },
              { path: "bin/cat", type: "symlink" as const, link: "sh" },
            ]
          : [{ path: "bin/sh", content: "none" }];
        const tar = await tarOf([...files, { path: "machine", content: architecture }]);
        const image = putImage(registry, name, architecture, [tar], { config: { architecture } });
        return { image, platform: { os: "linux", architecture } };
      }),
    );
    putIndex(registry, name, "1", images);
    return `${registry.host}/${name}:1`;
  };

  const indexIn = (archive: string): readonly Listed[] => {
    const directory = `${archive}.files`;
    mkdirSync(directory);
    execFileSync("tar", ["-xf", archive, "-C", directory]);
    const [top] = JSON.parse(readFileSync(join(directory, "index.json"), "utf8")).manifests as readonly Listed[];
    assert.equal(top?.mediaType, "application/vnd.oci.image.index.v1+json");
    assert.equal(top.annotations?.["io.containerd.image.name"], "docker.io/library/several:1");
    return JSON.parse(readFileSync(join(directory, "blobs", top.digest.replace(":", "/")), "utf8")).manifests;
  };
  const platformsOf = (listed: readonly Listed[]) =>
    listed.map(({ platform }) => `${platform?.os}/${platform?.architecture}`);

  const Dockerfile = (from: string) => `FROM --platform=$BUILDPLATFORM ${base} AS made
ARG TARGETPLATFORM TARGETARCH
RUN echo "$TARGETPLATFORM" > /for-$TARGETARCH
FROM --platform=$BUILDPLATFORM ${base} AS common
RUN cat /proc/sys/kernel/random/uuid > /once
FROM ${from}
ARG BUILDARCH
LABEL made-on=$BUILDARCH
COPY --from=made /for-* /
COPY --from=common /once /
`;

  for (const [name, build] of [
    ["pier", pier],
    ["buildx", buildx],
  ] as const) {
    test(`of ${name} makes an image for each, side by side under one name`, async () => {
      const from = await putBase(`base-${name}`);
      const context = makeContext(engine, { Dockerfile: Dockerfile(from) });
      const tag = `side-${name}:1`;
      const [metadata, idFile] = [place(`metadata-${name}`), place(`id-${name}`)];
      const told = await succeed(
        build("--platform", both, "-t", tag, "--metadata-file", metadata, "--iidfile", idFile, context),
      );
      assert.match(told, /\[linux\/amd64 made 2\/2\] RUN/);
      assert.match(told, /\[linux\/amd64->linux\/arm64 made 2\/2\] RUN|\[linux\/amd64->arm64 made 2\/2\] RUN/);
      assert.match(told, /\[linux\/arm64 stage-2 \d\/3\] COPY/);
      // The name stands for this machine's image, in the store and for `docker run`.
      assert.equal(await inspected(engine, "{{.Architecture}}", tag), "amd64");
      const files = async (platform: string) => {
        const archive = place(`${name}-${platform.replace("/", "_")}.tar`);
        const saved = await engine.pier(["save", "--platform", platform, "-o", archive, tag]);
        assert.equal(saved.code, 0, saved.stderr);
        const directory = `${archive}.files`;
        mkdirSync(directory);
        execFileSync("tar", ["-xf", archive, "-C", directory]);
        const [{ Config, Layers }] = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
        const config = JSON.parse(readFileSync(join(directory, Config), "utf8"));
        const all = new Map<string, string>();
        for (const layer of Layers as readonly string[]) {
          const into = `${directory}/${all.size}`;
          mkdirSync(into);
          execFileSync("tar", ["-xf", join(directory, layer), "-C", into]);
          for (const file of readdirSync(into))
            if (file !== "bin") all.set(file, readFileSync(join(into, file), "utf8"));
        }
        return { config, all };
      };
      const [mine, other] = [await files("linux/amd64"), await files("linux/arm64")];
      assert.deepEqual([mine.config.architecture, other.config.architecture], ["amd64", "arm64"]);
      assert.deepEqual([mine.all.get("machine"), other.all.get("machine")], ["amd64", "arm64"]);
      assert.equal(mine.all.get("for-amd64"), "linux/amd64\n");
      assert.equal(other.all.get("for-arm64"), "linux/arm64\n");
      assert.equal(other.config.config.Labels["made-on"], "amd64");
      // A step that is the same for both is run once.
      assert.equal(mine.all.get("once"), other.all.get("once"));

      const digest = JSON.parse(readFileSync(metadata, "utf8"))["containerimage.digest"];
      assert.equal(readFileSync(idFile, "utf8"), digest);
      const repository = tag.split(":")[0];
      assert.equal(
        await inspected(engine, "{{index .RepoDigests 0}}", `${repository}@${digest}`),
        `${repository}@${digest}`,
      );
      const each = both.split(",").flatMap((platform) => ["--platform", platform]);
      const again = await succeed(build(...each, "-t", tag, context));
      assert.ok((again.match(/CACHED/g)?.length ?? 0) >= 6, again);
    });

    test(`of ${name} goes into an OCI archive, a registry and directories, and not into docker's archive`, async () => {
      const from = await putBase(`away-${name}`);
      const context = makeContext(engine, { Dockerfile: `FROM ${from}\nCOPY own /\n`, own: "x" });
      const images = (await engine.docker(["images", "-q", "-f", "dangling=false"])).stdout;
      const archive = place(`several-${name}.tar`);
      await succeed(build("--platform", both, "-o", `type=oci,name=several:1,dest=${archive}`, context));
      assert.deepEqual(platformsOf(indexIn(archive)), ["linux/amd64", "linux/arm64"]);

      const directory = place(`split-${name}`);
      await succeed(build("--platform", both, "-o", directory, context));
      assert.deepEqual(readdirSync(directory).sort(), ["linux_amd64", "linux_arm64"]);
      assert.equal(readFileSync(join(directory, "linux_arm64/machine"), "utf8"), "arm64");
      assert.equal(readFileSync(join(directory, "linux_amd64/own"), "utf8"), "x");
      // A single one has a directory of its own where it is asked for.
      const alone = place(`alone-${name}`);
      await succeed(build("--platform", "linux/arm64", "-o", `type=local,dest=${alone},platform-split=true`, context));
      assert.deepEqual(readdirSync(alone), ["linux_arm64"]);

      const pushed = `${registry.host}/pushed-${name}:1`;
      await succeed(build("--platform", both, "--push", "-t", pushed, context));
      const { bytes } = registry.manifests.get(`pushed-${name} 1`)!;
      assert.deepEqual(platformsOf(JSON.parse(Buffer.from(bytes).toString()).manifests), [
        "linux/amd64",
        "linux/arm64",
      ]);
      const refused = await build("--platform", both, "-o", `type=docker,dest=${place("no.tar")}`, context);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /docker exporter does not (currently )?support exporting manifest lists/);
      assert.ok((await engine.docker(["images", "-q", "-f", "dangling=false"])).stdout.includes(images.trim()));
    });
  }

  test("leaves a name that is here with this machine's image", async () => {
    const from = await putBase("kept");
    const pulled = await engine.docker(["pull", from]);
    assert.equal(pulled.code, 0, pulled.stderr);
    const id = await inspected(engine, "{{.Id}}", from);
    const context = makeContext(engine, { Dockerfile: `FROM ${from}\nLABEL a=b\n` });
    await succeed(pier("--platform", "linux/arm64", "-t", "foreign", context));
    assert.equal(await inspected(engine, "{{.Architecture}}", "foreign"), "arm64");
    assert.equal(await inspected(engine, "{{.Id}}", from), id);
    // What is only here is not for others, and nobody else has it.
    const local = makeContext(engine, { Dockerfile: `FROM ${base}\n` });
    const { code, stderr } = await pier("--platform", "linux/arm64", local);
    assert.equal(code, 1);
    assert.match(stderr, /fixture\/busybox:1\.35 is for linux\/amd64, not for linux\/arm64/);
  });

  test("is refused by the classic protocol, and where a platform is none", async () => {
    const context = makeContext(engine, { Dockerfile: "FROM scratch\nLABEL a=b\n" });
    const classic = await dockerBuild(engine, ["--platform", both, context]);
    assert.notEqual(classic.code, 0);
    for (const build of [pier, buildx]) {
      assert.match((await build("--platform", "linux/amd64,bogus", context)).stderr, /bogus/);
      assert.notEqual((await build("--platform", "windows/amd64", context)).code, 0);
    }
    const wrong = makeContext(engine, {
      Dockerfile: "FROM --platform=a/b/c/d scratch AS x\nFROM --platform=$NOT busybox\n",
    });
    assert.notEqual((await pier(wrong)).code, 0);
  });

  test("runs the other machine's programs where the kernel does, and says what is missing where not", {
    skip: cannotEmulate(),
  }, async () => {
    const from = await putBase("emulated");
    const context = makeContext(engine, {
      Dockerfile: `FROM ${from}\nRUN uname -m > /ran\n`,
    });
    const without = await pier("--platform", "linux/arm64", context);
    assert.notEqual(without.code, 0);
    assert.match(without.stderr, /exec format error/);
    assert.match(without.stderr, /qemu-user-static/);
    using _emulated = emulating();
    const directory = place("emulated");
    const told = await succeed(pier("--platform", both, "-o", directory, context));
    assert.match(told, /\[linux\/arm64 2\/2\] RUN/);
    assert.equal(readFileSync(join(directory, "linux_arm64/ran"), "utf8"), "aarch64\n");
    assert.equal(readFileSync(join(directory, "linux_amd64/ran"), "utf8"), "x86_64\n");
    await succeed(buildx("--platform", "linux/arm64", "-t", "emulated", context));
    assert.equal(await printed(engine, "emulated", "cat", "/ran"), "aarch64\n");
  });
});
