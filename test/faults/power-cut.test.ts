/** The power may go at any moment: what was answered is there afterwards, and nothing is there that is not whole. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Database } from "../../src/base/database.ts";
import { ContainerStore } from "../../src/container/store.ts";
import { Images } from "../../src/image/images.ts";
import { chunks, dockerArchive, tarOf } from "../image/rooms.ts";
import { Disk, type State } from "./disk.ts";
import { type Call, record } from "./recording.ts";
import { seen, seenFiles } from "./seen.ts";

const skip = spawnSync("strace", ["-V"]).error === undefined ? false : "there is no strace";
const isLong = process.env.PIER_LONG === "1";
/** What a program says that there is; compared by its text. */
type Said = object;

interface Program {
  readonly what: string;
  readonly file: URL;
  /** What is there before it begins. */
  readonly nothing: Said;
  readonly check: (root: string, allowed: readonly Said[], isWorked: boolean) => Promise<void>;
  readonly least: number;
  readonly every: number;
  /** It writes around the kernel's cache. */
  readonly goesAround?: true;
}
/** States that chance makes at every moment, beside those that are tried one by one. */
const more = isLong ? 200 : 2;

const archive = await dockerArchive([{ layers: [await tarOf({ "z/z": "later" })], tags: ["later:1"] }]);

/** Park and Miller's generator: the same states in every run. */
const generator = (seed: number) => {
  let state = seed;
  return (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
};

const assertOneOf = (found: Said, allowed: readonly Said[]): void => {
  const texts = allowed.map((one) => JSON.stringify(one));
  const text = JSON.stringify(found);
  assert.ok(texts.includes(text), `there is ${text}; there should be ${texts.join(" or ")}`);
};

/** The next daemon finds one of the stores that may be, every byte of it, and can be worked with. */
const checkStore: Program["check"] = async (root, allowed, isWorked) => {
  using database = new Database(join(root, "pier.db"), { reserve: 16 * 1024 });
  const images = await Images.open(root, database);
  assertOneOf(seen(images, new ContainerStore(database)), allowed);
  for (const { id, layers } of images.list()) {
    assert.equal(
      `sha256:${createHash("sha256")
        .update(await images.rawConfig(id))
        .digest("hex")}`,
      id,
    );
    for (const { diffId, tar, index } of images.layers.stack(layers)) {
      assert.equal(`sha256:${createHash("sha256").update(readFileSync(tar)).digest("hex")}`, diffId);
      indexes.set(diffId, indexes.get(diffId) ?? readFileSync(index).toString("hex"));
      assert.equal(readFileSync(index).toString("hex"), indexes.get(diffId), `the index of ${diffId}`);
    }
  }
  if (!isWorked) return;
  assert.deepEqual(await Array.fromAsync(images.check()), [], "what a check says");
  await images.load(chunks(archive));
  images.tag("later:1", "later:2");
  images.remove("later:1", { force: true, usedBy: () => [] });
  assert.ok(images.find("later:2"));
  await images.layers.settled();
};

/** Every index is the same whenever it is there. */
const indexes = new Map<string, string>();

const emptyStore = { images: [], containers: [] };
const programs: readonly Program[] = [
  {
    what: "loading, importing, naming, removing, creating",
    file: new URL("./store-work.ts", import.meta.url),
    nothing: emptyStore,
    check: checkStore,
    least: 10_000,
    every: 1,
  },
  {
    what: "pulling, pushing, pruning",
    file: new URL("./pull-work.ts", import.meta.url),
    nothing: emptyStore,
    check: checkStore,
    least: 1_000,
    every: isLong ? 1 : 23,
  },
  {
    what: "writing large files around the cache",
    file: new URL("./large-file-work.ts", import.meta.url),
    nothing: [],
    check: async (root, allowed) => assertOneOf(seenFiles(root), allowed),
    least: 200,
    every: 1,
    goesAround: true,
  },
];

const root = "/r";
const call = (kind: "create" | "directory", path: string): Call => ({ kind, path: `${root}${path}` });
const write = (path: string, text: string): Call => ({
  kind: "write",
  path: `${root}${path}`,
  at: undefined,
  bytes: Buffer.from(text),
});
const sync = (path: string): Call => ({ kind: "sync", path: `${root}${path}`, before: Number.POSITIVE_INFINITY });
const rename = (path: string, to: string): Call => ({ kind: "rename", path: `${root}${path}`, to: `${root}${to}` });

/** What may be on disk after these calls and a power cut: names, with their bytes. */
const outcomes = (...calls: readonly Call[]): ReadonlySet<string> => {
  const disk = new Disk(root);
  for (const one of calls) disk.apply(one);
  return new Set(Array.from(disk.statesAfterCut(generator(1), 50), (state) => state.list().join(" ")));
};

describe("the disk of these tests", () => {
  test("keeps what was synced", () => {
    const calls = [call("create", "/a"), write("/a", "text"), sync("/a"), sync("")];
    assert.deepEqual([...outcomes(...calls)], ["a=text"]);
  });

  test("may lose a name whose directory was not synced, and bytes whose file was not", () => {
    assert.deepEqual([...outcomes(call("create", "/a"), write("/a", "text"), sync("/a"))].sort(), ["", "a=text"]);
    const unsynced = outcomes(call("create", "/a"), sync(""), write("/a", "text"));
    assert.deepEqual([...unsynced].sort(), ["a=", "a=\0\0\0\0", "a=text"]);
  });

  test("may know a new name before the bytes, and one of two new names before the other", () => {
    const made = [call("create", "/a"), call("create", "/b"), sync("")];
    const renamed = outcomes(...made, write("/a", "1"), rename("/a", "/c"), sync("/b"), rename("/b", "/d"));
    for (const state of ["c= b=", "c=1 d=", "a=1 d=", "a= b="]) {
      assert.ok(
        [...renamed].some((one) => one.split(" ").sort().join() === state.split(" ").sort().join()),
        state,
      );
    }
  });
});

/** Where the recorded files lie. */
const memory = "/dev/shm";

/** Whether files there can be written around the kernel's cache: in memory, since Linux 6.6. */
const canGoAround = (): boolean => {
  const path = join(memory, `pier-around-${process.pid}`);
  try {
    closeSync(openSync(path, constants.O_CREAT | constants.O_WRONLY | constants.O_DIRECT));
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { force: true });
  }
};

