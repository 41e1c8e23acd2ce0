import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { allCapabilities, defaultCapabilities } from "../numbers/capabilities.ts";
import { type Abi, abis } from "./abis.ts";
import { compileProfile, compileSeccomp } from "./compile.ts";
import { defaultProfile } from "./default-profile.ts";
import { type Call, checkProgram, decodeProgram, runProgram } from "./interpreter.ts";
import { parseProfile } from "./parse.ts";

const oraclePath = new URL("../../../../shared/data/seccomp-default.json", import.meta.url);
const skip = existsSync(oraclePath) ? false : "needs ../shared/data/seccomp-default.json";

const eperm = 0x0005_0001;
const enosys = 0x0005_0026;
const allow = 0x7fff_0000;
const killProcess = 0x8000_0000;

interface JsonArg {
  readonly index: number;
  readonly op: string;
  readonly value: number;
  readonly valueTwo?: number;
}
interface JsonCircumstances {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}
interface JsonRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly JsonArg[];
  readonly includes?: JsonCircumstances;
  readonly excludes?: JsonCircumstances;
}

const hosts = [
  { architecture: "x86_64", kernelRelease: "6.18.44-fc", goName: "amd64", abis: ["X86_64", "X86", "X32"] },
  { architecture: "aarch64", kernelRelease: "6.1.0-44-arm64", goName: "arm64", abis: ["AARCH64", "ARM"] },
  { architecture: "x86_64", kernelRelease: "4.7.9", goName: "amd64", abis: ["X86_64"] },
] as const;
type TestHost = (typeof hosts)[number];

/** None, the default, all, and each that the profile speaks of alone. */
const capabilitySets = (rules: readonly JsonRule[]): readonly (readonly string[])[] => {
  const named = new Set(
    rules.flatMap(({ includes, excludes }) => [...(includes?.caps ?? []), ...(excludes?.caps ?? [])]),
  );
  return [[], defaultCapabilities, allCapabilities, ...[...named].map((capability) => [capability])];
};

/** Docker's profile in the plainest way: the rules that count, one after the other, by name. */
const rulesFor = (rules: readonly JsonRule[], capabilities: readonly string[], host: TestHost): readonly JsonRule[] => {
  const kernel = (version: string) => {
    const [a = 0, b = 0] = version.split(".").map(Number);
    const [c = 0, d = 0] = host.kernelRelease.split(".").map(Number);
    return c > a || (c === a && d >= b);
  };
  return rules.filter(({ includes = {}, excludes = {} }) => {
    if (includes.caps?.some((name) => !capabilities.includes(name))) return false;
    if (includes.arches && !includes.arches.includes(host.goName)) return false;
    if (includes.minKernel && !kernel(includes.minKernel)) return false;
    if (excludes.caps?.some((name) => capabilities.includes(name))) return false;
    if (excludes.arches?.includes(host.goName)) return false;
    return !(excludes.minKernel && kernel(excludes.minKernel));
  });
};

const holds = ({ index, op, value, valueTwo = 0 }: JsonArg, args: readonly bigint[]): boolean => {
  const argument = args[index]!;
  if (op === "SCMP_CMP_LT") return argument < BigInt(value);
  if (op === "SCMP_CMP_GT") return argument > BigInt(value);
  if (op === "SCMP_CMP_EQ") return argument === BigInt(value);
  if (op === "SCMP_CMP_MASKED_EQ") return (argument & BigInt(value)) === BigInt(valueTwo);
  return assert.fail(op);
};

const answerOf = (rules: readonly JsonRule[], args: readonly bigint[]): number => {
  const match = rules.find((rule) => (rule.args ?? []).every((arg) => holds(arg, args)));
  if (match === undefined) return eperm;
  if (match.action === "SCMP_ACT_ALLOW") return allow;
  assert.equal(match.action, "SCMP_ACT_ERRNO");
  return 0x0005_0000 | match.errnoRet!;
};

