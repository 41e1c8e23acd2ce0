/** Many at once: one winner, events in their order, and a daemon that stays as it was. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { patience } from "../patience.ts";
import { imageOf } from "../probe/image.ts";
import { busybox, inspected, Listener, removeAll, runDetached, said, until } from "./containers.ts";

interface Event {
  readonly Action: string;
  readonly Actor: { readonly ID: string };
  readonly timeNano: number;
}

const isLong = process.env.PIER_LONG === "1";

/** How often each answer came. */
const countsOf = (values: readonly number[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
};

/** Runs the work `times` times, so many at once. */
const inParallel = async <T>(times: number, atOnce: number, work: (turn: number) => Promise<T>): Promise<T[]> => {
  const turns = Array.from({ length: times }, (_, turn) => turn).values();
  const results: T[] = [];
  const worker = async (): Promise<void> => {
    for (const turn of turns) results.push(await work(turn));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
};

describe("many at once", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    await engine.load(await imageOf());
  });
  after(() => engine.stop());
  afterEach(async () => {
    await removeAll(engine);
    assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
    assert.deepEqual(readdirSync(join(engine.run, "c")), []);
    assert.deepEqual(readdirSync(join(engine.run, "x")), []);
  });

  const post = async (target: string, body?: object): Promise<number> =>
    (await engine.request("POST", target, body === undefined ? undefined : JSON.stringify(body))).status;
  const remove = async (id: string): Promise<number> =>
    (await engine.request("DELETE", `/containers/${id}?force=1`)).status;
  const sleeper = { Image: "probe", Cmd: ["sleep"], HostConfig: { NetworkMode: "none" } };

  test("of two hundred that want one name, one gets it", async () => {
    const created = await Promise.all(Array.from({ length: 200 }, () => post("/containers/create?name=one", sleeper)));
    assert.deepEqual(countsOf(created), { 201: 1, 409: 199 });
    const started = await Promise.all(Array.from({ length: 200 }, () => post("/containers/one/start")));
    assert.deepEqual(countsOf(started), { 204: 1, 304: 199 });
    const stopped = await Promise.all(Array.from({ length: 200 }, () => post("/containers/one/stop?t=0")));
    for (const status of stopped) assert.ok([204, 304].includes(status), String(status));
    const removed = await Promise.all(Array.from({ length: 200 }, () => remove("one")));
    assert.equal(countsOf(removed)[204] !== undefined, true);
    for (const status of removed) assert.ok([204, 404, 409].includes(status), String(status));
    assert.equal(await post("/containers/create?name=one", sleeper), 201);
  });

  test("one that is made, started and removed by many at once is whole or gone", async () => {
    await inParallel(isLong ? 400 : 100, 20, async (turn) => {
      const what = turn % 4;
      if (what === 0) return post("/containers/create?name=busy", sleeper);
      if (what === 1) return post("/containers/busy/start");
      if (what === 2) return post("/containers/busy/stop?t=0");
      return remove("busy");
    }).then((statuses) => {
      for (const status of statuses) assert.ok([201, 204, 304, 404, 409].includes(status), String(status));
    });
    await remove("busy");
    assert.equal(await said(engine, "ps", "-aq"), "");
  });

  test("a container that is removed while it starts is gone", async () => {
    for (let turn = 0; turn < (isLong ? 60 : 15); turn++) {
      await post("/containers/create?name=short", { ...sleeper, HostConfig: {} });
      const [started, removed] = await Promise.all([post("/containers/short/start"), remove("short")]);
      assert.ok([204, 404, 409].includes(started), String(started));
      assert.equal(removed, 204);
      assert.equal(await said(engine, "ps", "-aq"), "");
    }
  });

  test("those who are with a container when it is removed are let go", async () => {
    const counting = "i=0; while :; do i=$((i+1)); echo line $i; usleep 10000; done";
    const id = await runDetached(engine, "-i", busybox, "sh", "-c", counting);
    const clients = [
      ["logs", "--follow", id],
      ["attach", "--no-stdin", id],
      ["exec", id, "sh", "-c", counting],
      ["exec", "-i", id, "sh", "-c", "echo line 0; cat"],
    ].map((args) => new Listener(engine.spawn("docker", args)));
    await Promise.all(clients.map((client) => client.seen(/line/)));
    const waiter = new Listener(engine.spawn("docker", ["wait", id]));
    // It may be gone before they begin to listen.
    const listens = ["events", "--since", "0", "--filter", `container=${id}`, "--format", "{{.Action}}"];
    const events = new Listener(engine.spawn("docker", listens));
    await said(engine, "rm", "--force", id);
    const codes = await Promise.all(clients.map((client) => client.ended()));
    assert.deepEqual(codes.slice(0, 2), [0, 137]);
    // Of a session whose container is gone nobody may know the exit code any more.
    for (const code of codes.slice(2)) assert.ok([1, 137].includes(code), String(code));
    await waiter.ended();
    await events.seen(/destroy\n/);
    events.child.kill("SIGKILL");
  });

  test("exec sessions that begin while their container ends are refused or over", async () => {
    for (let turn = 0; turn < (isLong ? 40 : 8); turn++) {
      const id = await runDetached(engine, "--network", "none", "probe", "sleep");
      const execs = Array.from({ length: 4 }, () => engine.docker(["exec", id, "/probe", "sleep"]));
      const [removed, ...ran] = await Promise.all([engine.docker(["rm", "-f", id]), ...execs]);
      assert.equal(removed.code, 0, removed.stderr);
      for (const { code, stderr } of ran) assert.ok([1, 126, 137].includes(code), `${code} ${stderr}`);
    }
  });

  test("forty runs, eight at a time, say all they have to say", async () => {
    const ran = await inParallel(40, 8, (turn) =>
      engine.docker(["run", "--rm", "probe", "lines", "200", "then", "exit", String(turn)]),
    );
    const codes = ran.map(({ code }) => code).sort((a, b) => a - b);
    assert.deepEqual(
      codes,
      codes.map((_, turn) => turn),
    );
    for (const { stdout } of ran) assert.equal(stdout.split("\n").length, 201);
    assert.equal(await said(engine, "ps", "-aq"), "");
  });

  test("events come in the order of what happened, each at its own time", async () => {
    const since = String(Math.floor(Date.now() / 1000));
    await inParallel(12, 6, () => engine.docker(["run", "--rm", "--network", "none", "probe", "exit", "3"]));
    await until("all is over", async () => (await said(engine, "ps", "-aq")) === "");
    const untilThen = String(Math.floor(Date.now() / 1000) + 1);
    const options = ["--since", since, "--until", untilThen, "--filter", "type=container", "--format", "{{json .}}"];
    const events = (await said(engine, "events", ...options)).split("\n").map((line) => JSON.parse(line) as Event);
    const byContainer = Map.groupBy(events, ({ Actor }) => Actor.ID);
    const order = ["create", "attach", "start", "die", "destroy"];
    const whole = [...byContainer.values()].filter((own) => own.some(({ Action }) => Action === "destroy"));
    assert.ok(whole.length >= 12);
    for (const own of whole.slice(-12)) {
      const actions = own.map(({ Action }) => Action).filter((action) => order.includes(action));
      assert.deepEqual(actions, order);
    }
    const times = events.map(({ timeNano }) => timeNano);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
  });

  test("after many runs the daemon has no more than before", { timeout: patience(120_000) }, async () => {
    const turn = async (): Promise<void> => {
      const { body } = await engine.request("POST", "/containers/create", JSON.stringify(sleeper));
      const { Id: id } = JSON.parse(body) as { Id: string };
      await post(`/containers/${id}/start`);
      await remove(id);
    };
    const descriptors = (): number => readdirSync(`/proc/${engine.pid}/fd`).length;
    const resident = (): number =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${engine.pid}/status`, "utf8"))?.[1]) / 1024;
    await inParallel(100, 8, turn);
    const before = { descriptors: descriptors(), resident: resident() };
    await inParallel(isLong ? 2000 : 200, 8, turn);
    await until("its connections are closed", () => descriptors() <= before.descriptors + 4);
    const grown = resident() - before.resident;
    assert.ok(grown < 40, `${before.resident} MiB and ${grown} more`);
    const id = await runDetached(engine, "probe", "sleep");
    assert.equal(await inspected(engine, "{{.State.Status}}", id), "running");
  });
});
