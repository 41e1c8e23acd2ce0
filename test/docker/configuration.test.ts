/** daemon.json, and what SIGHUP makes of a change of it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { build, cannotRun, Engine } from "../engine.ts";
import { execute } from "../execute.ts";
import { busybox, said, until } from "./containers.ts";

describe("the daemon's configuration file", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;
  let file: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-configuration-"));
    file = join(directory, "daemon.json");
    const pools = [
      { base: "10.95.0.0/16", size: 24 },
      { base: "fd95::/48", size: 64 },
    ];
    const values = { "log-level": "error", "max-concurrent-downloads": 4, "default-address-pools": pools };
    writeFileSync(file, JSON.stringify(values));
    engine = await Engine.launch({ args: ["--config-file", file] });
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test("says where networks get their subnets from", async () => {
    await said(engine, "network", "create", "--ipv6", "pooled");
    const subnets = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
    assert.equal(
      await said(engine, "network", "inspect", "bridge", "pooled", "--format", subnets),
      "10.95.0.0/24 \n10.95.1.0/24 fd95::/64 ",
    );
    await said(engine, "network", "rm", "pooled");
    assert.equal(
      await said(engine, "info", "--format", "{{json .DefaultAddressPools}}"),
      '[{"Base":"10.95.0.0/16","Size":24},{"Base":"fd95::/48","Size":64}]',
    );
  });

  test("is read at the start, and again at SIGHUP, which is an event; a broken one changes nothing", async () => {
    const log = () => readFileSync(engine.log, "utf8");
    assert.doesNotMatch(log(), / info /);
    writeFileSync(file, JSON.stringify({ "log-level": "info" }));
    process.kill(engine.pid, "SIGHUP");
    await until("it has been read", () => log().includes("was read again: log level info"));
    writeFileSync(file, "{");
    process.kill(engine.pid, "SIGHUP");
    await until("it is said", () => log().includes("the configuration stays as it was"));
    const told = await said(
      engine,
      "events",
      "--since",
      "1",
      "--until",
      `${Math.ceil(Date.now() / 1000)}`,
      "--filter",
      "event=reload",
      "--format",
      "{{.Type}} {{.Action}}",
    );
    assert.equal(told, "daemon reload");
    const refused = await engine.pier(["daemon", "--config-file", file]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /daemon\.json cannot be read/);
    writeFileSync(file, "{}");
  });

  test("a shell completes commands, flags and the names of what there is", async () => {
    await engine.load();
    await said(engine, "create", "--name", "named", busybox);
    const ask = async (...words: readonly string[]) => (await engine.pier(["__complete", ...words])).stdout;
    assert.equal(await ask("container", "inspect", "na"), "named\n");
    assert.equal(await ask("image", "rm", "fixture/busy"), `${busybox}\n`);
    const script = 'eval "$(pier completion bash)"; COMP_WORDS=(pier unp); COMP_CWORD=1; _pier; echo $COMPREPLY';
    const env = { ...engine.env, PATH: `${build}:${engine.env.PATH}` };
    assert.equal((await execute("bash", ["-c", script], { env })).stdout, "unpause\n");
    for (const shell of ["zsh", "fish"]) assert.equal((await engine.pier(["completion", shell])).code, 0);
    assert.match((await engine.pier(["completion", "tcsh"])).stderr, /there is no completion for tcsh/);
    await said(engine, "rm", "named");
  });
});
