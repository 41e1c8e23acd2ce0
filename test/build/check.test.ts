/** What Dockerfiles say without being built: warnings (`--check`, `# check=`, and after a build), `--call`. */
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

describe("a Dockerfile says what can be built, and with what", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;
  before(async () => {
    engine = await Engine.launch();
    const lines = [
      "ARG TAG=1.35",
      "# compiler makes the program",
      "FROM fixture/busybox:$TAG AS compiler",
      "# LEVEL how much is optimised",
      "ARG LEVEL=2",
      "RUN --mount=type=secret,id=key,required=true --mount=type=ssh exit 3",
      "FROM scratch",
      "COPY --from=compiler /bin/sh /",
    ];
    directory = makeContext(engine, { Dockerfile: lines.map((line) => `${line}\n`).join("") });
  });
  after(() => engine.stop());

  // Spaces at the ends of lines are not compared.
  const outline = `TARGET:      compiler
DESCRIPTION: makes the program

BUILD ARG   VALUE   DESCRIPTION
TAG         1.35
LEVEL       3       how much is optimised

SECRET   REQUIRED
key      true

SSH       REQUIRED
default

`;
  const targets = `TARGET    DESCRIPTION
compiler  makes the program
(default)
`;
  const trimmed = (text: string): string => text.replaceAll(/ +$/gm, "");
  const asked = ["--target", "compiler", "--build-arg", "LEVEL=3"];
  test("to pier's own command", async () => {
    const ran = await engine.pier(["build", "--call=outline", ...asked, directory]);
    assert.equal(trimmed(ran.stdout), outline, ran.stderr);
    assert.equal(trimmed((await engine.pier(["build", "--call=targets", directory])).stdout), targets);
    const wrong = await engine.pier(["build", "--call=nothing", directory]);
    assert.match(wrong.stderr, /there are build, check, outline and targets/);
    const checked = await engine.pier(["build", "--call=check,format=json", directory]);
    assert.deepEqual(JSON.parse(checked.stdout).warnings, []);
  });

  test("to buildx as BuildKit's does", { skip: buildxMissing }, async () => {
    addBuildx(engine);
    const ask = async (call: string, ...args: readonly string[]) => {
      const ran = await engine.docker(["buildx", "build", `--call=${call}`, ...args, directory]);
      assert.equal(ran.code, 0, ran.stderr);
      return trimmed(ran.stdout);
    };
    assert.equal(await ask("outline", ...asked), outline);
    assert.equal(await ask("targets"), targets);
    assert.match(await ask("subrequests.describe"), /^targets +1\.0\.0 +List all targets current build supports$/m);
    for (const call of ["outline,format=json", "targets,format=json", "check,format=json"]) {
      const own = await engine.pier(["build", `--call=${call}`, directory]);
      assert.deepEqual(JSON.parse(await ask(call)), JSON.parse(own.stdout), own.stderr);
    }
    const { targets: told } = JSON.parse(await ask("targets,format=json"));
    assert.deepEqual(told, [
      {
        ...{ name: "compiler", description: "makes the program", base: "fixture/busybox:$TAG" },
        location: { ranges: [{ start: { line: 3 }, end: { line: 3 } }] },
      },
      { default: true, base: "scratch", location: { ranges: [{ start: { line: 7 }, end: { line: 7 } }] } },
    ]);
  });
});
