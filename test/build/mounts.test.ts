/** What a step of a build may use beside its own files, when who builds says so: agents, caches with a beginning, rights. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "../docker/containers.ts";
import { cannotRun, Engine } from "../engine.ts";
import { addBuildx, base, buildxMissing, dockerBuild, makeContext, printed } from "./contexts.ts";

/** Asks the agent which keys it has, as ssh-add does, and prints the answer's texts. */
const ask = [
  "use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un($ENV{SSH_AUTH_SOCK})) or die $!;",
  'syswrite S, pack("NC", 1, 11); sysread S, $_, 4; $size = unpack "N"; $got = "";',
  "while (length $got < $size) { sysread S, $got, 65536, length $got or die }",
  "print join qq(\\n), $got =~ /[\\w@ -]{6,}/g;",
].join(" ");

describe("a step that is given more", { skip: cannotRun("debian.docker-archive.tar.gz") }, () => {
  let engine: Engine;
  let agent: ReturnType<typeof spawn>;
  let socket: string;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    await engine.load("debian.docker-archive.tar.gz");
    socket = join(engine.directory, "ssh-agent");
    agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    const key = join(engine.directory, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "canary-key@pier", "-f", key]);
    const add = (): boolean => {
      try {
        execFileSync("ssh-add", ["-q", key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });
        return true;
      } catch {
        return false;
      }
    };
    await until("the agent has the key", add);
  });
  after(async () => {
    agent?.kill("SIGKILL");
    await engine.stop();
  });

  const debian = async (): Promise<string> =>
    (await engine.docker(["images", "--format", "{{.Repository}}:{{.Tag}}"])).stdout
      .split("\n")
      .find((name) => name.includes("debian"))!;

  test("has the client's ssh agent at a socket, and no other step has", async () => {
    const directory = makeContext(engine, {
      Dockerfile: `FROM ${await debian()}
RUN --mount=type=ssh perl -e '${ask}' > /keys && stat -c '%a %u' "$SSH_AUTH_SOCK" > /mode
RUN --mount=type=ssh,id=other test -z "$(ls /run/buildkit 2>/dev/null)"
RUN test ! -e /run/buildkit && test -z "$SSH_AUTH_SOCK"
`,
    });
    const ran = await engine.pier(["build", "-t", "keyed", "--ssh", `default=${socket}`, directory]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(await printed(engine, "keyed", "cat", "/keys"), /canary-key@pier/);
    assert.equal(await printed(engine, "keyed", "cat", "/mode"), "600 0\n");
    const needed = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN --mount=type=ssh,required=true true\n` });
    const missing = await engine.pier(["build", needed]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no ssh agent default is given to the build/);
    assert.match(
      (await engine.pier(["build", "--ssh", `default=${join(engine.directory, "key")}`, needed])).stderr,
      /is no socket/,
    );
  });

  test("has it by BuildKit's protocol, too", { skip: buildxMissing }, async () => {
    addBuildx(engine);
    const Dockerfile = `FROM ${await debian()}\nRUN --mount=type=ssh,id=mine perl -e '${ask}' > /keys\n`;
    const ran = await engine.docker(
      ["build", "-t", "keyed", "--ssh", `mine=${socket}`, makeContext(engine, { Dockerfile })],
      { env: { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" } },
    );
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(await printed(engine, "keyed", "cat", "/keys"), /canary-key@pier/);
  });

  test("finds in a new cache what a stage has, and what was written there the next time", async () => {
    const Dockerfile = `FROM ${base} AS seed
RUN mkdir -p /s/d && echo seed > /s/d/f && chown 5:6 /s/d/f
FROM ${base}
ARG TURN
RUN --mount=type=cache,id=seeded,target=/c,from=seed,source=/s echo $TURN >> /c/d/f; cat /c/d/f > /seen; stat -c %u:%g /c/d/f >> /seen
`;
    const directory = makeContext(engine, { Dockerfile });
    for (const [turn, seen] of [
      ["1", "seed\n1\n5:6\n"],
      ["2", "seed\n1\n2\n5:6\n"],
    ] as const) {
      const ran = await engine.pier(["build", "-t", "seeded", "--build-arg", `TURN=${turn}`, directory]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal(await printed(engine, "seeded", "cat", "/seen"), seen);
    }
    const none = `FROM ${base}\nRUN --mount=type=cache,target=/c,source=/s true\n`;
    assert.match((await engine.pier(["build", makeContext(engine, { Dockerfile: none })])).stderr, /"\/s": not found/);
  });

  test("has more rights, or the host's network, only where whoever builds allows it", async () => {
    const rights = "grep -E '^(CapEff|Seccomp):' /proc/self/status";
    const insecure = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN --security=insecure ${rights} > /rights\n` });
    const refused = await engine.pier(["build", insecure]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /security\.insecure is not allowed/);
    const ran = await engine.pier(["build", "-t", "rights", "--allow", "security.insecure", insecure]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(await printed(engine, "rights", "cat", "/rights"), /^CapEff:\t0*1[0-9a-f]{10}\nSeccomp:\t0\n$/);
    // Whoever is not allowed does not get it out of the cache either.
    assert.equal((await engine.pier(["build", insecure])).code, 1);
    const network = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN --network=host true\n` });
    assert.match((await engine.pier(["build", network])).stderr, /network\.host is not allowed/);
    for (const args of [
      ["--allow", "network.host"],
      ["--network", "host"],
    ]) {
      assert.equal((await engine.pier(["build", ...args, network])).code, 0);
    }
    assert.match((await dockerBuild(engine, [insecure])).stderr, /security\.insecure is not allowed/);
  });

  test("may have more by BuildKit's protocol where it is allowed", { skip: buildxMissing }, async () => {
    addBuildx(engine);
    const insecure = makeContext(engine, { Dockerfile: `FROM ${base}\nRUN --security=insecure true\n` });
    const build = (...args: readonly string[]) =>
      engine.docker(["buildx", "build", ...args, insecure], { env: { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" } });
    assert.equal((await build("--allow", "security.insecure", "--no-cache")).code, 0);
    assert.match((await build("--no-cache")).stderr, /security\.insecure is not allowed/);
  });
});
