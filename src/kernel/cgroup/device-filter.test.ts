import assert from "node:assert/strict";
import { test } from "node:test";
import { compileDeviceFilter } from "./device-filter.ts";
import { type DeviceRule, deviceLine, foldDeviceRules } from "./devices.ts";

const dockerRules: readonly DeviceRule[] = [
  { allow: false, type: "a", access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...[3, 5, 7, 8, 9].map((minor): DeviceRule => ({ allow: true, type: "c", major: 1, minor, access: "rwm" })),
  ...[0, 1, 2].map((minor): DeviceRule => ({ allow: true, type: "c", major: 5, minor, access: "rwm" })),
  { allow: true, type: "c", major: 136, access: "rwm" },
  { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
];

interface Use {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** The few instructions that the compiler emits, as the kernel runs them; anything else throws. */
const run = (program: Uint8Array, use: Use): boolean => {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const bits = [...use.access].reduce((sum, kind) => sum | { m: 1, r: 2, w: 4 }[kind as "m" | "r" | "w"], 0);
  const context = [(bits << 16) | (use.type === "b" ? 1 : 2), use.major, use.minor];
  const registers: bigint[] = [];
  for (let at = 0; ; at++) {
    assert.ok(at * 8 < program.length, "runs off the end");
    const code = view.getUint8(at * 8);
    const dst = view.getUint8(at * 8 + 1) & 15;
    const src = view.getUint8(at * 8 + 1) >> 4;
    const offset = view.getInt16(at * 8 + 2, true);
    const immediate = BigInt(view.getInt32(at * 8 + 4, true));
    if (code === 0x61) registers[dst] = BigInt(context[offset / 4]!);
    else if (code === 0x57) registers[dst] = registers[dst]! & immediate;
    else if (code === 0x77) registers[dst] = registers[dst]! >> immediate;
    else if (code === 0xbf) registers[dst] = registers[src]!;
    else if (code === 0xb7) registers[dst] = immediate;
    else if (code === 0x15) at += registers[dst] === immediate ? offset : 0;
    else if (code === 0x55) at += registers[dst] !== immediate ? offset : 0;
    else if (code === 0x95) return registers[0] === 1n;
    else assert.fail(`unknown instruction ${code}`);
  }
};

/** Version 1's rules once more, straight from the kernel's documentation: one rule after the other on a growing list. */
const allowedByV1 = (rules: readonly DeviceRule[], use: Use): boolean => {
  let denyAll = false;
  let list: { type: string; major: number; minor: number; access: Set<string> }[] = [];
  for (const { allow, type, major = -1, minor = -1, access } of rules) {
    if (type === "a") {
      denyAll = !allow;
      list = [];
      continue;
    }
    const same = list.find((entry) => entry.type === type && entry.major === major && entry.minor === minor);
    if (allow === denyAll) {
      if (same) for (const kind of access) same.access.add(kind);
      else list.push({ type, major, minor, access: new Set(access) });
    } else if (same) for (const kind of access) same.access.delete(kind);
  }
  const about = list.filter(
    (entry) =>
      entry.type === use.type &&
      (entry.major === -1 || entry.major === use.major) &&
      (entry.minor === -1 || entry.minor === use.minor),
  );
  return denyAll
    ? about.some((entry) => [...use.access].every((kind) => entry.access.has(kind)))
    : !about.some((entry) => [...use.access].some((kind) => entry.access.has(kind)));
};

const uses = (): Use[] =>
  (["b", "c"] as const).flatMap((type) =>
    [0, 1, 5, 8, 10, 136].flatMap((major) =>
      [0, 2, 3, 11, 200, 229].flatMap((minor) =>
        ["m", "r", "w", "rw", "rm", "rwm"].map((access) => ({ type, major, minor, access })),
      ),
    ),
  );

const random = (seed: number) => () => {
  seed = (seed * 1103515245 + 12345) & 0x7fffffff;
  return seed / 0x7fffffff;
};

test("the program allows exactly what version 1 would, for Docker's rules", () => {
  const program = compileDeviceFilter(foldDeviceRules(dockerRules));
  for (const use of uses()) assert.equal(run(program, use), allowedByV1(dockerRules, use), JSON.stringify(use));
});

test("the program allows exactly what version 1 would, for any rules", () => {
  const next = random(7);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  for (let round = 0; round < 200; round++) {
    const rules = Array.from({ length: 1 + Math.floor(next() * 8) }, (): DeviceRule => {
      const major = pick([undefined, 1, 5, 10]);
      const minor = pick([undefined, 0, 3, 229]);
      return {
        allow: next() < 0.5,
        type: pick(["a", "b", "c", "c"]),
        ...(major === undefined ? {} : { major }),
        ...(minor === undefined ? {} : { minor }),
        access: pick(["r", "w", "m", "rw", "rwm"]),
      };
    });
    const program = compileDeviceFilter(foldDeviceRules(rules));
    for (const use of uses()) {
      assert.equal(run(program, use), allowedByV1(rules, use), `${JSON.stringify(rules)} ${JSON.stringify(use)}`);
    }
  }
});

test("Docker's rules become eleven lines for devices.allow", () => {
  const { otherwise, exceptions } = foldDeviceRules(dockerRules);
  assert.equal(otherwise, "deny");
  assert.deepEqual(exceptions.map(deviceLine), [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
  ]);
});

test("a number that is no device's allows nothing, and does not wrap around to one that is", () => {
  const rules: readonly DeviceRule[] = [
    { allow: false, type: "a", access: "rwm" },
    { allow: true, type: "c", major: 2 ** 32 + 1, minor: 3, access: "rwm" },
  ];
  const program = compileDeviceFilter(foldDeviceRules(rules));
  assert.equal(run(program, { type: "c", major: 1, minor: 3, access: "r" }), false);
});

test("more rules than the kernel takes are refused", () => {
  const rules = Array.from(
    { length: 1000 },
    (_, minor): DeviceRule => ({
      allow: true,
      type: "c",
      major: 1,
      minor,
      access: "r",
    }),
  );
  assert.throws(
    () => compileDeviceFilter(foldDeviceRules([{ allow: false, type: "a", access: "rwm" }, ...rules])),
    /too many device rules/,
  );
});
