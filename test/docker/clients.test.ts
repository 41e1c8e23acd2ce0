/** Programs that speak Docker's API through libraries of their own. What they are answered is held against the reference. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { PassThrough } from "node:stream";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { cannotRun, type Engine } from "../engine.ts";
import { execute } from "../execute.ts";
import { busybox, removeAll, until } from "./containers.ts";
import { Recorder } from "./recorder.ts";

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
    const stats = await container.stats({ stream: false });
    assert.ok(stats.memory_stats.usage > 0);
    await container.stop({ t: 0 });
    await container.remove();
    await assert.rejects(container.inspect(), { statusCode: 404 });
    assert.deepEqual(recorder.wrong, []);
  });
});
