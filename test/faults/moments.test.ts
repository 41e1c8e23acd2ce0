/** A daemon may be killed before anything that it does to the world: the next one finishes or undoes. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startTimeOf } from "../../src/kernel/holder.ts";
import { isAlive, keeperOf, until } from "../docker/containers.ts";
import { type Answer, cannotRun, type Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { Mortal, type Operation, orDead } from "./mortal.ts";
import { type Inspected, Requests } from "./requests.ts";

describe("a daemon that is killed at any moment", { skip: cannotRun() }, () => {
  let engine: Engine;
  let mortal: Mortal;
  let requests: Requests;
  let witness: { readonly id: string; readonly pid: number; readonly startTime: number | undefined };

  const post = (target: string, body?: object): Promise<Answer> => requests.post(target, body);
  const inspect = (id: string): Promise<Inspected | undefined> => requests.inspect(id);
  const created = (body: object): Promise<string> => requests.created(body);
  const running = (body: object): Promise<string> => requests.running(body);
  const remove = (id: string): Promise<void> => requests.remove(id);
  const pidOf = (id: string): Promise<number> => requests.pidOf(id);

  before(async () => {
    mortal = await Mortal.launch();
    engine = mortal.engine;
    requests = new Requests(engine);
    await engine.load(await imageOf());
    const id = await running({ Image: "probe", Cmd: ["sleep"] });
    const pid = await pidOf(id);
    witness = { id, pid, startTime: startTimeOf(pid) };
  });
  after(() => mortal.stop());

  /** What ran runs, by the same process; what is listed is there, and nothing else is. */
  const assertConsistent = async (): Promise<void> => {
    const { State: state } = (await inspect(witness.id))!;
    assert.deepEqual([state.Running, state.Pid], [true, witness.pid]);
    assert.equal(startTimeOf(witness.pid), witness.startTime);
    const { body } = await engine.request("GET", "/containers/json?all=1");
    const listed = JSON.parse(body) as { readonly Id: string; readonly State: string }[];
    const runs = listed.filter(({ State }) => State === "running").map(({ Id }) => Id);
    for (const id of runs) assert.ok(isAlive(await pidOf(id)), `${id} does not run`);
    await until(
      "what runs has a directory, and nothing else has",
      () => readdirSync(join(engine.run, "c")).sort().join() === [...runs].sort().join(),
    );
    const known = listed.map(({ Id }) => Id);
    for (const id of readdirSync(join(engine.root, "containers"))) assert.ok(known.includes(id), `${id} is left`);
  };

  const atEveryMoment = <Subject>(operation: Operation<Subject>, stride = 1): Promise<void> =>
    mortal.atEveryMoment(operation, assertConsistent, stride);

  const whole = {
    Image: "probe",
    Cmd: ["trap", "1"],
    HostConfig: { PortBindings: { "80/tcp": [{}] }, Memory: 64 << 20 },
  };
  const ready = async (id: string): Promise<void> => {
    const log = join(engine.root, "containers", id, `${id}-json.log`);
    await until("it is ready", () => existsSync(log) && readFileSync(log, "utf8").includes("ready"));
  };
  const runningReady = async (): Promise<string> => {
    const id = await running(whole);
    await ready(id);
    return id;
  };

  test("create: it is there, or it is not", async () => {
    let turn = 0;
    await atEveryMoment({
      prepare: async () => `name${turn++}`,
      run: (name) => orDead(post(`/containers/create?name=${name}`, whole)),
      check: async (name, answered) => {
        if (answered !== undefined) assert.equal(answered.status, 201);
        const found = await inspect(name);
        if (answered !== undefined) assert.notEqual(found, undefined);
        if (found === undefined) return;
        assert.equal((await post(`/containers/${name}/start`)).status, 204);
        await remove(name);
      },
    });
  });

  test("start: it runs, or it can be started again", async () => {
    await atEveryMoment({
      prepare: () => created(whole),
      run: (id) => orDead(post(`/containers/${id}/start`)),
      check: async (id, answered) => {
        const state = (await inspect(id))?.State;
        if (answered !== undefined) assert.equal(state?.Running, true);
        const again = await post(`/containers/${id}/start`);
        assert.equal(again.status, state?.Running === true ? 304 : 204, again.body);
        await remove(id);
      },
    });
  });

  test("start of one that is to go with its end: it runs, or it is gone", async () => {
    await atEveryMoment(
      {
        prepare: () => created({ ...whole, HostConfig: { ...whole.HostConfig, AutoRemove: true } }),
        run: (id) => orDead(post(`/containers/${id}/start`)),
        check: async (id) => {
          const found = await inspect(id);
          if (found === undefined) return;
          assert.equal(found.State.Running, true);
          await remove(id);
        },
      },
      2,
    );
  });

  test("exec: its container is as it was, and the session is over or goes on to its end", async () => {
    const id = await running(whole);
    const pid = await pidOf(id);
    await atEveryMoment({
      prepare: () => Promise.resolve(id),
      run: async () => {
        const made = await orDead(post(`/containers/${id}/exec`, { Cmd: ["/probe", "exit", "0"], User: "1000" }));
        if (made === undefined) return undefined;
        return await orDead(post(`/exec/${JSON.parse(made.body).Id}/start`, { Detach: true }));
      },
      check: async () => {
        assert.equal(await pidOf(id), pid);
        await until("no session is left", () => readdirSync(join(engine.run, "x")).length === 0);
      },
    });
    await remove(id);
  });

  test("stop: it runs, or has ended with its own code", async () => {
    await atEveryMoment({
      prepare: runningReady,
      run: (id) => orDead(post(`/containers/${id}/stop`)),
      check: async (id, answered) => {
        const state = (await inspect(id))?.State;
        if (answered !== undefined) assert.equal(state?.Running, false);
        if (state?.Running === true) assert.equal((await post(`/containers/${id}/stop`)).status, 204);
        assert.equal((await inspect(id))?.State.ExitCode, 15);
        await remove(id);
      },
    });
  });

  test("an end by itself: its code is known, or it is gone if it was to go", async () => {
    for (const autoRemove of [false, true]) {
      await atEveryMoment(
        {
          prepare: async () => {
            const id = await running({ ...whole, HostConfig: { ...whole.HostConfig, AutoRemove: autoRemove } });
            await ready(id);
            return { id, pid: await pidOf(id) };
          },
          run: async ({ id, pid }) => {
            process.kill(pid, "SIGTERM");
            return await orDead(post(`/containers/${id}/wait`));
          },
          check: async ({ id }) => {
            await until("its end is known", async () => (await inspect(id))?.State.Running !== true);
            const found = await inspect(id);
            assert.equal(found?.State.ExitCode, autoRemove ? undefined : 15);
            if (found !== undefined) await remove(id);
          },
        },
        2,
      );
    }
  });

  test("an end that is to be followed by a start: it runs again, or is stopped if that was asked", async () => {
    const restart = { ...whole, HostConfig: { ...whole.HostConfig, RestartPolicy: { Name: "unless-stopped" } } };
    const isUp = async (id: string): Promise<boolean> => (await inspect(id))?.State.Status === "running";
    await atEveryMoment(
      {
        prepare: async () => {
          const id = await running(restart);
          await ready(id);
          return { id, pid: await pidOf(id) };
        },
        run: async ({ id, pid }) => {
          process.kill(pid, "SIGKILL");
          await until(
            "it runs again",
            async () => (await pidOf(id).catch(() => pid)) !== pid && (await isUp(id)),
            500,
          ).catch(() => {});
          return undefined;
        },
        check: async ({ id, pid }) => {
          await until("it runs again", async () => (await isUp(id)) && (await pidOf(id)) !== pid);
          assert.equal((await post(`/containers/${id}/stop`)).status, 204);
          assert.equal((await inspect(id))?.State.Status, "exited");
          await remove(id);
        },
      },
      3,
    );
  });

  test("rm: it is gone, or can be removed again", async () => {
    await atEveryMoment(
      {
        prepare: () => running(whole),
        run: (id) => orDead(engine.request("DELETE", `/containers/${id}?force=1&v=1`)),
        check: async (id, answered) => {
          if (answered !== undefined) assert.equal(answered.status, 204);
          if ((await inspect(id)) !== undefined) await remove(id);
          assert.equal(await inspect(id), undefined);
        },
      },
      2,
    );
  });

  test("the start of a daemon that finds all of this: its own successor finds the same", async () => {
    await atEveryMoment(
      {
        prepare: async () => {
          const [lives, ends, goes, loses] = await Promise.all([
            runningReady(),
            runningReady(),
            running({ ...whole, HostConfig: { AutoRemove: true } }),
            running(whole),
          ]);
          const pids = (await Promise.all([lives, ends, goes, loses].map(pidOf))) as [number, number, number, number];
          const half = await created(whole);
          const asked = orDead(post(`/containers/${half}/start`));
          await engine.kill9();
          await asked;
          process.kill(pids[1], "SIGTERM");
          process.kill(pids[2], "SIGKILL");
          process.kill(keeperOf(pids[3]), "SIGKILL");
          await until("what was to end has", () => pids.every((pid, index) => index === 0 || !isAlive(pid)));
          await until(
            "the ends are written down",
            () => existsSync(join(engine.run, "c", ends, "exit")) && existsSync(join(engine.run, "c", goes, "exit")),
          );
          return { lives, ends, goes, loses, half, pid: pids[0] };
        },
        run: async () => {
          await engine.restart().catch(() => {});
          return undefined;
        },
        check: async ({ lives, ends, goes, loses, half, pid }) => {
          assert.equal(await pidOf(lives), pid);
          assert.equal((await inspect(ends))?.State.ExitCode, 15);
          assert.equal(await inspect(goes), undefined);
          assert.ok([137, 255].includes(Number((await inspect(loses))?.State.ExitCode)));
          const again = await post(`/containers/${half}/start`);
          assert.ok([204, 304].includes(again.status), again.body);
          for (const id of [lives, ends, loses, half]) await remove(id);
        },
      },
      8,
    );
  });
});
