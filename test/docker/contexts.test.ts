/** Contexts: one store, two commands. */
import assert from "node:assert/strict";
import { cpSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import type { Ran } from "../execute.ts";
import { hasOpenssl, makeAuthority } from "../registry/certificates.ts";
import { busybox } from "./containers.ts";
import { freePort } from "./registries.ts";

/** Their names, and where they have their own daemon, are theirs: and so is the width of that column. */
const plain = (text: string): string =>
  text
    .replaceAll("/var/run/docker.sock", "/run/pier/pier.sock")
    .replaceAll("docker", "pier")
    .replace(/^\w+ 'pier (.* )?--help'/m, "Run 'pier $1--help'")
    .replaceAll(/ {2,}/g, "  ");

const both = ["docker", "pier"] as const;
type Name = (typeof both)[number];
const other = { docker: "pier", pier: "docker" } as const;

describe("contexts", { skip: cannotRun() }, () => {
  let engine: Engine;
  let settings: string;
  let endpoint: string;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    settings = join(engine.directory, "settings");
    endpoint = `host=unix://${engine.socket}`;
  });
  after(() => engine.stop());
  beforeEach(() => {
    rmSync(settings, { recursive: true, force: true });
    mkdirSync(settings);
  });

  /** As a person has it: nothing in the environment says where a daemon is. */
  const call = (name: Name, words: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ran> => {
    const { DOCKER_HOST: _host, PIER_HOST: _own, PIER_RUN: _run, DOCKER_CONTEXT: _context, ...env } = engine.env;
    const emptied = { DOCKER_HOST: "", PIER_HOST: "", PIER_RUN: "", DOCKER_CONTEXT: "" };
    return engine[name](words, { env: { ...env, ...emptied, DOCKER_CONFIG: settings, ...more } });
  };
  const succeed = async (name: Name, ...words: readonly string[]): Promise<string> => {
    const ran = await call(name, words);
    assert.equal(ran.code, 0, `${name} ${words.join(" ")}: ${ran.stderr}`);
    return ran.stdout;
  };
  /** What both say, each to a store of its own, the same in the beginning. */
  const compare = async (words: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<void> => {
    const kept = `${settings}-kept`;
    cpSync(settings, kept, { recursive: true });
    const said = [];
    for (const name of both) {
      rmSync(settings, { recursive: true });
      cpSync(kept, settings, { recursive: true });
      const { code, stdout, stderr } = await call(name, words, more);
      said.push({ code, stdout: plain(stdout), stderr: plain(stderr) });
    }
    rmSync(kept, { recursive: true });
    assert.deepEqual(said[1], said[0], words.join(" "));
  };

  test("what one makes, chooses, changes and removes is so for the other", async () => {
    for (const name of both) {
      await succeed(name, "context", "create", "here", "--description", `by ${name}`, "--docker", endpoint);
      const far = other[name];
      assert.match(await succeed(far, "context", "ls"), new RegExp(`here +by ${name} +unix://${engine.socket}`));
      await succeed(far, "context", "use", "here");
      assert.equal(await succeed(name, "context", "show"), "here\n");
      assert.match(await succeed(name, "run", "--rm", "--network", "none", busybox, "echo", "ran"), /^ran$/m);
      await succeed(name, "context", "update", "here", "--description", "changed");
      assert.equal(await succeed(far, "context", "inspect", "-f", "{{.Metadata.Metadata.Description}}"), "changed\n");
      await succeed(far, "context", "rm", "-f", "here");
      assert.equal(await succeed(name, "context", "ls", "-q"), "default\n");
      assert.equal(await succeed(name, "context", "show"), "default\n");
    }
  });

  test("what the store holds is the same to the byte, and what others put there stays", async () => {
    const stored: Record<string, Buffer> = {};
    for (const name of both) {
      await succeed(name, "context", "create", "one", "--description", "<a> & b", "--docker", endpoint);
      const { Storage } = JSON.parse(await succeed(name, "context", "inspect", "one", "-f", "{{json .}}")) as {
        readonly Storage: { readonly MetadataPath: string };
      };
      stored[name] = readFileSync(join(Storage.MetadataPath, "meta.json"));
      await succeed(name, "context", "rm", "one");
    }
    assert.equal(stored.pier?.toString(), stored.docker?.toString());
  });

  test("is found in docker's order", async () => {
    await succeed("docker", "context", "create", "aa", "--docker", endpoint);
    await succeed("docker", "context", "create", "bb", "--docker", endpoint);
    await succeed("docker", "context", "use", "aa");
    const show = ["context", "show"];
    for (const [words, more] of [
      [show, {}],
      [show, { DOCKER_CONTEXT: "bb" }],
      [show, { DOCKER_CONTEXT: "bb", DOCKER_HOST: "unix:///nowhere" }],
      [["--context", "bb", ...show], { DOCKER_HOST: "unix:///nowhere" }],
      [["-c", "bb", ...show], {}],
      [["-H", "unix:///nowhere", ...show], {}],
      [["-H", "unix:///nowhere", "-c", "bb", ...show], {}],
      [["context", "ls"], {}],
      [["context", "ls"], { DOCKER_HOST: "unix:///nowhere" }],
      [["context", "ls"], { DOCKER_CONTEXT: "absent" }],
      [["context", "use", "bb"], { DOCKER_HOST: "unix:///nowhere" }],
    ] as const) {
      await compare(words, more);
    }
    assert.equal(
      (await call("pier", ["context", "show"], { DOCKER_CONTEXT: "bb", PIER_RUN: "/x" })).stdout,
      "default\n",
    );
    const refused = await call("pier", ["-c", "absent", "ps"]);
    assert.match(
      refused.stderr,
      /^context "absent": context not found: open .*meta\.json: no such file or directory\n$/,
    );
    assert.equal(refused.code, 1);
  });

  test("both say the same of them, and refuse the same", async () => {
    await succeed("docker", "context", "create", "aa", "--description", "first", "--docker", endpoint);
    await succeed("docker", "context", "create", "z10", "--docker", endpoint);
    await succeed("docker", "context", "create", "z9", "--docker", "host=tcp://127.0.0.1:2375,skip-tls-verify=true");
    await succeed("docker", "context", "use", "aa");
    for (const line of [
      "ls|ls -q|ls --format json|ls --format {{.Name}}:{{.Current}}:{{.DockerEndpoint}}:{{.Error}}|list",
      "inspect|inspect aa default|inspect absent|inspect aa -f {{.Endpoints.docker.Host}}|inspect z9 -f {{json .}}",
      "inspect z9 -f {{.Name}}:{{.Endpoints.docker.SkipTLSVerify}}:{{.Storage.MetadataPath}}:{{.TLSMaterial}}",
      "create aa|create default|create -x|create --docker nope bb|create --docker what=b bb|create bb --from absent",
      "create bb --from aa|create bb --from aa --docker host=unix:///x|create bb --description other|create b|create",
      "create bb --docker host=unix:///x|create bb --docker from=aa|create bb --docker ca=/nowhere,host=tcp://x:1",
      "update aa|update absent|update default|update aa --docker host=tcp://127.0.0.1:1",
      "use z9|use absent|use default|use ?|rm aa|rm z9|rm z9 absent|rm -f absent|rm default|rm -f aa|export absent -",
    ].flatMap((part) => part.split("|"))) {
      await compare(["context", ...line.split(/ (?![.}])/)]);
    }
  });

  test("are chosen in config.json wherever that lies, and all else in it stays", async () => {
    const [link, file] = [join(settings, "config.json"), join(settings, "elsewhere.json")];
    writeFileSync(file, '{"psFormat":"json"}', { mode: 0o600 });
    symlinkSync("elsewhere.json", link);
    await succeed("docker", "context", "create", "aa", "--docker", endpoint);
    for (const name of both) {
      for (const [chosen, written] of [
        ["aa", { psFormat: "json", currentContext: "aa" }],
        ["default", { psFormat: "json" }],
      ] as const) {
        await succeed(name, "context", "use", chosen);
        assert.ok(lstatSync(link).isSymbolicLink(), `${name} has left the link where it was`);
        const { auths: _, ...rest } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
        assert.deepEqual(rest, written);
      }
    }
  });

  test("goes out and in as docker's archives", async () => {
    await succeed("docker", "context", "create", "aa", "--description", "first", "--docker", endpoint);
    for (const name of both) {
      const file = join(settings, `${name}.tar`);
      await succeed(name, "context", "export", "aa", file);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      await compare(["context", "export", "aa", file]);
      await succeed(other[name], "context", "import", name, file);
      assert.match(await succeed(name, "context", "ls"), new RegExp(`${name} +first +unix://${engine.socket}`));
      const { output } = await call(name, ["context", "export", "aa", "-"]);
      const { DOCKER_CONFIG: _, ...env } = engine.env;
      const taken = await engine[other[name]](["context", "import", `${name}-2`, "-"], {
        env: { ...env, DOCKER_CONFIG: settings },
        input: output,
      });
      assert.equal(taken.code, 0, taken.stderr);
    }
    writeFileSync(join(settings, "none.tar"), Buffer.alloc(1024));
    await compare(["context", "import", "new", join(settings, "none.tar")]);
    await compare(["context", "import", "new", join(settings, "absent.tar")]);
    await compare(["context", "import", "aa", join(settings, "none.tar")]);
  });

  test("by ssh are refused with the way that there is, and seen", async () => {
    await succeed("docker", "context", "create", "far", "--docker", "host=ssh://root@far");
    assert.match(await succeed("pier", "context", "ls"), /far +ssh:\/\/root@far/);
    const refused = await call("pier", ["-c", "far", "ps"]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /^unable to use the host ssh:\/\/root@far: .*\nTry: ssh -nNT -L .* root@far & pier -H /,
    );
  });

  test("settings that cannot be read are told of, and hold nobody up", async () => {
    writeFileSync(join(settings, "config.json"), "{");
    const { code, stdout, stderr } = await call("pier", ["context", "show"]);
    assert.deepEqual([code, stdout], [0, "default\n"]);
    assert.match(stderr, /^WARNING: Error loading config file: /);
  });

  test("of a port with certificates work for both, whoever has made them", {
    skip: hasOpenssl ? false : "needs openssl",
  }, async () => {
    const authority = makeAuthority();
    const port = await freePort();
    const file = (name: string) => join(authority.directory, name);
    const server = ["--tlscacert", file("ca.crt"), "--tlscert", file("server.crt"), "--tlskey", file("server.key")];
    const remote = await Engine.launch({ hosts: [`tcp://127.0.0.1:${port}`], args: ["--tlsverify", ...server] });
    try {
      const docker = `host=tcp://localhost:${port},ca=${file("ca.crt")},cert=${file("client.crt")},key=${file("client.key")}`;
      for (const name of both) {
        await succeed(name, "context", "create", name, "--docker", docker);
        for (const client of both) assert.equal(await succeed(client, "-c", name, "ps", "-q"), "");
        const tls = JSON.parse(
          await succeed(name, "context", "inspect", name, "-f", "{{json .TLSMaterial}}"),
        ) as unknown;
        assert.deepEqual(tls, { docker: ["ca.pem", "cert.pem", "key.pem"] });
        await compare(["context", "inspect", name]);
        await succeed(name, "context", "export", name, file(`${name}.tar`));
        await succeed(other[name], "context", "import", `${name}-copy`, file(`${name}.tar`));
        assert.equal(await succeed(name, "-c", `${name}-copy`, "ps", "-q"), "");
      }
      await succeed("pier", "context", "update", "pier", "--docker", `host=tcp://localhost:${port}`);
      assert.notEqual((await call("pier", ["-c", "pier", "ps"])).code, 0, "its certificates went with the endpoint");
    } finally {
      await remote.stop();
      rmSync(authority.directory, { recursive: true });
    }
  });
});
