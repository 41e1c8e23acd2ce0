/** For the tests of power cuts: images are pulled, pushed, pruned and removed; says before and after each what is there. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { Database } from "../../src/base/database.ts";
import { ContainerStore } from "../../src/container/store.ts";
import { BlobHomes } from "../../src/image/blob-homes.ts";
import { CompressedLayers } from "../../src/image/compressed.ts";
import { Images } from "../../src/image/images.ts";
import { LayerFetches } from "../../src/image/layer-fetch.ts";
import { planPrune } from "../../src/image/prune.ts";
import { Pulls } from "../../src/image/pull.ts";
import { Pushes } from "../../src/image/push.ts";
import { Registries } from "../../src/registry/registry.ts";
import { chunks, dockerArchive, tarOf } from "../image/rooms.ts";
import { ChaosRegistry, refuse } from "../registry/chaos.ts";
import { putImage } from "../registry/rooms.ts";
import { type Seen, seen } from "./seen.ts";

const [root] = process.argv.slice(2) as [string];
await using registry = await ChaosRegistry.start();
const tars = [await tarOf({ "a/b": "hello" }), await tarOf({ "c/d": "x".repeat(3000) })];
putImage(registry, "app", "1", tars, { packing: ["gzip", "plain"] });
const name = `${registry.host}/app:1`;

const nobody = { force: true, usedBy: () => [] };
const pushed = await dockerArchive([
  { layers: [tars[0]!, await tarOf({ e: "y".repeat(2000) })], tags: [`${registry.host}/pushed:1`] },
]);
const nameless = await dockerArchive([{ layers: [await tarOf({ g: "nobody's" })] }]);
putImage(registry, "half", "1", [await tarOf({ h: "z".repeat(4000) })], { packing: ["plain"] });

using database = new Database(join(root, "pier.db"));
const images = await Images.open(root, database);
const containers = new ContainerStore(database);
const registries = new Registries({ certificates: [], pauseMs: 1 });
const fetches = await LayerFetches.open(root, images.layers, registries);
const homes = new BlobHomes(database);
const pulls = new Pulls(images, fetches, registries, { homes });
const compressed = await CompressedLayers.open(root, images.layers);
const pushes = new Pushes(images, registries, { homes, compressed });

/** Some bytes of a layer come, and then no more: they are kept. */
const breakOff = async (): Promise<void> => {
  registry.fault = ({ response, path, bytes, before }) => {
    if (!path.includes("/blobs/") || bytes.length < 4000) return false;
    if (before > 0) refuse(response, 404, "BLOB_UNKNOWN");
    else {
      response.writeHead(200, { "Content-Length": bytes.length });
      response.write(bytes.subarray(0, 1500), () => response.destroy());
    }
    return true;
  };
  await pulls.pull(`${registry.host}/half:1`).catch(() => {});
};

/** As the daemon prunes: what has no name, and what is left of pulls. */
const prune = async (): Promise<void> => {
  const all = { dangling: true, until: undefined, hasLabels: () => true, isUsed: () => false };
  for (const { id } of planPrune(images.list(), all)) images.remove(id, nobody);
  await pulls.prune();
};

const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const step = async (what: string, work: () => unknown): Promise<void> => {
  say({ begins: what });
  await work();
  say({ ended: seen(images, containers) satisfies Seen });
};

await step("an image is pulled", () => pulls.pull(name));
await step("one is loaded that shares a layer", () => images.load(chunks(pushed)));
await step("it is pushed", () => pushes.push(`${registry.host}/pushed:1`));
await step("one without a name is loaded", () => images.load(chunks(nameless)));
await step("a pull breaks off", breakOff);
await step("all is pruned", prune);
await step("the first is removed", () => images.remove(name, nobody));
await images.settled();