const none = [0n, 0n, 0n, 0n, 0n, 0n];
/** Everything around the numbers that the rules compare with, in the argument that they look at and in the others. */
const argumentsAround = (rules: readonly JsonRule[]): readonly (readonly bigint[])[] => {
  const args = rules.flatMap((rule) => rule.args ?? []);
  const lists = args.flatMap(({ index, value }) => {
    const bits = Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit));
    const near = [-1n, 0n, 1n].map((step) => BigInt(value) + step);
    const all = [...near, ...near.flatMap((number) => bits.map((bit) => number ^ bit)), ...bits, 0n, 2n ** 64n - 1n];
    return all.flatMap((number) => [
      none.with(index, BigInt.asUintN(64, number)),
      none.map(() => BigInt.asUintN(64, number)),
    ]);
  });
  return [none, none.map(() => 2n ** 64n - 1n), ...lists];
};

/** AF_ALG and AF_VSOCK under a bit that the kernel cuts off: Docker's profile takes that for "above 40" and allows it. */
const isCutOff = (abi: Abi, { number, args }: Call): boolean =>
  number === abi.syscalls.get("socket") && args[0]! >> 32n !== 0n && [38n, 40n].includes(args[0]! & 0xffff_ffffn);

const numbersToTry = (abi: Abi): readonly number[] => [
  ...Array.from({ length: 620 }, (_, number) => abi.first + number),
  ...Array.from({ length: 16 }, (_, number) => abi.first + 0xf_0000 + number),
  abi.first + 0x3fff_ffff,
];

describe("the default profile", { skip }, () => {
  for (const host of hosts) {
    for (const name of host.abis) {
      test(`answers every call of ${name} as Docker's, on Linux ${host.kernelRelease}`, () => {
        const profile = JSON.parse(readFileSync(oraclePath, "utf8")) as { readonly syscalls: readonly JsonRule[] };
        const abi = abis[`SCMP_ARCH_${name}`]!;
        let cutOff = 0;
        for (const capabilities of capabilitySets(profile.syscalls)) {
          const program = decodeProgram(compileProfile(defaultProfile, capabilities, host).filter);
          checkProgram(program);
          const counting = rulesFor(profile.syscalls, capabilities, host);
          const numbersOf = (rule: JsonRule) => rule.names.flatMap((call) => abi.syscalls.get(call) ?? []);
          const newest = Math.max(...counting.flatMap(numbersOf).filter((number) => number < abi.privateFrom));
          for (const number of numbersToTry(abi)) {
            const rules = counting.filter((rule) => numbersOf(rule).includes(number));
            for (const args of argumentsAround(rules)) {
              const call = { architecture: abi.auditArch, number, args };
              let wanted = number > newest && rules.length === 0 ? enosys : answerOf(rules, args);
              if (isCutOff(abi, call) && wanted === allow) {
                wanted = eperm;
                cutOff++;
              }
              const { action } = runProgram(program, call);
              if (action !== wanted) assert.equal(action, wanted, `${number}(${args}) with ${capabilities}`);
            }
          }
        }
        assert.ok(cutOff > 0);
      });
    }
  }

  test("306 calls of x86-64 are free and 3 more with some arguments, with the default capabilities", () => {
    const program = decodeProgram(compileSeccomp({ kind: "default" }, defaultCapabilities, hosts[0]).filter);
    const { auditArch, syscalls } = abis.SCMP_ARCH_X86_64!;
    const answers = (number: number) =>
      [none, none.with(0, 2n ** 64n - 1n), none.with(0, 0x7e02_0000n), none.with(0, 38n)].map(
        (args) => runProgram(program, { architecture: auditArch, number, args }).action,
      );
    const all = [...syscalls].map(([name, number]) => ({ name, answers: answers(number) }));
    assert.equal(all.filter(({ answers }) => answers.every((answer) => answer === allow)).length, 306);
    const some = all.filter(({ answers }) => answers.includes(allow) && !answers.every((answer) => answer === allow));
    assert.deepEqual(some.map(({ name }) => name).sort(), ["clone", "personality", "socket"]);
  });

  test("is the same filter as the JSON read as a user's profile", () => {
    const profile = readFileSync(oraclePath, "utf8");
    const theirs = compileSeccomp({ kind: "profile", profile }, defaultCapabilities, hosts[0]).filter;
    const ours = compileSeccomp({ kind: "default" }, defaultCapabilities, hosts[0]).filter;
    const abi = abis.SCMP_ARCH_X86_64!;
    for (const number of numbersToTry(abi)) {
      for (const args of [none, none.with(0, 2n ** 32n + 38n), none.with(0, 40n), none.with(0, 0x20008n)]) {
        const call = { architecture: abi.auditArch, number, args };
        const { action } = runProgram(decodeProgram(ours), call);
        assert.equal(runProgram(decodeProgram(theirs), call).action, action, `${number}(${args})`);
      }
    }
  });
});

