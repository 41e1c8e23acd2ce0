/** Every way in which a registry fails: the image is whole afterwards, or not there at all. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { PierError } from "../../src/base/errors.ts";
import { machineArchitecture } from "../../src/image/manifest.ts";
import { ChaosRegistry, type Context, digestOf, type Fault, refuse } from "./chaos.ts";
import { noisyTar, openPulls, putImage, putIndex, type TestPulls } from "./rooms.ts";

const small = await noisyTar(2_000, 7);
const large = await noisyTar(1_200_000, 8);
const packed = gzipSync(large);
const isLarge = ({ path, bytes }: Context): boolean => path.includes("/blobs/") && bytes.length > 1_000_000;

/** Sends a part of the blob as the whole answer would begin, and breaks off. */
const cut = ({ request, response, bytes }: Context, from: number, to: number): void => {
  const part =
    request.headers.range === undefined ? {} : { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead("Content-Range" in part ? 206 : 200, { "Content-Length": bytes.length - from, ...part });
  response.write(bytes.subarray(from, to), () => setImmediate(() => response.destroy()));
};

/** The same, by a reset: what the network still has of it may be lost with the connection. */
const reset = ({ response, bytes }: Context, to: number): void => {
  response.writeHead(200, { "Content-Length": bytes.length });
  response.write(bytes.subarray(0, to), () => setImmediate(() => response.socket?.resetAndDestroy()));
};

/** The request is taken. */
const done = (...taken: readonly unknown[]): true => {
  assert.equal(taken.length, 1);
  return true;
};

const fromOf = ({ request }: Context): number => Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);

/** After which the pull has the image, in so many requests for the large layer at most. */
const survived: Readonly<
  Record<string, { readonly fault: Fault; readonly requests?: number; readonly stallMs?: number }>
