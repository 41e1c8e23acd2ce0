/**
 * Dockerfiles as people write them become the images that Docker makes of them. What Docker made of them is kept in
 * corpus/docker.json; with PIER_LONG=1 it is asked again, if it is here, and BuildKit's protocol builds the same.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import type { ExecuteOptions, Ran } from "../execute.ts";
import { type BuiltImage, describeBuilt, readSaved, type SavedImage } from "./built-image.ts";
import { type CorpusBuild, readCorpus, writeContext } from "./corpus.ts";
import { buildx, cannotRunDocker, DockerEngine } from "./docker-engine.ts";

type Outcome = BuiltImage | { readonly error: string };

/** What an engine is asked for. */
interface Builder {
  readonly docker: (args: readonly string[], options?: ExecuteOptions) => Promise<Ran>;
  readonly build: (args: readonly string[], context: string) => Promise<Ran>;
  readonly directory: string;
}

const golden = new URL("corpus/docker.json", import.meta.url);
const readGolden = (): Readonly<Record<string, Outcome>> => JSON.parse(readFileSync(golden, "utf8"));
const isLong = process.env.PIER_LONG === "1";
const corpus = readCorpus().filter(({ name }) => name.includes(process.env.PIER_CORPUS ?? ""));

/** Images by the names that Dockerfiles use. */
const prepare = async ({ docker }: Builder): Promise<SavedImage> => {
  for (const tag of ["latest", "1.35"]) await docker(["tag", "fixture/busybox:1.35", `busybox:${tag}`]);
  return readSaved((await docker(["save", "busybox:1.35"])).output);
};

/** The last thing that was said, without who says it. */
const sentenceOf = ({ stderr }: Ran): string => {
  const line = stderr.split("\n").findLast((text) => text.startsWith("ERROR: ")) ?? stderr.trim();
  return line.replace(/^ERROR: (failed to build: )?(failed to solve: )?/, "");
};

const buildOne = async (builder: Builder, base: SavedImage, build: CorpusBuild): Promise<Outcome> => {
  const context = writeContext(build, mkdtempSync(join(builder.directory, "corpus-")));
  const ran = await builder.build(["-t", build.name, ...build.flags], context);
  if (ran.code !== 0) return { error: sentenceOf(ran) };
  const saved = await builder.docker(["save", build.name]);
  try {
    return describeBuilt(await readSaved(saved.output), base);
  } catch (cause) {
    return {
      error: `${build.name} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}${saved.stderr}`,
    };
  }
};

/** A few at a time. */
const buildAll = async (builder: Builder): Promise<Readonly<Record<string, Outcome>>> => {
  const base = await prepare(builder);
  const outcomes = new Map<string, Outcome>();
  const left = [...corpus];
  const work = async () => {
    for (let build = left.shift(); build !== undefined; build = left.shift()) {
      outcomes.set(build.name, await buildOne(builder, base, build));
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  return Object.fromEntries(corpus.map(({ name }) => [name, outcomes.get(name)!]));
};

const linesOf = (value: unknown): readonly string[] => JSON.stringify(value, null, 1).split("\n");

/** For each build that is not as it should be: the lines that only one of both has. */
const differences = (
  found: Readonly<Record<string, Outcome>>,
  wanted: Readonly<Record<string, Outcome>>,
): readonly string[] =>
  corpus.flatMap(({ name }) => {
    const [one, other] = [found[name]!, wanted[name]!];
    // What is refused is refused by both; each has its own words.
    if ("error" in one && "error" in other) return [];
    const [is, should] = [linesOf(one), linesOf(other)];
    const lines = [
      ...is.filter((line) => !should.includes(line)).map((line) => `  is     ${line}`),
      ...should.filter((line) => !is.includes(line)).map((line) => `  should ${line}`),
    ];
    return lines.length === 0 ? [] : [[name, ...lines].join("\n")];
  });

const assertSame = (found: Readonly<Record<string, Outcome>>, wanted: Readonly<Record<string, Outcome>>): void => {
  const problems = differences(found, wanted);
  assert.equal(problems.length, 0, problems.join("\n"));
};

describe("the corpus of Dockerfiles", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  test("becomes the images that Docker makes of it", async () => {
    const { directory } = engine;
    const docker: Builder["docker"] = (args, options) => engine.docker(args, options);
    const build: Builder["build"] = (args, context) => engine.pier(["build", ...args, "."], { cwd: context });
    assertSame(await buildAll({ directory, docker, build }), readGolden());
  });

  test("becomes the same by BuildKit's protocol", { skip: !isLong && "needs PIER_LONG=1" }, async () => {
    const { directory } = engine;
    mkdirSync(join(directory, "client/cli-plugins"), { recursive: true });
    symlinkSync(buildx, join(directory, "client/cli-plugins/docker-buildx"));
    assertSame(
      await buildAll({ directory, ...withBuildx((args, options) => engine.docker(args, options)) }),
      readGolden(),
    );
  });
});

const withBuildx = (docker: Builder["docker"]): Omit<Builder, "directory"> => ({
  docker,
  build: (args, context) =>
    docker(["build", "--progress", "plain", ...args, "."], {
      cwd: context,
      env: { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" },
    }),
});

describe("Docker", { skip: cannotRun() || (!isLong && "needs PIER_LONG=1") || cannotRunDocker() }, () => {
  let engine: DockerEngine;
  before(async () => {
    engine = await DockerEngine.launch();
    await engine.docker([
      "load",
      "--input",
      new URL("../../../shared/fixtures/busybox.docker-archive.tar", import.meta.url).pathname,
    ]);
  });
  after(() => engine.stop());

  test("makes of the corpus what is kept of it", async () => {
    const { directory } = engine;
    const made = await buildAll({ directory, ...withBuildx((args, options) => engine.docker(args, options)) });
    if (process.env.PIER_RECORD === "1") writeFileSync(golden, `${JSON.stringify(made, null, 1)}\n`);
    assertSame(made, readGolden());
  });
});
