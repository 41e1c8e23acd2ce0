/**
 * A daemon may be killed before anything that it does to its store or to a registry: afterwards each image is whole, byte
 * for byte, or absent, and what was broken off can be done again.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "../docker/containers.ts";
import { type Answer, cannotRun, type Engine } from "../engine.ts";
import { digestOf, dockerArchive, tarOf } from "../image/rooms.ts";
import { imageOf } from "../probe/image.ts";
import { ChaosRegistry, refuse } from "../registry/chaos.ts";
import { type PutResult, putImage } from "../registry/rooms.ts";
import { type Answered, Mortal, type Operation, orDead } from "./mortal.ts";

/** Whether an answer of many lines, whose status says nothing, ended well. */
const isWhole = (answered: Answered): boolean => answered?.status === 200 && !answered.body.includes('"error"');

describe("a store whose daemon is killed at any moment", { skip: cannotRun() }, () => {
  let mortal: Mortal;
  let engine: Engine;
  let registry: ChaosRegistry;
  /** What is there when no test has anything. */
  let empty: { readonly layers: number; readonly blobs: number };
  /** A layer's index follows from its tar: it is the same whenever it is there. */
  const indexes = new Map<string, string>();

  const layers = (): string[] => readdirSync(join(engine.root, "layers"));
  const blobs = (): string[] => readdirSync(join(engine.root, "blobs", "sha256"));
  const send = (method: string, target: string, body?: string | Uint8Array): Promise<Answer> =>
    engine.request(method, target, body, { "content-type": "application/x-tar" });
  const imageNamed = async (name: string): Promise<{ Id: string; RootFS: { Layers: string[] } } | undefined> => {
    const { status, body } = await engine.request("GET", `/images/${encodeURI(name)}/json`);
    return status === 200 ? JSON.parse(body) : undefined;
  };
  const removed = async (name: string): Promise<void> => {
    const { status, body } = await engine.request("DELETE", `/images/${encodeURI(name)}?force=1`);
    assert.ok([200, 404].includes(status), body);
  };
  const pruned = async (): Promise<void> => {
    assert.equal((await engine.request("POST", "/images/prune")).status, 200);
  };

  before(async () => {
    mortal = await Mortal.launch();
    engine = mortal.engine;
    await engine.load(await imageOf());
    registry = await ChaosRegistry.start();
    empty = { layers: layers().length, blobs: blobs().length };
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await mortal.stop();
  });

  /** Every file is what its name says, every image has all of them, and the engine itself finds nothing wrong. */
  const assertWhole = async (): Promise<void> => {
    const checked = await engine.request("POST", "/pier/check");
    assert.deepEqual([checked.status, checked.body], [200, ""]);
    for (const name of layers().filter((one) => !one.startsWith("."))) {
      const place = join(engine.root, "layers", name);
      assert.equal(digestOf(readFileSync(join(place, "tar"))), `sha256:${name}`, "a tar is not what its name says");
      const index = digestOf(readFileSync(join(place, "index")));
      assert.equal(index, indexes.get(name) ?? index, `the index of ${name} is another`);
      indexes.set(name, index);
    }
    for (const name of blobs().filter((one) => !one.startsWith("."))) {
      const bytes = readFileSync(join(engine.root, "blobs", "sha256", name));
      assert.equal(digestOf(bytes), `sha256:${name}`, "a blob is not what its name says");
    }
    const { body } = await engine.request("GET", "/images/json");
    for (const { Id } of JSON.parse(body) as { readonly Id: string }[]) {
      const { RootFS } = (await imageNamed(Id))!;
      for (const layer of RootFS.Layers) assert.ok(layers().includes(layer.slice(7)), `${Id} lacks ${layer}`);
    }
  };
  /** Holds when an image and all that came with it is gone, its layers and blobs too. */
  const assertEmpty = (): Promise<void> =>
    until(
      "no layer and no blob is left",
      () =>
        layers().length === empty.layers &&
        blobs().length === empty.blobs &&
        readdirSync(join(engine.root, "blobs")).sort().join() === "partial,sha256",
    );
  const atEveryMoment = <Subject>(operation: Operation<Subject>, stride: number): Promise<void> =>
    mortal.atEveryMoment(operation, assertWhole, stride);

  const one = tarOf({ "a/": "", "a/b": "hello ".repeat(500) });
  const two = tarOf({ "c/d": "x".repeat(300_000) });
  const inRegistry = async (repository: string): Promise<PutResult> =>
    putImage(registry, repository, "1", [await one, await two], { packing: ["gzip", "plain"] });
  const archived = async (name: string): Promise<Uint8Array> =>
    dockerArchive([{ layers: [await one, await two], tags: [`${name}:1`] }]);

  test("load: the image is whole, or absent with all of its layers", async () => {
    const archive = await archived("loaded");
    await atEveryMoment(
      {
        prepare: async () => {},
        run: () => orDead(send("POST", "/images/load", archive)),
        check: async (_, answered) => {
          if (answered !== undefined) assert.ok(isWhole(answered), answered.body);
          if (answered !== undefined) assert.ok(await imageNamed("loaded:1"));
          await removed("loaded:1");
          await assertEmpty();
        },
      },
      12,
    );
  });

  test("pull: the image is whole or absent, and the next pull goes on", async () => {
    const put = await inRegistry("pulled");
    const name = `${registry.host}/pulled:1`;
    const pull = (): Promise<Answer> => send("POST", `/images/create?fromImage=${registry.host}/pulled&tag=1`);
    await atEveryMoment(
      {
        prepare: async () => {},
        run: () => orDead(pull()),
        check: async (_, answered) => {
          if (answered !== undefined) assert.ok(isWhole(answered), answered.body);
          const found = await imageNamed(name);
          if (answered !== undefined) assert.equal(found?.Id, put.config);
          if (found === undefined) assert.ok(isWhole(await pull()));
          assert.equal((await imageNamed(name))?.Id, put.config);
          await assertWhole();
          await removed(name);
          await pruned();
          await assertEmpty();
        },
      },
      20,
    );
  });

  test("push: the image stays whole, and the next push brings it to the registry", async () => {
    const archive = await archived(`${registry.host}/pushed`);
    const push = (): Promise<Answer> => send("POST", `/images/${registry.host}/pushed/push?tag=1`);
    await atEveryMoment(
      {
        prepare: async () => {
          for (const digest of registry.blobs.keys()) registry.blobs.delete(digest);
          registry.manifests.clear();
          assert.equal((await send("POST", "/images/load", archive)).status, 200);
        },
        run: () => orDead(push()),
        check: async (_, answered) => {
          if (answered !== undefined) assert.ok(isWhole(answered), answered.body);
          else assert.ok(isWhole(await push()));
          const manifest = JSON.parse(Buffer.from(registry.manifests.get("pushed 1")!.bytes).toString());
          for (const { digest } of [manifest.config, ...manifest.layers]) {
            assert.equal(digestOf(registry.blobs.get(digest)!), digest);
          }
          assert.equal(manifest.config.digest, (await imageNamed(`${registry.host}/pushed:1`))?.Id);
          await assertWhole();
          await removed(`${registry.host}/pushed:1`);
          await assertEmpty();
        },
      },
      25,
    );
  });

  test("save: the image stays whole, and what is saved next is the same", async () => {
    assert.equal((await send("POST", "/images/load", await archived("saved"))).status, 200);
    const save = (): Promise<Answer> => engine.request("GET", "/images/saved:1/get");
    const before = digestOf((await save()).body);
    // It changes nothing, so there is nothing before which it could be killed but the bytes on their way to the client.
    const client = get({ socketPath: engine.socket, path: "/images/saved:1/get" });
    const [response] = (await once(client, "response")) as [IncomingMessage];
    await once(response, "data");
    response.on("error", () => {});
    await engine.restart();
    await assertWhole();
    assert.equal(digestOf((await save()).body), before);
    await removed("saved:1");
    await assertEmpty();
  });

  test("import: the image is whole, or absent with its layer", async () => {
    const tar = await two;
    await atEveryMoment(
      {
        prepare: async () => {},
        run: () => orDead(send("POST", "/images/create?fromSrc=-&repo=imported&tag=1", tar)),
        check: async (_, answered) => {
          if (answered !== undefined) assert.ok(isWhole(answered), answered.body);
          const found = await imageNamed("imported:1");
          if (answered !== undefined) assert.deepEqual(found?.RootFS.Layers, [digestOf(tar)]);
          await removed("imported:1");
          await assertEmpty();
        },
      },
      9,
    );
  });

  test("commit: the image is whole, or absent with its layer; the container stays as it was", async () => {
    const body = JSON.stringify({ Image: "probe", Cmd: ["write", "/new", "text"] });
    const { Id: id } = JSON.parse((await engine.request("POST", "/containers/create", body)).body);
    assert.equal((await engine.request("POST", `/containers/${id}/start`)).status, 204);
    await engine.request("POST", `/containers/${id}/wait`);
    await atEveryMoment(
      {
        prepare: async () => {},
        run: () => orDead(engine.request("POST", `/commit?container=${id}&repo=committed&tag=1`, "{}")),
        check: async (_, answered) => {
          if (answered !== undefined) assert.equal(answered.status, 201, answered.body);
          const found = await imageNamed("committed:1");
          if (answered !== undefined) assert.equal(found?.Id, JSON.parse(answered.body).Id);
          if (found !== undefined) assert.equal(found.RootFS.Layers.length, 2);
          const changes = await engine.request("GET", `/containers/${id}/changes`);
          assert.deepEqual(JSON.parse(changes.body), [{ Path: "/new", Kind: 1 }]);
          await removed("committed:1");
          await assertEmpty();
        },
      },
      13,
    );
    assert.equal((await engine.request("DELETE", `/containers/${id}`)).status, 204);
  });

  test("rmi: the image is whole or gone, and its layers with it", async () => {
    const archive = await archived("removed");
    await atEveryMoment(
      {
        prepare: async () => assert.equal((await send("POST", "/images/load", archive)).status, 200),
        run: () => orDead(engine.request("DELETE", "/images/removed:1")),
        check: async (_, answered) => {
          if (answered !== undefined) assert.equal(answered.status, 200, answered.body);
          if (answered !== undefined) assert.equal(await imageNamed("removed:1"), undefined);
          await removed("removed:1");
          await assertEmpty();
        },
      },
      5,
    );
  });

  test("prune: what somebody needs stays, the rest goes or can be pruned again", async () => {
    const kept = await inRegistry("kept");
    const pull = (name: string): Promise<Answer> =>
      send("POST", `/images/create?fromImage=${registry.host}/${name}&tag=1`);
    const keptName = `${registry.host}/kept:1`;
    assert.ok(isWhole(await pull("kept")));
    const before = { layers: layers().length, blobs: blobs().length };
    // Half of it comes, and then the connection ends: a part stays, and the layer that was whole.
    putImage(registry, "half", "1", [await tarOf({ e: "whole" }), await tarOf({ f: "y".repeat(400_000) })], {
      packing: ["gzip", "plain"],
    });
    const nameless = await dockerArchive([{ layers: [await tarOf({ g: "nobody's" })] }]);
    await atEveryMoment(
      {
        prepare: async () => {
          registry.asked.length = 0;
          registry.fault = ({ response, path, bytes, before }) => {
            if (!path.includes("/blobs/") || bytes.length < 400_000) return false;
            if (before > 0) {
              refuse(response, 404, "BLOB_UNKNOWN");
              return true;
            }
            response.writeHead(200, { "Content-Length": bytes.length }).write(bytes.subarray(0, 100_000), () => {
              response.destroy();
            });
            return true;
          };
          assert.ok(!isWhole(await pull("half")));
          registry.fault = undefined;
          assert.equal((await send("POST", "/images/load", nameless)).status, 200);
        },
        run: () => orDead(engine.request("POST", "/images/prune")),
        check: async (_, answered) => {
          if (answered !== undefined) assert.equal(answered.status, 200, answered.body);
          else await pruned();
          assert.equal((await imageNamed(keptName))?.Id, kept.config);
          await until(
            "only what is needed is left",
            () =>
              layers().length === before.layers &&
              blobs().length === before.blobs &&
              readdirSync(join(engine.root, "blobs", "partial")).length === 0,
          );
        },
      },
      8,
    );
    await removed(keptName);
    await pruned();
    await assertEmpty();
  });
});
