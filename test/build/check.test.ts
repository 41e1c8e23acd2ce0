/** What Dockerfiles are warned of: `--check`, `# check=`, and after a build. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { addBuildx, base, buildxMissing, makeContext } from "./contexts.ts";

describe("warnings of a Dockerfile", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  const warned = `FROM ${base}\nWORKDIR /w\nCOPY $FOO /\nCMD echo hi\n`;
  const checked = [
    "Check complete, 2 warnings have been found!",
    "",
    "WARNING: UndefinedVar - https://docs.docker.com/go/dockerfile/rule/undefined-var/",
    "Usage of undefined variable '$FOO'",
    "Dockerfile:3",
    "--------------------",
    `   1 |     FROM ${base}`,
    "   2 |     WORKDIR /w",
    "   3 | >>> COPY $FOO /",
    "   4 |     CMD echo hi",
    "   5 |",
    "--------------------",
    "",
    "WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
    "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
    "Dockerfile:4",
    "--------------------",
    "   2 |     WORKDIR /w",
    "   3 |     COPY $FOO /",
    "   4 | >>> CMD echo hi",
    "   5 |",
    "--------------------",
    "",
  ].join("\n");

  test("are all that --check says, and it builds nothing", async () => {
    const directory = makeContext(engine, { Dockerfile: warned });
    const ran = await engine.pier(["build", "--check", directory]);
    assert.equal(ran.stdout, checked, ran.stderr);
    assert.equal(ran.code, 1);
    const clean = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN exit 3\n` });
    const fine = await engine.pier(["build", "--call=check", clean]);
    assert.deepEqual([fine.code, fine.stdout], [0, "Check complete, no warnings found.\n"], fine.stderr);
    const wrong = await engine.pier(["build", "--check", makeContext(engine, { Dockerfile: "FORM x\n" })]);
    assert.match(wrong.stderr, /unknown instruction: FORM/);
    assert.match((await engine.pier(["build", "--call=outline", clean])).stderr, /there are build and check/);
  });

  test("stand below a build, and end one that wants them to", async () => {
    const Dockerfile = `FROM ${base}\nCMD echo hi\n`;
    const ran = await engine.pier(["build", makeContext(engine, { Dockerfile })]);
    assert.equal(ran.code, 0);
    assert.match(
      ran.stderr,
      /^ 1 warning found .*:\n - JSONArgsRecommended: JSON arguments recommended for CMD .* \(line 2\)\n$/m,
    );
    const quiet = await engine.pier(["build", "-q", makeContext(engine, { Dockerfile })]);
    assert.equal(quiet.stderr, "");
    const strict = await engine.pier([
      "build",
      makeContext(engine, { Dockerfile: `# check=error=true\n${Dockerfile}` }),
    ]);
    assert.equal(strict.code, 1);
    assert.match(strict.stderr, /lint violation found for rules: JSONArgsRecommended/);
    assert.match(strict.stderr, / 3 \| >>> CMD echo hi/);
  });

  test("are shown by buildx as of BuildKit", { skip: buildxMissing }, async () => {
    addBuildx(engine);
    const directory = makeContext(engine, { Dockerfile: warned });
    const ran = await engine.docker(["buildx", "build", "--check", directory]);
    // buildx puts the directory before the name, and spaces behind a line that is empty.
    const said = ran.stdout.replaceAll(/ +$/gm, "").replaceAll(`${directory}/`, "");
    assert.equal(said.trimEnd(), checked.trimEnd(), ran.stderr);
    assert.equal(ran.code, 1);
    const built = await engine.docker(
      ["build", "--progress", "plain", makeContext(engine, { Dockerfile: `FROM ${base}\nCMD echo hi\n` })],
      { env: { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" } },
    );
    assert.equal(built.code, 0, built.stderr);
    // What buildx sums up at its end is its own: now and then it leaves it out.
    assert.match(built.stderr, /^#\d+ WARN: JSONArgsRecommended: JSON arguments recommended for CMD .* \(line 2\)$/m);
  });
});
