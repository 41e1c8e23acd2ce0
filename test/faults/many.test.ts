/** Many containers, and a daemon that dies again and again: nothing is started anew, and nothing is lost. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { startTimeOf } from "../../src/kernel/holder.ts";
import { isAlive, keeperOf, Listener, removeAll, until } from "../docker/containers.ts";
import { type Answer, cannotRun, Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";

const isLong = process.env.PIER_LONG === "1";
const containers = 200;
const kills = 20;
/** How many end while no daemon runs, each time. */
const ending = 5;
const atOnce = 8;

/** Runs the work on each, some at a time. */
const forEach = async <T>(all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> => {
  const rest = Iterator.from(all);
  const worker = async (): Promise<void> => {
    for (const one of rest) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
};

/** Seconds of processor time that the process and its threads have had (proc_pid_stat(5), in hundredths). */
const processorTime = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

interface Container {
  readonly id: string;
  readonly pid: number;
  readonly startTime: number | undefined;
  readonly code: number;
}

describe("many containers", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch({ runInMemory: true });
    await engine.load(await imageOf());
  });
  after(() => engine.stop());
  afterEach(() => removeAll(engine));

  const post = (target: string, body?: object): Promise<Answer> =>
    engine.request("POST", target, body === undefined ? undefined : JSON.stringify(body));
  const orDead = (answer: Promise<Answer>): Promise<Answer | undefined> => answer.catch(() => undefined);
  const inspect = async (id: string) => {
    const { status, body } = await engine.request("GET", `/containers/${id}/json`);
    assert.equal(status, 200, body);
    return JSON.parse(body) as { State: Record<string, unknown>; RestartCount: number };
  };
  const run = async (code: number, more: object = {}): Promise<Container> => {
    const created = await post("/containers/create", { Image: "probe", Cmd: ["tick", "200", String(code)], ...more });
    assert.equal(created.status, 201, created.body);
    const id: string = JSON.parse(created.body).Id;
    const started = await post(`/containers/${id}/start`);
    assert.equal(started.status, 204, started.body);
    const pid = Number((await inspect(id)).State.Pid);
    // From its first word on it hears what it is told.
    await until("it has begun", () => logOf(id).length > 0);
    return { id, pid, startTime: startTimeOf(pid), code };
  };
  const logOf = (id: string): string[] =>
    readFileSync(join(engine.root, "containers", id, `${id}-json.log`), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { log: string }).log);
  /** Every line is there once; the last one says how many there were. */
  const assertWhole = (id: string): void => {
    const lines = logOf(id);
    const last = lines.pop();
    assert.equal(last, `end ${lines.length}\n`);
    for (const [index, line] of lines.entries()) assert.equal(line, `line ${index + 1}\n`);
  };

  test(`of ${containers}, through ${kills} kills of the daemon, none is started again and nothing is lost`, async () => {
    const running: Container[] = [];
    const ended: Container[] = [];
    await forEach(Array.from({ length: containers }).keys(), async (index) => {
      // Some of each kind: what is connected has more to be found again.
      const network = index % 2 === 0 ? {} : { HostConfig: { NetworkMode: "none" } };
      running.push(await run((index % 100) + 1, network));
    });
    const assertUntouched = async (): Promise<void> => {
      const { body } = await engine.request("GET", "/containers/json?all=1");
      const states = new Map(
        (JSON.parse(body) as { Id: string; State: string }[]).map(({ Id, State }) => [Id, State] as const),
      );
      assert.equal(states.size, containers);
      await forEach(running, async ({ id, pid, startTime }) => {
        assert.equal(states.get(id), "running");
        const { State: state, RestartCount: restarts } = await inspect(id);
        assert.deepEqual([state.Pid, startTimeOf(pid), restarts], [pid, startTime, 0]);
      });
      await forEach(ended, async ({ id, code }) => assert.equal((await inspect(id)).State.ExitCode, code));
    };
    for (let kill = 0; kill < kills; kill++) {
      await engine.kill9();
      const over = running.splice(0, ending);
      for (const { pid } of over) process.kill(pid, "SIGTERM");
      // Of some the next daemon finds the end, of some it sees it.
      if (kill % 2 === 0)
        await until("they have left word", () => over.every(({ id }) => existsSync(join(engine.run, "c", id, "exit"))));
      ended.push(...over);
      await engine.restart();
      const spent = processorTime(engine.pid);
      assert.ok(spent < 2, `the daemon answers after ${spent} s of processor time`);
      await forEach(over, async ({ id, code }) => {
        const { status, body } = await post(`/containers/${id}/wait`);
        assert.deepEqual([status, JSON.parse(body).StatusCode], [200, code]);
      });
      await assertUntouched();
    }
    await forEach(running, async ({ id, code }) => {
      await post(`/containers/${id}/stop`);
      assert.equal((await inspect(id)).State.ExitCode, code);
    });
    for (const { id } of [...running, ...ended]) assertWhole(id);
  });

  test("a daemon, keepers and containers that are killed together leave what was written, and nothing else", async () => {
    const all: Container[] = [];
    await forEach(Array.from({ length: 8 }).keys(), async (index) => void all.push(await run(index)));
    await until("they have spoken", () => all.every(({ id }) => logOf(id).length > 2));
    const keepers = all.map(({ pid }) => keeperOf(pid));
    const daemon = engine.kill9();
    for (const [index, { pid }] of all.entries()) {
      process.kill(index % 2 === 0 ? pid : keepers[index]!, "SIGKILL");
      if (index % 4 < 2) process.kill(index % 2 === 0 ? keepers[index]! : pid, "SIGKILL");
    }
    await daemon;
    await until("all are dead", () => ![...all.map(({ pid }) => pid), ...keepers].some(isAlive));
    await engine.restart();
    for (const { id } of all) {
      const { State: state } = await inspect(id);
      assert.equal(state.Running, false);
      assert.ok([137, 255].includes(Number(state.ExitCode)), String(state.ExitCode));
      for (const [index, line] of logOf(id).entries()) assert.equal(line, `line ${index + 1}\n`);
      const again = await post(`/containers/${id}/start`);
      assert.equal(again.status, 204, again.body);
    }
    await removeAll(engine);
    await engine.assertNothingLeft();
  });

  test("a daemon that is stopped for a while has missed nothing", async () => {
    const lives = await run(1);
    const ends = await run(7);
    const { pid } = engine;
    process.kill(pid, "SIGSTOP");
    const answer = post(`/containers/${ends.id}/wait`);
    const made = run(3);
    process.kill(ends.pid, "SIGTERM");
    const before = logOf(lives.id).length;
    await until("its log is written", () => logOf(lives.id).length > before + 10);
    await until("the end is written down", () => existsSync(join(engine.run, "c", ends.id, "exit")));
    process.kill(pid, "SIGCONT");
    assert.equal(JSON.parse((await answer).body).StatusCode, 7);
    assert.ok(isAlive((await made).pid));
    assert.equal((await inspect(lives.id)).State.Pid, lives.pid);
    assertWhole(ends.id);
  });

  test("a keeper that does not answer a new daemon keeps nobody waiting but who wants its container", async () => {
    const stands = await run(5);
    const other = await run(6);
    const keeper = keeperOf(stands.pid);
    await engine.kill9();
    process.kill(keeper, "SIGSTOP");
    try {
      await engine.restart();
      assert.equal((await inspect(stands.id)).State.Pid, stands.pid);
      assert.equal((await post(`/containers/${other.id}/stop`)).status, 204);
      const follower = new Listener(engine.spawn("docker", ["logs", "--follow", stands.id]));
      await follower.seen(/line 1\n/);
      const stopped = post(`/containers/${stands.id}/stop`);
      process.kill(keeper, "SIGCONT");
      assert.equal((await stopped).status, 204);
      assert.equal(await follower.ended(), 0);
      assert.match(follower.text, /\nend \d+\n$/);
    } finally {
      if (isAlive(keeper)) process.kill(keeper, "SIGCONT");
    }
    assert.equal((await inspect(stands.id)).State.ExitCode, 5);
    assertWhole(stands.id);
  });

  test("a daemon that is asked to leave in a storm of starts leaves what it has begun to its successor", async () => {
    // While nothing runs yet, and while some do.
    for (const [enough, starts] of [
      [1, 0],
      [60, 3],
      [60, 20],
    ] as const) {
      const kept: string[] = [];
      const started: string[] = [];
      const daemon = engine.pid;
      let asked = false;
      const leave = (): void => {
        if (asked || kept.length < enough || started.length < starts) return;
        asked = true;
        process.kill(daemon, "SIGTERM");
      };
      const one = async (): Promise<void> => {
        const made = await orDead(post("/containers/create", { Image: "probe", Cmd: ["sleep"] }));
        if (made?.status !== 201) return;
        const id: string = JSON.parse(made.body).Id;
        kept.push(id);
        leave();
        if ((await orDead(post(`/containers/${id}/start`)))?.status === 204) started.push(id);
        leave();
      };
      await Promise.all(Array.from({ length: 60 }, one));
      await until("the daemon has left", () => asked && !isAlive(daemon));
      await engine.restart();
      const { body } = await engine.request("GET", "/containers/json?all=1");
      const listed = JSON.parse(body) as { Id: string; State: string }[];
      for (const id of kept)
        assert.ok(
          listed.some(({ Id }) => Id === id),
          `${id} was answered, and is not there`,
        );
      for (const id of started) assert.equal((await inspect(id)).State.Running, true);
      for (const { Id } of listed) assert.ok([204, 304].includes((await post(`/containers/${Id}/start`)).status));
      await removeAll(engine);
      await engine.assertNothingLeft();
    }
  });

  test("clients that come while the daemon does not answer wait, thousands of them", async () => {
    const allowed = Number(readFileSync("/proc/sys/net/core/somaxconn", "latin1"));
    process.kill(engine.pid, "SIGSTOP");
    const clients: Socket[] = [];
    try {
      const connecting = Array.from({ length: Math.min(2000, allowed) }, () => {
        const client = connect(engine.socket);
        clients.push(client);
        return once(client, "connect");
      });
      await Promise.all(connecting);
    } finally {
      process.kill(engine.pid, "SIGCONT");
      for (const client of clients) client.on("error", () => {}).destroy();
    }
  });

  test("a thousand that are created at once are a thousand", async () => {
    // No more of them at a time than may wait to be accepted (somaxconn).
    const [turns, width] = [isLong ? 5 : 1, 1000];
    const count = turns * width;
    const made: Answer[] = [];
    for (let turn = 0; turn < turns; turn++) {
      const created = Array.from({ length: width }, () =>
        post("/containers/create", { Image: "probe", Cmd: ["sleep"] }),
      );
      made.push(...(await Promise.all(created)));
    }
    const ids = new Set(made.map(({ status, body }) => (status === 201 ? (JSON.parse(body).Id as string) : body)));
    assert.equal(ids.size, count);
    for (const id of ids) assert.match(id, /^[0-9a-f]{64}$/);
    await engine.restart();
    const { body } = await engine.request("GET", "/containers/json?all=1");
    const listed = (JSON.parse(body) as { Id: string; Names: string[] }[]).filter(({ Id }) => ids.has(Id));
    assert.equal(listed.length, count);
    assert.equal(new Set(listed.flatMap(({ Names }) => Names)).size, count);
    await forEach(ids, async (id) => {
      const { status } = await engine.request("DELETE", `/containers/${id}`);
      assert.equal(status, 204);
    });
    assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
  });
});
