import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ImageId } from "../base/ids.ts";
import { type PruneRequest, planPrune } from "./prune.ts";
import type { ImageRecord } from "./record.ts";

const image = (id: string, more: Partial<ImageRecord> = {}): ImageRecord =>
  ({ id: id as ImageId, tags: [], digests: [], created: "2022-01-01T00:00:00Z", config: {}, ...more }) as ImageRecord;

const labelled = (Labels: Record<string, string>) => ({ config: { Labels } as ImageRecord["config"] });

const images = [
  image("bare"),
  image("digest", { digests: ["app@sha256:1"] }),
  image("old", { tags: ["app:1"], created: "2020-01-01T00:00:00Z", ...labelled({ keep: "yes" }) }),
  image("timeless", { tags: ["app:2"], created: "" }),
];

const pruned = (request: Partial<PruneRequest>): string => {
  const all = { dangling: false, until: undefined, hasLabels: () => true, isUsed: () => false };
  return planPrune(images, { ...all, ...request })
    .map(({ id }) => id)
    .join(" ");
};

describe("a prune takes images", () => {
  test("that nobody uses, all of them or those without a tag", () => {
    assert.equal(pruned({}), "bare digest old timeless");
    assert.equal(pruned({ isUsed: ({ id }) => id === "bare" }), "digest old timeless");
    assert.equal(pruned({ dangling: true }), "bare digest");
  });

  test("that were made before a moment; who does not say when is old", () => {
    assert.equal(pruned({ until: Date.UTC(2021, 0) }), "old timeless");
    assert.equal(pruned({ until: Date.UTC(2022, 0) }), "old timeless");
    assert.equal(pruned({ until: Date.UTC(2022, 0) + 1 }), "bare digest old timeless");
  });

  test("whose labels are asked for; none are labels too", () => {
    assert.equal(pruned({ hasLabels: (labels) => labels.keep === "yes" }), "old");
    assert.equal(pruned({ hasLabels: (labels) => !Object.hasOwn(labels, "keep") }), "bare digest timeless");
  });
});
