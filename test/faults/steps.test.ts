/** A container is a list of steps: each may fail, be killed or hang, and nothing is left of it but a clear answer. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { keeperSays } from "../../src/kernel/messages.ts";
import type { Lane, Plan, Step } from "../../src/kernel/steps.ts";
import { isAlive, until } from "../docker/containers.ts";
import { type Answer, cannotRun, type Engine } from "../engine.ts";
import { noCompiler } from "../keeper/compile.ts";
import { useFaultyEngine } from "./faulty.ts";
import type { Armed, FaultyBuild } from "./keeper.ts";
import { type Requests, succeeds } from "./requests.ts";

const isLong = process.env.PIER_LONG === "1";

/** Something of everything: a network, ports inside and out, a directory of its own, one of the host's, a limit. */
const whole = {
  Image: "probe",
  Cmd: ["sleep"],
  Volumes: { "/volume": {} },
  HostConfig: {
    Memory: 64 << 20,
    Binds: ["/tmp:/bind:ro"],
    Tmpfs: { "/scratch": "" },
    PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1" }, { HostIp: "0.0.0.0" }], "53/udp": [{ HostIp: "127.0.0.1" }] },
  },
};
const variants: Readonly<Record<string, object>> = {
  plain: whole,
  ...(isLong ? { "with a terminal": { ...whole, Tty: true, OpenStdin: true } } : {}),
  ...(isLong ? { "with an init": { ...whole, HostConfig: { ...whole.HostConfig, Init: true } } } : {}),
};
const session = { Cmd: ["/probe", "sleep"], User: "1000", AttachStdout: true };

const atOnce = 4;

