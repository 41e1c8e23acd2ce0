import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodePlan, planMagic, slotLimit } from "./encode.ts";
import { noSlot, type Plan, type Step } from "./steps.ts";

const plan = (lanes: Partial<Plan>): Plan => ({ outside: [], inside: [], after: [], ...lanes });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("a plan as bytes", () => {
  test("is what the format says", () => {
    const bytes = encodePlan(
      plan({
        outside: [{ step: "openDirectory", slot: "d", path: "/é", tolerate: [2, 20], why: "not in the bytes" }],
        inside: [{ step: "findProgram", candidates: ["/a", "b", ""] }],
        after: [{ step: "netlink", protocol: 0, messages: new Uint8Array([1, 2, 3]), pidAt: [4, 5n] }],
      }),
    );
    assert.equal(
      hex(bytes),
      [
        hex(Buffer.from(planMagic)),
        ...["01000000", "b0000000", "01000000", "01000000", "01000000", "000000000000000000000000"],
        ...["0a00", "0000", "28000000", "0200", "1400", "0000", "0000"],
        ...["0000000000000000", "03000000", "03000000", "2fc3a9", "0000000000"],
        ...["5a00", "0000", "20000000", "0000000000000000"],
        ...["03000000", "06000000", "2f6100", "6200", "00", "0000"],
        ...["0e00", "0000", "40000000", "0000000000000000"],
        ...["0000000000000000", "03000000", "03000000", "010203", "0000000000"],
        ...["0200000000000000", "0400000000000000", "0500000000000000"],
      ].join(""),
    );
  });

  test("is the same for the same plan, however large", () => {
    const step: Step = { step: "createFile", path: "/x", mode: 0o644, content: new Uint8Array(100_000).fill(7) };
    const large = plan({ outside: [step, step] });
    assert.deepEqual(encodePlan(large), encodePlan(large));
    assert.equal(encodePlan(large).length % 8, 0);
    assert.ok(encodePlan(large).length > 200_000);
  });

  test("grows wherever it has to, also in the middle of a step", () => {
    for (let length = 16_000; length < 16_600; length += 8) {
      const path = "x".repeat(length);
      const bytes = encodePlan(
        plan({
          outside: [
            { step: "removeFile", path },
            { step: "unmount", path: "/a", flags: 0x1122_3344 },
          ],
        }),
      );
      assert.ok(Buffer.from(bytes).includes(Buffer.from([0x44, 0x33, 0x22, 0x11])), String(length));
    }
  });

  test("has numbers of 64 bits, and all ones for the slot of none", () => {
    const clone: Step = { step: "clone", namespaces: 2n ** 64n - 2n, cgroup: noSlot };
    assert.equal(hex(encodePlan(plan({ outside: [clone] })).subarray(56)), `feffffffffffffff${"ff".repeat(8)}`);
  });

  test("names a slot by one number, wherever it stands", () => {
    const open = (slot: string): Step => ({ step: "openDirectory", slot, path: "" });
    const steps = [open("a"), open("b"), open("a"), { step: "joinProcess", slot: "b", kinds: 0 } as const];
    const bytes = Buffer.from(encodePlan(plan({ outside: steps })));
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => bytes.readBigUInt64LE(56 + index * 40)),
      [0n, 1n, 0n, 1n],
    );
  });

  test("cannot be made of what the keeper would refuse", () => {
    const refused: readonly [string, Plan][] = [
      ["nulInText", plan({ outside: [{ step: "removeFile", path: "/a\0b" }] })],
      ["nulInText", plan({ inside: [{ step: "exec", args: ["a\0"], env: [], init: 0 }] })],
      ["wrongLane", plan({ after: [{ step: "pivotRoot" }] })],
      ["wrongLane", plan({ inside: [{ step: "clone", namespaces: 0, cgroup: noSlot }] })],
      ["toleratesTooMuch", plan({ outside: [{ step: "removeFile", path: "/", tolerate: [1, 2, 3, 4, 5] }] })],
      ["slotMissing", plan({ outside: [{ step: "openDirectory", slot: noSlot, path: "/" }] })],
      [
        "tooManySlots",
        plan({
          outside: Array.from(
            { length: slotLimit + 1 },
            (_, index): Step => ({ step: "openDirectory", slot: `${index}`, path: "/" }),
          ),
        }),
      ],
    ];
    for (const [code, bad] of refused) assert.throws(() => encodePlan(bad), { code });
  });
});
