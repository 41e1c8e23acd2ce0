/** For the tests of power cuts: all that changes what is on disk, one after the other; says before and after each what is there. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { Database } from "../../src/base/database.ts";
import type { ContainerRecord } from "../../src/container/record.ts";
import { ContainerStore } from "../../src/container/store.ts";
import { Images } from "../../src/image/images.ts";
import { chunks, dockerArchive, tarOf } from "../image/rooms.ts";
import { containerRecord, type Seen, seen } from "./seen.ts";

const [root] = process.argv.slice(2) as [string];
const nobody = { force: true, usedBy: () => [] };

const one = await tarOf({ "a/b": "hello" });
const two = await tarOf({ "c/d": "x".repeat(5000) });
const three = await tarOf({ "e/f": "y".repeat(700), "g/": "" });
const first = await dockerArchive([{ layers: [one, two], tags: ["first:1"] }]);
const both = await dockerArchive([
  { layers: [one], tags: ["second:1"] },
  { layers: [one, three], tags: ["first:1", "third:1"] },
]);
const others = await dockerArchive([
  { layers: [await tarOf({ h: "z".repeat(900) })], tags: ["eighth:1"] },
  { layers: [two, await tarOf({ i: "-> h" })], tags: ["ninth:1"] },
]);

// A reserve as the daemon has, but small: states of the disk are written out whole.
const reserve = 16 * 1024;
let database = new Database(join(root, "pier.db"), { reserve });
let images = await Images.open(root, database);
let containers = new ContainerStore(database);

// At once: what was said before is in the recording before what is done next.
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const step = async (name: string, work: () => unknown): Promise<void> => {
  say({ begins: name });
  await work();
  say({ ended: seen(images, containers) satisfies Seen });
};

/** As a container is created: it is answered when its record is on disk. */
const keep = async (record: ContainerRecord): Promise<void> => {
  containers.put(record);
  await database.flush();
};

await step("an image is loaded", () => images.load(chunks(first)));
await step("a container is created", () => keep(containerRecord("1")));
await step("a name is given", () => images.tag("first:1", "fourth:1"));
await step("a root is imported", () => images.importRoot(chunks(three), { name: "fifth:1" }));
await step("two images are loaded, and take a name", () => images.load(chunks(both)));
await step("an image is removed", () => images.remove("fifth:1", nobody));
await step("two more are loaded", () => images.load(chunks(others)));
await step("a container is changed", () => keep(containerRecord("1", "changed")));
await step("the daemon goes and comes", async () => {
  await images.layers.settled();
  database[Symbol.dispose]();
  database = new Database(join(root, "pier.db"), { reserve });
  images = await Images.open(root, database);
  containers = new ContainerStore(database);
});
await step("an image is removed with its layers", () => images.remove("fourth:1", nobody));
await step("a second container is created", () => keep(containerRecord("2")));
await step("it is loaded again", () => images.load(chunks(first)));
await step("a name is given again", () => images.tag("first:1", "second:1"));
await step("another root is imported", () => images.importRoot(chunks(two), { name: "sixth:1" }));
await step("it has another name", () => images.tag("sixth:1", "seventh:1"));
await step("and loses its first", () => images.remove("sixth:1", nobody));
await step("a third container is created", () => keep(containerRecord("3")));
await step("a name is taken", () => images.tag("first:1", "seventh:1"));
await images.layers.settled();
database[Symbol.dispose]();
