/** Contexts that are no directory of the client's, and further ones: git, web servers, images, layouts. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createSocket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "../docker/containers.ts";
import { cannotRun, Engine } from "../engine.ts";
import { addBuildx, base, buildxMissing, dockerBuild, makeContext, printed } from "./contexts.ts";

/** git as somebody with a name and nothing else. */
const git = (directory: string, ...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always", ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    encoding: "utf8",
  }).trim();

const commit = (directory: string, files: Readonly<Record<string, string>>, message: string): string => {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  git(directory, "add", "-A");
  git(directory, "commit", "-q", "-m", message);
  return git(directory, "rev-parse", "HEAD");
};

const freePort = async (): Promise<number> => {
  const server = createSocket().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return port;
};

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

describe("a build's contexts from elsewhere", { skip: cannotRun() }, () => {
  let engine: Engine;
  let repositories: string;
  let first: string;
  let daemon: ReturnType<typeof spawn>;
  let gitAddress: string;
  let web: ReturnType<typeof createServer>;
  let webAddress: string;
  /** What the web server was asked for, with who asked. */
  const asked: string[] = [];
  const served = new Map<string, Uint8Array>();

  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    repositories = join(engine.directory, "repositories");
    const [app, library] = [join(repositories, "app"), join(repositories, "library")];
    for (const directory of [app, library]) {
      mkdirSync(directory, { recursive: true });
      git(directory, "init", "-q", "-b", "main");
    }
    commit(library, { "lib.txt": "library\n" }, "library");
    first = commit(
      app,
      { Dockerfile: `FROM ${base}\nCOPY . /c\n`, "a.txt": "first\n", "sub/Dockerfile": `FROM ${base}\nCOPY b.txt /\n` },
      "first",
    );
    git(app, "tag", "-a", "-m", "one", "v1");
    git(app, "submodule", "--quiet", "add", "../library", "modules/library");
    commit(app, { "a.txt": "second\n", "sub/b.txt": "b\n" }, "second");
    const port = await freePort();
    gitAddress = `git://127.0.0.1:${port}`;
    const words = ["daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", `--port=${port}`];
    daemon = spawn("git", [...words, `--base-path=${repositories}`, repositories], { stdio: "ignore", detached: true });
    await until("the git daemon answers", () => answers(port));
    web = createServer((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization ?? ""}`);
      const found = served.get(request.url ?? "");
      response.writeHead(found === undefined ? 404 : 200).end(found);
    });
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    webAddress = `http://127.0.0.1:${(web.address() as { readonly port: number }).port}`;
  });
  after(async () => {
    if (daemon?.pid !== undefined) process.kill(-daemon.pid, "SIGKILL");
    web?.close();
    await engine.stop();
  });

  const build = async (...args: readonly string[]): Promise<string> => {
    const ran = await engine.pier(["build", ...args]);
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stderr;
  };

  test("are git repositories: a branch, a tag, a commit, a directory in it, and submodules", async () => {
    const said = await build("-t", "whole", `${gitAddress}/app`);
    assert.match(said, /\[internal\] load remote build context/);
    const listed = await printed(
      engine,
      "whole",
      "sh",
      "-c",
      "cd /c; cat a.txt modules/library/lib.txt; ls -A; stat -c %a a.txt",
    );
    assert.equal(listed, "second\nlibrary\n.gitmodules\nDockerfile\na.txt\nmodules\nsub\n644\n");
    await build("-t", "tagged", `${gitAddress}/app#v1`);
    assert.equal(await printed(engine, "tagged", "cat", "/c/a.txt"), "first\n");
    await build("-t", "short", `${gitAddress}/app#${first.slice(0, 10)}`);
    assert.equal(await printed(engine, "short", "cat", "/c/a.txt"), "first\n");
    await build("-t", "inner", `${gitAddress}/app#main:sub`);
    assert.equal(await printed(engine, "inner", "cat", "/b.txt"), "b\n");
    // The daemon fetches it as well where Docker's own command asks for it in the API.
    const { status, body } = await engine.request(
      "POST",
      `/build?${new URLSearchParams({ remote: `${gitAddress}/app#v1`, t: "api" })}`,
    );
    assert.equal(status, 200, body);
    assert.match(body, /Successfully tagged api:latest/);
    assert.equal(await printed(engine, "api", "cat", "/c/a.txt"), "first\n");
  });

  test("say why there are none", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [`${gitAddress}/nothing`, /failed to fetch git:.*nothing/],
      [`${gitAddress}/app#nothing`, /failed to fetch git:.*nothing/],
      [`${gitAddress}/app#--upload-pack=x`, /is no ref/],
      ["ssh://git@localhost/app", /by https, http and git alone/],
      [`${webAddress}/nothing.tar`, /failed to download .*404/],
    ];
    for (const [address, sentence] of cases) {
      const ran = await engine.pier(["build", address]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, sentence);
    }
  });

  test("give the token to the host that it is for, and keep it nowhere", async () => {
    const token = join(engine.directory, "token");
    writeFileSync(token, "canary-81f2");
    const ran = await engine.pier(["build", "--secret", `id=GIT_AUTH_TOKEN,src=${token}`, `${webAddress}/private.git`]);
    assert.equal(ran.code, 1);
    const basic = Buffer.from("x-access-token:canary-81f2").toString("base64");
    assert.ok(asked.includes(`/private.git/info/refs?service=git-upload-pack basic ${basic}`), asked.join("\n"));
    assert.ok(!ran.stderr.includes("canary"));
    assert.ok(!readFileSync(engine.log, "utf8").includes("canary-81f2"));
  });

  test("are archives and Dockerfiles on web servers", async () => {
    const directory = makeContext(engine, { Dockerfile: `FROM ${base}\nCOPY a /a\n`, a: "from the web\n" });
    served.set("/context.tar.gz", execFileSync("tar", ["-cz", "-C", directory, "."]));
    served.set("/Dockerfile", Buffer.from(`FROM ${base}\nRUN echo alone > /a\n`));
    await build("-t", "web", `${webAddress}/context.tar.gz`);
    assert.equal(await printed(engine, "web", "cat", "/a"), "from the web\n");
    await build("-t", "alone", `${webAddress}/Dockerfile`);
    assert.equal(await printed(engine, "alone", "cat", "/a"), "alone\n");
  });

  test("are what ADD adds: repositories with and without their history, files with a checksum", async () => {
    served.set("/file", Buffer.from("a file\n"));
    const sum = `sha256:${createHash("sha256").update("a file\n").digest("hex")}`;
    const add = (text: string) => makeContext(engine, { Dockerfile: `FROM ${base}\n${text}\n` });
    await build(
      "-t",
      "plain",
      add(`ADD ${gitAddress}/app#v1 /app/\nARG SUM=${sum}\nADD --checksum=$SUM ${webAddress}/file /`),
    );
    assert.equal(
      await printed(engine, "plain", "sh", "-c", "cd /app; cat a.txt /file; ls -A"),
      "first\na file\nDockerfile\na.txt\nsub\n",
    );
    const kept = add(`ADD --keep-git-dir=true ${gitAddress}/app /app`);
    await build("-t", "kept", kept);
    const saved = join(engine.directory, "out");
    await build("-o", saved, kept);
    assert.equal(git(join(saved, "app"), "log", "--format=%s"), "second");
    assert.equal(git(join(saved, "app"), "remote", "get-url", "origin"), `${gitAddress}/app`);
    assert.equal(git(join(saved, "app"), "status", "--porcelain", "--ignore-submodules"), "");
    assert.match(await build("-t", "kept", kept), /CACHED/);
    const pinned = await engine.pier(["build", add(`ADD --checksum=${"0".repeat(40)} ${gitAddress}/app#v1 /app/`)]);
    assert.match(pinned.stderr, new RegExp(`has checksum ${first}, not 0{40}`));
  });

  const named = {
    Dockerfile: `FROM one AS stage\nRUN echo built > /from\nFROM ${base}\nCOPY --from=stage /from /from\nCOPY --from=more . /more\nRUN --mount=from=more,target=/m cat /m/a.txt >> /from\n`,
    "more/a.txt": "more\n",
    "more/left.md": "",
    "more/.dockerignore": "*.md\n",
  };

  test("stand for the names that a Dockerfile has: images, stages, directories, repositories, layouts", async () => {
    const directory = makeContext(engine, named);
    const more = `more=${join(directory, "more")}`;
    const one = `one=docker-image://${base}`;
    await build("-t", "named", "--build-context", one, "--build-context", more, directory);
    const script = "cat /from; cd /more; ls -A";
    assert.equal(await printed(engine, "named", "sh", "-c", script), "built\nmore\n.dockerignore\na.txt\n");

    // Instead of a whole stage, and as a base of its own.
    writeFileSync(join(directory, "more/from"), "context\n");
    await build(
      "-t",
      "named",
      "--build-context",
      `stage=${join(directory, "more")}`,
      "--build-context",
      more,
      directory,
    );
    assert.equal(await printed(engine, "named", "cat", "/from"), "context\nmore\n");
    await build("-t", "named", "--build-context", one, "--build-context", `more=${gitAddress}/app`, directory);
    assert.equal(await printed(engine, "named", "cat", "/from"), "built\nsecond\n");

    const layout = join(engine.directory, "layout");
    const tar = `${layout}.tar`;
    const marked = makeContext(engine, { Dockerfile: `FROM ${base}\nENV MARK=layout\nRUN echo x > /mark\n` });
    await build("-o", `type=oci,dest=${tar}`, marked);
    mkdirSync(layout);
    execFileSync("tar", ["-xf", tar, "-C", layout]);
    const user = makeContext(engine, { Dockerfile: "FROM one\nRUN echo $MARK > /seen; cat /mark >> /seen\n" });
    await build("-t", "laid", "--build-context", `one=oci-layout://${layout}`, user);
    assert.equal(await printed(engine, "laid", "cat", "/seen"), "layout\nx\n");

    const wrong = await engine.pier(["build", "--build-context", "one", directory]);
    assert.match(wrong.stderr, /invalid build context one/);
    const missing = await engine.pier(["build", "--build-context", "one=/no/such/place", directory]);
    assert.match(missing.stderr, /path "\/no\/such\/place" is no directory/);
  });

  test("are the same by BuildKit's protocol, and git's by Docker's classic build", {
    skip: buildxMissing,
  }, async () => {
    addBuildx(engine);
    const directory = makeContext(engine, named);
    const env = { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" };
    const buildx = async (...args: readonly string[]) => {
      const ran = await engine.docker(["build", "--progress", "plain", ...args], { env });
      assert.equal(ran.code, 0, ran.stderr);
    };
    const one = `one=docker-image://${base}`;
    await buildx("-t", "bx", "--build-context", one, "--build-context", `more=${join(directory, "more")}`, directory);
    assert.equal(await printed(engine, "bx", "cat", "/from"), "built\nmore\n");
    await buildx(
      "-t",
      "bx",
      "--build-context",
      `one=oci-layout://${join(engine.directory, "layout")}`,
      makeContext(engine, { Dockerfile: "FROM one\n" }),
    );
    assert.equal(await printed(engine, "bx", "cat", "/mark"), "x\n");
    await buildx("-t", "bx", `${gitAddress}/app#v1`);
    assert.equal(await printed(engine, "bx", "cat", "/c/a.txt"), "first\n");
    await buildx("-t", "bx", `${webAddress}/context.tar.gz`);
    assert.equal(await printed(engine, "bx", "cat", "/a"), "from the web\n");
    // Docker's own command clones it.
    const classic = await dockerBuild(engine, ["-t", "classic", `${gitAddress}/app#v1`]);
    assert.equal(classic.code, 0, classic.stderr);
    assert.equal(await printed(engine, "classic", "cat", "/c/a.txt"), "first\n");
  });
});
