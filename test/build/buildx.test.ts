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
    // The one fails when the other has begun.
    const run = "RUN --mount=type=cache,target=/both";
    const wrong = "until [ -e /both/begun ]; do sleep 0.1; done; exit 3";
    const stages = `FROM ${base} AS long\n${run} touch /both/begun; sleep 1000\nFROM ${base} AS wrong\n${run} ${wrong}\n`;
    const directory = makeContext(engine, {
      Dockerfile: `${stages}FROM ${base}\nCOPY --from=long /bin/sh /1\nCOPY --from=wrong /bin/sh /2\n`,
    });
    const ran = await build(directory);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^#\d+ CANCELED$/m);
    assert.match(ran.stderr, /process "\/bin\/sh -c until .*; exit 3" did not complete successfully: exit code: 3/);
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
    assert.match(ran.stderr, /^Dockerfile:2\n-+\n {3}1 \| .*\n {3}2 \| >>> RUN echo last words && exit 7\n/m);
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

  test("limits what RUN may use, and shows, prunes and filters the cache", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}\nRUN --mount=type=cache,target=/c ulimit -n > /n; ulimit -Hn > /N; df -k /dev/shm | tail -1 > /shm; cat /etc/hosts > /h; echo x > /c/x\n`,
    });
    const limits = ["--ulimit", "nofile=1000:2000", "--shm-size", "3m", "--add-host", "there:10.1.2.3"];
    const ran = await build("-t", "limited", ...limits, directory);
    assert.equal(ran.code, 0, ran.stderr);
    const told = await printed(engine, "limited", "cat", "/n", "/N", "/shm", "/h");
    assert.match(told, /^1000\n2000\nshm +3072 /);
    assert.match(told, /^10\.1\.2\.3\s+there$/m);
    const classic = await engine.pier(["build", "--no-cache", "-q", "-t", "limited", ...limits, directory]);
    assert.equal(classic.code, 0, classic.stderr);
    assert.match(await printed(engine, "limited", "cat", "/n", "/N", "/shm"), /^1000\n2000\nshm +3072 /);

    const usage = async (...args: readonly string[]) => {
      const said = await engine.docker(["buildx", "du", "--verbose", ...args]);
      assert.equal(said.code, 0, said.stderr);
      return said.stdout;
    };
    const mounts = await usage("--filter", "type=exec.cachemount");
    assert.match(mounts, /Type:\s+exec\.cachemount/);
    assert.doesNotMatch(mounts, /Type:\s+regular/);
    const pruned = await engine.docker(["buildx", "prune", "-f", "--filter", "type=exec.cachemount"]);
    assert.equal(pruned.code, 0, pruned.stderr);
    assert.match(pruned.stdout, /Total:\s+[\d.]+k?B/);
    assert.doesNotMatch(await usage(), /exec\.cachemount/);
    const prune = async (filters: object) => {
      const query = new URLSearchParams({ all: "1", filters: JSON.stringify(filters) });
      const { status, body } = await engine.request("POST", `/build/prune?${query}`);
      return status === 200 ? (JSON.parse(body).CachesDeleted ?? []).length : body;
    };
    assert.equal(await prune({ until: ["1h"] }), 0);
    assert.equal(await prune({ inuse: ["1"] }), 0);
    assert.equal(await prune({ description: ["no such step"] }), 0);
    assert.match(await prune({ nothing: ["1"] }), /invalid filter/);
    // The disk has that much: nothing goes.
    const roomy = await engine.request("POST", "/build/prune?all=1&min-free-space=1");
    assert.equal(JSON.parse(roomy.body).CachesDeleted, null);
    const ours = await engine.pier(["builder", "prune", "-f", "--all", "--min-free-space", "1b"]);
    assert.equal(ours.stdout, "Total reclaimed space: 0B\n", ours.stderr);
    assert.match(await usage(), /Type:\s+regular/);
    assert.ok((await prune({ description: ["RUN --mount=type=cache"] })) > 0);
    const whole = await engine.docker(["buildx", "prune", "-f", "--all"]);
    assert.equal(whole.code, 0, whole.stderr);
    assert.doesNotMatch(await usage(), /Type:\s+regular/);
  });
});
