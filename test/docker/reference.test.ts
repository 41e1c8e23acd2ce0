/** What clients are answered while they do everything they can is what the reference says. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, type Engine } from "../engine.ts";
import { execute } from "../execute.ts";
import { cannotCheck, checkAnswer } from "../reference.ts";
import { busybox, removeAll } from "./containers.ts";
import { Recorder } from "./recorder.ts";

describe("answers and the reference", { skip: cannotRun() || cannotCheck() }, () => {
  let engine: Engine;
  let recorder: Recorder;
  before(async () => {
    recorder = await Recorder.launch();
    engine = recorder.engine;
  });
  after(() => recorder[Symbol.asyncDispose]());
  afterEach(() => removeAll(engine));

  /** With the newest version, which the reference describes: Debian's client knows an older one. */
  const everything = async (client: "docker" | "pier"): Promise<void> => {
    const run = async (...words: readonly string[]) => {
      const { env } = recorder;
      return client === "docker" ? await execute("docker", words, { env }) : await engine.pier(words, { env });
    };
    const ok = async (...words: readonly string[]) => {
      const ran = await run(...words);
      assert.equal(ran.code, 0, `${client} ${words.join(" ")}\n${ran.stdout}${ran.stderr}`);
    };
    await ok("version");
    await ok("info");
    await ok(
      "run",
      "-d",
      "--name",
      "web",
      "-p",
      "80",
      "--label",
      "a=b",
      "-v",
      "/tmp:/host:ro",
      "--tmpfs",
      "/scratch",
      "--health-cmd",
      "true",
      "--health-interval",
      "100ms",
      "--restart",
      "on-failure:3",
      "--memory",
      "64m",
      "--cpus",
      "1",
      "--ulimit",
      "nofile=100:200",
      "--cap-add",
      "NET_ADMIN",
      "--sysctl",
      "net.ipv4.ip_forward=1",
      "--init",
      "--device",
      "/dev/null:/dev/other",
      "--add-host",
      "a:127.0.0.1",
      "--dns",
      "192.0.2.1",
      busybox,
      "sleep",
      "1000",
    );
    await ok("run", "--rm", "--network", "none", busybox, "true");
    await ok("create", "--name", "idle", "--network", "none", busybox, "true");
    await ok("exec", "web", "true");
    assert.equal((await run("exec", "web", "sh", "-c", "exit 3")).code, 3);
    await ok("ps", "-a", "--size");
    await ok("inspect", "web", "idle");
    await ok("inspect", "--size", "--type", "container", "web");
    await ok("top", "web");
    await ok("logs", "web");
    await ok("port", "web");
    await ok("stats", "--no-stream", "web", "idle");
    await ok("update", "--memory", "32m", "--memory-swap", "64m", "web");
    await ok("pause", "web");
    await ok("ps");
    await ok("unpause", "web");
    await ok("rename", "web", "site");
    await ok("restart", "-t", "0", "site");
    await ok("kill", "site");
    await ok("wait", "site");
    await ok("start", "site");
    await ok("images");
    await ok("history", busybox);
    await ok("image", "inspect", busybox);
    await ok("tag", busybox, "other:name");
    await ok("rmi", "other:name");
    await ok("events", "--since", "1", "--until", `${Math.floor(Date.now() / 1000)}`);
    assert.notEqual((await run("inspect", "absent")).code, 0);
    assert.notEqual((await run("run", "--name", "site", busybox)).code, 0);
    await ok("rm", "-f", "site", "idle");
  };

  for (const client of ["docker", "pier"] as const) {
    test(`of all that ${client} does`, async () => {
      recorder.seen.length = 0;
      await everything(client);
      assert.ok(recorder.seen.length > 40, "the client did not come through the recorder");
      assert.deepEqual([...new Set(recorder.wrong)], []);
    });
  }

  test("of lists, networks, volumes, and of what there is not", async () => {
    const { status } = await engine.request(
      "POST",
      "/v1.51/containers/create?name=one",
      JSON.stringify({ Image: busybox }),
    );
    assert.equal(status, 201);
    for (const target of [
      ...[
        "/info",
        "/version",
        "/containers/json?all=1&size=1",
        "/containers/one/json?size=1",
        "/images/json?manifests=1",
      ],
      ...["/networks", "/networks/bridge", "/networks/none", "/networks/host", "/volumes", "/plugins"],
    ]) {
      const answer = await engine.request("GET", `/v1.51${target}`);
      assert.equal(answer.status, 200, `${target} ${answer.body}`);
    }
    for (const [method, target, status, sentence] of [
      ["GET", "/swarm", 503, /This node is not a swarm manager/],
      ["POST", "/swarm/leave?force=1", 503, /This node is not part of a swarm/],
      ["GET", "/services", 503, /This node is not a swarm manager/],
      ["GET", "/secrets/x", 503, /This node is not a swarm manager/],
      ["GET", "/plugins/a/b/json", 404, /plugin "a\/b" not found/],
      ["DELETE", "/plugins/a", 404, /plugin "a" not found/],
      ["GET", "/nowhere", 404, /page not found/],
    ] as const) {
      const answer = await engine.request(method, `/v1.51${target}`);
      assert.equal(answer.status, status);
      assert.match(JSON.parse(answer.body).message, sentence);
    }
  });

  test("what is asked of a swarm or of plugins is read first, and refused where it makes no sense", async () => {
    const manager = /This node is not a swarm manager/;
    for (const [method, target, body, status, sentence] of [
      ["POST", "/swarm/update", {}, 400, /^invalid swarm version '': strconv\.ParseUint: parsing "": invalid syntax$/],
      ["POST", "/swarm/update?version=1&rotateWorkerToken=x", {}, 400, /^invalid value for rotateWorkerToken: x/],
      ["POST", "/swarm/update?version=1", {}, 503, manager],
      ["POST", "/nodes/x/update?version=x", {}, 400, /^invalid node version 'x'/],
      ["POST", "/secrets/x/update", {}, 400, /^invalid secret version/],
      ["POST", "/services/create", [], 400, /./],
      ["POST", "/services/create", {}, 503, manager],
      ["GET", "/services?status=x", undefined, 400, /^invalid value for status: x/],
      ["GET", "/services?filters={", undefined, 400, /^invalid filter$/],
      ["GET", "/services?filters=%7B%22x%22:[%22y%22]%7D", undefined, 503, manager],
      ["GET", "/tasks/x/logs", undefined, 400, /you must choose at least one stream/],
      ["GET", "/tasks/x/logs?stdout=1", undefined, 503, manager],
      ["GET", "/plugins?filters=%7B%22x%22:[%22y%22]%7D", undefined, 400, /^invalid filter 'x'$/],
      ["POST", "/plugins/x/set", {}, 400, /./],
      ["POST", "/plugins/x/set", [], 404, /plugin "x" not found/],
    ] as const) {
      const answer = await engine.request(method, `/v1.51${target}`, body && JSON.stringify(body));
      assert.equal(answer.status, status, `${target} ${answer.body}`);
      assert.match(JSON.parse(answer.body).message, sentence);
    }
  });

  test("a misspelt field, a wrong type and a missing message are found", () => {
    const wrong = (body: object, sentence: RegExp, status = 200) =>
      assert.throws(() => checkAnswer("GET", "/v1.51/info", status, JSON.stringify(body)), sentence);
    wrong({ Contaners: 1 }, /additional properties \(Contaners\)/);
    wrong({ Containers: "1" }, /\/Containers: must be integer/);
    wrong({}, /must have required property 'message'/, 404);
  });
});
