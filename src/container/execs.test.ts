import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ContainerEvents } from "./events.ts";
import { Execs } from "./execs.ts";
import type { ContainerRecord } from "./record.ts";
import type { ExecRequest } from "./request.ts";
import type { ContainerRooms } from "./rooms.ts";

describe("exec sessions that have ended", () => {
  const minute = 60_000;
  let time = 0;
  const open = (): Execs => {
    const rooms: Pick<ContainerRooms, "clock"> = { clock: { now: () => 0, monotonic: () => time } };
    return new Execs(rooms as ContainerRooms, new ContainerEvents());
  };
  const container = { id: "a".repeat(64), image: {}, request: {} } as unknown as ContainerRecord;
  const request = { args: ["true"] } as unknown as ExecRequest;

  test("can be asked how they ended for some minutes, and are then forgotten; others are kept", () => {
    const execs = open();
    const [ended, waiting, late] = [1, 2, 3].map(() => execs.create(container, request));
    execs.refuse(ended!);
    time += 3 * minute;
    execs.refuse(late!);
    const next = execs.create(container, request);
    assert.equal(execs.get(ended!).state.status, "exited");
    assert.deepEqual(execs.of(container.id), [waiting, next]);
    time += 3 * minute;
    execs.create(container, request);
    assert.throws(() => execs.get(ended!), /No such exec/);
    assert.equal(execs.get(late!).state.status, "exited");
    assert.equal(execs.get(waiting!).state.status, "created");
  });

  test("go with their container", () => {
    const execs = open();
    const [ended, waiting] = [1, 2].map(() => execs.create(container, request));
    execs.refuse(ended!);
    execs.forget(container.id);
    for (const id of [ended!, waiting!]) assert.throws(() => execs.get(id), /No such exec/);
  });
});
