/** What is not used goes, what is used stays, and how much each takes. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, said } from "./containers.ts";

describe("prune and df", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  const names = async () =>
    (await said(engine, "ps", "-a", "--format", "{{.Names}}"))
      .split("\n")
      .filter((name) => name !== "")
      .sort()
      .join();
  const make = (name: string, ...flags: readonly string[]) =>
    said(
      engine,
      "run",
      "--network",
      "none",
      "--name",
      name,
      ...flags,
      busybox,
      "sh",
      "-c",
      "head -c 100000 /dev/zero >/f",
    );

  test("containers that do not run are pruned, by label and age; who runs stays", async () => {
    await make("kept", "--label", "keep=yes");
    await make("gone");
    await said(engine, "create", "--name", "never", busybox);
    await said(engine, "run", "-d", "--network", "none", "--name", "runs", busybox, "sleep", "1000");
    await said(engine, "container", "prune", "-f", "--filter", "until=1h");
    assert.equal(await names(), "gone,kept,never,runs");
    assert.match(
      await said(engine, "container", "prune", "-f", "--filter", "label!=keep"),
      /^Deleted Containers:\n[0-9a-f]{64}\n[0-9a-f]{64}\n\nTotal reclaimed space: 100kB$/,
    );
    assert.equal(await names(), "kept,runs");
    const wrong = await engine.docker(["container", "prune", "-f", "--filter", "until=soon"]);
    assert.match(wrong.stderr, /invalid filter 'until=soon'/);
    const no = await engine.pier(["container", "prune"], { input: "n\n" });
    assert.match(no.stderr, /container prune has been cancelled/);
    const yes = await engine.pier(["system", "prune", "--force"]);
    assert.equal(yes.code, 0, yes.stderr);
    assert.match(yes.stdout, /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 100kB\n$/);
    assert.equal(await names(), "runs");
  });

  test("df adds up images, containers and volumes, for both clients", async () => {
    await make("writes");
    const format = "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}";
    const [image = "", containers, volumes, cache] = (await said(engine, "system", "df", "--format", format)).split(
      "\n",
    );
    assert.match(image, /^Images 2 1 [\d.]+MB [\d.]+[kM]?B \(\d+%\)$/);
    assert.equal(containers, "Containers 2 1 100kB 100kB (100%)");
    assert.equal(volumes, "Local Volumes 0 0 0B 0B");
    assert.equal(cache, "Build Cache 0 0 0B 0B");
    const ours = await engine.pier(["system", "df", "--format", format]);
    assert.equal(ours.stdout.split("\n").slice(1, 4).join("\n"), [containers, volumes, cache].join("\n"));
    assert.match((await engine.pier(["system", "df"])).stdout, /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages /);
    assert.match(
      (await engine.pier(["system", "df", "-v"])).stdout,
      /^Images space usage:\n\nREPOSITORY .*\n[\s\S]*writes\n/,
    );
    const only = JSON.parse((await engine.request("GET", "/v1.51/system/df?type=container")).body);
    assert.deepEqual(Object.keys(only), ["Containers"]);
    assert.equal((await engine.request("GET", "/v1.51/system/df?type=other")).status, 400);
  });
});
