import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { TarExtent } from "../tar/entry.ts";
import { extentsOf, planChunks } from "./chunks.ts";
import { HOLE } from "./format.ts";

const LIMIT = 1 << 20;
const whole = (size: number, offset = 512): TarExtent[] => [{ logical: 0, offset, length: size }];

describe("chunks", () => {
  it("are one for a plain file, as small as holds it", () => {
    assert.deepEqual(planChunks(1, whole(1), LIMIT), { bits: 0, blocks: [1] });
    assert.deepEqual(planChunks(512, whole(512), LIMIT), { bits: 0, blocks: [1] });
    assert.deepEqual(planChunks(513, whole(513), LIMIT), { bits: 1, blocks: [1] });
    assert.deepEqual(planChunks(2 ** 40, whole(2 ** 40), LIMIT), { bits: 31, blocks: [1] });
    assert.deepEqual(planChunks(0, [], LIMIT), { bits: 0, blocks: [] });
  });

  it("are several for a file beyond a tebibyte", () => {
    assert.deepEqual(planChunks(2 ** 40 + 1, whole(2 ** 40 + 1), LIMIT), { bits: 31, blocks: [1, 1 + 2 ** 31] });
  });

  it("are as big as the borders of holes allow", () => {
    const extents = [
      { logical: 4096, offset: 1024, length: 4096 },
      { logical: 16_384, offset: 5120, length: 100 },
    ];
    assert.deepEqual(planChunks(16_484, extents, LIMIT), { bits: 3, blocks: [HOLE, 2, HOLE, HOLE, 10] });
    assert.deepEqual(planChunks(2 ** 30, [], LIMIT), { bits: 21, blocks: [HOLE] });
  });

  it("cannot express borders inside a block, nor too many of them", () => {
    for (const extent of [
      { logical: 100, length: 512 },
      { logical: 512, length: 100 },
    ]) {
      assert.match(JSON.stringify(planChunks(4096, [{ offset: 512, ...extent }], LIMIT)), /not aligned/);
    }
    assert.match(JSON.stringify(planChunks(4096, whole(4096, 513), LIMIT)), /not aligned/);
    const far = [{ logical: 512, offset: 512, length: 512 }];
    assert.match(JSON.stringify(planChunks(2 ** 40, far, LIMIT)), /needs 2147483648 chunks, the limit is 1048576/);
  });

  it("say where everything lies", () => {
    const runs = fc.array(fc.record({ gap: fc.nat({ max: 5 }), blocks: fc.integer({ min: 1, max: 9 }) }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(runs, fc.nat({ max: 3 }), fc.nat({ max: 511 }), (list, hole, cut) => {
        const extents: TarExtent[] = [];
        let at = 0;
        let offset = 512;
        for (const { gap, blocks } of list) {
          // Runs without a hole between them are one run.
          at += (gap + 1) * 512;
          extents.push({ logical: at, offset, length: blocks * 512 });
          at += blocks * 512;
          offset += blocks * 512;
        }
        const last = extents.at(-1);
        if (last !== undefined && hole === 0) extents.splice(-1, 1, { ...last, length: last.length - cut });
        const size = last !== undefined && hole === 0 ? at - cut : at + hole * 512 + cut;
        const map = planChunks(size, extents, LIMIT);
        assert.ok(typeof map !== "string");
        assert.deepEqual(extentsOf(size, map), extents);
      }),
    );
  });
});
