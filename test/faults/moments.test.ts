/** A daemon may be killed before anything that it does to the world: the next one finishes or undoes. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startTimeOf } from "../../src/kernel/holder.ts";
import { isAlive, keeperOf, until } from "../docker/containers.ts";
import { cannotRun, type Engine } from "../engine.ts";
import { imageOf } from "../probe/image.ts";
import { Mortal, type Operation, orDead } from "./mortal.ts";
import { Requests } from "./requests.ts";

describe("a daemon that is killed at any moment", { skip: cannotRun() }, () => {
  let engine: Engine;
  let mortal: Mortal;
  let requests: Requests;
  let witness: { readonly id: string; readonly pid: number; readonly startTime: number | undefined };

  before(async () => {
    mortal = await Mortal.launch();
    engine = mortal.engine;
    requests = new Requests(engine);
    await engine.load(await imageOf());
    const id = await requests.running({ Image: "probe", Cmd: ["sleep"] });
    const pid = await requests.pidOf(id);
    witness = { id, pid, startTime: startTimeOf(pid) };
  });
  after(() => mortal.stop());

  /** What ran runs, by the same process; what is listed is there, and nothing else is. */
  const assertConsistent = async (): Promise<void> => {
    const { State: state } = (await requests.inspect(witness.id))!;
    assert.deepEqual([state.Running, state.Pid], [true, witness.pid]);
    assert.equal(startTimeOf(witness.pid), witness.startTime);
    const { body } = await engine.request("GET", "/containers/json?all=1");
    const listed = JSON.parse(body) as { readonly Id: string; readonly State: string }[];
    const runs = listed.filter(({ State }) => State === "running").map(({ Id }) => Id);
    for (const id of runs) assert.ok(isAlive(await requests.pidOf(id)), `${id} does not run`);
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
    const id = await requests.running(whole);
    await ready(id);
    return id;
  };

  test("create: it is there, or it is not", async () => {
    let turn = 0;
    await atEveryMoment({
      prepare: async () => `name${turn++}`,
      run: (name) => orDead(requests.post(`/containers/create?name=${name}`, whole)),
      check: async (name, answered) => {
        if (answered !== undefined) assert.equal(answered.status, 201);
        const found = await requests.inspect(name);
        if (answered !== undefined) assert.notEqual(found, undefined);
        if (found === undefined) return;
        assert.equal((await requests.start(name)).status, 204);
        await requests.remove(name);
      },
    });
  });

  test("start: it runs, or it can be started again", async () => {
    await atEveryMoment({
      prepare: () => requests.created(whole),
      run: (id) => orDead(requests.start(id)),
      check: async (id, answered) => {
        const state = (await requests.inspect(id))?.State;
        if (answered !== undefined) assert.equal(state?.Running, true);
        const again = await requests.start(id);
        assert.equal(again.status, state?.Running === true ? 304 : 204, again.body);
        await requests.remove(id);
      },
    });
  });

  test("start of one that is to go with its end: it runs, or it is gone", async () => {
    await atEveryMoment(
      {
        prepare: () => requests.created({ ...whole, HostConfig: { ...whole.HostConfig, AutoRemove: true } }),
        run: (id) => orDead(requests.start(id)),
        check: async (id) => {
          const found = await requests.inspect(id);
          if (found === undefined) return;
          assert.equal(found.State.Running, true);
          await requests.remove(id);
        },
      },
      2,
    );
  });

  test("exec: its container is as it was, and the session is over or goes on to its end", async () => {
    const id = await requests.running(whole);
    const pid = await requests.pidOf(id);
    await atEveryMoment({
      prepare: () => Promise.resolve(id),
      run: async () => {
        const made = await orDead(
          requests.post(`/containers/${id}/exec`, { Cmd: ["/probe", "exit", "0"], User: "1000" }),
        );
        if (made === undefined) return undefined;
        return await orDead(requests.post(`/exec/${JSON.parse(made.body).Id}/start`, { Detach: true }));
      },
      check: async () => {
        assert.equal(await requests.pidOf(id), pid);
        await until("no session is left", () => readdirSync(join(engine.run, "x")).length === 0);
      },
    });
    await requests.remove(id);
  });

  test("stop: it runs, or has ended with its own code", async () => {
    await atEveryMoment({
      prepare: runningReady,
      run: (id) => orDead(requests.post(`/containers/${id}/stop`)),
      check: async (id, answered) => {
        const state = (await requests.inspect(id))?.State;
        if (answered !== undefined) assert.equal(state?.Running, false);
        if (state?.Running === true) assert.equal((await requests.post(`/containers/${id}/stop`)).status, 204);
        assert.equal((await requests.inspect(id))?.State.ExitCode, 15);
        await requests.remove(id);
      },
    });
  });

  test("an end by itself: its code is known, or it is gone if it was to go", async () => {
    for (const autoRemove of [false, true]) {
      await atEveryMoment(
        {
          prepare: async () => {
            const id = await requests.running({
              ...whole,
              HostConfig: { ...whole.HostConfig, AutoRemove: autoRemove },
            });
            await ready(id);
            return { id, pid: await requests.pidOf(id) };
          },
          run: async ({ id, pid }) => {
            process.kill(pid, "SIGTERM");
            return await orDead(requests.post(`/containers/${id}/wait`));
          },
          check: async ({ id }) => {
            await until("its end is known", async () => (await requests.inspect(id))?.State.Running !== true);
            const found = await requests.inspect(id);
            assert.equal(found?.State.ExitCode, autoRemove ? undefined : 15);
            if (found !== undefined) await requests.remove(id);
          },
        },
        2,
      );
    }
  });

  test("an end that is to be followed by a start: it runs again, or is stopped if that was asked", async () => {
    const restart = { ...whole, HostConfig: { ...whole.HostConfig, RestartPolicy: { Name: "unless-stopped" } } };
    const isUp = async (id: string): Promise<boolean> => (await requests.inspect(id))?.State.Status === "running";
    await atEveryMoment(
      {
        prepare: async () => {
          const id = await requests.running(restart);
          await ready(id);
          return { id, pid: await requests.pidOf(id) };
        },
        run: async ({ id, pid }) => {
          process.kill(pid, "SIGKILL");
          await until(
            "it runs again",
            async () => (await requests.pidOf(id).catch(() => pid)) !== pid && (await isUp(id)),
            500,
          ).catch(() => {});
          return undefined;
        },
        check: async ({ id, pid }) => {
          await until("it runs again", async () => (await isUp(id)) && (await requests.pidOf(id)) !== pid);
          assert.equal((await requests.post(`/containers/${id}/stop`)).status, 204);
          assert.equal((await requests.inspect(id))?.State.Status, "exited");
          await requests.remove(id);
        },
      },
      3,
    );
  });

  test("rm: it is gone, or can be removed again", async () => {
    await atEveryMoment(
      {
        prepare: () => requests.running(whole),
        run: (id) => orDead(engine.request("DELETE", `/containers/${id}?force=1&v=1`)),
        check: async (id, answered) => {
          if (answered !== undefined) assert.equal(answered.status, 204);
          if ((await requests.inspect(id)) !== undefined) await requests.remove(id);
          assert.equal(await requests.inspect(id), undefined);
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
            requests.running({ ...whole, HostConfig: { AutoRemove: true } }),
            requests.running(whole),
          ]);
          const pids = (await Promise.all([lives, ends, goes, loses].map((id) => requests.pidOf(id)))) as [
            number,
            number,
            number,
            number,
          ];
          const half = await requests.created(whole);
          const asked = orDead(requests.start(half));
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
          assert.equal(await requests.pidOf(lives), pid);
          assert.equal((await requests.inspect(ends))?.State.ExitCode, 15);
          assert.equal(await requests.inspect(goes), undefined);
          assert.ok([137, 255].includes(Number((await requests.inspect(loses))?.State.ExitCode)));
          const again = await requests.start(half);
          assert.ok([204, 304].includes(again.status), again.body);
          for (const id of [lives, ends, loses, half]) await requests.remove(id);
        },
      },
      8,
    );
  });
});