describe("a power cut", { skip }, () => {
  for (const { what, file, nothing, check, least, every, goesAround = false } of programs) {
    const skip = goesAround && !canGoAround() ? `files in ${memory} cannot be written around the cache` : false;
    test(`at any moment of ${what}: at least ${least} states`, { skip }, async () => {
      const directory = mkdtempSync(join(memory, "pier-cut-"));
      try {
        const root = join(directory, "recorded");
        mkdirSync(root, { mode: 0o700 });
        const calls = record(root, join(directory, "trace"), [process.execPath, fileURLToPath(file), root]);
        if (goesAround) assert.match(readFileSync(join(directory, "trace"), "latin1"), /O_DIRECT/);
        const disk = new Disk(root);
        const random = generator(20_261_124);
        const tried = new Set<string>();
        let answered: readonly Said[] = [nothing];
        let work = "the daemon starts";
        let moments = 0;
        const nexts = calls.flatMap((call) =>
          call.kind === "said" && "ended" in JSON.parse(call.line) ? [JSON.parse(call.line).ended as Said] : [],
        );
        const tryOut = async (state: State): Promise<void> => {
          const digest = `${answered.length} ${work} ${state.digest()}`;
          if (tried.has(digest)) return;
          tried.add(digest);
          const place = join(directory, "state");
          state.write(place);
          try {
            await check(place, answered, tried.size % 10 === 0);
          } catch (error) {
            throw new Error(
              `state ${tried.size}, while ${work}: ${error instanceof Error ? error.message : String(error)}`,
              { cause: error },
            );
          } finally {
            rmSync(place, { recursive: true });
          }
        };
        for (const call of calls) {
          if (call.kind === "said") {
            const said = JSON.parse(call.line) as { begins: string } | { ended: Said };
            if ("begins" in said) {
              work = said.begins;
              answered = [...answered, nexts.shift()!];
            } else answered = [said.ended];
          }
          disk.apply(call);
          // In a quick run not every moment of every program.
          if (++moments % every !== 0) continue;
          for (const state of disk.statesAfterCut(random, more)) await tryOut(state);
        }
        assert.ok(tried.size >= least, `only ${tried.size} states`);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  }
});
