/** `docker build` without BuildKit: what Dockerfiles say becomes images that do it. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { base, dockerBuild, makeContext, printed } from "./contexts.ts";

describe("docker build", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  const inspect = async (image: string) => JSON.parse((await engine.docker(["image", "inspect", image])).stdout)[0];
  const built = async (files: Parameters<typeof makeContext>[1], image: string, ...args: string[]) => {
    const ran = await dockerBuild(engine, ["-t", image, ...args, makeContext(engine, files)]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    return ran.stdout;
  };

  test("runs commands, each on what the one before has left, and copies files", async () => {
    const said = await built(
      {
        "a.txt": "hello a\n",
        "sub/b.txt": "hello b\n",
        "sub/run": { content: "#!/bin/sh\necho ran\n", mode: 0o755 },
        "sub/link": { link: "b.txt" },
        Dockerfile: `
FROM ${base} AS one
ARG WHO=world
ENV GREETING="hello $WHO"
RUN echo "$GREETING" > /greeting && mkdir /d && rm /bin/ls
RUN test ! -e /bin/ls && test -d /d && rmdir /d
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/tm echo x >> /cache/f; cat /cache/f; cat a.txt
FROM scratch
COPY --from=one /greeting /out/
COPY --from=one --chown=7:8 --chmod=0640 /app/sub/ /out/
COPY --from=one /bin/busybox /bin/
LABEL made=here
CMD ["/bin/busybox", "sh", "-c", "/bin/busybox cat /out/greeting; cd /out; /bin/busybox stat -c '%n %a %u:%g %F' * ."]
`,
      },
      "thin",
    );
    assert.match(said, /^Step 1\/14 : FROM /m);
    assert.match(said, /^x\nhello a$/m);
    assert.match(said, /Successfully tagged thin:latest/);
    assert.equal(
      await printed(engine, "thin"),
      [
        "hello world",
        "b.txt 640 7:8 regular file",
        "greeting 644 0:0 regular file",
        "link 777 7:8 symbolic link",
        "run 640 7:8 regular file",
        ". 755 0:0 directory\n",
      ].join("\n"),
    );
    const { RootFS, Config } = await inspect("thin");
    assert.equal(RootFS.Layers.length, 3);
    assert.deepEqual(Config.Labels, { made: "here" });
    // Nothing that only served the mounts of a step is in a layer.
    const whole = await printed(engine, "thin", "/bin/busybox", "find", "/", "-xdev", "-maxdepth", "1");
    assert.deepEqual(
      whole.split("\n").filter((line) => /cache|\/tm/.test(line)),
      [],
    );
  });

  test("runs programs as the users that earlier steps have made, wherever the list of users lies", async () => {
    const user = (name: string, id: number, file: string) => `RUN echo '${name}:x:${id}:${id}::/:/bin/sh' >> ${file}\n`;
    const asUser = (name: string) => `USER ${name}\nRUN echo "$(id -u) is ${name}"\nUSER root\n`;
    const moved = "RUN mv /etc/passwd /users && ln -s /users /etc/passwd\n";
    const first = `FROM ${base}\nRUN touch /x\n${user("one", 11, "/etc/passwd")}${asUser("one")}${moved}${asUser("one")}`;
    assert.equal((await built({ Dockerfile: first }, "users")).match(/^11 is one$/gm)?.length, 2);
    const second = `FROM users\nRUN touch /y\n${user("two", 12, "/users")}${asUser("two")}`;
    assert.match(await built({ Dockerfile: second }, "more-users"), /^12 is two$/m);
  });

  test("runs many steps, each on what all of them have left", async () => {
    const count = 34;
    const runs = Array.from(
      { length: count },
      (_, index) => `RUN test "$(wc -l < /all)" = ${index} && echo x >> /all\n`,
    );
    await built({ Dockerfile: `FROM ${base}\nCOPY all /all\n${runs.join("")}`, all: "" }, "many");
    assert.equal((await inspect("many")).RootFS.Layers.length, (await inspect(base)).RootFS.Layers.length + count + 1);
    assert.equal(await printed(engine, "many", "wc", "-l", "/all"), `${count} /all\n`);
  });

  test("takes from the cache what was made from the same, whatever the times, and nothing else", async () => {
    const files = { "a/file": "content", Dockerfile: `FROM ${base}\nCOPY a /a\nRUN date +%N > /now\n` };
    const directory = makeContext(engine, files);
    const build = async (...args: string[]): Promise<readonly [string, number]> => {
      const ran = await dockerBuild(engine, ["-t", "cached", ...args, directory]);
      assert.equal(ran.code, 0, ran.stderr);
      return [(await inspect("cached")).Id, ran.stdout.match(/Using cache/g)?.length ?? 0];
    };
    const [first, none] = await build();
    assert.equal(none, 0);
    utimesSync(join(directory, "a/file"), 1, 1);
    assert.deepEqual(await build(), [first, 2]);
    assert.notEqual((await build("--no-cache"))[0], first);
    writeFileSync(join(directory, "a/file"), "changed");
    const [changed, hits] = await build();
    assert.notEqual(changed, first);
    assert.equal(hits, 0);
    // Whom a step could talk to is in what it has made.
    assert.equal((await build("--add-host", "extra:192.0.2.1"))[1], 1);
    assert.equal((await build("--network", "none"))[1], 1);
    // What the cache holds is still there for the next daemon.
    await engine.restart();
    assert.deepEqual(await build(), [changed, 2]);
  });

  test("knows two bases of the same layers apart (CVE-2024-24557)", async () => {
    await built({ Dockerfile: `FROM ${base}\nENV NAME=one\n` }, "base-one");
    await built({ Dockerfile: `FROM ${base}\nENV NAME=two\nHEALTHCHECK CMD true\n` }, "base-two");
    await built({ Dockerfile: "FROM base-one\nRUN echo $NAME > /name\n" }, "child-one");
    const said = await built({ Dockerfile: "FROM base-two\nRUN echo $NAME > /name\n" }, "child-two");
    assert.doesNotMatch(said, /Using cache/);
    assert.equal(await printed(engine, "child-two", "cat", "/name"), "two\n");
    assert.deepEqual((await inspect("child-two")).Config.Healthcheck.Test, ["CMD-SHELL", "true"]);
  });

  test("fails with the lines of the Dockerfile, what was said, and the exit code", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}\nRUN true\nRUN echo some words >&2 && exit 3\n`,
    });
    const ran = await dockerBuild(engine, [directory]);
    assert.equal(ran.code, 3);
    assert.match(ran.stdout, /^some words$/m);
    assert.match(ran.stdout, /^Dockerfile:3$/m);
    assert.match(ran.stdout, /^ {3}3 \| >>> RUN echo some words/m);
    assert.match(
      ran.stderr,
      /process "\/bin\/sh -c echo some words >&2 && exit 3" did not complete successfully: exit code: 3/,
    );
  });

  test("fails with a sentence for what is missing or wrong", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["FROM localhost:1/nobody/nothing\n", /localhost:1/],
      [`FROM ${base}\nCOPY missing /\n`, /"\/missing": not found/],
      [`FROM ${base}\nCOPY --from=localhost:1/nobody/nothing a /\n`, /localhost:1/],
      [`FROM ${base}\nCOPY ../../../etc/shadow /\n`, /"\/etc\/shadow": not found/],
      [`FROM ${base}\nNOPE\n`, /line 2: unknown instruction: NOPE/],
      [`FROM ${base}\nUSER nobody-here\nRUN true\n`, /nobody-here/],
      [`FROM ${base}\nRUN ["/no/such/program"]\n`, /\/no\/such\/program/],
      ["# syntax=evil/frontend\nFROM scratch\n", /runs no frontend images/],
      [`FROM ${base}\nRUN --security=insecure true\n`, /security.insecure is not allowed/],
    ];
    for (const [Dockerfile, sentence] of cases) {
      const ran = await dockerBuild(engine, [makeContext(engine, { Dockerfile, "a b": "" })]);
      assert.equal(ran.code, 1, Dockerfile);
      assert.match(ran.stderr, sentence);
    }
  });

  test("has the arguments, labels, target, file and id file that it is given", async () => {
    const idFile = join(engine.directory, "iid");
    const directory = makeContext(engine, {
      "deep/My.dockerfile": `ARG TAG=none\nFROM ${base.replace(":1.35", ":$TAG")} AS first\nARG A B=two\nRUN echo $A $B > /x\nFROM first\nRUN exit 9\n`,
    });
    const args = ["--build-arg", "TAG=1.35", "--build-arg", "A=one", "--label", "l=1", "--target", "first"];
    const ran = await dockerBuild(engine, [
      "-q",
      "-f",
      join(directory, "deep/My.dockerfile"),
      "--iidfile",
      idFile,
      ...args,
      directory,
    ]);
    assert.equal(ran.code, 0, ran.stderr);
    const id = ran.stdout.trim();
    assert.equal(readFileSync(idFile, "utf8").trim(), id);
    assert.equal(await printed(engine, id, "cat", "/x"), "one two\n");
    assert.equal((await inspect(id)).Config.Labels.l, "1");
  });

  test("takes a context or a Dockerfile from standard input", async () => {
    const alone = await dockerBuild(engine, ["-t", "alone", "-"], Buffer.from(`FROM ${base}\nRUN echo alone > /x\n`));
    assert.equal(alone.code, 0, alone.stderr);
    assert.equal(await printed(engine, "alone", "cat", "/x"), "alone\n");
    const directory = makeContext(engine, { Dockerfile: `FROM ${base}\nCOPY a /a\n`, a: "from a tar\n" });
    const tar = execFileSync("tar", ["-cz", "-C", directory, "."]);
    const packed = await dockerBuild(engine, ["-t", "packed", "-"], tar);
    assert.equal(packed.code, 0, packed.stderr);
    assert.equal(await printed(engine, "packed", "cat", "/a"), "from a tar\n");
  });

  test("unpacks archives with ADD and no others, and files beneath links where the links lead", async () => {
    const inner = makeContext(engine, { "d/f": "inner\n" });
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}\nRUN ln -s /real /link && mkdir /real\nADD a.tar.gz b.txt /link/\nCOPY a.tar.gz /copied/\n`,
      "b.txt": "b\n",
    });
    execFileSync("tar", ["-czf", join(directory, "a.tar.gz"), "--owner=5", "--group=6", "-C", inner, "d"]);
    const ran = await dockerBuild(engine, ["-t", "added", directory]);
    assert.equal(ran.code, 0, ran.stderr);
    const listed = await printed(
      engine,
      "added",
      "sh",
      "-c",
      "cd /; find real copied -type f; stat -c %u:%g real/d/f; cat link/d/f",
    );
    assert.equal(listed, "real/b.txt\nreal/d/f\ncopied/a.tar.gz\n5:6\ninner\n");
  });

  test("unpacks what is compressed with xz and bzip2, also the context itself, and says what is broken", async () => {
    const inner = makeContext(engine, { "d/f": "inner\n" });
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${base}\nADD a.tar.xz /x/\nADD a.tar.bz2 /b/\nADD text.xz /\n`,
    });
    execFileSync("tar", ["-cJf", join(directory, "a.tar.xz"), "-C", inner, "d"]);
    execFileSync("tar", ["-cjf", join(directory, "a.tar.bz2"), "-C", inner, "d"]);
    writeFileSync(join(directory, "text.xz"), execFileSync("xz", ["-c"], { input: "text\n" }));
    const context = execFileSync("tar", ["-cJ", "-C", directory, "."]);
    const ran = await dockerBuild(engine, ["-t", "unpacked", "-"], context);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(
      await printed(engine, "unpacked", "sh", "-c", "cat /x/d/f /b/d/f; xz -dc text.xz"),
      "inner\ninner\ntext\n",
    );
    const broken = await dockerBuild(engine, ["-"], context.subarray(0, context.length / 2));
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /the archive cannot be read as xz: .*[Uu]nexpected end/);
  });

  test("runs what a base wants to have done, once", async () => {
    await built({ Dockerfile: `FROM ${base}\nONBUILD COPY x /x\nONBUILD RUN cat /x > /y\n` }, "trigger");
    await built({ Dockerfile: "FROM trigger\n", x: "fired\n" }, "fired");
    assert.equal(await printed(engine, "fired", "cat", "/y"), "fired\n");
    assert.equal((await inspect("fired")).Config.OnBuild, null);
  });

  test("builds what only such a wish needs, and refuses one that needs its own stage", async () => {
    const triggers = "ONBUILD COPY --from=tools /tool /\nONBUILD RUN --mount=from=tools,target=/t cp /t/tool /too\n";
    await built({ Dockerfile: `FROM ${base}\n${triggers}` }, "wishes");
    const tools = `FROM ${base} AS tools\nRUN echo of-the-stage > /tool\n`;
    await built({ Dockerfile: `${tools}FROM wishes\n` }, "granted");
    assert.equal(await printed(engine, "granted", "cat", "/tool", "/too"), "of-the-stage\nof-the-stage\n");
    const circular = await dockerBuild(engine, [makeContext(engine, { Dockerfile: "FROM wishes AS tools\n" })]);
    assert.match(circular.stderr, /circular dependency detected on stage: tools/);
  });

  test("has mounts whose values are variables, all but whence", async () => {
    const args = "ARG KIND=cache WHERE=/c UID=7 GID=8 MODE=0710 SHARING=private\n";
    const options = "type=$KIND,target=$WHERE,uid=$UID,gid=$GID,mode=$MODE,sharing=$SHARING,ro=$NOT";
    const said = `RUN --mount=${options} stat -c '%u:%g %a' /c > /said\n`;
    await built({ Dockerfile: `FROM ${base}\n${args}ARG NOT=false\n${said}` }, "mounted");
    assert.equal(await printed(engine, "mounted", "cat", "/said"), "7:8 710\n");
    const wrong = makeContext(engine, { Dockerfile: `FROM ${base}\n${args}ARG NOT=false\n${said}` });
    const refused = await dockerBuild(engine, ["--build-arg", "UID=me", wrong]);
    assert.match(refused.stderr, /line 4: --mount=.*: invalid value me for uid/);
  });

  test("knows the arguments that are BuildKit's own", async () => {
    const said = (name: string) => [...["--build-arg", `BUILDKIT_SANDBOX_HOSTNAME=${name}`], "-t", name];
    const directory = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN hostname > /name\n` });
    for (const name of ["one", "two"]) {
      const ran = await dockerBuild(engine, [...said(name), directory]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal(await printed(engine, name, "cat", "/name"), `${name}\n`);
    }
    const other = await dockerBuild(engine, ["--build-arg", "BUILDKIT_SYNTAX=example.com/frontend", directory]);
    assert.match(other.stderr, /runs no frontend images: .*example\.com\/frontend/);
  });

  test("is the same image from the same input, wherever and whenever it is built", async () => {
    const Dockerfile = `FROM ${base}\nRUN mkdir -p /a/b && echo x > /a/b/c && chown 5:6 /a\nWORKDIR /w\nCOPY x .\n`;
    const ids: string[] = [];
    for (const round of [1, 2]) {
      const directory = makeContext(engine, { Dockerfile, x: "x" });
      utimesSync(join(directory, "x"), 2_000_000_000 + round, 2_000_000_000 + round);
      const ran = await dockerBuild(engine, [
        "-q",
        "--no-cache",
        "--build-arg",
        "SOURCE_DATE_EPOCH=1700000000",
        directory,
      ]);
      assert.equal(ran.code, 0, ran.stderr);
      ids.push(ran.stdout.trim());
    }
    assert.equal(ids[0], ids[1]);
    assert.equal((await inspect(ids[0]!)).Created, "2023-11-14T22:13:20Z");
  });

  test("has a cache that can be looked at and pruned", async () => {
    const since = (Date.now() / 1000 - 0.001).toFixed(3);
    const before = JSON.parse((await engine.request("POST", "/build/prune?all=1")).body);
    const until = (Date.now() / 1000 + 0.1).toFixed(3);
    const words = ["events", "--since", since, "--until", until, "--filter", "type=builder"];
    const { stdout: told } = await engine.docker([...words, "--format", "{{.Action}} {{.Actor.Attributes.reclaimed}}"]);
    assert.equal(told, `prune ${before.SpaceReclaimed}\n`);
    assert.ok(before.CachesDeleted.length > 5);
    const again = JSON.parse((await engine.request("POST", "/build/prune?all=1")).body);
    assert.deepEqual(again, { CachesDeleted: null, SpaceReclaimed: 0 });
  });

  test("leaves nothing behind when its client goes", async () => {
    const directory = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN echo begun; sleep 600\n` });
    const env = { ...engine.env, DOCKER_BUILDKIT: "0" };
    const client = spawn("docker", ["build", directory], { env, stdio: ["ignore", "pipe", "ignore"] });
    for await (const said of client.stdout) if (String(said).includes("begun\n")) break;
    client.kill("SIGKILL");
    await engine.assertNothingLeft();
  });
});