test("an argument that the kernel cuts down to an int cannot hide behind higher bits (CVE-2019-10063)", () => {
  const tiocsti = 0x5412n;
  const profile = parseProfile(
    `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ERRNO",
      "args":[{"index":1,"op":"SCMP_CMP_EQ","value":${tiocsti}}]}]}`,
  );
  const program = decodeProgram(compileProfile(profile, [], hosts[0]).filter);
  const answer = (request: bigint) =>
    runProgram(program, { architecture: 0xc000_003e, number: 16, args: none.with(1, request) }).action;
  assert.deepEqual([tiocsti, tiocsti + 2n ** 32n, tiocsti + 2n ** 63n, 1n].map(answer), [eperm, eperm, eperm, allow]);
});

test("another architecture's calls kill the process, and so do x32's where they are not meant to be", () => {
  const call = (architecture: number, number: number) => ({ architecture, number, args: none });
  const program = decodeProgram(compileSeccomp({ kind: "default" }, defaultCapabilities, hosts[0]).filter);
  for (const architecture of [0, 0xc000_00b7, 0x4000_0028, 0xc000_003f, 0xffff_ffff]) {
    assert.equal(runProgram(program, call(architecture, 0)).action, killProcess);
  }
  const alone = compileProfile({ ...defaultProfile, architectures: {} }, defaultCapabilities, hosts[0]);
  const native = decodeProgram(alone.filter);
  assert.equal(runProgram(native, call(0xc000_003e, 0)).action, allow);
  assert.equal(runProgram(native, call(0xc000_003e, 0x4000_0000)).action, killProcess);
  assert.equal(runProgram(native, call(0x4000_0003, 3)).action, killProcess);
  assert.equal(runProgram(native, call(0xc000_003e, 0xffff_ffff)).action, enosys);
});

test("the default filter is small, and any answer is found within a few instructions", () => {
  const { filter } = compileSeccomp({ kind: "default" }, defaultCapabilities, hosts[0]);
  const program = decodeProgram(filter);
  assert.ok(program.length < 400, `${program.length} instructions`);
  for (const name of hosts[0].abis) {
    const abi = abis[`SCMP_ARCH_${name}`]!;
    for (const number of numbersToTry(abi)) {
      const { steps } = runProgram(program, { architecture: abi.auditArch, number, args: none });
      assert.ok(steps <= 24, `${number}: ${steps}`);
    }
  }
});

test("the same profile has the same bytes, and is compiled once", () => {
  const fresh = () => compileProfile(defaultProfile, defaultCapabilities, hosts[0]).filter;
  assert.deepEqual(fresh(), fresh());
  const again = () => compileSeccomp({ kind: "default" }, defaultCapabilities, hosts[0]);
  assert.equal(again(), again());
  const reordered = compileSeccomp({ kind: "default" }, defaultCapabilities.toReversed(), hosts[0]);
  assert.equal(reordered, again());
});

const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
  return seed / 0x8000_0000;
};

