import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Holding } from "../kernel/holder.ts";
import { CacheMounts } from "./cache-mounts.ts";
import { parseMount } from "./dockerfile/mounts.ts";

const root = mkdtempSync(join(tmpdir(), "pier-mounts-"));
const own = `uid=${process.getuid?.() ?? 0},gid=${process.getgid?.() ?? 0}`;
const mount = (id: string, sharing = "locked") =>
  parseMount({ text: `type=cache,id=${id},target=/${id},sharing=${sharing},${own}`, from: "" }, 1, String);

/** What uses directories needs none of the other rooms. */
const mounts = new CacheMounts({ root, run: root, holder: {} as Holding });
const never = new AbortController().signal;

describe("cache mounts", () => {
  after(() => rmSync(root, { recursive: true }));

  test("a step that names a locked one twice has it, and does not wait for itself", async () => {
    const [a, b] = [mount("a"), mount("a", "shared")];
    const paths = await mounts.use([a, b], never, async (pathOf) => [pathOf(a), pathOf(b)]);
    assert.equal(paths[0], paths[1]);
    assert.ok(existsSync(paths[0]!));
  });

  test("two steps that name two in another order come to their end one after the other", async () => {
    const running: string[] = [];
    const step = (name: string, ...ids: readonly string[]): Promise<void> =>
      mounts.use(
        ids.map((id) => mount(id)),
        never,
        async () => {
          running.push(name);
          await new Promise(setImmediate);
          running.push(name);
        },
      );
    await Promise.all([step("one", "a", "b"), step("two", "b", "a"), step("three", "b", "c", "a")]);
    assert.equal(running.length, 6);
    for (const at of [0, 2, 4]) assert.equal(running[at], running[at + 1]);
  });

  test("who goes while it waits leaves at once, and nobody waits for it", async () => {
    const first = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const holding = mounts.use([mount("a")], never, () => {
      begun.resolve();
      return first.promise;
    });
    await begun.promise;
    const gone = new AbortController();
    const waiting = mounts.use([mount("a")], gone.signal, () => Promise.reject(new Error("it has run")));
    gone.abort(new Error("gone"));
    await assert.rejects(waiting, /gone/);
    const third = mounts.use([mount("a")], never, () => Promise.resolve("third"));
    first.resolve();
    await holding;
    assert.equal(await third, "third");
  });
});
