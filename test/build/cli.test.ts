/** `pier build`: contexts from directories and from standard input, secrets, and what its screen says. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { base, makeContext, printed } from "./contexts.ts";

describe("pier build", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  test("sends a directory without what its .dockerignore leaves out", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}\nCOPY . /c\n`,
      ".dockerignore": "*.md\n!keep.md\nnode_modules\nDockerfile\n.dockerignore\n",
      "a.md": "",
      "keep.md": "kept\n",
      "node_modules/x/y": "",
      "d/run": { content: "#!/bin/sh\n", mode: 0o755 },
      "d/l": { link: "/nowhere" },
    });
    const ran = await engine.pier(["build", "-t", "cli", directory]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /^#\d+ \[2\/2\] COPY \. \/c$/m);
    assert.equal(ran.stdout, "");
    const listed = await printed(
      engine,
      "cli",
      "sh",
      "-c",
      "cd /c; find . | sort; stat -c '%a %u' d/run; readlink d/l",
    );
    assert.equal(listed, ".\n./d\n./d/l\n./d/run\n./keep.md\n755 0\n/nowhere\n");
  });

  test("takes a Dockerfile from elsewhere, or from standard input, and prints no more than the id when asked", async () => {
    const directory = makeContext(engine, { file: "content\n" });
    const elsewhere = join(engine.directory, "elsewhere");
    const text = `FROM ${base}\nCOPY . /c\nLABEL a=b\n`;
    writeFileSync(elsewhere, text);
    const idFile = join(engine.directory, "id");
    const ran = await engine.pier(["build", "-q", "--iidfile", idFile, "-f", elsewhere, directory]);
    assert.match(ran.stdout, /^sha256:[0-9a-f]{64}\n$/, ran.stderr);
    const id = readFileSync(idFile, "utf8");
    assert.equal(ran.stdout, `${id}\n`);
    assert.equal(await printed(engine, id, "ls", "-A", "/c"), ".dockerignore\nfile\n");
    const input = await engine.pier(["build", "-t", "in", "-f", "-", directory], { input: text });
    assert.equal(input.code, 0, input.stderr);
    const alone = await engine.pier(["build", "-t", "in", "-"], { input: `FROM ${base}\nRUN echo x > /x\n` });
    assert.equal(alone.code, 0, alone.stderr);
    assert.equal(await printed(engine, "in", "cat", "/x"), "x\n");
  });

  test("shows a secret to the step that asks for it, and keeps it nowhere", async () => {
    const canary = "canary-7f3a9c";
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}
RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /size && stat -c %a /run/secrets/token > /mode
RUN --mount=type=secret,id=token,env=TOKEN,required=true echo "\${#TOKEN}" > /length
RUN test ! -e /run/secrets/token && test -z "$TOKEN"
`,
      secret: canary,
    });
    const args = ["build", "-t", "secretive", "--secret", `id=token,src=${join(directory, "secret")}`, directory];
    const ran = await engine.pier(args);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(await printed(engine, "secretive", "cat", "/size", "/mode", "/length"), "13\n400\n13\n");
    const search =
      "grep -r canary-7f /etc /home /opt /root /run /srv /tmp /usr /var || true; find / -xdev -path '*secret*'";
    assert.equal(await printed(engine, "secretive", "sh", "-c", search), "");
    const { stdout: history } = await engine.docker(["history", "--no-trunc", "secretive"]);
    assert.ok(!history.includes(canary));
    assert.ok(!readFileSync(engine.log, "utf8").includes(canary));
    assert.ok(!readFileSync(join(engine.root, "pier.db-wal"), "latin1").includes(canary));
    const missing = await engine.pier(["build", "--no-cache", directory]);
    assert.match(missing.stderr, /can't open \/run\/secrets\/token/);
  });

  test("sees files of the context and of other stages without copying them", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base} AS other
RUN mkdir /made && echo made > /made/file
FROM ${base}
RUN --mount=target=/context --mount=from=other,source=/made,target=/made,rw cat /context/d/file /made/file > /both && echo more > /made/new
RUN test ! -e /context && test ! -e /made
`,
      "d/file": "context\n",
    });
    const ran = await engine.pier(["build", "-t", "bound", directory]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.equal(await printed(engine, "bound", "cat", "/both"), "context\nmade\n");
  });

  test("does everything that heredocs, links and patterns say", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}
ENV NAME=value
COPY <<one <<"two" /here/
$NAME
one
$NAME
two
RUN <<EOF
echo first > /first
echo "$NAME" >> /first
EOF
RUN <<'EOF'
#!/bin/sh
echo "$0 ran" > /script
EOF
RUN cat <<A > /both; cat <<B >> /both
a
A
b
B
COPY --link x/*.txt /links/
COPY --parents x/./deep/*.md /parents/
COPY --exclude=*.md x /without/
`,
      "x/a.txt": "a",
      "x/b.txt": "b",
      "x/deep/c.md": "c",
      "x/d.md": "d",
    });
    const ran = await engine.pier(["build", "-t", "docs", directory]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const script = "cat /here/one /here/two /first /script /both; find /links /parents /without -type f | sort";
    assert.deepEqual((await printed(engine, "docs", "sh", "-c", script)).split("\n"), [
      ...["value", "$NAME", "first", "value", "/dev/pipes/EOF ran", "a", "b"],
      ...["/links/a.txt", "/links/b.txt", "/parents/deep/c.md"],
      ...["/without/a.txt", "/without/b.txt", "/without/deep/c.md", ""],
    ]);
  });

  test("shows what goes on: as lines, as JSON, on a screen, or only what failed", async () => {
    const failing = makeContext(engine, {
      Dockerfile: `FROM ${base} AS one\nRUN echo some words; echo last words >&2; exit 3\n`,
    });
    const build = (...args: readonly string[]) => engine.pier(["build", ...args, failing]);
    const excerpt = /^Dockerfile:2\n-+\n {3}1 \| {5}FROM .*\n {3}2 \| >>> RUN echo some words; .*\n-+\n/m;
    const plain = await build("--progress", "plain");
    assert.equal(plain.code, 1);
    assert.match(plain.stderr, /^#\d+ \[one 2\/2\] RUN echo some words/m);
    assert.match(plain.stderr, /^#\d+ [\d.]+ some words$/m);
    assert.match(plain.stderr, /^#\d+ ERROR: process .* did not complete successfully: exit code: 3$/m);
    assert.match(plain.stderr, excerpt);
    const quiet = await build("-q");
    assert.match(
      quiet.stderr,
      /^------\n > \[one 2\/2\] RUN echo .*\n(?:some|last) words\n(?:some|last) words\n------$/m,
    );
    assert.match(quiet.stderr, excerpt);
    assert.match(quiet.stderr, /^ERROR: failed to build: process .* exit code: 3$/m);
    const raw = await build("--progress", "rawjson");
    const lines = raw.stderr.split("\n").filter((line) => line.startsWith("{"));
    const told = lines.map((line) => JSON.parse(line));
    assert.ok(
      told.some(({ vertexes = [] }) => vertexes.some(({ error }: { error?: string }) => /code: 3/.test(error ?? ""))),
    );
    const said = told.flatMap(({ logs = [] }) => logs).map(({ data }) => Buffer.from(data, "base64").toString());
    assert.match(said.join(""), /some words\n/);
    assert.match((await build("--progress", "tty")).stderr, /standard error is no terminal/);
    assert.match((await build("--progress", "loud")).stderr, /invalid progress: loud/);
    const script = ["-q", "-c", `stty rows 30 cols 100; ${executable} build ${failing} 2>&1`, "/dev/null"];
    const shown = await execute("script", script, { env: { ...engine.env, SHELL: "/bin/sh" } });
    assert.match(shown.stdout, /\[\+\] \d\/3 building .*s\x1b/);
    assert.match(shown.stdout, / ✓ \[one 1\/2\] FROM .* \d\.\ds/);
    assert.match(shown.stdout, / ✗ \[one 2\/2\] RUN echo some words/);
    assert.match(shown.stdout, /ERROR: failed to build: process/);
  });

  test("explains why the steps of the last build were made anew, and what they waited for", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base} AS one\nRUN sleep 0.2\nFROM ${base}\nARG WHO\nCOPY a b /x/\nRUN echo $WHO > /who\nCOPY --from=one /bin/busybox /\n`,
      a: "1",
      b: "1",
    });
    const explained = async (...args: readonly string[]) => {
      const ran = await engine.pier(["build", "-q", "-t", "explained", ...args, directory]);
      assert.equal(ran.code, 0, ran.stderr);
      return JSON.parse((await engine.pier(["build", "explain", "--json"])).stdout);
    };
    const whys = ({ Steps }: { Steps: readonly { Name: string; Why: string }[] }) =>
      new Map(
        Steps.map(({ Name, Why }) => [
          Name.replace(/^\[.*?\] /, "")
            .split(" ")
            .slice(0, 2)
            .join(" "),
          Why,
        ]),
      );
    const first = await explained("--build-arg", "WHO=me");
    assert.equal(whys(first).get("RUN echo"), "it was not built before");
    const last = first.Steps.find(({ Name }: { Name: string }) => Name.includes("--from=one"));
    assert.deepEqual(last.Waits.map(({ For }: { For: string }) => For).slice(0, 1), ["one"]);
    writeFileSync(join(directory, "b"), "2");
    const second = whys(await explained("--build-arg", "WHO=you"));
    assert.equal(second.get("RUN sleep"), "from the cache");
    assert.equal(second.get("COPY a"), "/x/b changed");
    assert.equal(second.get("RUN echo"), "variable WHO changed");
    assert.match(second.get("COPY --from=one")!, /^what it stands on is another: .*RUN echo/);
    await engine.restart();
    const { stdout } = await engine.pier(["build", "explain"]);
    assert.match(stdout, /^The build of explained, .* took \d+\.\ds\.$/m);
    assert.match(stdout, /^ +\d\.\ds {2}\[stage-1 2\/4\] COPY a b \/x\/\n {9}made anew: \/x\/b changed$/m);
    assert.match(stdout, /^\|[ ·█]{24}\| \[one 2\/2\] RUN sleep/m);
  });

  test("says what it cannot do", async () => {
    assert.match((await engine.pier(["build", "--help"])).stdout, /PATH \| URL \| - \| explain/);
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["-f", "-", "https://example.com/x.git"], /-f names it there, and is not -/],
      [["/no/such/directory"], /path "\/no\/such\/directory" is no directory/],
      [["-f", "-", "-"], /can't use stdin for both/],
      [["-o", "type=nothing", "."], /has no exporter nothing/],
      [["-o", "type=local", "."], /dest is required/],
      [["--sbom", "true", "."], /--sbom true: attestations are not made/],
    ];
    for (const [args, sentence] of cases) {
      const ran = await engine.pier(["build", ...args]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, sentence);
    }
  });

  test("is counted in system df", async () => {
    const usage = JSON.parse((await engine.request("GET", "/system/df?type=build-cache")).body);
    assert.ok(usage.BuildCache.some(({ Description }: { Description: string }) => /RUN/.test(Description)));
    const old = JSON.parse((await engine.request("GET", "/v1.41/system/df")).body);
    assert.ok(old.BuilderSize > 0);
    const ran = await engine.docker(["system", "df"]);
    assert.match(ran.stdout, /^Build Cache +\d+/m);
  });

  test("is had by the words that people know from docker, and so is what it keeps", async () => {
    const Dockerfile = `FROM ${base}\nRUN --mount=type=cache,target=/c echo x > /c/x; echo y > /y\n`;
    const directory = makeContext(engine, { Dockerfile });
    for (const words of [
      ["builder", "build"],
      ["buildx", "build"],
      ["buildx", "b"],
      ["image", "build"],
    ]) {
      const ran = await engine.pier([...words, "-q", "--rm", "--provenance=false", "-c", "512", directory]);
      assert.match(ran.stdout, /^sha256:/, ran.stderr);
    }
    const usage = (await engine.pier(["buildx", "du"])).stdout;
    assert.match(usage, /^ID +RECLAIMABLE +SIZE +LAST ACCESSED\n[0-9a-f]{25} +true +/);
    assert.match(usage, /^Total: +[\d.]+k?M?B$/m);
    assert.match((await engine.pier(["buildx", "du", "--verbose"])).stdout, /^Type: +exec\.cachemount$/m);
    const some = await engine.pier(["builder", "prune", "-f", "--filter", "type=exec.cachemount"]);
    assert.match(some.stdout, /^Deleted build cache objects:\n[0-9a-f]{64}\n[\s\S]*\nTotal reclaimed space: /);
    assert.equal((await engine.pier(["buildx", "prune", "-f", "-a"])).code, 0);
    const none = await engine.pier(["builder", "prune", "--all", "--force"]);
    assert.equal(none.stdout, "Total reclaimed space: 0B\n", none.stderr);
  });
});
