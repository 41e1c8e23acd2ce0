import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { newContainerId } from "../base/ids.ts";
import { Waiters } from "./waiters.ts";

const never = new AbortController().signal;
const pending = Symbol("pending");
const now = (promise: Promise<unknown>): Promise<unknown> => Promise.race([promise, Promise.resolve(pending)]);

describe("who waits for a container", () => {
  test("for its end, is told its exit code; for its removal, waits on and is told the same", async () => {
    const waiters = new Waiters();
    const id = newContainerId();
    const ended = waiters.wait(id, "next-exit", never);
    const removed = waiters.wait(id, "removed", never);
    waiters.ended(id, { exitCode: 3 });
    assert.deepEqual(await ended, { exitCode: 3 });
    assert.equal(await now(removed), pending);
    waiters.removed(id, { exitCode: 0 });
    assert.deepEqual(await removed, { exitCode: 3 });
  });

  test("goes home when the container is removed without having run", async () => {
    const waiters = new Waiters();
    const id = newContainerId();
    const ended = waiters.wait(id, "next-exit", never);
    waiters.removed(id, { exitCode: 0 });
    assert.deepEqual(await ended, { exitCode: 0 });
  });

  test("and leaves, is forgotten", async () => {
    const waiters = new Waiters();
    const id = newContainerId();
    const client = new AbortController();
    const ended = waiters.wait(id, "next-exit", client.signal);
    client.abort(new Error("gone"));
    await assert.rejects(ended, /gone/);
    waiters.ended(id, { exitCode: 1 });
    await assert.rejects(waiters.wait(id, "removed", client.signal), /gone/);
  });

  test("for another container, is not disturbed", async () => {
    const waiters = new Waiters();
    const other = waiters.wait(newContainerId(), "next-exit", never);
    waiters.ended(newContainerId(), { exitCode: 1 });
    assert.equal(await now(other), pending);
  });
});
