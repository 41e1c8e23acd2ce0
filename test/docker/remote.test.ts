/** Clients at other doors than the socket: ports with mutual TLS, loopback without, and the sockets of systemd. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import type { Ran } from "../execute.ts";
import { type Authority, hasOpenssl, makeAuthority } from "../registry/certificates.ts";
import { busybox } from "./containers.ts";
import { freePort } from "./registries.ts";

/** More than any buffer on the way: an end that comes too early would cut it. */
const input = Buffer.alloc(1_600_000, "0123456789abcde\n");

type Client = (...words: readonly string[]) => (input?: Buffer) => Promise<Ran>;

/** What goes wrong first where a connection is not what it seems: input to its end, exit codes, raw streams of others. */
const works = async (client: Client): Promise<void> => {
  const counted = await client("run", "-i", "--rm", "--network", "none", busybox, "wc", "-c")(input);
  assert.deepEqual([counted.stdout.trim(), counted.stderr, counted.code], [`${input.length}`, "", 0]);
  const echoed = await client("run", "-i", "--rm", "--network", "none", busybox, "cat")(input);
  assert.ok(echoed.stdout === input.toString(), "what went in comes out");
  assert.equal((await client("run", "--rm", "--network", "none", busybox, "sh", "-c", "exit 7")()).code, 7);
  const { stdout: id } = await client("run", "-d", "--network", "none", busybox, "sh", "-c", "echo said; sleep 1000")();
  assert.equal((await client("exec", "-i", id.trim(), "cat")(Buffer.from("executed"))).stdout, "executed");
  assert.equal((await client("rm", "-f", id.trim())()).code, 0);
};

