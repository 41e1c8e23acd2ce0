/** Trees that are removed one after the other, by a keeper that stays for the next. Needs root. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { StepFailure } from "../../src/kernel/keeper.ts";
import { errnos } from "../../src/kernel/numbers/errno.ts";
import { TreeRemovals } from "../../src/kernel/removal.ts";
import { cannotKeep, gone, Keepers } from "./keepers.ts";

const aDay = 86_400_000;

describe("a tree that is removed", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  let removals: TreeRemovals;
  before(async () => {
    keepers = await Keepers.open();
    const holder = { ...keepers.holder, wake: async () => {} };
    removals = new TreeRemovals(holder, keepers.directory, aDay);
  });
  after(async () => {
    removals.close();
    await keepers[Symbol.asyncDispose]();
  });

  const tree = (): string => {
    const path = keepers.path("tree");
    mkdirSync(join(path, "a/b"), { recursive: true });
    writeFileSync(join(path, "a/file"), "x");
    return path;
  };
  /** The keepers that wait for another tree. */
  const removers = (): number[] =>
    readdirSync("/proc").flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`${keepers.directory}/errand-`)
          ? [Number(pid)]
          : [];
      } catch {
        return [];
      }
    });
  const refusal = async (path: string): Promise<number> => {
    const error: unknown = await removals.remove(path).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof StepFailure, String(error));
    return error.errno;
  };

  test("is gone, and whoever has removed it removes the next one too, until nobody asks any more", async () => {
    const trees = [tree(), tree(), tree()];
    await removals.remove(trees[0]!);
    const [remover, ...others] = removers();
    assert.ok(remover !== undefined);
    assert.deepEqual(others, []);
    for (const path of trees.slice(1)) await removals.remove(path);
    assert.deepEqual(removers(), [remover]);
    for (const path of trees) assert.ok(!existsSync(path), path);
    assert.deepEqual(
      readdirSync(keepers.directory).filter((name) => name.startsWith("errand-")),
      [],
    );
    removals.close();
    await gone(remover);
  });

  test("waits for no other one", async () => {
    const trees = [tree(), tree(), tree()];
    await Promise.all(trees.map((path) => removals.remove(path)));
    for (const path of trees) assert.ok(!existsSync(path), path);
    assert.equal(removers().length, trees.length);
    removals.close();
  });

  test("and is none is refused, as the first one and as a later one; there may be nothing at all", async () => {
    const file = keepers.path("file");
    writeFileSync(file, "x");
    assert.equal(await refusal(file), errnos.ENOTDIR.number);
    await removals.remove(keepers.path("nothing"));
    assert.equal(await refusal(file), errnos.ENOTDIR.number);
    await removals.remove(tree());
    assert.ok(existsSync(file));
  });
});
