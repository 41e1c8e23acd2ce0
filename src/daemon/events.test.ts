import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Database } from "../base/database.ts";
import { EventLog, type PierEvent } from "./events.ts";
import { Filters } from "./filters.ts";
import { encodeEvent, passes } from "./routes/system.ts";

const event = (action: string, time = 0n, attributes: Record<string, string> = {}): PierEvent => ({
  time,
  type: "container",
  action,
  id: "c1",
  attributes: { image: "busybox:1.35", name: "web", ...attributes },
});

const openLog = (path = ":memory:"): EventLog => new EventLog(new Database(path));

const collect = async (events: AsyncIterable<PierEvent>): Promise<string[]> =>
  (await Array.fromAsync(events)).map(({ action }) => action);

describe("the events", () => {
  it("have an order of their own, also when the clock has none", () => {
    const log = openLog();
    for (const time of [5n, 5n, 3n, 9n]) log.add(event("x", time));
    const abort = AbortSignal.abort();
    return Array.fromAsync(log.read({ since: 1n, until: undefined }, abort)).then((events) =>
      assert.deepEqual(
        events.map(({ time }) => time),
        [5n, 6n, 7n, 9n],
      ),
    );
  });

  it("are told from `since` on, then as they come, without a gap", async () => {
    const log = openLog();
    log.add(event("old", 1n));
    log.add(event("create", 10n));
    const gone = new AbortController();
    const told = collect(log.read({ since: 5n, until: undefined }, gone.signal));
    // Reading has begun once somebody listens.
    while (log.listeners === 0) await Promise.resolve();
    log.add(event("start", 11n));
    log.add(event("die", 12n));
    setImmediate(() => gone.abort());
    assert.deepEqual(await told, ["create", "start", "die"]);
    assert.equal(log.listeners, 0);
  });

  it("are found by the next daemon, which goes on in time; the oldest go", async () => {
    using database = new Database(":memory:");
    const log = new EventLog(database);
    const beyond = 4096 + 300;
    for (let time = 1; time <= beyond; time++) log.add(event(`e${time}`, BigInt(time)));
    log.flush();
    const next = new EventLog(database);
    next.add(event("later", 5n));
    const told = await Array.fromAsync(next.read({ since: 1n, until: undefined }, AbortSignal.abort()));
    assert.equal(told.at(-1)?.time, BigInt(beyond + 1));
    assert.deepEqual(told.at(-2)?.attributes, { image: "busybox:1.35", name: "web" });
    assert.equal(told.at(-2)?.action, `e${beyond}`);
    assert.ok(told.length >= 4096 && told.length <= 4096 + 256, String(told.length));
  });

  it("of the past are not told unless they are asked for", async () => {
    const log = openLog();
    log.add(event("create", 10n));
    assert.deepEqual(await collect(log.read({ since: undefined, until: undefined }, AbortSignal.abort())), []);
  });

  it("end at `until`", async () => {
    const log = openLog();
    for (const time of [1n, 2n, 3n]) log.add(event(`at ${time}`, time));
    const never = new AbortController().signal;
    assert.deepEqual(await collect(log.read({ since: undefined, until: 2n }, never)), ["at 1", "at 2"]);
  });

  it("are not kept for ever for somebody who has stopped reading", async () => {
    const log = openLog();
    const reader = log.read({ since: undefined, until: undefined }, new AbortController().signal);
    const first = reader.next();
    log.add(event("x", 1n));
    assert.equal((await first).value?.action, "x");
    for (let time = 2n; time <= 20_000n; time++) log.add(event("x", time));
    assert.equal(log.listeners, 0);
    assert.equal((await reader.next()).done, true);
  });

  it("look on the wire as Docker's, with every digit of their time", () => {
    const line = encodeEvent(event("kill", 1_795_483_502_593_331_984n, { signal: "9" }));
    assert.equal(
      line,
      '{"status":"kill","id":"c1","from":"busybox:1.35","Type":"container","Action":"kill","Actor":{"ID":"c1",' +
        '"Attributes":{"image":"busybox:1.35","name":"web","signal":"9"}},"scope":"local","time":1795483502,' +
        '"timeNano":1795483502593331984}\n',
    );
    const image = encodeEvent({ time: 1n, type: "image", action: "tag", id: "sha256:1", attributes: { name: "a:1" } });
    assert.deepEqual(Object.keys(JSON.parse(image) as object).slice(0, 3), ["status", "id", "Type"]);
  });

  it("are filtered as dockerd filters them", () => {
    const passing = (filters: object, one = event("exec_create: sh -c true", 0n, { tier: "db" })) =>
      passes(one, Filters.parse(JSON.stringify(filters), Object.keys(filters)));
    assert.ok(passing({ type: ["container"], container: ["web"] }));
    assert.ok(passing({ container: ["c"] }), "ids by their beginning");
    assert.ok(!passing({ container: ["db"] }));
    const reload: PierEvent = { time: 1n, type: "daemon", action: "reload", id: "d1", attributes: { name: "host" } };
    assert.ok(passing({ daemon: ["host"] }, reload));
    assert.ok(passing({ daemon: ["d"] }, reload));
    assert.ok(!passing({ daemon: ["other"] }, reload));
    assert.ok(!passing({ daemon: ["web"] }), "of a daemon, not of a container");
    assert.ok(passing({ event: ["exec_create"] }));
    assert.ok(!passing({ event: ["exec"] }));
    assert.ok(passing({ image: ["busybox"] }));
    assert.ok(passing({ image: ["busybox:1.35"] }));
    assert.ok(passing({ label: ["tier=db"] }));
    assert.ok(!passing({ type: ["image"] }));
    assert.ok(!passing({ plugin: ["x"] }));
  });
});
