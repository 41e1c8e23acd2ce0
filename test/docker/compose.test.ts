/** Docker's compose, unmodified, drives a project of several services. What it is answered is held against the reference. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { addBuildx, buildxMissing } from "../build/contexts.ts";
import { cannotRun, type Engine } from "../engine.ts";
import { patience } from "../patience.ts";
import { busybox, said, until } from "./containers.ts";
import { Recorder } from "./recorder.ts";

const plugin = fileURLToPath(new URL("../../build/tools/compose/docker-compose", import.meta.url));
const project = fileURLToPath(new URL("project", import.meta.url));

const reason = (): string | false => {
  if (process.env.PIER_RUNTIME === "node") return "buildx is not served on Node";
  if (!existsSync(plugin)) return `${plugin} is missing; type: sh scripts/test-packages`;
  return cannotRun() || buildxMissing;
};

describe("docker compose", { skip: reason() }, () => {
  let engine: Engine;
  let recorder: Recorder;
  before(async () => {
    recorder = await Recorder.launch();
    engine = recorder.engine;
    addBuildx(engine);
    mkdirSync(join(engine.directory, "client/cli-plugins"), { recursive: true });
    symlinkSync(plugin, join(engine.directory, "client/cli-plugins/docker-compose"));
  });
  after(() => recorder[Symbol.asyncDispose]());

  /** What compose printed for people and for programs; builds go by the daemon's own socket, for they are no HTTP/1.1. */
  const compose = async (...words: readonly string[]): Promise<string> => {
    const { env } = words[0] === "build" ? engine : recorder;
    const ran = await engine.docker(["compose", "--progress", "plain", "--project-directory", project, ...words], {
      env,
      timeout: patience(60_000),
    });
    assert.equal(ran.code, 0, `compose ${words.join(" ")}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };
  const inWeb = (script: string): Promise<string> => compose("exec", "-T", "web", "sh", "-c", script);
  const page = async (): Promise<string> => {
    const answer = await fetch(`http://${(await compose("port", "web", "80")).trim()}/`);
    return answer.text();
  };

  test("builds, starts in order, and waits for what others need", async () => {
    await compose("build");
    await compose("up", "--detach");
    assert.equal(await page(), "a page\n");
    const over = () => said(engine, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "shop-report-1");
    await until("the report is over", async () => (await over()) === "exited 0");
    assert.match(await compose("logs", "--no-log-prefix", "report"), /^rows$/m);
    const [db] = JSON.parse(`[${(await compose("ps", "--format", "json", "db")).trim()}]`);
    assert.deepEqual([db.State, db.Health], ["running", "healthy"]);
  });

  test("names, secrets, settings, limits and networks are as the project says", async () => {
    assert.equal(await inWeb("cat /run/secrets/password /etc/settings"), "open sesame\ncolour = blue");
    assert.equal(await inWeb("wget -qO- http://database/ && echo $GREETING && ls /tmp"), "rows\nhello $world\n");
    assert.match(await inWeb("grep host.docker.internal /etc/hosts"), /^\d+\.\d+\.\d+\.\d+\s/);
    const format = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}";
    assert.equal(await said(engine, "inspect", "--format", format, "shop-web-1"), "33554432 500000000 50");
    assert.equal(await said(engine, "network", "inspect", "--format", "{{.Internal}}", "shop_back"), "true");
    assert.equal(await said(engine, "volume", "inspect", "--format", "{{.Labels.kept}}", "shop_data"), "yes");
  });

  test("what is there is kept, and what changes is made anew", async () => {
    const id = () => said(engine, "inspect", "--format", "{{.Id}}", "shop-web-1");
    const first = await id();
    await compose("up", "--detach", "--no-recreate");
    assert.equal(await id(), first);
    await compose("up", "--detach", "--scale", "report=2");
    assert.equal(await id(), first);
    await compose("up", "--detach", "--force-recreate", "--no-deps", "web");
    assert.notEqual(await id(), first);
    assert.equal(await page(), "a page\n");
  });

  test("the other words of compose", async () => {
    assert.equal(await compose("run", "--rm", "-T", "--no-deps", "report", "echo", "once"), "once\n");
    await compose("pause", "db");
    await compose("unpause", "db");
    await compose("restart", "web");
    assert.equal(await page(), "a page\n");
    const copy = join(engine.directory, "page");
    await compose("cp", "web:/www/index.html", copy);
    assert.ok(existsSync(copy));
    assert.match(await compose("top", "db"), /httpd/);
    assert.match(await compose("images"), /fixture\/busybox/);
    assert.match(await compose("ls"), /shop\s+running/);
    // The command waits two seconds for the first figures, and shows none when a slow machine needs longer.
    await until("it has figures", async () => (await compose("stats", "--no-stream")).includes("shop-web-1"));
    await compose("kill", "web");
    assert.equal(await said(engine, "inspect", "--format", "{{.State.ExitCode}}", "shop-web-1"), "137");
  });

  test("leaves nothing but what it was asked to keep", async () => {
    await compose("down");
    assert.equal(await said(engine, "volume", "ls", "--quiet"), "shop_data");
    await compose("up", "--detach", "--wait", "db");
    await compose("down", "--volumes", "--rmi", "local", "--remove-orphans");
    assert.equal(await said(engine, "ps", "--all", "--quiet"), "");
    assert.equal(await said(engine, "volume", "ls", "--quiet"), "");
    assert.equal(await said(engine, "network", "ls", "--quiet", "--filter", "type=custom"), "");
    assert.match(await said(engine, "images", "--quiet", busybox), /./);
    assert.equal(await said(engine, "images", "--quiet", "shop-web"), "");
    assert.deepEqual(recorder.wrong, []);
  });
});