> = {
  "breaks off at byte 1": { fault: (one) => isLarge(one) && one.before === 0 && done(cut(one, 0, 1)), requests: 2 },
  "breaks off in the midst, four times": {
    fault: (one) => isLarge(one) && one.before < 4 && done(cut(one, fromOf(one), fromOf(one) + 200_000)),
    requests: 5,
  },
  "is reset in the midst": {
    fault: (one) => isLarge(one) && one.before === 0 && done(reset(one, 600_000)),
    requests: 2,
  },
  "breaks off before its last byte": {
    fault: (one) => isLarge(one) && one.before === 0 && done(cut(one, 0, one.bytes.length - 1)),
    requests: 2,
  },
  "breaks off, and ignores ranges": {
    fault: (one) => {
      if (!isLarge(one)) return false;
      if (one.before === 0) cut(one, 0, 400_000);
      else one.response.writeHead(200, { "Content-Length": one.bytes.length }).end(one.bytes);
      return true;
    },
    requests: 2,
  },
  "breaks off, and sends another part than was asked for, once": {
    fault: (one) => {
      if (!isLarge(one) || one.before > 1) return false;
      if (one.before === 0) cut(one, 0, 400_000);
      else {
        const headers = { "Content-Range": `bytes 5-${one.bytes.length - 1}/${one.bytes.length}` };
        one.response.writeHead(206, headers).end(one.bytes.subarray(5));
      }
      return true;
    },
    requests: 3,
  },
  "says a length that is too short": {
    fault: (one) => {
      if (!isLarge(one) || one.before > 0) return false;
      one.response.writeHead(200, { "Content-Length": 1000 }).end(one.bytes.subarray(0, 1000));
      return true;
    },
    requests: 2,
  },
  "sends a byte that is another, once": {
    fault: (one) => {
      if (!isLarge(one) || one.before > 0) return false;
      const bytes = Buffer.from(one.bytes);
      bytes[600_000]! ^= 1;
      one.response.writeHead(200, { "Content-Length": bytes.length }).end(bytes);
      return true;
    },
    requests: 2,
  },
  "sends a piece twice, and so many bytes as there are, once": {
    fault: (one) => {
      if (!isLarge(one) || one.before > 0) return false;
      const twice = Buffer.concat([one.bytes.subarray(0, 600_000), one.bytes.subarray(400_000)]);
      one.response.writeHead(200, { "Content-Length": one.bytes.length }).end(twice.subarray(0, one.bytes.length));
      return true;
    },
    // What cannot be unpacked is fetched to its end, to see whose fault that is.
    requests: 3,
  },
  "sends a piece again behind what came before it broke off, once": {
    fault: (one) => {
      if (!isLarge(one) || one.before > 1) return false;
      if (one.before === 0) cut(one, 0, 400_000);
      else {
        const from = fromOf(one);
        const again = Buffer.concat([one.bytes.subarray(from - 1000, from), one.bytes.subarray(from)]);
        const range = `bytes ${from}-${one.bytes.length - 1}/${one.bytes.length}`;
        one.response.writeHead(206, { "Content-Range": range }).end(again.subarray(0, one.bytes.length - from));
      }
      return true;
    },
    requests: 4,
  },
  "answers HEAD otherwise than GET": {
    fault: (one) => {
      if (one.request.method !== "HEAD") return false;
      const headers = { "Docker-Content-Digest": digestOf("other"), "Content-Length": 3, "Content-Type": "text/html" };
      one.response.writeHead(200, headers).end();
      return true;
    },
    requests: 1,
  },
  "sends nothing any more": {
    stallMs: 300,
    fault: (one) => {
      if (!isLarge(one) || one.before > 0) return false;
      one.response.writeHead(200, { "Content-Length": one.bytes.length }).write(one.bytes.subarray(0, 400_000));
      return true;
    },
  },
  "never answers, once": { fault: (one) => isLarge(one) && one.before === 0, stallMs: 300 },
  "sends a byte now and then": {
    stallMs: 300,
    fault: (one) => {
      if (!isLarge(one) || one.before > 0) return false;
      one.response.writeHead(200, { "Content-Length": one.bytes.length });
      let at = 0;
      const timer = setInterval(() => one.response.write(one.bytes.subarray(at, ++at)), 20);
      one.response.on("close", () => clearInterval(timer));
      return true;
    },
  },
  "closes the connection without a word": {
    fault: (one) => isLarge(one) && one.before < 4 && done(one.request.socket.destroy()),
    requests: 5,
  },
  "is busy, and says for how long": {
    fault: (one) => one.before === 0 && done(refuse(one.response, 429, "TOOMANYREQUESTS", { "Retry-After": "0" })),
  },
  "fails four times, at everything": {
    fault: (one) => one.before < 4 && done(refuse(one.response, [500, 502, 503, 504][one.before]!, "UNKNOWN")),
  },
  "lies once about the digest of a manifest": {
    fault: (one) => {
      if (!one.path.includes("/manifests/") || one.before > 0) return false;
      one.response.writeHead(200, { "Docker-Content-Digest": digestOf("other") }).end(one.bytes);
      return true;
    },
  },
  "redirects blobs to another host": {
    fault: (one) => {
      if (!one.path.includes("/blobs/") || one.request.headers.host!.startsWith("localhost")) return false;
      one.response
        .writeHead(307, { Location: `http://localhost:${one.request.headers.host!.split(":")[1]}${one.path}` })
        .end();
      return true;
    },
  },
};

