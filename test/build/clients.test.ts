/** Programs that build through `POST /build` with libraries of their own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { cannotRun, Engine } from "../engine.ts";
import { execute } from "../execute.ts";
import { base, makeContext, printed } from "./contexts.ts";

const has = (program: string, ...args: readonly string[]): boolean => spawnSync(program, args).status === 0;

describe("builds by other clients", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  const files = {
    Dockerfile: `FROM ${base} AS last\nARG WHO\nCOPY greeting /\nRUN echo "$(cat /greeting) $WHO" | tee /said\nFROM last\nRUN exit 9\n`,
    greeting: "hello\n",
  };

  const noPython = !has("python3", "-c", "import docker") && "needs python3-docker; type: sh scripts/test-packages";
  test("python3-docker", { skip: noPython }, async () => {
    const script = fileURLToPath(new URL("clients.py", import.meta.url));
    const ran = await execute("python3", [script, base, makeContext(engine, files)], { env: engine.env });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, "all went well\n");
  });

  test("dockerode", async () => {
    const docker = new Docker({ socketPath: engine.socket, version: "v1.51" });
    const context = makeContext(engine, files);
    const stream = await docker.buildImage(
      { context, src: ["Dockerfile", "greeting"] },
      { t: "dockerode", buildargs: JSON.stringify({ WHO: "node" }), target: "last" },
    );
    const told = await new Promise<readonly { readonly stream?: string }[]>((resolve, reject) => {
      docker.modem.followProgress(stream, (error, lines) => (error === null ? resolve(lines) : reject(error)));
    });
    assert.match(
      told.map(({ stream: text = "" }) => text).join(""),
      /hello node[\s\S]*Successfully tagged dockerode:latest/,
    );
    assert.equal(await printed(engine, "dockerode", "cat", "/said"), "hello node\n");
  });

  const { stdout: compose1 } = spawnSync("docker-compose", ["--version"], { encoding: "utf8" });
  const noCompose = !/ 1\.\d/.test(compose1 ?? "") && "needs docker-compose 1; type: sh scripts/test-packages";
  test("docker-compose of before BuildKit", { skip: noCompose }, async () => {
    const context = makeContext(engine, {
      ...files,
      "compose.yml": [
        "version: '3.7'",
        "services:",
        "  web:",
        "    image: composed",
        "    network_mode: none",
        "    command: cat /said",
        "    build: {context: ., target: last, args: {WHO: compose}, labels: {made: here}}",
        "",
      ].join("\n"),
    });
    const compose = async (...args: readonly string[]) => {
      const words = ["-p", "project", "-f", join(context, "compose.yml"), ...args];
      const ran = await execute("docker-compose", words, {
        env: { ...engine.env, COMPOSE_DOCKER_CLI_BUILD: "0", DOCKER_BUILDKIT: "0" },
      });
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      return ran.stdout + ran.stderr;
    };
    assert.match(await compose("build"), /Successfully tagged composed:latest/);
    assert.match(await compose("up"), /hello compose/);
    await compose("down", "--rmi", "all");
  });
});
