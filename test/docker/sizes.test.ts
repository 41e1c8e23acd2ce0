/** How large a container is: what it has written, and that together with its image, in Docker's numbers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DiskAnswer } from "../../src/api/answers/system.ts";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf, tarOf } from "../probe/image.ts";
import { busybox, inspected, said } from "./containers.ts";
import { Runner } from "./run.ts";

describe("the size of a container", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(() => engine.stop());

  const sizes = async (name: string): Promise<readonly number[]> =>
    (await said(engine, "inspect", "--size", "--format", "{{.SizeRw}} {{.SizeRootFs}}", name)).split(" ").map(Number);

  test("images take in df what they take of the disk, as du counts it", async () => {
    const write = ["sh", "-c", "head -c 20000000 /dev/urandom >/large"];
    await said(engine, "run", "--network", "none", "--name", "large", busybox, ...write);
    await said(engine, "commit", "large", "large");
    await said(engine, "rm", "large");
    const { LayersSize, Images } = JSON.parse((await engine.request("GET", "/v1.51/system/df?type=image")).body);
    const places = ["layers", "blobs"].map((name) => join(engine.root, name));
    const counted = execFileSync("du", ["--summarize", "--total", "--block-size=1", ...places], { encoding: "utf8" });
    const total = Number(/^(\d+)\ttotal$/m.exec(counted)?.[1]);
    assert.ok(Math.abs(LayersSize - total) <= total / 100, `${LayersSize} in df, ${counted}`);
    const sum = Images.reduce(
      (size: number, one: { Size: number; SharedSize: number }) => size + one.Size - one.SharedSize,
      0,
    );
    assert.ok(sum <= LayersSize, `${sum} of ${LayersSize} is in single images`);
  });

  test("all rows of df -v together are what du says of the root, within a hundredth", async () => {
    const volume = await said(engine, "volume", "create");
    const writes =
      "head -c 3000000 /dev/urandom >/f; head -c 2000000 /dev/urandom >/v/f; head -c 500000 /dev/zero | od";
    await said(
      engine,
      "run",
      "--name",
      "writes",
      "--network",
      "none",
      "-v",
      `${volume}:/v`,
      busybox,
      "sh",
      "-c",
      writes,
    );
    const context = await tarOf([{ path: "Dockerfile", content: `FROM ${busybox}\nRUN echo 1 >/x\nRUN echo 1 >/y` }]);
    const built = await engine.request("POST", "/build?t=built", context, { "content-type": "application/x-tar" });
    assert.equal(built.status, 200, built.body);
    // What only the cache has is in a row of its own.
    await said(engine, "rmi", "built");
    const answer = JSON.parse((await engine.request("GET", "/pier/disk")).body) as DiskAnswer;
    const add = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
    const rows = {
      images: answer.LayersSize,
      containers: add(answer.Containers!.map(({ SizeRw }) => SizeRw ?? 0)),
      volumes: add(answer.Volumes!.map(({ UsageData }) => UsageData!.Size)),
      cache: add(answer.BuildCache!.filter(({ Shared }) => !Shared).map(({ Size }) => Size)),
      rest: add(answer.Rest.map(({ Size }) => Size)),
    };
    assert.deepEqual([rows.containers, rows.volumes], [3_000_000, 2_000_000]);
    assert.ok(rows.cache > 0, "what was built and removed is in the cache");
    const counted = Number(
      execFileSync("du", ["-s", "--block-size=1", engine.root], { encoding: "utf8" }).split("\t")[0],
    );
    assert.ok(Math.abs(add(Object.values(rows)) - counted) <= counted / 100, `${JSON.stringify(rows)}, du: ${counted}`);
    // The rest is what it says: a log of more than half a megabyte, and the files of the database.
    const restOf = (what: string): number => answer.Rest.find(({ Description }) => Description.startsWith(what))!.Size;
    const log = await inspected(engine, "{{.LogPath}}", "writes");
    assert.ok(restOf("logs") >= statSync(log).size && restOf("logs") < statSync(log).size + 200_000);
    assert.ok(restOf("the database") >= statSync(join(engine.root, "pier.db")).blocks * 512);
    assert.ok(restOf("manifests") < 200_000, `${restOf("manifests")} in no row of images`);
    const shown = await engine.pier(["system", "df", "-v"]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(
      shown.stdout,
      /\nBuild cache usage:\n\nCACHE ID [\s\S]*\nEverything else:\n\nWHAT +SIZE\n[\s\S]*\nAll of it: [\d.]+MB\n$/,
    );
    await said(engine, "rm", "-v", "writes");
    await said(engine, "volume", "rm", volume);
    await said(engine, "builder", "prune", "--force");
  });

  test("what was written counts, each file once and as long as it says", async () => {
    const image = Number(await inspected(engine, "{{.Size}}", busybox));
    const id = await runner.detached("--name", "written", "-v", "/tmp:/v", "--tmpfs", "/t", busybox, "sleep", "1000");
    assert.deepEqual(await sizes(id), [0, image]);
    const script = [
      ...["echo hello >/f", "mkdir -p /d/e", "head -c 102400 /dev/zero >/d/x", "ln /d/x /d/y", "ln -s /d/x /s"],
      // A hole counts, what is gone does not, and neither does what lies elsewhere.
      ...[
        "dd if=/dev/zero of=/hole bs=1 count=1 seek=1000000 2>/dev/null",
        "rm /bin/vi",
        "head -c 5000 /dev/zero >/t/f",
      ],
    ].join("; ");
    await said(engine, "exec", id, "sh", "-c", script);
    // dockerd 20.10 says the same after the same words.
    assert.deepEqual(await sizes(id), [1_102_411, image + 1_102_411]);
    assert.equal(await said(engine, "ps", "--size", "--format", "{{.Size}}"), "1.1MB (virtual 3.09MB)");
    await said(engine, "kill", id);
    assert.deepEqual(await sizes(id), [1_102_411, image + 1_102_411]);
    assert.equal(await inspected(engine, "{{.SizeRw}}", id), "<nil>");
    await said(engine, "rm", id);
  });

  test("one that was never started has written nothing", async () => {
    const id = await said(engine, "create", "--network", "none", busybox, "true");
    assert.equal((await sizes(id))[0], 0);
    const answer = await engine.request("GET", "/containers/json?all=1&size=1");
    const [summary] = JSON.parse(answer.body) as readonly Record<string, unknown>[];
    assert.ok(summary !== undefined && !("SizeRw" in summary) && Number(summary.SizeRootFs) > 0);
    await said(engine, "rm", id);
  });

  test("a tree that is deeper than any path has a size too", async () => {
    const deep = "i=0; while [ $i -lt 300 ]; do mkdir d && cd d && echo x >f; i=$((i + 1)); done";
    const id = await said(engine, "run", "--detach", "--network", "none", busybox, "sh", "-c", deep);
    assert.equal(await said(engine, "wait", id), "0");
    assert.equal((await sizes(id))[0], 600);
    await said(engine, "rm", id);
  });
});
