/**
 * A daemon may be killed before anything that it does to change what is there: afterwards it is as it was, or as it was
 * asked to be, and can be changed again. (`npm run test:faults` tries every moment, the suite some.)
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { until } from "../docker/containers.ts";
import { type Answer, cannotRun, type Engine } from "../engine.ts";
import { tarOf } from "../image/rooms.ts";
import { imageOf } from "../probe/image.ts";
import { Mortal, type Operation, orDead } from "./mortal.ts";
import { Requests } from "./requests.ts";

/** How many moments lie between those that a short run tries. */
const far = 7;

describe("changes by a daemon that is killed at any moment", { skip: cannotRun() }, () => {
  let mortal: Mortal;
  let engine: Engine;
  let requests: Requests;
  let one: string;
  let pid: number;
  const whole = { Image: "probe", Cmd: ["sleep"], HostConfig: { Memory: 64 << 20, NetworkMode: "none" } };

  before(async () => {
    mortal = await Mortal.launch();
    engine = mortal.engine;
    requests = new Requests(engine);
    await engine.load(await imageOf());
    one = await requests.running(whole);
    pid = await requests.pidOf(one);
  });
  after(() => mortal.stop());
  afterEach(async () => {
    const { body } = await engine.request("GET", "/containers/json?all=1");
    const others = (JSON.parse(body) as { readonly Id: string }[]).filter(({ Id }) => Id !== one);
    for (const { Id: id } of others) await requests.remove(id);
  });

  /** The one that runs is the same process, and no file belongs to nobody. */
  const assertConsistent = async (): Promise<void> => {
    assert.equal(await requests.pidOf(one), pid);
    const { body } = await engine.request("GET", "/containers/json?all=1");
    const known = (JSON.parse(body) as { readonly Id: string }[]).map(({ Id }) => Id);
    for (const id of readdirSync(join(engine.root, "containers"))) assert.ok(known.includes(id), `${id} is left`);
  };
  const atMoments = <Subject>(operation: Operation<Subject>, stride = far): Promise<void> =>
    mortal.atEveryMoment(operation, assertConsistent, stride);
  const isDone = (answer: Answer | undefined): boolean => {
    if (answer !== undefined) assert.ok(answer.status < 300, answer.body);
    return answer !== undefined;
  };

  test("update: limits are the old or the new, and the kernel has them", async () => {
    let turn = 0;
    const limitOf = (): number => {
      const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      const [, path = ""] = /^\d+:memory:(.*)$/m.exec(groups) ?? /^0::(.*)$/m.exec(groups) ?? [];
      const files = [`/sys/fs/cgroup/memory${path}/memory.limit_in_bytes`, `/sys/fs/cgroup${path}/memory.max`];
      return Number(readFileSync(files.find(existsSync)!, "utf8"));
    };
    await atMoments({
      prepare: async () => ({ old: limitOf(), next: (65 + turn++) << 20 }),
      run: ({ next }) => orDead(requests.post(`/containers/${one}/update`, { Memory: next, MemorySwap: -1 })),
      check: async ({ old, next }, answer) => {
        const known = (await requests.inspect(one))?.HostConfig.Memory;
        if (isDone(answer)) assert.deepEqual([known, limitOf()], [next, next]);
        for (const limit of [known, limitOf()]) assert.ok(limit === old || limit === next, `${limit}`);
        assert.ok(isDone(await requests.post(`/containers/${one}/update`, { Memory: next, MemorySwap: -1 })));
        assert.deepEqual([(await requests.inspect(one))?.HostConfig.Memory, limitOf()], [next, next]);
      },
    });
  });

  test("rename: it has one of both names, and the other is free", async () => {
    let turn = 0;
    await atMoments({
      prepare: async () => ({ old: (await requests.inspect(one))!.Name.slice(1), next: `name${turn++}` }),
      run: ({ next }) => orDead(requests.post(`/containers/${one}/rename?name=${next}`)),
      check: async ({ old, next }, answer) => {
        const name = (await requests.inspect(one))!.Name.slice(1);
        if (isDone(answer)) assert.equal(name, next);
        const free = name === next ? old : next;
        assert.ok([old, next].includes(name));
        const made = await requests.post(`/containers/create?name=${free}`, whole);
        assert.equal(made.status, 201, made.body);
        await requests.remove(free);
      },
    });
  });

  test("pause and unpause: it stands or runs, and is said to", async () => {
    await atMoments({
      prepare: async () => undefined,
      run: async () => {
        if ((await orDead(requests.post(`/containers/${one}/pause`))) === undefined) return undefined;
        return await orDead(requests.post(`/containers/${one}/unpause`));
      },
      check: async (_, answer) => {
        const isPaused = (await requests.inspect(one))?.State.Paused;
        if (isDone(answer)) assert.equal(isPaused, false);
        if (isPaused) assert.ok(isDone(await requests.post(`/containers/${one}/unpause`)));
        assert.equal((await requests.inspect(one))?.State.Status, "running");
      },
    });
  });

  test("commit: the image is there and can be run, or is not there", async () => {
    let turn = 0;
    await atMoments({
      prepare: async () => `made${turn++}`,
      run: (name) => orDead(requests.post(`/commit?container=${one}&repo=${name}`)),
      check: async (name, answer) => {
        const found = await engine.request("GET", `/images/${name}/json`);
        if (isDone(answer)) assert.equal(found.status, 200);
        assert.equal((await requests.inspect(one))?.State.Status, "running");
        if (found.status !== 200) return;
        await requests.remove(await requests.running({ ...whole, Image: name }));
        assert.ok(isDone(await engine.request("DELETE", `/images/${name}?force=1`)));
      },
    });
  });

  test("a copy into a container: it can be done again, and is then whole", async () => {
    const archive = await tarOf({ copied: "copied" });
    const put = () =>
      engine.request("PUT", `/containers/${one}/archive?path=/`, archive, { "content-type": "application/x-tar" });
    await atMoments({
      prepare: async () => undefined,
      run: () => orDead(put()),
      check: async (_, answer) => {
        if (!isDone(answer)) assert.ok(isDone(await put()));
        const { status, body } = await engine.request("GET", `/containers/${one}/archive?path=/copied`);
        assert.equal(status, 200);
        assert.match(body, /copied/);
      },
    });
  });

  test("volumes: one that was answered is there, one that was removed is not", async () => {
    const names = async (): Promise<readonly string[]> => {
      const { body } = await engine.request("GET", "/volumes");
      return (JSON.parse(body).Volumes ?? []).map(({ Name }: { readonly Name: string }) => Name);
    };
    let turn = 0;
    await atMoments(
      {
        prepare: async () => `volume${turn++}`,
        run: async (name) => {
          if ((await orDead(requests.post("/volumes/create", { Name: name }))) === undefined) return undefined;
          const id = await requests
            .running({ ...whole, HostConfig: { ...whole.HostConfig, Binds: [`${name}:/data`] } })
            .catch(() => undefined);
          if (id === undefined) return undefined;
          if ((await orDead(engine.request("DELETE", `/containers/${id}?force=1`))) === undefined) return undefined;
          return await orDead(engine.request("DELETE", `/volumes/${name}`));
        },
        check: async (name, answer) => {
          const all = await names();
          if (isDone(answer)) assert.ok(!all.includes(name));
          const { body } = await engine.request("GET", "/containers/json?all=1");
          for (const { Id: id } of JSON.parse(body)) if (id !== one) await requests.remove(id);
          if (all.includes(name)) assert.ok(isDone(await engine.request("DELETE", `/volumes/${name}`)));
          assert.deepEqual(readdirSync(join(engine.root, "volumes")), []);
        },
      },
      4 * far,
    );
  });

  test("a restart: it runs, or has ended; one that goes at its end runs, or is gone", async () => {
    for (const AutoRemove of [false, true]) {
      await atMoments(
        {
          prepare: () => requests.running({ ...whole, HostConfig: { ...whole.HostConfig, AutoRemove } }),
          run: (id) => orDead(requests.post(`/containers/${id}/restart?t=0`)),
          check: async (id, answer) => {
            const state = (await requests.inspect(id))?.State;
            if (isDone(answer)) assert.equal(state?.Running, true);
            if (AutoRemove && state !== undefined) {
              assert.equal(state.Running, true);
              assert.ok(isDone(await requests.post(`/containers/${id}/kill`)));
              await until("it is gone", async () => (await requests.inspect(id)) === undefined);
            }
            if (AutoRemove) return;
            assert.ok(isDone(await requests.post(`/containers/${id}/restart?t=0`)));
            await requests.remove(id);
          },
        },
        2 * far,
      );
    }
  });

  test("prune: what has ended is gone, or can be pruned again", async () => {
    await atMoments({
      prepare: async () => [await requests.created(whole), await requests.created(whole)],
      run: () => orDead(requests.post("/containers/prune")),
      check: async (ids, answer) => {
        if (!isDone(answer)) assert.ok(isDone(await requests.post("/containers/prune")));
        for (const id of ids) assert.equal(await requests.inspect(id), undefined);
      },
    });
  });

  test("health: whoever looks next finds it healthy", async () => {
    const Healthcheck = { Test: ["CMD", "/probe", "exit", "0"], Interval: 100_000_000, Timeout: 60_000_000_000 };
    const health = async (id: string): Promise<unknown> =>
      ((await requests.inspect(id))?.State.Health as { readonly Status: string } | undefined)?.Status;
    const isHealthy = (id: string) => until("it is healthy", async () => (await health(id)) === "healthy");
    await atMoments(
      {
        prepare: () => requests.created({ ...whole, Healthcheck }),
        run: async (id) => {
          const answer = await orDead(requests.start(id));
          if (answer !== undefined) await isHealthy(id).catch(() => {});
          return answer;
        },
        check: async (id) => {
          await requests.start(id);
          await isHealthy(id);
          await requests.remove(id);
        },
      },
      3 * far,
    );
  });
});
