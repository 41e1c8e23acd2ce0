/** What was built, where its client wants to have it: files, archives, images here and in a registry. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DebianRegistry, hasRegistry, tool } from "../docker/registries.ts";
import { cannotRun, Engine } from "../engine.ts";
import { addBuildx, base, buildxMissing, makeContext, printed } from "./contexts.ts";

const Dockerfile = `FROM ${base} AS made
RUN mkdir /d && echo content > /d/file && ln /d/file /d/hard && ln -s file /d/soft && chmod 4711 /d/file
FROM scratch
COPY --from=made /d /d
CMD ["/d/file"]
`;

const files = (directory: string) => [
  readdirSync(join(directory, "d")).sort().join(),
  readFileSync(join(directory, "d/hard"), "utf8"),
  readlinkSync(join(directory, "d/soft")),
  (lstatSync(join(directory, "d/file")).mode & 0o777).toString(8),
];
const expected = ["file,hard,soft", "content\n", "file", "711"];

describe("what is built", { skip: cannotRun() || buildxMissing || hasRegistry }, () => {
  let engine: Engine;
  let registry: DebianRegistry;
  before(async () => {
    engine = await Engine.launch();
    registry = await DebianRegistry.start();
    await engine.load();
    addBuildx(engine);
  });
  after(async () => {
    await registry.stop();
    await engine.stop();
  });

  const place = (name: string): string => join(engine.directory, name);
  const unpacked = (archive: string): string => {
    const directory = `${archive}.files`;
    mkdirSync(directory);
    execFileSync("tar", ["-xf", archive, "-C", directory]);
    return directory;
  };
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));

  test("comes to buildx as a directory, as archives, to docker and to a registry", async () => {
    const context = makeContext(engine, { Dockerfile });
    const build = async (...args: readonly string[]): Promise<void> => {
      const ran = await engine.docker(["build", "--progress", "plain", ...args, context]);
      assert.equal(ran.code, 0, ran.stderr);
    };
    const images = (await engine.docker(["images", "-qa"])).stdout;
    await build("-o", place("local"));
    assert.deepEqual(files(place("local")), expected);
    await build("-o", `type=tar,dest=${place("out.tar")}`);
    assert.deepEqual(files(unpacked(place("out.tar"))), expected);

    const metadata = place("metadata");
    await build("-t", "named:1", "-o", `type=oci,dest=${place("oci.tar")}`, "--metadata-file", metadata);
    const layout = unpacked(place("oci.tar"));
    const [descriptor] = read(join(layout, "index.json")).manifests;
    assert.equal(descriptor.annotations["org.opencontainers.image.ref.name"], "1");
    assert.equal(read(metadata)["containerimage.digest"], descriptor.digest);
    assert.equal(read(metadata)["containerimage.descriptor"].digest, descriptor.digest);
    const inspected = await tool("skopeo", ["inspect", `oci-archive:${place("oci.tar")}`]);
    assert.equal(JSON.parse(inspected.stdout).Layers.length, 1, inspected.stderr);
    await build("-o", `type=docker,name=loaded,compression=uncompressed,dest=${place("docker.tar")}`);
    // None of them is an image here.
    assert.equal((await engine.docker(["images", "-qa"])).stdout, images);

    const loaded = await engine.docker(["load", "-i", place("docker.tar")]);
    assert.match(loaded.stdout, /Loaded image: loaded:latest/);
    const idFile = place("id");
    await build("--load", "-t", "here", "--iidfile", idFile);
    const id = readFileSync(idFile, "utf8");
    const ids = await engine.docker(["images", "-q", "--no-trunc", "here"]);
    assert.equal(ids.stdout.trim(), id);
    assert.equal((await engine.docker(["images", "-q", "--no-trunc", "loaded"])).stdout.trim(), id);

    await build("--push", "-t", `${registry.host}/pushed:2`);
    const there = await tool("skopeo", ["inspect", "--tls-verify=false", `docker://${registry.host}/pushed:2`]);
    assert.equal(JSON.parse(there.stdout).Layers.length, 1, there.stderr);
    // Several at once.
    await build("-o", `type=tar,dest=${place("a.tar")}`, "-o", place("b"), "-o", "type=image,name=several");
    assert.deepEqual(files(place("b")), expected);
    assert.deepEqual(files(unpacked(place("a.tar"))), expected);
    assert.equal(await printed(engine, base, "echo", "alive"), "alive\n");
    const refused = await engine.docker(["build", "-o", `type=oci,compression=zstd,dest=${place("z")}`, context]);
    assert.match(refused.stderr, /exporter oci does not know compression=zstd/);
  });

  test("comes to pier as a directory, as archives, and to a registry", async () => {
    const context = makeContext(engine, { Dockerfile });
    const build = async (...args: readonly string[]) => {
      const ran = await engine.pier(["build", ...args, context]);
      assert.equal(ran.code, 0, ran.stderr);
      return ran;
    };
    const images = (await engine.docker(["images", "-qa"])).stdout;
    await build("-o", place("p-local"));
    assert.deepEqual(files(place("p-local")), expected);
    const streamed = await build("-o", "-");
    assert.ok(streamed.output.includes("ustar"));
    const metadata = place("p-metadata");
    const idFile = place("p-id");
    const archived = [
      "-t",
      "named:2",
      "-o",
      `type=oci,dest=${place("p-oci.tar")}`,
      "-o",
      `type=tar,dest=${place("p.tar")}`,
    ];
    await build(...archived, "--metadata-file", metadata, "--iidfile", idFile);
    assert.deepEqual(files(unpacked(place("p.tar"))), expected);
    const [descriptor] = read(join(unpacked(place("p-oci.tar")), "index.json")).manifests;
    const told = read(metadata);
    assert.equal(told["containerimage.descriptor"].digest, descriptor.digest);
    assert.equal(told["containerimage.config.digest"], readFileSync(idFile, "utf8"));
    assert.equal(told["image.name"], "named:2");
    assert.equal((await engine.docker(["images", "-qa"])).stdout, images);
    await build("--push", "-t", `${registry.host}/pushed:3`);
    const there = await tool("skopeo", ["inspect", "--tls-verify=false", `docker://${registry.host}/pushed:3`]);
    assert.equal(JSON.parse(there.stdout).Layers.length, 1, there.stderr);
  });

  test("gives its cache to directories, registries and images, and another engine builds with it", async () => {
    const context = makeContext(engine, {
      Dockerfile: `FROM ${base} AS one\nRUN date +%N > /one\nFROM ${base}\nCOPY --from=one /one /\nRUN date +%N > /two\n`,
    });
    const [local, mine, ref] = [place("cache"), place("p-cache"), `${registry.host}/cache:1`];
    const inline = `${registry.host}/inline:1`;
    const buildx = (...args: readonly string[]) => engine.docker(["build", "--progress", "plain", ...args, context]);
    const pier = (...args: readonly string[]) => engine.pier(["build", "--progress", "plain", ...args, context]);
    const id = async (build: typeof pier, ...args: readonly string[]): Promise<string> => {
      const ran = await build("--iidfile", place("c-id"), ...args);
      assert.equal(ran.code, 0, ran.stderr);
      return readFileSync(place("c-id"), "utf8");
    };
    const first = await id(buildx, "--cache-to", `type=local,dest=${local},mode=max`);
    assert.equal(await id(pier, "--cache-to", `type=local,dest=${mine},mode=max`), first);
    assert.equal(await id(buildx, "--cache-to", `type=registry,ref=${ref},mode=max,image-manifest=false`), first);
    const other = await id(pier, "--cache-to", "type=inline", "--push", "-t", inline);
    assert.notEqual(other, first);
    const [manifest] = read(join(local, "index.json")).manifests;
    const blob = (digest: string) => read(join(local, "blobs/sha256", digest.slice(7)));
    const { config } = blob(manifest.digest);
    assert.equal(config.mediaType, "application/vnd.buildkit.cacheconfig.v0");
    assert.equal(blob(config.digest).records.length, 3);

    // Nothing is left here but the base and what was given away.
    const forget = async (): Promise<void> => {
      await engine.docker(["image", "rm", "-f", first, other]);
      await engine.request("POST", "/build/prune?all=1");
    };
    const cases: readonly (readonly [typeof pier, string])[] = [
      [buildx, `type=local,src=${local}`],
      [pier, `type=local,src=${mine}`],
      [pier, `type=local,src=${local}`],
      [buildx, `type=registry,ref=${ref}`],
      [pier, ref],
    ];
    for (const [build, from] of cases) {
      await forget();
      assert.equal(await id(build, "--cache-from", from), first, from);
    }
    // An image has the cache of its own layers in it.
    await forget();
    const alone = (...args: readonly string[]) =>
      engine.pier(["build", "--progress", "plain", ...args, "--target", "one", "--cache-to", "type=inline", context]);
    const whole = await id(alone, "--push", "-t", inline);
    await engine.docker(["image", "rm", "-f", whole]);
    await forget();
    assert.equal(await id(alone, "--cache-from", inline), whole);
    // Who does not name it has nothing of it.
    await forget();
    assert.equal(await id(pier, "--cache-from", ref), first);
    await engine.docker(["image", "rm", "-f", first]);
    assert.notEqual(await id(pier), first);
    const missing = await pier("--cache-from", `${registry.host}/none:1`);
    assert.equal(missing.code, 0, missing.stderr);
    assert.match(missing.stderr, /importing cache manifest[^\n]*\n#\d ERROR: /);
    for (const [build, sentence] of [
      [buildx("--cache-to", "type=local,dest=/dev/null/x"), /not a directory/],
      [pier("--cache-to", "type=gha"), /there is no --cache-to type=gha/],
      [pier("--cache-to", `type=registry,ref=${ref},mode=most`), /unknown cache mode most/],
      [pier("--cache-from", "type=s3"), /there is no --cache-from type=s3/],
    ] as const) {
      const ran = await build;
      assert.notEqual(ran.code, 0);
      assert.match(ran.stderr, sentence);
    }
  });
});
