import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseBlkio, parseCounts, parseInterfaces, parseIoStat, parseMachine, parseNumber } from "./usage-text.ts";

describe("the kernel's accounts", () => {
  test("are names and numbers, or one number, or max", () => {
    assert.deepEqual(
      [...parseCounts("cache 0\nrss 4096\nbroken\n")],
      [
        ["cache", 0],
        ["rss", 4096],
      ],
    );
    assert.deepEqual([parseNumber("4096\n"), parseNumber("max\n"), parseNumber("")], [4096, undefined, undefined]);
  });

  test("of disks are by device and operation in both versions", () => {
    assert.deepEqual(
      parseBlkio("8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n").map(({ operation, value }) => [
        operation,
        value,
      ]),
      [
        ["read", 10],
        ["write", 20],
        ["total", 30],
      ],
    );
    const { bytes, operations } = parseIoStat("8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n254:0 \n");
    assert.deepEqual(bytes, [
      { major: 8, minor: 16, operation: "read", value: 10 },
      { major: 8, minor: 16, operation: "write", value: 20 },
    ]);
    assert.deepEqual(
      operations.map(({ value }) => value),
      [1, 2],
    );
  });

  test("of networks leave the loopback out", () => {
    const text =
      "Inter-| Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 100 2 3 4 0 0 0 0 200 5 6 7 0 0 0 0\n";
    assert.deepEqual(parseInterfaces(text), {
      eth0: {
        received: { bytes: 100, packets: 2, errors: 3, dropped: 4 },
        sent: { bytes: 200, packets: 5, errors: 6, dropped: 7 },
      },
    });
  });

  test("of the machine are the sum of all processors", () => {
    const text = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1 1 1\nintr 5\n";
    assert.deepEqual(parseMachine(text), { total: 28 * 10_000_000, cpus: 2 });
  });
});