/** After which there is no image, and the sentence that says why. */
const refused: Readonly<Record<string, { readonly fault: Fault; readonly says: RegExp; readonly most?: number }>> = {
  "breaks off again and again": {
    fault: (one) => isLarge(one) && done(cut(one, fromOf(one), fromOf(one) + 10)),
    says: /ended its answer early/,
    most: 5,
  },
  "always sends a byte that is another": {
    fault: (one) => {
      if (!isLarge(one)) return false;
      const bytes = Buffer.from(one.bytes);
      bytes[600_000]! ^= 1;
      one.response.writeHead(200, { "Content-Length": bytes.length }).end(bytes);
      return true;
    },
    says: /layer 1 does not match its digest/,
    most: 3,
  },
  "sends more than there is": {
    fault: (one) => isLarge(one) && done(one.response.writeHead(200).end(Buffer.concat([one.bytes, one.bytes]))),
    says: /sends more of sha256:[0-9a-f]+ than its \d+ bytes/,
    most: 1,
  },
  "compresses what is compressed": {
    fault: (one) => isLarge(one) && done(one.response.writeHead(200, { "Content-Encoding": "gzip" }).end(packed)),
    says: /in the encoding gzip, which nobody asked for/,
    most: 1,
  },
  "never has time": {
    fault: (one) => isLarge(one) && done(refuse(one.response, 503, "UNAVAILABLE")),
    says: /answered 503/,
    most: 5,
  },
  "wants to be left alone for an hour": {
    fault: (one) => isLarge(one) && done(refuse(one.response, 429, "TOOMANYREQUESTS", { "Retry-After": "3600" })),
    says: /toomanyrequests/,
    most: 1,
  },
  "redirects in a circle": {
    fault: (one) => isLarge(one) && done(one.response.writeHead(307, { Location: one.path }).end()),
    says: /redirects again and again/,
  },
  "redirects to a file": {
    fault: (one) => isLarge(one) && done(one.response.writeHead(307, { Location: "file:///etc/passwd" }).end()),
    says: /redirects to file:\/\/\/etc\/passwd/,
  },
  "does not have the layer": {
    fault: (one) => isLarge(one) && done(refuse(one.response, 404, "BLOB_UNKNOWN")),
    says: /blob sha256:[0-9a-f]+ not found/,
    most: 1,
  },
  "always lies about the digest of a manifest": {
    fault: (one) =>
      one.path.includes("/manifests/") &&
      done(one.response.writeHead(200, { "Docker-Content-Digest": digestOf("x") }).end(one.bytes)),
    says: /says that app:1 is sha256:[0-9a-f]+, and it is sha256:/,
  },
  "sends a manifest without end": {
    fault: (one) => {
      if (!one.path.includes("/manifests/")) return false;
      one.response.writeHead(200);
      const more = (): void =>
        void one.response.write(Buffer.alloc(1024 * 1024, 0x20), () => one.request.socket.destroyed || more());
      more();
      return true;
    },
    says: /manifest has more than 4194304 bytes/,
  },
  "sends a page for people": {
    fault: (one) =>
      one.path.includes("/manifests/") &&
      done(one.response.writeHead(200, { "Content-Type": "text/html" }).end("<html>")),
    says: /invalid sha256:[0-9a-f]+: .*JSON/,
  },
};

const nothingVisible = (world: TestPulls): void => {
  assert.deepEqual(world.room.images.list(), []);
};

/** What is half there for another time, and nothing else. */
const partials = (world: TestPulls): readonly string[] => readdirSync(join(world.room.root, "blobs", "partial"));

describe("a registry that", () => {
  for (const [what, { fault, requests, stallMs }] of Object.entries(survived)) {
    test(`${what} gives the image all the same`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls(stallMs === undefined ? {} : { stallMs });
      const put = putImage(registry, "app", "1", [small, large]);
      registry.fault = fault;
      await world.pulls.pull(`${registry.host}/app:1`);
      const image = world.room.images.get(`${registry.host}/app:1`);
      assert.equal(image.id, put.config);
      const tars = world.room.images.layers.stack(image.layers).map(({ tar }) => digestOf(readFileSync(tar)));
      assert.deepEqual(tars, [large, small].map(digestOf));
      if (requests !== undefined) assert.equal(registry.count("GET", put.blobs[1]!), requests);
      assert.deepEqual(partials(world), []);
    });
  }

  for (const [what, { fault, says, most = 12 }] of Object.entries(refused)) {
    test(`${what} gives no image, and the reason`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls();
      const put = putImage(registry, "app", "1", [small, large]);
      registry.fault = fault;
      await assert.rejects(world.pulls.pull(`${registry.host}/app:1`), (error) => {
        assert.ok(error instanceof PierError, String(error));
        assert.match(error.message, says);
        return true;
      });
      nothingVisible(world);
      assert.ok(registry.count("GET", put.blobs[1]!) <= most);
    });
  }
});

