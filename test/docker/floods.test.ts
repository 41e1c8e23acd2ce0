/** Much at once, and clients that read slowly, never, or are gone: nobody else notices, and nothing stays. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, keeperOf, Listener, pidOf, said, until } from "./containers.ts";
import { Runner } from "./run.ts";
import { Api, drain, holdingsOf, peakOf, repeat } from "./soak.ts";

const isLong = process.env.PIER_LONG === "1";
const mebibyte = 2 ** 20;

describe("floods", { skip: cannotRun() }, () => {
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

  /** A request that is made, and whose answer nobody ever reads. */
  const neverRead = (path: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(engine.socket);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.pause();
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, () => resolve(socket));
      });
    });

  const lines = isLong ? 2_000_000 : 100_000;

  test("a log that rotates in a flood loses nothing, neither for who follows it nor for who reads it then", async () => {
    const limits = ["--log-opt", "max-size=256k", "--log-opt", "max-file=10000"];
    const id = await runner.detached(...limits, "probe", "lines", String(lines));
    const follower = new Listener(engine.spawn("docker", ["logs", "--follow", id]));
    assert.equal(await said(engine, "wait", id), "0");
    const written = await said(engine, "logs", id);
    const numbers = written.split("\n").map((line) => Number(/\d+/.exec(line)?.[0]));
    assert.equal(numbers.length, lines);
    assert.ok(numbers.every((number, index) => number === numbers[0]! + index));
    await follower.ended();
    assert.ok(follower.text === `${written}\n`, `${follower.text.length} of ${written.length + 1} bytes`);
    await said(engine, "rm", id);
  });

  test("a line without an end is cut, and its keeper stays small", async () => {
    const size = isLong ? 1024 * mebibyte : 64 * mebibyte;
    const args = [
      "run",
      "--name",
      "endless",
      "--network",
      "none",
      "--log-opt",
      "max-size=1m",
      "--log-opt",
      "max-file=2",
    ];
    const script = `head -c ${size} /dev/zero | tr '\\0' x; sleep 1000`;
    const client = engine.spawn("docker", [...args, busybox, "sh", "-c", script]);
    let heard = 0;
    client.stdout?.on("data", (chunk: Buffer) => {
      heard += chunk.length;
    });
    await until("all has come by", () => heard === size, 600_000);
    const peak = peakOf(keeperOf(await pidOf(engine, "endless")));
    assert.ok(peak < 4 * mebibyte, `${peak} bytes`);
    await said(engine, "rm", "--force", "endless");
  });

  test("clients that never read cost little, hold nobody up, and leave nothing when they go", async () => {
    const id = await runner.detached("--log-opt", "max-size=1m", "--log-opt", "max-file=2", busybox, "yes");
    const was = holdingsOf(engine.pid);
    const paths = ["/events", `/containers/${id}/logs?follow=1&stdout=1`, `/containers/${id}/logs?stdout=1`];
    const stuck = await Promise.all(Array.from({ length: 30 }, (_, index) => neverRead(paths[index % 3]!)));
    // Events for those who do not read them, while the log goes round and round.
    await repeat(20, 2, async () => {
      assert.equal(await runner.says(busybox, "echo", "here"), "here");
    });
    assert.equal(await api.ask("GET", "/_ping"), "OK");
    const grown = holdingsOf(engine.pid).memory - was.memory;
    assert.ok(grown < 64 * mebibyte, `${grown / mebibyte} MiB more`);
    for (const socket of stuck) socket.destroy();
    await until("their descriptors are closed", () => holdingsOf(engine.pid).descriptors <= was.descriptors + 2);
    await said(engine, "rm", "--force", id);
  });

  const sessions = isLong ? 1_000 : 200;

  test("many sessions at once end as they should, also those whose clients are gone", async () => {
    const id = await runner.detached("-i", busybox, "cat");
    const descriptors = holdingsOf(engine.pid).descriptors;
    const exec = async (body: object): Promise<string> =>
      (await api.ask<{ Id: string }>("POST", `/containers/${id}/exec`, body)).Id;
    const ends: string[] = [];
    await repeat(sessions, 50, async (index) => {
      const session = await exec({ Cmd: ["cat"], AttachStdin: true, AttachStdout: true });
      ends.push(session);
      const stream = await api.hijack(`/exec/${session}/start`, "{}");
      // One is gone before anything was said, one has no more to say, and one says it and listens.
      if (index % 3 === 0) return void stream.destroy();
      if (index % 3 === 1) stream.end();
      else stream.end("hello");
      assert.equal(await drain(stream), index % 3 === 1 ? 0 : 13);
    });
    for (const session of ends) {
      await until("it has ended", async () => {
        const { Running, ExitCode } = await api.ask<{ Running: boolean; ExitCode: number }>(
          "GET",
          `/exec/${session}/json`,
        );
        return !Running && ExitCode === 0;
      });
    }
    assert.equal(await inspected(engine, "{{json .ExecIDs}} {{.State.Status}}", id), "null running");
    await until("descriptors are closed", () => holdingsOf(engine.pid).descriptors <= descriptors + 2);
    await said(engine, "rm", "--force", id);
  });
});