describe("ports", { skip: cannotRun() || (hasOpenssl ? false : "needs openssl") }, () => {
  let engine: Engine;
  let authority: Authority;
  let stranger: Authority;
  let [secure, plain] = [0, 0];
  before(async () => {
    [authority, stranger] = [makeAuthority(), makeAuthority()];
    [secure, plain] = [await freePort(), await freePort()];
    const file = (name: string) => join(authority.directory, name);
    engine = await Engine.launch({
      hosts: [`tcp://0.0.0.0:${secure}`],
      args: [
        "--tlsverify",
        "--tlscacert",
        file("ca.crt"),
        "--tlscert",
        file("server.crt"),
        "--tlskey",
        file("server.key"),
      ],
    });
    await engine.load();
  });
  after(async () => {
    await engine.stop();
    for (const { directory } of [authority, stranger]) rmSync(directory, { recursive: true });
  });

  /** As docker has them. */
  const certificatesOf = ({ directory }: Authority, ca = authority): string => {
    const place = join(directory, "docker");
    mkdirSync(place, { recursive: true });
    copyFileSync(join(ca.directory, "ca.crt"), join(place, "ca.pem"));
    for (const [from, to] of [
      ["client.crt", "cert.pem"],
      ["client.key", "key.pem"],
    ] as const) {
      copyFileSync(join(directory, from), join(place, to));
    }
    return place;
  };
  const at = (host: string, more: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
    const { PIER_HOST: _socket, PIER_RUN: _run, ...rest } = { ...engine.env };
    return { ...rest, DOCKER_HOST: host, ...more };
  };
  const clients = (env: NodeJS.ProcessEnv): readonly Client[] =>
    (["docker", "pier"] as const).map(
      (name) =>
        (...words) =>
        (given) =>
          engine[name](words, { env, ...(given === undefined ? {} : { input: given }) }),
    );

  test("with mutual TLS everything is as on the socket, for docker and for pier", async () => {
    const env = at(`tcp://localhost:${secure}`, {
      DOCKER_TLS_VERIFY: "1",
      DOCKER_CERT_PATH: certificatesOf(authority),
    });
    for (const client of clients(env)) await works(client);
  });

  test("nobody comes in without a certificate, with a stranger's, or without TLS; nor is a stranger believed", async () => {
    const host = `tcp://127.0.0.1:${secure}`;
    const cases: readonly (readonly [NodeJS.ProcessEnv, RegExp])[] = [
      [{ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certificatesOf(stranger) }, /certificate|closed|reset|EOF/i],
      [{ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certificatesOf(authority, stranger) }, /certificate/i],
      [{}, /HTTP|closed|reset|EOF/i],
    ];
    for (const [env, sentence] of cases) {
      for (const client of clients(at(host, env))) {
        const ran = await client("ps")();
        assert.notEqual(ran.code, 0);
        assert.match(ran.stderr, sentence);
      }
    }
    const bare = await engine.pier(["--tls", "ps"], { env: at(host, { DOCKER_CERT_PATH: "/nowhere" }) });
    assert.notEqual(bare.code, 0);
    const tls = [
      "--tlscacert",
      join(authority.directory, "ca.crt"),
      "--tlskey",
      join(authority.directory, "client.key"),
    ];
    const own = ["--tlsverify", ...tls, "--tlscert", join(authority.directory, "client.crt")];
    for (const name of ["docker", "pier"] as const) {
      assert.equal((await engine[name](["-H", host, ...own, "ps"], { env: at("", {}) })).code, 0);
    }
  });

  test("on loopback it may be without, and then only names of this machine are answered", async () => {
    const loopback = await Engine.launch({ hosts: [`tcp://127.0.0.1:${plain}`] });
    try {
      await loopback.load();
      for (const client of clients(at(`tcp://127.0.0.1:${plain}`, {}))) await works(client);
      const statusOf = (headers: Record<string, string>): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const asked = request({ port: plain, path: "/containers/json", headers, agent: false }, (answer) => {
            answer.resume().on("end", () => resolve(answer.statusCode));
          });
          asked.on("error", reject).end();
        });
      assert.equal(await statusOf({ Host: `127.0.0.1:${plain}` }), 200);
      assert.equal(await statusOf({ Host: `localhost:${plain}` }), 200);
      assert.equal(await statusOf({ Host: `evil.example:${plain}` }), 403);
      assert.equal(await statusOf({ Host: `127.0.0.1:${plain}`, Origin: "http://evil.example" }), 403);
      for (const [host, sentence] of [
        [`tcp://127.0.0.1:${plain}`, /clients cannot connect at tcp:/],
        ["fd://", /no sockets were found for fd:/],
      ] as const) {
        const words = ["daemon", "--root", `${engine.root}2`, "--run", `${engine.run}2`, "-H", host];
        const refused = await engine.pier(words);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, sentence);
      }
    } finally {
      await loopback.stop();
    }
  });
});

/** As systemd hands over its sockets (sd_listen_fds(3)); the pipe for our word of readiness makes room. */
const activate = `
import os, socket, sys
run = sys.argv[sys.argv.index("--run") + 1]
os.makedirs(run, 0o711, exist_ok=True)
path = os.path.join(run, "pier.sock")
if os.path.exists(path): os.unlink(path)
ready = os.dup(3)
door = socket.socket(socket.AF_UNIX)
door.bind(path)
door.listen(100)
os.dup2(door.fileno(), 3)
os.set_inheritable(ready, True)
os.environ.update(PIER_READY_FD=str(ready), LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[1], sys.argv[1:])
`;

describe("the sockets of systemd", { skip: cannotRun() }, () => {
  test("are served, and nothing of them reaches a container", async () => {
    const engine = await Engine.launch({ via: ["python3", "-c", activate] });
    try {
      await engine.load();
      for (const name of ["docker", "pier"] as const) {
        await works(
          (...words) =>
            (given) =>
              engine[name](words, given === undefined ? {} : { input: given }),
        );
      }
      const { stdout } = await engine.docker(["run", "--rm", busybox, "sh", "-c", "ls -l /proc/1/fd; env"]);
      assert.doesNotMatch(stdout, /LISTEN_|socket:/);
      await engine.kill9();
      await engine.restart();
      assert.equal((await engine.docker(["ps"])).code, 0);
    } finally {
      await engine.stop();
    }
  });
});