describe("a pull that breaks off", () => {
  test("goes on where it was, also with the next daemon, and has kept what was whole", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [small, large]);
    const broken = new AbortController();
    registry.fault = (one) => {
      if (!isLarge(one)) return false;
      one.response.writeHead(200, { "Content-Length": one.bytes.length }).write(one.bytes.subarray(0, 800_000));
      return true;
    };
    const path = join(world.room.root, "blobs", "partial", put.blobs[1]!.slice(7));
    const pulled = world.pulls.pull(`${registry.host}/app:1`, {
      signal: broken.signal,
      progress: ({ status }) => {
        if (status !== "Downloading") return;
        const timer = setInterval(() => {
          const isStored = world.room.images.layers.findBlob(put.blobs[0] as never) !== undefined;
          if (!isStored || (statSync(path, { throwIfNoEntry: false })?.size ?? 0) < 800_000) return;
          clearInterval(timer);
          broken.abort(new Error("interrupted"));
        }, 5);
      },
    });
    await assert.rejects(pulled, /interrupted/);
    nothingVisible(world);
    await world.reopen();
    nothingVisible(world);
    registry.fault = undefined;
    registry.asked.splice(0);
    await world.pulls.pull(`${registry.host}/app:1`);
    const ranges = registry.asked.filter(({ path }) => path.endsWith(put.blobs[1]!)).map(({ range }) => range);
    assert.deepEqual(ranges, [`bytes=800000-${registry.blobs.get(put.blobs[1]!)!.length - 1}`]);
    assert.equal(registry.count("GET", put.blobs[0]!), 0);
    const image = world.room.images.get(`${registry.host}/app:1`);
    assert.equal(digestOf(readFileSync(world.room.images.layers.place(image.layers[1]!).tar)), digestOf(large));
  });

  test("is kept for a week, and then no more", async () => {
    await using registry = await ChaosRegistry.start();
    const start = Date.now();
    let now = start;
    await using world = await openPulls({}, { now: () => now, monotonic: () => performance.now() });
    const put = putImage(registry, "app", "1", [small, large]);
    const stored = Promise.withResolvers<void>();
    registry.fault = (one) => {
      if (!isLarge(one)) return false;
      const breakOff = (): void => {
        if (one.before > 0) refuse(one.response, 404, "BLOB_UNKNOWN");
        else {
          one.response.writeHead(200, { "Content-Length": one.bytes.length });
          one.response.write(one.bytes.subarray(0, 100_000), () => one.response.destroy());
        }
      };
      void stored.promise.then(breakOff);
      return true;
    };
    const pulled = world.pulls.pull(`${registry.host}/app:1`, {
      progress: ({ status }) => {
        if (status === "Pull complete") stored.resolve();
      },
    });
    await assert.rejects(pulled);
    const isKept = (): boolean => {
      const layer = world.room.images.layers.findBlob(put.blobs[0] as never) !== undefined;
      assert.equal(readdirSync(join(world.room.root, "blobs", "partial")).length, layer ? 1 : 0);
      return layer;
    };
    assert.ok(isKept());
    const day = 24 * 3600 * 1000;
    now = start + 6 * day;
    await world.reopen();
    assert.ok(isKept());
    now = start + 8 * day;
    await world.reopen();
    assert.ok(!isKept());
    assert.deepEqual(readdirSync(join(world.room.root, "layers")), []);
  });

  test("ends within a second, though the registry sends nothing", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls({ stallMs: 60_000 });
    putImage(registry, "app", "1", [small, large]);
    const broken = new AbortController();
    registry.fault = (one) => {
      if (!isLarge(one)) return false;
      setImmediate(() => broken.abort(new Error("interrupted")));
      return true;
    };
    const begun = performance.now();
    await assert.rejects(world.pulls.pull(`${registry.host}/app:1`, { signal: broken.signal }), /interrupted/);
    await world.fetches.settled();
    assert.ok(performance.now() - begun < 1000);
  });

  test("whose bytes were damaged on the disk meanwhile begins anew", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [small, large]);
    writeFileSync(join(world.room.root, "blobs", "partial", put.blobs[1]!.slice(7)), Buffer.alloc(400_000));
    await world.pulls.pull(`${registry.host}/app:1`);
    assert.equal(world.room.images.get(`${registry.host}/app:1`).id, put.config);
    const ranges = registry.asked.filter(({ path }) => path.endsWith(put.blobs[1]!)).map(({ range }) => range);
    assert.deepEqual(ranges.at(-1), undefined);
  });
});

