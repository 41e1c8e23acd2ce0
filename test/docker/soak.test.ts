/**
 * What a daemon does in months, in seconds: containers come and go, clients attach, resize, read and leave, and nothing of
 * it stays. `npm run test:soak` does ten times as much, and holds the last cycles' speed against the first ones'.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, keeperOf, pidOf, said, until } from "./containers.ts";
import { Runner } from "./run.ts";
import { Api, drain, hear, holdingsOf, median, repeat } from "./soak.ts";

const isLong = process.env.PIER_LONG === "1";
const mebibyte = 2 ** 20;
/** How much a daemon may grow when it has done everything before. */
const growth = 10 * mebibyte;

describe("soak", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  let api: Api;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    api = new Api(engine);
    await engine.load();
    await engine.load(await imageOf());
  });
  after(async () => {
    api[Symbol.dispose]();
    await engine.stop();
  });

  /**
   * `work` is done so many times, two at a time, and the daemon has no more at last than it had half-way. Memory goes up and
   * down with the collector's turns: what counts is the median of a fifth of the time.
   */
  const staysFlat = async (
    what: string,
    times: number,
    work: (index: number) => Promise<void>,
    most = growth,
  ): Promise<number[]> => {
    const descriptors: number[] = [];
    const memory: number[] = [];
    const took = await repeat(times, 2, async (index) => {
      await work(index);
      if (index % 10 !== 0) return;
      const holdings = holdingsOf(engine.pid);
      memory.push(holdings.memory);
      descriptors.push(holdings.descriptors);
    });
    const part = (from: number) =>
      memory.slice(Math.floor(memory.length * from), Math.floor(memory.length * (from + 0.2)));
    const [first, last] = [median(part(0.4)), median(part(0.8))];
    console.log(`${what}: ${(first / mebibyte).toFixed(1)} MiB half-way, ${(last / mebibyte).toFixed(1)} MiB at last`);
    assert.ok(last <= first + most, `${what}: ${first} bytes became ${last}`);
    await until("descriptors are closed", () => holdingsOf(engine.pid).descriptors <= median(descriptors));
    return took;
  };

  const create = async (config: object): Promise<string> =>
    (await api.ask<{ Id: string }>("POST", "/containers/create", config)).Id;

  /** Every other one removes itself. */
  const cycle = async (index: number): Promise<void> => {
    const removesItself = index % 2 === 0;
    const id = await create({ Image: busybox, Cmd: ["true"], HostConfig: { AutoRemove: removesItself } });
    const condition = removesItself ? "removed" : "next-exit";
    const over = api.ask<{ StatusCode: number }>("POST", `/containers/${id}/wait?condition=${condition}`);
    await api.ask("POST", `/containers/${id}/start`);
    assert.equal((await over).StatusCode, 0);
    if (!removesItself) await api.ask("DELETE", `/containers/${id}`);
  };

  // V8 lets its heap grow for longer before it stays at what it is.
  const runs = isLong ? 10_000 : process.env.PIER_RUNTIME === "node" ? 3_000 : 1_000;

  test(`${runs} containers come and go, and leave nothing`, { timeout: 3_600_000 }, async () => {
    const took = await staysFlat(`${runs} containers`, runs, cycle);
    const [first, last] = [median(took.slice(0, 100)), median(took.slice(-100))];
    console.log(`a container: ${first.toFixed(1)} ms at first, ${last.toFixed(1)} ms at last`);
    if (isLong) assert.ok(last <= 1.2 * first, `${first} ms became ${last} ms`);
    assert.deepEqual(await api.ask("GET", "/containers/json?all=1"), "[]\n");
  });

  const sessions = isLong ? 10_000 : 3_000;

  test(`${sessions} sessions, attachments and changes of size leave nothing (CVE-2022-31030, CVE-2025-64329)`, {
    timeout: 3_600_000,
  }, async () => {
    const id = await runner.detached("-it", busybox, "sh");
    const keeper = keeperOf(await pidOf(engine, id));
    const session = async (): Promise<void> => {
      const body = { Cmd: ["head", "-c", "10000", "/dev/zero"], AttachStdout: true };
      const exec = await api.ask<{ Id: string }>("POST", `/containers/${id}/exec`, body);
      assert.ok((await drain(await api.hijack(`/exec/${exec.Id}/start`, "{}"))) > 10_000);
    };
    const attachment = async (): Promise<void> => {
      const stream = await api.hijack(`/containers/${id}/attach?stream=1&stdin=1&stdout=1`);
      stream.write("echo $((6 * 7))\n");
      await hear(stream, "42");
      stream.destroy();
    };
    const resize = (index: number) => api.ask<string>("POST", `/containers/${id}/resize?h=${20 + (index % 50)}&w=80`);
    const one = async (index: number): Promise<void> => {
      if (index % 3 === 0) await session();
      else if (index % 3 === 1) await attachment();
      else await resize(index);
    };
    const before = holdingsOf(keeper);
    // Within some seconds the collector may turn once between the two.
    await staysFlat(`${sessions} sessions`, sessions, one, isLong ? growth : 3 * growth);
    // Node sees that a client has gone when there is something to say to it.
    if (process.env.PIER_RUNTIME === "node") await said(engine, "exec", id, "sh", "-c", "echo said >/dev/console");
    await until("the keeper has let go of everybody", () => holdingsOf(keeper).descriptors <= before.descriptors);
    assert.ok(holdingsOf(keeper).memory < 4 * mebibyte, `${holdingsOf(keeper).memory} bytes`);
    await said(engine, "rm", "--force", id);
  });
});
