import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { ContainerId } from "../base/ids.ts";
import { readSpec, writeSpec } from "./live.ts";
import { containerPaths } from "./paths.ts";
import { testSpec } from "./test-place.ts";

describe("the spec of a container that runs", () => {
  test("is read as it was written, whatever its words", async () => {
    const run = mkdtempSync(join(tmpdir(), "pier-live-"));
    try {
      const spec = testSpec({
        Ulimits: [{ Name: "nofile", Soft: 1024, Hard: -1 }],
        Annotations: { soft: "as butter", hard: "12" },
      });
      const paths = containerPaths({ root: run, run }, "c".repeat(64) as ContainerId);
      writeSpec(paths, spec);
      assert.deepEqual(await readSpec(paths), spec);
    } finally {
      rmSync(run, { recursive: true, force: true });
    }
  });
});