test("profiles of any rules answer as their rules say, however long they are", () => {
  const next = random(42);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const values = [0n, 1n, 38n, 0xffff_ffffn, 1n << 32n, (1n << 32n) + 38n, 1n << 63n, 2n ** 64n - 1n];
  const compare = {
    EQ: (a: bigint, b: bigint) => a === b,
    NE: (a: bigint, b: bigint) => a !== b,
    LT: (a: bigint, b: bigint) => a < b,
    LE: (a: bigint, b: bigint) => a <= b,
    GT: (a: bigint, b: bigint) => a > b,
    GE: (a: bigint, b: bigint) => a >= b,
    MASKED_EQ: (a: bigint, b: bigint, mask: bigint) => (a & mask) === (b & mask),
  };
  const actions = {
    SCMP_ACT_ALLOW: allow,
    SCMP_ACT_ERRNO: eperm,
    SCMP_ACT_KILL_PROCESS: killProcess,
    SCMP_ACT_LOG: 0x7ffc_0000,
  };
  // Without those of which the kernel takes ints.
  const names = [...abis.SCMP_ARCH_X86_64!.syscalls.keys()]
    .filter((name) => !/^(socket|ioctl)/.test(name))
    .slice(0, 60);
  for (let round = 0; round < 60; round++) {
    const rules = Array.from({ length: 1 + Math.floor(next() * (round % 5 === 0 ? 250 : 12)) }, () => {
      const indices = [0, 1, 2, 3, 4, 5].filter(() => next() < 0.25);
      return {
        name: pick(names),
        action: pick(Object.keys(actions) as (keyof typeof actions)[]),
        args: indices.map((index) => ({
          index,
          op: pick(Object.keys(compare) as (keyof typeof compare)[]),
          a: pick(values),
          b: pick(values),
        })),
      };
    });
    const fallback = pick(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"] as const);
    // Numbers of 64 bits cannot be written by JSON.stringify.
    const profile = `{"defaultAction":"${fallback}","syscalls":[${rules
      .map(({ name, action, args }) => {
        const list = args.map(
          ({ index, op, a, b }) => `{"index":${index},"op":"SCMP_CMP_${op}","value":${a},"valueTwo":${b}}`,
        );
        return `{"names":["${name}"],"action":"${action}","args":[${list}]}`;
      })
      .join(",")}]}`;
    const program = decodeProgram(compileProfile(parseProfile(profile), [], hosts[0]).filter);
    checkProgram(program);
    const numberOf = (name: string) => abis.SCMP_ARCH_X86_64!.syscalls.get(name)!;
    const newest = Math.max(...rules.map(({ name }) => numberOf(name)));
    for (const name of names) {
      const about = rules.filter((rule) => rule.name === name);
      for (let call = 0; call < 20; call++) {
        const args = none.map(() => pick(values) ^ (next() < 0.1 ? 1n : 0n));
        const match =
          about.find(
            (rule) =>
              rule.args.length > 0 &&
              rule.args.every(({ index, op, a, b }) =>
                op === "MASKED_EQ" ? compare[op](args[index]!, b, a) : compare[op](args[index]!, a),
              ),
          ) ?? about.find((rule) => rule.args.length === 0);
        const unknown = numberOf(name) > newest && fallback === "SCMP_ACT_ERRNO" ? enosys : actions[fallback];
        const wanted = match === undefined ? unknown : actions[match.action];
        const { action } = runProgram(program, { architecture: 0xc000_003e, number: numberOf(name), args });
        if (action !== wanted) assert.equal(action, wanted, `${profile} ${name}(${args})`);
      }
    }
  }
});

test("a profile that needs more instructions than the kernel takes is refused", () => {
  for (const length of [3000, 50_000]) {
    const syscalls = Array.from({ length }, (_, value) => ({
      names: ["read"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, op: "SCMP_CMP_EQ", value: value * 2 }],
    }));
    const profile = JSON.stringify({ defaultAction: "SCMP_ACT_ERRNO", syscalls });
    assert.throws(() => compileProfile(parseProfile(profile), [], hosts[0]), /the kernel takes 4096/);
  }
});

test("a machine without a table of its calls is refused", () => {
  const host = { architecture: "riscv64", kernelRelease: "6.1" };
  assert.throws(() => compileProfile(defaultProfile, [], host), /no seccomp filters for riscv64/);
});
