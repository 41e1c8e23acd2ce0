import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMemory, formatSize, parseBytes } from "./bytes.ts";

test("sizes have three digits that count, in powers of 1000", () => {
  const cases: readonly (readonly [size: number, shown: string])[] = [
    [0, "0B"],
    [3, "3B"],
    [999, "999B"],
    [1000, "1kB"],
    [1_982_984, "1.98MB"],
    [809_600, "810kB"],
    [999_950, "1e+03kB"],
    [4_860_000, "4.86MB"],
    [1_500_000_000, "1.5GB"],
    [72_800_000_000, "72.8GB"],
  ];
  for (const [size, shown] of cases) assert.equal(formatSize(size), shown, String(size));
  assert.equal(formatSize(1_982_984, 4), "1.983MB");
});

test("memory has four, in powers of 1024", () => {
  assert.equal(formatMemory(25_276_502_016), "23.54GiB");
  assert.equal(formatMemory(512), "512B");
});

test("amounts are read with their units, in powers of 1024", () => {
  assert.equal(parseBytes("64m"), 67_108_864);
  assert.equal(parseBytes("1.5g"), 1_610_612_736);
  assert.equal(parseBytes("512"), 512);
  assert.throws(() => parseBytes("x"), /invalid size: 'x'/);
});
