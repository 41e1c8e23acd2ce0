import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CacheEntry } from "../build/builds.ts";
import { type CacheBounds, chooser, parseDockerFilters, parseFilterTexts } from "./build-cache.ts";

const entry = (id: string, more: Partial<CacheEntry> = {}): CacheEntry => ({
  ...{ id, kind: "regular", description: `[1/1] RUN ${id}`, size: 10, inUse: false, isShared: false },
  ...{ created: 1, lastUsed: 1, uses: 1 },
  ...more,
});
const entries = [entry("a"), entry("b", { isShared: true }), entry("c", { kind: "exec.cachemount", lastUsed: 5e12 })];
const ids = (chosen: readonly CacheEntry[]): string => chosen.map(({ id }) => id).join("");

describe("what of the build cache is meant", () => {
  test("is what Docker's filters say", () => {
    const of = (filters: object): string => ids(entries.filter(parseDockerFilters(JSON.stringify(filters)).matches));
    assert.equal(of({}), "abc");
    assert.equal(of({ type: ["exec.cachemount"] }), "c");
    assert.equal(of({ shared: ["1"] }), "b");
    assert.equal(of({ private: ["true"], type: ["regular"] }), "a");
    assert.equal(of({ inuse: ["1"] }), "");
    assert.equal(of({ id: ["a", "b"] }), "ab");
    assert.equal(of({ description: ["RUN b"] }), "b");
    assert.throws(() => of({ nothing: ["1"] }), /invalid filter/);
    assert.equal(parseDockerFilters('{"until":["5"]}').until, 5000);
    assert.throws(() => parseDockerFilters('{"until":["soon"]}'), /until/);
  });

  test("is what containerd's filters say", () => {
    const of = (...texts: string[]): string => ids(entries.filter(parseFilterTexts(texts)));
    assert.equal(of(), "abc");
    assert.equal(of(""), "abc");
    assert.equal(of("type==exec.cachemount"), "c");
    assert.equal(of("type!=exec.cachemount,shared"), "b");
    assert.equal(of("id==a", 'description~="RUN b"'), "ab");
    assert.throws(() => of("nothing==1"), /invalid filter/);
  });

  test("goes, but for what an image has, what is young, and what may stay", () => {
    const bounds = { reserved: 0, maxUsed: 0, minFree: 0 };
    const all = { matches: () => true, all: true, until: undefined, bounds };
    const use = { total: 30, free: 100 };
    const of = (more: Partial<typeof all> | { until: number }): string =>
      ids(entries.filter(chooser({ ...all, ...more }, use)));
    const within = (more: Partial<CacheBounds>): string => of({ bounds: { ...bounds, ...more } });
    assert.equal(of({}), "abc");
    assert.equal(of({ all: false }), "ac");
    assert.equal(of({ until: 1000 }), "ab");
    assert.equal(within({ reserved: 20 }), "c");
    assert.equal(within({ maxUsed: 20 }), "c");
    assert.equal(within({ reserved: 20, maxUsed: 10 }), "c");
    // As much as the disk has too little, and nothing where it has enough.
    assert.equal(within({ minFree: 110 }), "c");
    assert.equal(within({ minFree: 90 }), "");
    assert.equal(within({ minFree: 90, maxUsed: 20 }), "c");
    assert.equal(within({ minFree: 120, maxUsed: 20 }), "bc");
    assert.equal(within({ minFree: 1000 }), "abc");
    assert.equal(within({ minFree: 1000, reserved: 10 }), "bc");
  });
});
