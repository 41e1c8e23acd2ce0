/** Programs that speak Docker's API through libraries of their own. What they are answered is held against the reference. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { cannotRun, type Engine } from "../engine.ts";
import { execute } from "../execute.ts";
import { busybox, removeAll, until } from "./containers.ts";
import { Recorder } from "./recorder.ts";

const tools = new URL("../../build/tools/", import.meta.url);
const node = fileURLToPath(new URL("node", tools));
const testcontainers = fileURLToPath(new URL("node_modules/testcontainers/build/index.js", tools));

const hasCompose = (): boolean => spawnSync("docker-compose", ["version"]).status === 0;
const hasPython = (): boolean => spawnSync("python3", ["-c", "import docker"]).status === 0;

describe("clients in other languages", { skip: cannotRun() }, () => {
  let engine: Engine;
  let recorder: Recorder;
  before(async () => {
    recorder = await Recorder.launch();
    engine = recorder.engine;
  });
  after(() => recorder[Symbol.asyncDispose]());
  afterEach(() => removeAll(engine));

  test("python3-docker", { skip: !hasPython() && "needs python3-docker; type: sh scripts/test-packages" }, async () => {
    const script = fileURLToPath(new URL("clients.py", import.meta.url));
    const ran = await execute("python3", [script, busybox], { env: recorder.env });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, "all went well\n");
    assert.deepEqual(recorder.wrong, []);
  });

  test("testcontainers", {
    skip: !existsSync(testcontainers) && "needs testcontainers; type: sh scripts/test-packages",
  }, async () => {
    const script = fileURLToPath(new URL("testcontainers.mjs", import.meta.url));
    // Whoever takes away what it leaves comes from a registry.
    const env = { ...recorder.env, TESTCONTAINERS_RYUK_DISABLED: "true" };
    const ran = await execute(node, [script, testcontainers, busybox], { env });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.equal(ran.stdout, "all went well\n");
    assert.deepEqual(recorder.wrong, []);
    assert.equal((await engine.docker(["ps", "-aq"])).stdout, "");
  });

  test("docker-compose 1.29", {
    skip: !hasCompose() && "needs docker-compose; type: sh scripts/test-packages",
  }, async () => {
    const directory = mkdtempSync(join(engine.directory, "compose-"));
    const services = `
  server: { image: "${busybox}", command: sleep 1000, init: true, volumes: ["data:/data"], ports: ["127.0.0.1::80"] }
  client: { image: "${busybox}", command: sleep 1000, init: true, depends_on: [server] }
volumes: { data: {} }`;
    // With a version or without one: which version of the API it speaks hangs on that.
    for (const version of ["", 'version: "2.0"\n', 'version: "3.8"\n']) {
      writeFileSync(join(directory, "docker-compose.yml"), `${version}services:${services}`);
      const compose = async (...words: readonly string[]): Promise<string> => {
        const ran = await execute(
          "docker-compose",
          ["--project-directory", directory, "-f", join(directory, "docker-compose.yml"), ...words],
          { env: recorder.env },
        );
        assert.equal(ran.code, 0, `${version}${words.join(" ")}\n${ran.stderr}`);
        return ran.stdout;
      };
      await compose("up", "-d");
      assert.equal(
        await compose("exec", "-T", "client", "nslookup", "server").then((text) => /Name:\s+server/.test(text)),
        true,
      );
      assert.match(await compose("ps"), /_server_1 .* Up .* 127\.0\.0\.1:\d+->80\/tcp/);
      assert.match(await compose("port", "server", "80"), /^127\.0\.0\.1:\d+\n$/);
      await compose("down", "-v", "-t", "1");
    }
    assert.deepEqual(recorder.wrong, []);
  });

  test("dockerode", async () => {
    const docker = new Docker({ socketPath: recorder.socket, version: "v1.51" });
    assert.equal((await docker.version()).ApiVersion, "1.51");
    const output = new PassThrough();
    const said: Buffer[] = [];
    output.on("data", (chunk: Buffer) => said.push(chunk));
    const [result] = await docker.run(busybox, ["sh", "-c", "echo hello; exit 3"], [output, output], {
      Tty: false,
      HostConfig: { NetworkMode: "none" },
    });
    assert.equal(result.StatusCode, 3);
    assert.equal(Buffer.concat(said).toString(), "hello\n");
    const container = await docker.createContainer({
      Image: busybox,
      name: "node",
      Cmd: ["cat"],
      OpenStdin: true,
      StdinOnce: true,
    });
    const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
    const echoed = new PassThrough();
    let text = "";
    echoed.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    docker.modem.demuxStream(stream, echoed, echoed);
    await container.start();
    stream.write("typed\n");
    await until("it is echoed", () => text === "typed\n");
    stream.end();
    assert.equal((await container.wait()).StatusCode, 0);
    const events = await docker.getEvents({
      since: 1,
      until: Math.ceil(Date.now() / 1000),
      filters: { container: ["node"] },
    });
    let told = "";
    for await (const chunk of events as AsyncIterable<Buffer>) told += chunk.toString();
    assert.deepEqual(
      told
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).Action),
      ["create", "attach", "start", "die"],
    );
    await container.start();
    const exec = await container.exec({ Cmd: ["sh", "-c", "exit 5"], AttachStdout: true });
    const running = await exec.start({});
    for await (const _ of running as AsyncIterable<Buffer>);
    assert.equal((await exec.inspect()).ExitCode, 5);
    // Without an upgrade too, what could not be run says so where its output would be, and that has an end.
    const absent = await container.exec({ Cmd: ["/absent"], AttachStdout: true });
    const why: Buffer[] = [];
    for await (const chunk of (await absent.start({})) as AsyncIterable<Buffer>) why.push(chunk);
    assert.match(Buffer.concat(why).toString(), /"\/absent": stat \/absent: no such file or directory/);
    assert.equal((await absent.inspect()).ExitCode, 127);
    const stats = await container.stats({ stream: false });
    assert.ok(stats.memory_stats.usage > 0);
    await container.stop({ t: 0 });
    await container.remove();
    await assert.rejects(container.inspect(), { statusCode: 404 });
    assert.deepEqual(recorder.wrong, []);
  });
});
