/** The docker command with buildx, as everybody has it: BuildKit's protocol, answered by our own builder. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { addBuildx, base, buildxMissing, dockerBuild, makeContext, printed } from "./contexts.ts";

describe("docker buildx build", { skip: cannotRun() || buildxMissing }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    addBuildx(engine);
  });
  after(() => engine.stop());

  const build = (...args: readonly string[]) =>
    engine.docker(["build", "--progress", "plain", ...args], { env: { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" } });

  test("builds, shows every step with what it says, and takes it from the cache the next time", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `# syntax=docker/dockerfile:1\nFROM ${base} AS one\nARG WHO\nRUN echo "hello $WHO" | tee /greeting\nFROM ${base}\nCOPY --from=one /greeting /\nCOPY . /c\n`,
      ".dockerignore": "*.md\n",
      "a.md": "",
      "d/run": { content: "#!/bin/sh\n", mode: 0o755 },
      "d/empty": "",
      "d/l": { link: "run" },
    });
    const ran = await build("-t", "bx", "--build-arg", "WHO=buildx", "--label", "l=1", directory);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /\[one 2\/2\] RUN echo "hello \$WHO" \| tee \/greeting/);
    assert.match(ran.stderr, /^#\d+ [\d.]+ hello buildx$/m);
    const script = "cat /greeting; cd /c; find . | sort; stat -c %a d/run";
    assert.equal(
      await printed(engine, "bx", "sh", "-c", script),
      "hello buildx\n.\n./.dockerignore\n./Dockerfile\n./d\n./d/empty\n./d/l\n./d/run\n755\n",
    );
    const again = await build("-t", "bx", "--build-arg", "WHO=buildx", "--label", "l=1", directory);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(again.stderr.match(/^#\d+ CACHED$/gm)?.length, 3, again.stderr);
  });

  test("makes the named stages anew, and takes the others from the cache", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base} AS one\nRUN echo 1 > /1\nFROM ${base} AS two\nRUN echo 2 > /2\nFROM ${base}\nCOPY --from=one /1 /\nCOPY --from=two /2 /\n`,
    });
    assert.equal((await build(directory)).code, 0);
    const again = await build("--no-cache-filter", "two", directory);
    assert.equal(again.code, 0, again.stderr);
    const cached = [...again.stderr.matchAll(/^#(\d+) CACHED$/gm)].map(([, number]) => number);
    const names = cached.map((number) => new RegExp(`^#${number} (\\[.*)$`, "m").exec(again.stderr)?.[1]);
    assert.ok(names.includes("[one 2/2] RUN echo 1 > /1"), again.stderr);
    assert.ok(!names.includes("[two 2/2] RUN echo 2 > /2"), again.stderr);
  });

  test("ends when a step has failed, whatever other stages still do", async () => {
    const stages = `FROM ${base} AS long\nRUN sleep 1000\nFROM ${base} AS wrong\nRUN sleep 0.5; exit 3\n`;
    const directory = makeContext(engine, {
      Dockerfile: `${stages}FROM ${base}\nCOPY --from=long /bin/sh /1\nCOPY --from=wrong /bin/sh /2\n`,
    });
    const ran = await build(directory);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^#\d+ CANCELED$/m);
    assert.match(ran.stderr, /process "\/bin\/sh -c sleep 0.5; exit 3" did not complete successfully: exit code: 3/);
  });

  test("makes the same image as the classic protocol does", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}\nWORKDIR /w\nCOPY x y/ ./\nRUN cat x > q\nENV A=b\nCMD ["cat", "q"]\n`,
      x: "x\n",
      "y/z/a": "a\n",
    });
    const epoch = ["--build-arg", "SOURCE_DATE_EPOCH=1700000000", "--no-cache"];
    const idFile = join(engine.directory, "id");
    const modern = await build(...epoch, "--iidfile", idFile, directory);
    assert.equal(modern.code, 0, modern.stderr);
    const classic = await dockerBuild(engine, ["-q", ...epoch, directory]);
    assert.equal(classic.stdout.trim(), readFileSync(idFile, "utf8"), classic.stderr);
  });

  test("fails with what went wrong", async () => {
    const directory = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN echo last words && exit 7\n` });
    const ran = await build(directory);
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, /^#\d+ [\d.]+ last words$/m);
    assert.match(ran.stderr, /did not complete successfully: exit code: 7/);
    const wrong = await build(makeContext(engine, { Dockerfile: "FROM a b\n" }));
    assert.match(wrong.stderr, /FROM requires either one or three arguments/);
  });

  test("is asked for secrets, and says what it cannot do", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}\nRUN --mount=type=secret,id=s wc -c < /run/secrets/s > /size\n`,
    });
    const secret = join(engine.directory, "secret");
    writeFileSync(secret, "12345");
    const ran = await build("-t", "bs", "--secret", `id=s,src=${secret}`, directory);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(await printed(engine, "bs", "cat", "/size"), "5\n");
    const read = await build(
      "--cache-from",
      "type=registry,ref=localhost:1/none",
      "--secret",
      `id=s,src=${secret}`,
      directory,
    );
    assert.equal(read.code, 0, read.stderr);
  });
});
