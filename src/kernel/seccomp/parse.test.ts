import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProfile } from "./parse.ts";
import { defaultFlags } from "./profile.ts";

const profile = (fields: object): string => JSON.stringify({ defaultAction: "SCMP_ACT_ERRNO", ...fields });
const rule = (fields: object): string =>
  profile({ syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...fields }] });

test("a profile says what is answered otherwise, with EPERM unless another number is given", () => {
  assert.equal(parseProfile(profile({})).otherwise, 0x0005_0001);
  assert.equal(parseProfile(profile({ defaultErrnoRet: 38 })).otherwise, 0x0005_0026);
  assert.equal(parseProfile('{"defaultAction":"SCMP_ACT_KILL"}').otherwise, 0);
  assert.equal(parseProfile('{"defaultAction":"SCMP_ACT_TRACE"}').otherwise, 0x7ff0_0001);
});

test("the older form has one name a rule and a plain list of architectures", () => {
  const text = profile({
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    syscalls: [{ name: "read", action: "SCMP_ACT_ALLOW", args: null }],
  });
  const { rules, architectures } = parseProfile(text);
  assert.deepEqual(rules, [{ names: ["read"], action: 0x7fff_0000 }]);
  assert.deepEqual(architectures.SCMP_ARCH_X86_64, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
});

test("conditions on different arguments must all hold, on the same one any of them", () => {
  const args = (...indices: number[]) => indices.map((index) => ({ index, op: "SCMP_CMP_EQ", value: 1 }));
  assert.equal(parseProfile(rule({ args: args(0, 1) })).rules.length, 1);
  assert.equal(parseProfile(rule({ args: args(0, 0, 1) })).rules.length, 3);
});

test("values of 64 bits keep their last digits", () => {
  const text = rule({ args: [{ index: 0, op: "SCMP_CMP_EQ", value: "VALUE" }] });
  const [parsed] = parseProfile(text.replace('"VALUE"', "18446744073709551615")).rules;
  assert.equal(parsed?.conditions?.[0]?.value, 18446744073709551615n);
});

test("flags are the kernel's; without any word about them speculation stays allowed", () => {
  assert.equal(parseProfile(profile({})).flags, defaultFlags);
  assert.equal(parseProfile(profile({ flags: [] })).flags, 0);
  assert.equal(parseProfile(profile({ flags: ["SECCOMP_FILTER_FLAG_LOG"] })).flags, 2);
});

test("what is not a profile is refused with a sentence", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["", /Decoding seccomp profile failed/],
    ["[]", /must be an object/],
    ["{}", /defaultAction must be a string/],
    [profile({ defaultAction: "SCMP_ACT_NOTIFY" }), /unknown action SCMP_ACT_NOTIFY/],
    [profile({ defaultAction: "toString" }), /unknown action/],
    [profile({ defaultErrnoRet: 5000 }), /no error number 5000/],
    [profile({ listenerPath: "/x" }), /listenerPath/],
    [profile({ flags: ["__proto__"] }), /unknown flag/],
    [profile({ architectures: ["SCMP_ARCH_Z80"] }), /unknown architecture SCMP_ARCH_Z80/],
    [
      profile({ architectures: ["SCMP_ARCH_X86"], archMap: [{ architecture: "SCMP_ARCH_X86" }] }),
      /either 'architectures' or 'archMap'/,
    ],
    [rule({ name: "write" }), /either 'name' or 'names'/],
    [rule({ names: [1] }), /names\[0\] must be a string/],
    [rule({ args: [{ index: 6, op: "SCMP_CMP_EQ", value: 0 }] }), /six arguments/],
    [rule({ args: [{ index: 0, op: "SCMP_CMP_ODD", value: 0 }] }), /unknown operator/],
    [rule({ args: [{ index: 0, op: "SCMP_CMP_EQ", value: -1 }] }), /whole number of 64 bits/],
    [rule({ args: [{ index: 0, op: "SCMP_CMP_EQ", value: 1.5 }] }), /whole number of 64 bits/],
    [rule({ args: [{ index: 0, op: "SCMP_CMP_EQ", value: "V" }] }).replace('"V"', "18446744073709551616"), /64 bits/],
    [rule({ includes: { minKernel: "four" } }), /no kernel version/],
  ];
  for (const [text, reason] of wrong) assert.throws(() => parseProfile(text), reason, text);
});
