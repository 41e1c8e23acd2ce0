/** A registry that lets only some in, over TLS: through both commands, their config.json and a credential helper. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeContext } from "../build/contexts.ts";
import { cannotRun, Engine } from "../engine.ts";
import { type Authority, hasOpenssl, makeAuthority } from "../registry/certificates.ts";
import { busybox, said } from "./containers.ts";
import { DebianRegistry, hasRegistry } from "./registries.ts";

const skip = cannotRun() || hasRegistry || (hasOpenssl ? false : "needs openssl");
const buildx = fileURLToPath(new URL("../../build/tools/buildx/docker-buildx", import.meta.url));
/** On Node the daemon does not speak BuildKit's protocol. */
const isNode = process.env.PIER_RUNTIME === "node";
const noBuildx = isNode ? "not on Node" : existsSync(buildx) ? false : `${buildx} is missing`;
const password = "secret word";
/** bcrypt of it (crypt(3), cost 5). */
const htpasswd = "me:$2y$05$abcdefghijklmnopqrstuu1C7yeI3ZG3Jm.nHdnKkGJg1xTYKP9Oy\n";

/** Keeps what it is given in a file beside it, as helpers keep it elsewhere. */
const helper = `#!/bin/sh
store="$(dirname "$0")/kept"
case $1 in
  store) cat >"$store" ;;
  get) if [ -s "$store" ]; then cat "$store"; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) cat >/dev/null; : >"$store" ;;
esac
`;

describe("a registry with a door", { skip }, () => {
  let engine: Engine;
  let registry: DebianRegistry;
  let authority: Authority;
  let place: string;
  let image: string;
  before(async () => {
    authority = makeAuthority();
    place = mkdtempSync(join(tmpdir(), "pier-login-"));
    for (const [name, content] of Object.entries({
      "server.crt": authority.server.cert,
      "server.key": authority.server.key,
      htpasswd,
    }))
      writeFileSync(join(place, name), content);
    mkdirSync(join(place, "bin"));
    writeFileSync(join(place, "bin/docker-credential-test"), helper);
    chmodSync(join(place, "bin/docker-credential-test"), 0o755);
    [registry, engine] = await Promise.all([
      DebianRegistry.start({
        http: `tls: {certificate: ${place}/server.crt, key: ${place}/server.key}`,
        auth: `{htpasswd: {realm: tests, path: ${place}/htpasswd}}`,
      }),
      Engine.launch(),
    ]);
    image = `${registry.host}/team/app:1`;
    await engine.load();
    await said(engine, "tag", busybox, image);
  });
  after(async () => {
    await engine?.stop();
    await registry?.stop();
    for (const directory of [place, authority?.directory])
      if (directory !== undefined) rmSync(directory, { recursive: true });
  });
  const config = (): { auths?: Record<string, object> } =>
    JSON.parse(readFileSync(join(engine.env.DOCKER_CONFIG!, "config.json"), "utf8"));

  test("is closed to strangers and to who has the wrong password", async () => {
    const pushed = await engine.pier(["push", image]);
    assert.equal(pushed.code, 1);
    assert.match(pushed.stderr, /denied: .*needs 'docker login'/);
    const wrong = await engine.pier(["login", "-u", "me", "--password-stdin", registry.host], { input: "other" });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /login attempt to .* failed/);
  });

  for (const [first, second] of [
    ["pier", "docker"],
    ["docker", "pier"],
  ] as const) {
    test(`is open to who logged in with ${first}, also for ${second}`, async () => {
      const login = await engine[first](["login", "-u", "me", "--password-stdin", registry.host], {
        input: `${password}\n`,
      });
      assert.equal(login.code, 0, login.stderr);
      assert.match(login.stdout, /Login Succeeded/);
      assert.deepEqual(Object.keys(config().auths ?? {}), [registry.host]);
      const pushed = await engine[second](["push", image]);
      assert.equal(pushed.code, 0, pushed.stderr);
      const pulled = await engine[first](["pull", image]);
      assert.equal(pulled.code, 0, pulled.stderr);
      const out = await engine[second](["logout", registry.host]);
      assert.match(out.stdout, /Removing login credentials for /);
      assert.deepEqual(Object.keys(config().auths ?? {}), []);
      assert.equal((await engine[second](["push", image])).code, 1);
    });
  }

  for (const [way, command, env] of [
    ["pier build", "pier", {}],
    ["docker build", "docker", { DOCKER_BUILDKIT: "0" }],
    ["docker buildx build", "docker", { BUILDX_NO_DEFAULT_ATTESTATIONS: "1" }],
  ] as const) {
    test(`lets ${way} have its bases, for who is logged in`, {
      skip: way === "docker buildx build" && noBuildx,
    }, async () => {
      const plugins = join(engine.env.DOCKER_CONFIG!, "cli-plugins");
      if (way === "docker buildx build") {
        mkdirSync(plugins, { recursive: true });
        symlinkSync(buildx, join(plugins, "docker-buildx"));
      }
      const directory = makeContext(engine, { Dockerfile: `FROM ${image}\nLABEL way="${way}"\n` });
      const build = () => engine[command](["build", "--pull", directory], { env });
      const closed = await build();
      assert.notEqual(closed.code, 0, closed.stdout);
      const login = ["login", "-u", "me", "--password-stdin", registry.host];
      assert.equal((await engine.docker(login, { input: password })).code, 0);
      const open = await build();
      assert.equal((await engine.docker(["logout", registry.host])).code, 0);
      assert.equal(open.code, 0, open.stderr);
    });
  }

  test("is open to who keeps the password with a helper, and no file has it", async () => {
    const file = join(engine.env.DOCKER_CONFIG!, "config.json");
    writeFileSync(file, JSON.stringify({ credsStore: "test", other: { kept: true } }));
    const env = { PATH: `${join(place, "bin")}${delimiter}${engine.env.PATH}` };
    const login = await engine.pier(["login", "-u", "me", "--password-stdin", registry.host], { input: password, env });
    assert.equal(login.code, 0, login.stderr);
    assert.doesNotMatch(readFileSync(file, "utf8"), /auth"|secret|bWU6/);
    assert.match(readFileSync(file, "utf8"), /"kept"/);
    assert.equal((await engine.pier(["pull", image], { env })).code, 0);
    assert.equal((await engine.pier(["logout", registry.host], { env })).code, 0);
    assert.equal((await engine.pier(["pull", image], { env })).code, 1);
  });

  test("has told its password to no log", () => {
    const log = readFileSync(engine.log, "utf8");
    assert.ok(!log.includes(password) && !log.includes(Buffer.from(`me:${password}`).toString("base64")));
  });
});
