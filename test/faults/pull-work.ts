/** For the tests of power cuts: an image is pulled, and removed; says before and after each what is there. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { Database } from "../../src/base/database.ts";
import { ContainerStore } from "../../src/container/store.ts";
import { BlobHomes } from "../../src/image/blob-homes.ts";
import { Images } from "../../src/image/images.ts";
import { LayerFetches } from "../../src/image/layer-fetch.ts";
import { Pulls } from "../../src/image/pull.ts";
import { Registries } from "../../src/registry/registry.ts";
import { tarOf } from "../image/rooms.ts";
import { ChaosRegistry } from "../registry/chaos.ts";
import { putImage } from "../registry/rooms.ts";
import { type Seen, seen } from "./seen.ts";

const [root] = process.argv.slice(2) as [string];
await using registry = await ChaosRegistry.start();
const tars = [await tarOf({ "a/b": "hello" }), await tarOf({ "c/d": "x".repeat(3000) })];
putImage(registry, "app", "1", tars, { packing: ["gzip", "plain"] });
const name = `${registry.host}/app:1`;

using database = new Database(join(root, "pier.db"));
const images = await Images.open(root, database);
const containers = new ContainerStore(database);
const registries = new Registries({ certificates: [] });
const fetches = await LayerFetches.open(root, images.layers, registries);
const pulls = new Pulls(images, fetches, registries, { homes: new BlobHomes(database) });

const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const step = async (what: string, work: () => unknown): Promise<void> => {
  say({ begins: what });
  await work();
  say({ ended: seen(images, containers) satisfies Seen });
};

await step("an image is pulled", () => pulls.pull(name));
await step("it is removed", () => images.remove(name, { force: true, noPrune: false, usedBy: () => [] }));
await images.settled();
