/** What a container may take of a disk: on a loop device, for real. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, said } from "./containers.ts";
import { catIn, groupDirectory, groupFile, isV2 } from "./groups.ts";
import { Runner } from "./run.ts";

const mebibyte = 2 ** 20;
const cannotThrottle = (): string | false =>
  cannotRun() ||
  (isV2 || existsSync("/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device")
    ? false
    : "the kernel does not throttle disks");

describe("limits of a disk", { skip: cannotThrottle() }, () => {
  const directory = mkdtempSync("/tmp/p-disk-");
  let engine: Engine;
  let runner: Runner;
  let disk = "";
  let number = "";
  before(async () => {
    const file = join(directory, "disk");
    writeFileSync(file, "");
    truncateSync(file, 16 * mebibyte);
    disk = execFileSync("losetup", ["--find", "--show", file]).toString().trim();
    number = execFileSync("stat", ["-c", "%Hr:%Lr", disk]).toString().trim();
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(async () => {
    await engine.stop();
    execFileSync("losetup", ["--detach", disk]);
    rmSync(directory, { recursive: true });
  });

  /** Milliseconds that a container takes for so many operations of so many bytes on the disk. */
  const take = async (operation: "r" | "w", count: number, size: number, ...flags: string[]): Promise<number> => {
    const began = performance.now();
    const verb = ["disk", disk, operation, String(count), String(size)];
    assert.equal(await runner.says("--device", disk, ...flags, "probe", ...verb), `disk: ${count}`);
    return performance.now() - began;
  };
  const [amount, rate] = [2 * mebibyte, "1mb"];

  test("reading and writing take their time: 2 MiB at 1 MiB a second, 20 operations at 10 a second", async () => {
    const took = await Promise.all([
      take("r", 32, amount / 32, "--device-read-bps", `${disk}:${rate}`),
      take("w", 32, amount / 32, "--device-write-bps", `${disk}:${rate}`),
      take("r", 20, 4096, "--device-read-iops", `${disk}:10`),
      take("w", 20, 4096, "--device-write-iops", `${disk}:10`),
    ]);
    // Two seconds; the kernel lets go of the first slices at once.
    for (const [at, milliseconds] of took.entries()) assert.ok(milliseconds > 1200, `${at}: ${milliseconds} ms`);
  });

  test("a limit of one direction, or of another disk, does not hold for the rest", async () => {
    const free = ["--device-read-bps", `${disk}:1kb`, "--device-write-iops", "/dev/loop0:1"];
    // At either rate it would take more than half an hour.
    await take("w", 32, amount / 32, ...(disk === "/dev/loop0" ? free.slice(0, 2) : free));
  });

  test("the kernel has the numbers that were asked for", async () => {
    const id = await runner.detached(
      ...["--device-read-bps", `${disk}:1mb`, "--device-write-bps", `${disk}:2mb`],
      ...["--device-read-iops", `${disk}:30`, "--device-write-iops", `${disk}:40`],
      ...[busybox, "sleep", "1000"],
    );
    if (isV2) {
      const line = `${number} rbps=1048576 wbps=2097152 riops=30 wiops=40`;
      assert.equal(await catIn(engine, id, "/sys/fs/cgroup/io.max"), line);
    } else {
      const files = ["read_bps", "write_bps", "read_iops", "write_iops"];
      const paths = files.map((name) => `/sys/fs/cgroup/blkio/blkio.throttle.${name}_device`);
      const numbers = [1048576, 2097152, 30, 40];
      assert.equal(await catIn(engine, id, ...paths), numbers.map((rate) => `${number} ${rate}`).join("\n"));
    }
    await said(engine, "rm", "--force", id);
  });

  test("weights are the kernel's where it has them", async () => {
    const flags = ["--blkio-weight", "300", "--blkio-weight-device", `${disk}:700`];
    const id = await runner.detached(...flags, busybox, "sleep", "1000");
    const group = await groupDirectory(engine, id, "blkio");
    const files = ["blkio.weight", "blkio.bfq.weight", "io.weight", "io.bfq.weight"].filter((name) =>
      existsSync(join(group, name)),
    );
    for (const name of files) {
      const path = groupFile("blkio", name, name);
      // Version 2's own scale goes to 10,000.
      assert.match(await catIn(engine, id, path), name === "io.weight" ? /^default 2930$/m : /^(default )?300$/m);
    }
    const inspect = "{{.HostConfig.BlkioWeight}} {{json .HostConfig.BlkioWeightDevice}}";
    assert.equal(await inspected(engine, inspect, id), `300 [{"Path":"${disk}","Weight":700}]`);
    await said(engine, "rm", "--force", id);
  });

  test("a disk that is not there, and a path that is none, are refused", async () => {
    const refusal = async (path: string) => {
      const { code, stderr } = await runner.run(["--device-read-bps", `${path}:1mb`, busybox, "true"]);
      assert.notEqual(code, 0);
      return stderr;
    };
    assert.match(await refusal("/dev/absent"), /"\/dev\/absent": no such file or directory/);
    assert.match(await refusal("/dev/shm"), /"\/dev\/shm": not a device node/);
  });
});
