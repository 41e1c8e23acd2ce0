/** Whatever the keeper asks the kernel for may be refused: the answer says so, or it does without; nothing is left. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { until } from "../docker/containers.ts";
import { type Answer, cannotRun, type Engine } from "../engine.ts";
import { noCompiler } from "../keeper/compile.ts";
import { tarOf } from "../probe/image.ts";
import { useFaultyEngine } from "./faulty.ts";
import type { Armed, FaultyBuild } from "./keeper.ts";
import { type Requests, succeeds } from "./requests.ts";

const isLong = process.env.PIER_LONG === "1";
const atOnce = 4;
/** Every call in the long form, and every one of these in the short one. */
const stride = isLong ? 1 : 23;

const whole = {
  Image: "probe",
  Cmd: ["sleep"],
  Volumes: { "/volume": {} },
  HostConfig: {
    Memory: 64 << 20,
    Binds: ["/tmp:/bind:ro"],
    Tmpfs: { "/scratch": "" },
    PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1" }], "53/udp": [{ HostIp: "127.0.0.1" }] },
  },
};
const variants: Readonly<Record<string, object>> = {
  plain: whole,
  "with a terminal and an init": {
    ...whole,
    Tty: true,
    OpenStdin: true,
    HostConfig: { ...whole.HostConfig, Init: true },
  },
};

/** Does the work for the calls 0, 1, 2, …, some at a time, until it is not reached any more; how many there were. */
const atEveryCall = async (work: (index: number) => Promise<boolean>, width = atOnce): Promise<number> => {
  let next = 0;
  let last = Number.POSITIVE_INFINITY;
  const worker = async (): Promise<void> => {
    while (next < last) {
      const index = next;
      next += stride;
      const isReached = await work(index).catch((error: unknown) => {
        throw new Error(`call ${index}`, { cause: error });
      });
      if (!isReached) last = Math.min(last, index);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return last;
};

describe("a call that the kernel refuses", { skip: cannotRun() || noCompiler }, () => {
  let build: FaultyBuild;
  let engine: Engine;
  let requests: Requests;
  useFaultyEngine((faulty) => {
    ({ build, engine, requests } = faulty);
  });

  const assertSaid = ({ call }: Armed, { status, body }: Answer): void => {
    assert.ok(status === 404 || status === 500 || status === 400, `${call}: ${status} ${body}`);
    assert.match(JSON.parse(body).message, /\w/, call);
  };

  for (const [variant, body] of Object.entries(variants))
    for (const process of ["keeper", "child"] as const)
      test(`of the ${process}'s, in a container's life: it is told, or done without, and nothing is left: ${variant}`, async () => {
        const count = await atEveryCall(async (index) => {
          const id = await requests.created(body);
          using order = build.arm(id, { place: process, index, action: "fail" });
          const answer = await requests.start(id);
          if (answer.status !== 204) assertSaid(order, answer);
          const killed = await requests.post(`/containers/${id}/kill`);
          // It was the signal that the kernel refused.
          if (killed.status === 500) await succeeds(requests.post(`/containers/${id}/kill`));
          await succeeds(requests.post(`/containers/${id}/wait`));
          const { isReached } = order;
          assert.ok(!readdirSync(join(engine.run, "c")).includes(id), "its run directory is left");
          assert.equal((await requests.inspect(id))?.State.Running, false);
          await succeeds(requests.start(id));
          await requests.remove(id);
          return isReached;
        });
        assert.ok(count > 50, `${count} calls`);
        await engine.assertNothingLeft();
      });

  /** One of every kind, with what they may have. */
  const tree = (): Promise<Buffer> =>
    tarOf([
      { path: "tree", type: "directory", mode: 0o750, uid: 7 },
      { path: "tree/file", content: "x".repeat(300_000), mode: 0o640, xattrs: { "user.kept": Buffer.from("y") } },
      { path: "tree/same", type: "hardlink", link: "tree/file" },
      { path: "tree/link", type: "symlink", link: "/nowhere", xattrs: { "trusted.kept": Buffer.from("z") } },
      { path: "tree/fifo", type: "fifo" },
      { path: "tree/null", type: "character", device: [1, 3] },
      { path: "tree/disk", type: "block", device: [7, 0] },
    ]);

  for (const state of ["running", "created"])
    for (const way of ["into", "out of"])
      test(`in a copy ${way} a ${state} container: it is told, or done without, and the next copy is whole`, async () => {
        const id = await requests.created({ ...whole, HostConfig: {} });
        if (state === "running") await succeeds(requests.start(id));
        const archive = await tree();
        const put = (): Promise<Answer> => engine.request("PUT", `/containers/${id}/archive?path=/`, archive);
        const get = (): Promise<Answer> => engine.request("GET", `/containers/${id}/archive?path=/tree`);
        await succeeds(put());
        const { body: copied } = await get();
        for (const process of ["keeper", "child"] as const) {
          const count = await atEveryCall(async (index) => {
            using order = build.arm("errand", { place: process, index, action: "fail" });
            // What has begun to be sent can only be broken off.
            const answer = await (way === "into" ? put() : get()).catch(() => undefined);
            if (answer !== undefined && answer.status !== 200) assertSaid(order, answer);
            return order.isReached;
          }, 1);
          assert.ok(count > 20, `${count} calls`);
        }
        await succeeds(put());
        assert.equal((await get()).body, copied);
        await requests.remove(id);
        await engine.assertNothingLeft();
      });

  for (const process of ["keeper", "child"] as const)
    test(`of the ${process}'s, in a session: it is told, or done without, and its container is as it was`, async () => {
      const container = await requests.running(whole);
      const { State: mark } = (await requests.inspect(container))!;
      const count = await atEveryCall(async (index) => {
        const id = await requests.created(
          { Cmd: ["/probe", "exit", "0"], User: "1000" },
          `/containers/${container}/exec`,
        );
        using order = build.arm(id, { place: process, index, action: "fail" });
        const answer = await requests.post(`/exec/${id}/start`, { Detach: true });
        if (answer.status !== 200) assertSaid(order, answer);
        await until("it is over", async () => {
          const { body } = await engine.request("GET", `/exec/${id}/json`);
          return JSON.parse(body).Running === false;
        });
        return order.isReached;
      });
      assert.ok(count > 20, `${count} calls`);
      const { State: now } = (await requests.inspect(container))!;
      assert.deepEqual([now.Pid, now.StartedAt, now.Running], [mark.Pid, mark.StartedAt, true]);
      await requests.remove(container);
      await until("the sessions' directories are gone", () => readdirSync(join(engine.run, "x")).length === 0);
      await engine.assertNothingLeft();
    });
});