describe("a manifest that lies", () => {
  for (const [what, change, says] of [
    [
      "about the size of a layer",
      (layer: Record<string, unknown>) => (layer.size = Number(layer.size) + 1),
      /has less of sha256:[0-9a-f]+ than its \d+ bytes/,
    ],
    [
      "that a layer is shorter than it is",
      (layer: Record<string, unknown>) => (layer.size = Number(layer.size) - 1),
      /sends more of sha256:[0-9a-f]+ than its \d+ bytes/,
    ],
    [
      "with a digest in capitals",
      (layer: Record<string, unknown>) => (layer.digest = String(layer.digest).toUpperCase().replace("SHA", "sha")),
      /must be a sha256 digest/,
    ],
    [
      "about the digest of a layer",
      (layer: Record<string, unknown>) => (layer.digest = digestOf("nothing")),
      /not found/,
    ],
    [
      "with a digest of another algorithm",
      (layer: Record<string, unknown>) => (layer.digest = `sha512:${"0".repeat(128)}`),
      /must be a sha256 digest/,
    ],
    [
      "with a file system as a layer",
      (layer: Record<string, unknown>) => (layer.mediaType = "application/vnd.erofs.layer.v1"),
      /unsupported media type of layer 1/,
    ],
  ] as const) {
    test(`${what} is refused, and leaves nothing that can be seen`, async () => {
      await using registry = await ChaosRegistry.start();
      await using world = await openPulls();
      putImage(registry, "app", "1", [small, large], {
        change: (manifest) => void change((manifest.layers as Record<string, unknown>[])[1]!),
      });
      await assert.rejects(world.pulls.pull(`${registry.host}/app:1`), says);
      nothingVisible(world);
    });
  }

  test("about what it is, in the registry's word for it, is taken for what it says itself", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const put = putImage(registry, "app", "1", [small]);
    const kept = registry.manifests.get("app 1")!;
    registry.manifests.set("app 1", { ...kept, type: "application/vnd.oci.image.index.v1+json" });
    await world.pulls.pull(`${registry.host}/app:1`);
    assert.equal(world.room.images.get(`${registry.host}/app:1`).id, put.config);
    // One that does not say what it is has only the registry's word, and is no index.
    putImage(registry, "app", "2", [large], { change: (manifest) => delete manifest.mediaType });
    const silent = registry.manifests.get("app 2")!;
    registry.manifests.set("app 2", { ...silent, type: "application/vnd.oci.image.index.v1+json" });
    await assert.rejects(world.pulls.pull(`${registry.host}/app:2`), /both an index and a manifest/);
  });

  test("by becoming another in the midst of a pull changes nothing of what is pulled", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    const first = putImage(registry, "app", "own", [small, large]);
    const platform = { os: "linux", architecture: machineArchitecture };
    const index = putIndex(registry, "app", "1", [{ image: first, platform }]);
    const second = putImage(registry, "app", "other", [small], { config: { author: "somebody else" } });
    registry.fault = ({ path, before, serve }) => {
      if (!path.endsWith("/manifests/1") || before > 0) return false;
      serve();
      putIndex(registry, "app", "1", [{ image: second, platform }]);
      return true;
    };
    await world.pulls.pull(`${registry.host}/app:1`);
    const image = world.room.images.get(`${registry.host}/app:1`);
    assert.equal(image.id, first.config);
    assert.deepEqual(image.digests, [`${registry.host}/app@${index.digest}`]);
    // The tag was asked for once; what follows goes by digest.
    assert.equal(registry.asked.filter(({ path }) => path.endsWith("/manifests/1")).length, 1);
  });

  test("and calls another layer's tar its own is refused", async () => {
    await using registry = await ChaosRegistry.start();
    await using world = await openPulls();
    putImage(registry, "app", "1", [small, large], { config: { rootfs: undefined } });
    const other = putImage(registry, "other", "1", [large]);
    putImage(registry, "app", "2", [small], {
      change: (manifest) => {
        (manifest.layers as unknown[])[0] = {
          mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
          digest: other.blobs[0],
          size: registry.blobs.get(other.blobs[0]!)!.length,
        };
      },
    });
    await assert.rejects(world.pulls.pull(`${registry.host}/app:2`), /invalid diffID for layer 0/);
    nothingVisible(world);
  });
});