/** Runs the work on each, some at a time; the first that fails ends it. */
const forEach = async <T>(all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> => {
  const rest = Iterator.from(all);
  const worker = async (): Promise<void> => {
    for (const one of rest) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
};

interface Place {
  readonly place: Lane;
  readonly index: number;
  readonly step: Step["step"];
}

const placesOf = (plan: Plan, ...lanes: readonly Lane[]): readonly Place[] =>
  lanes.flatMap((place) => plan[place].map(({ step }, index) => ({ place, index, step })));

/** From here on the start has succeeded: what dies is the container, and not its start. */
const isBehindStart = ({ step }: Place): boolean => step === "closeDescriptors" || step === "exec";

describe("broken off at any step", { skip: cannotRun() || noCompiler }, () => {
  let build: FaultyBuild;
  let engine: Engine;
  let requests: Requests;
  useFaultyEngine((faulty) => {
    ({ build, engine, requests } = faulty);
  });

  const planOf = async (body: object): Promise<Plan> => {
    const answer = await requests.post("/pier/explain?format=json", body);
    assert.equal(answer.status, 200, answer.body);
    return JSON.parse(answer.body);
  };
  const runDirectories = (): readonly string[] => readdirSync(join(engine.run, "c"));

  /** It is not running, it can be started as if nothing had been, and removed. */
  const assertRetries = async (id: string): Promise<void> => {
    assert.ok(!runDirectories().includes(id), "its run directory is left");
    assert.equal((await requests.inspect(id))?.State.Running, false);
    await succeeds(requests.start(id));
    await requests.remove(id);
  };
  const assertEnded = async (id: string): Promise<void> => {
    await succeeds(requests.post(`/containers/${id}/wait`));
    await assertRetries(id);
  };
  const assertRefused = (place: Place, { status, body }: Answer, sentence: RegExp): void => {
    assert.ok(status >= 400, `${place.place} ${place.index} ${place.step}: ${status} ${body}`);
    assert.match(JSON.parse(body).message, sentence, `${place.place} ${place.index} ${place.step}`);
  };

  for (const [variant, body] of Object.entries(variants)) {
    test(`a start whose step fails says which, and leaves nothing: ${variant}`, async () => {
      await forEach(placesOf(await planOf(body), "outside", "inside"), async (place) => {
        const id = await requests.created(body);
        using order = build.arm(id, { ...place, action: "fail" });
        assertRefused(place, await requests.start(id), /: input\/output error$/);
        assert.ok(order.isReached);
        await assertRetries(id);
      });
      await engine.assertNothingLeft();
    });

    test(`a start whose keeper or child is killed at a step leaves nothing: ${variant}`, async () => {
      await forEach(placesOf(await planOf(body), "outside", "inside"), async (place) => {
        const id = await requests.created(body);
        using order = build.arm(id, { ...place, action: "die" });
        const answer = await requests.start(id);
        assert.ok(order.isReached);
        if (isBehindStart(place)) return await assertEnded(id);
        assertRefused(place, answer, /the keeper ended before its work was done/);
        await assertRetries(id);
      });
      await engine.assertNothingLeft();
    });

    test(`a start whose keeper is killed while its child is at a step leaves nothing: ${variant}`, async () => {
      await forEach(placesOf(await planOf(body), "inside"), async (place) => {
        const id = await requests.created(body);
        using order = build.arm(id, { ...place, action: "wait" });
        const answer = requests.start(id);
        await order.reached();
        process.kill(order.keeper, "SIGKILL");
        assertRefused(place, await answer, /the keeper ended before its work was done/);
        await assertRetries(id);
      });
      await engine.assertNothingLeft();
    });

    test(`what is left when a step of the after lane fails, or the keeper is killed at it, is taken away: ${variant}`, async () => {
      const places = placesOf(await planOf(body), "after");
      const faults = places.flatMap((place) => (["fail", "die"] as const).map((action) => ({ ...place, action })));
      await forEach(faults, async (fault) => {
        const id = await requests.created(body);
        using order = build.arm(id, fault);
        await succeeds(requests.start(id));
        await succeeds(requests.post(`/containers/${id}/kill`));
        assert.ok(order.isReached);
        assert.equal((await requests.inspect(id))?.State.ExitCode, 137);
        await assertRetries(id);
      });
      await engine.assertNothingLeft();
    });
  }

  test("a keeper that is killed when it has said something, or around its exit file, leaves nothing", async () => {
    const { created, started, exited } = keeperSays;
    await forEach([created, started], async (index) => {
      const id = await requests.created(whole);
      using order = build.arm(id, { place: "said", index, action: "die" });
      const { status } = await requests.start(id);
      await order.reached();
      if (status === 204) await assertEnded(id);
      else await assertRetries(id);
    });
    const ends = [
      { place: "said", index: exited },
      { place: "named", index: 0 },
      { place: "named", index: 1 },
    ] as const;
    await forEach(ends, async (place) => {
      const id = await requests.created({ ...whole, Cmd: ["exit", "15"] });
      using order = build.arm(id, { ...place, action: "die" });
      await succeeds(requests.start(id));
      await order.reached();
      await succeeds(requests.post(`/containers/${id}/wait`));
      // Before the exit file has its name, nobody can know more than that it was killed.
      const codes = place.place === "named" && place.index === 0 ? [137] : [15];
      assert.ok(codes.includes(Number((await requests.inspect(id))?.State.ExitCode)), `${place.place} ${place.index}`);
      await assertRetries(id);
    });
    await engine.assertNothingLeft();
  });

  /** What may happen to a start that hangs; each answers when all of it is over. */
  const meanwhile: Readonly<Record<string, (id: string, order: Armed, place: Place) => Promise<void>>> = {
    "is removed": async (id, order) => {
      const started = requests.start(id);
      await order.reached();
      const removed = requests.remove(id);
      order.go();
      await succeeds(started);
      await removed;
    },
    "is stopped": async (id, order) => {
      const started = requests.start(id);
      await order.reached();
      const stopped = requests.post(`/containers/${id}/stop?t=0`);
      order.go();
      await succeeds(started);
      assert.ok([204, 304].includes((await stopped).status));
      await requests.remove(id);
    },
    "loses its client": async (id, order) => {
      const client = engine.spawn("docker", ["start", "--attach", id]);
      await order.reached();
      client.kill("SIGKILL");
      order.go();
      await until("it runs", async () => (await requests.inspect(id))?.State.Running === true);
      await requests.remove(id);
    },
    "loses its daemon": async (id, order, place) => {
      const started = requests.start(id).catch(() => undefined);
      await order.reached();
      await engine.kill9();
      await started;
      order.go();
      await engine.restart();
      if (!isBehindStart(place)) return await assertRetries(id);
      assert.equal((await requests.start(id)).status, 304);
      await requests.remove(id);
    },
  };

  for (const [what, happens] of Object.entries(meanwhile)) {
    test(`a start that hangs at a step and ${what} meanwhile ends well`, async () => {
      const places = placesOf(await planOf(whole), "outside", "inside");
      const stride = isLong ? 1 : what === "loses its daemon" ? 12 : 5;
      const some = places.filter((_, index) => index % stride === 0);
      for (const place of some) {
        const id = await requests.created(whole);
        using order = build.arm(id, { ...place, action: "wait" });
        await happens(id, order, place);
        assert.deepEqual(runDirectories(), []);
      }
      await engine.assertNothingLeft();
    });
  }

  test("a daemon answers though a keeper of its predecessor hangs, and goes on with it when it does not", async () => {
    const { outside } = await planOf(whole);
    const clone = outside.findIndex(({ step }) => step === "clone");
    const id = await requests.created(whole);
    using order = build.arm(id, { place: "outside", index: clone + 1, action: "wait" });
    const started = requests.start(id).catch(() => undefined);
    await order.reached();
    await engine.kill9();
    await started;
    await engine.restart();
    assert.equal((await requests.inspect(id))?.State.Running, false);
    const again = requests.start(id);
    order.go();
    await succeeds(again);
    await requests.remove(id);
    await engine.assertNothingLeft();
  });

  test("a daemon that dies between its word and the program's first instruction leaves a container that runs", async () => {
    const place = placesOf(await planOf(whole), "inside").find(isBehindStart)!;
    const id = await requests.created(whole);
    using order = build.arm(id, { ...place, action: "wait" });
    const started = requests.start(id).catch(() => undefined);
    await order.reached();
    await engine.kill9();
    await started;
    await engine.restart();
    const again = requests.start(id);
    order.go();
    assert.equal((await again).status, 304);
    assert.equal((await requests.inspect(id))?.State.Running, true);
    await requests.remove(id);
  });

  const exec = async (container: string): Promise<{ id: string; start: () => Promise<Answer> }> => {
    const id = await requests.created(session, `/containers/${container}/exec`);
    return { id, start: () => requests.post(`/exec/${id}/start`, { Detach: true }) };
  };
  const lengths = { outside: 0, inside: 0 };

  test("a session that fails, is killed or loses its keeper at a step leaves its container as it was", async () => {
    const container = await requests.running(whole);
    const mark = (await requests.inspect(container))!;
    const attempt = async (place: "outside" | "inside", index: number): Promise<boolean> => {
      const [failing, dying, losing] = await Promise.all([exec(container), exec(container), exec(container)]);
      using failure = build.arm(failing.id, { place, index, action: "fail" });
      const failed = await failing.start();
      if (!failure.isReached) {
        await succeeds(Promise.resolve(failed));
        return false;
      }
      lengths[place] = index + 1;
      assert.ok(failed.status >= 400, failed.body);
      assert.match(JSON.parse(failed.body).message, /input\/output error/);
      using death = build.arm(dying.id, { place, index, action: "die" });
      const died = await dying.start();
      assert.ok(death.isReached);
      assert.ok([200, 500].includes(died.status), died.body);
      if (place === "outside") return true;
      using loss = build.arm(losing.id, { place, index, action: "wait" });
      const answer = losing.start();
      await loss.reached();
      process.kill(loss.keeper, "SIGKILL");
      assert.equal((await answer).status, 500);
      return true;
    };
    for (const place of ["outside", "inside"] as const) for (let index = 0; await attempt(place, index); ) index++;
    assert.ok(lengths.outside > 5 && lengths.inside > 15, JSON.stringify(lengths));
    const { State: now } = (await requests.inspect(container))!;
    assert.deepEqual([now.Pid, now.StartedAt, now.Running], [mark.State.Pid, mark.State.StartedAt, true]);
    await requests.remove(container);
    await until("the sessions' directories are gone", () => readdirSync(join(engine.run, "x")).length === 0);
    await engine.assertNothingLeft();
  });

  test("a removal that fails, or whose keeper is killed, can be tried again", async () => {
    for (const action of ["fail", "die"] as const) {
      const id = await requests.running(whole);
      await succeeds(requests.post(`/containers/${id}/kill`));
      {
        using order = build.arm("errand", { place: "outside", index: 0, action });
        const { status, body } = await engine.request("DELETE", `/containers/${id}?force=1&v=1`);
        assert.ok(order.isReached);
        assert.equal(status, 500);
        assert.match(JSON.parse(body).message, action === "fail" ? /input\/output error/ : /keeper ended/);
        assert.equal((await requests.inspect(id))?.State.Status, "removing");
        assert.equal((await requests.start(id)).status, 409);
      }
      await requests.remove(id);
      assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
    }
    await engine.assertNothingLeft();
  });

  test("a layer that could not be mounted is mounted at the next try", async () => {
    await succeeds(requests.post("/images/probe/tag?repo=again"));
    for (const action of ["fail", "die"] as const) {
      for (let index = 0; ; index++) {
        // With its holder the namespace is gone in which the layers were mounted.
        await engine.restart();
        const holder = JSON.parse(readFileSync(join(engine.run, "holder"), "utf8"));
        process.kill(holder.pid, "SIGKILL");
        await until("the holder is dead", () => !isAlive(holder.pid));
        const id = await requests.created(whole);
        using order = build.arm("errand", { place: "outside", index, action });
        const { status, body } = await requests.start(id);
        if (!order.isReached) {
          assert.ok(index > 0);
          await requests.remove(id);
          break;
        }
        assert.equal(status, 500, body);
        await assertRetries(id);
      }
    }
    await engine.assertNothingLeft();
  });
});
