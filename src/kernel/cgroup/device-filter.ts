/** Compiles device rules to the program that version 2 asks at each use of a device (BPF_PROG_TYPE_CGROUP_DEVICE). */
import type { DeviceException, DeviceList } from "./devices.ts";
import { cgroupError } from "./errors.ts";

/** linux/bpf.h: struct bpf_cgroup_dev_ctx begins with the access in its upper half and the type in its lower. */
const accessBits = { m: 1, r: 2, w: 4 } as const;
const allAccess = accessBits.m | accessBits.r | accessBits.w;
const deviceTypes = { b: 1, c: 2 } as const;
const context = { accessAndType: 0, major: 4, minor: 8 } as const;

const opcode = {
  loadWord: 0x61, // dst = *(u32 *)(src + offset)
  and: 0x57, // dst &= immediate
  shiftRight: 0x77, // dst >>= immediate
  move: 0xbf, // dst = src
  moveImmediate: 0xb7, // dst = immediate
  jumpIfEqual: 0x15,
  jumpIfNotEqual: 0x55,
  exit: 0x95,
} as const;

/** r0 answers, r1 is the context and then free, the others hold what is asked. */
const register = { answer: 0, context: 1, scratch: 1, type: 2, access: 3, major: 4, minor: 5 } as const;

/** The kernel takes no more from a program before Linux 5.2. */
const instructionLimit = 4096;
const longestRule = 8;

interface Instruction {
  readonly code: number;
  readonly dst?: number;
  readonly src?: number;
  readonly offset?: number;
  readonly immediate?: number;
}

/** The program as instructions of eight bytes: it answers 1 for "allowed" and 0 for EPERM. */
export const compileDeviceFilter = (list: DeviceList): Uint8Array => {
  const rest = list.otherwise === "allow" ? 1 : 0;
  const program: readonly Instruction[] = [
    { code: opcode.loadWord, dst: register.type, src: register.context, offset: context.accessAndType },
    { code: opcode.loadWord, dst: register.major, src: register.context, offset: context.major },
    { code: opcode.loadWord, dst: register.minor, src: register.context, offset: context.minor },
    { code: opcode.move, dst: register.access, src: register.type },
    { code: opcode.and, dst: register.type, immediate: 0xffff },
    { code: opcode.shiftRight, dst: register.access, immediate: 16 },
    ...list.exceptions.filter(canMatch).flatMap((exception) => compileException(exception, rest)),
    { code: opcode.moveImmediate, dst: register.answer, immediate: rest },
    { code: opcode.exit },
  ];
  if (program.length > instructionLimit) {
    throw cgroupError("tooManyDeviceRules", { limit: Math.floor(instructionLimit / longestRule) });
  }
  return encode(program);
};

/** Immediates are signed; device numbers have 12 and 20 bits, so that what does not fit is no device's. */
const canMatch = ({ major = 0, minor = 0 }: DeviceException): boolean => major <= 0x7fff_ffff && minor <= 0x7fff_ffff;

const compileException = (exception: DeviceException, rest: 0 | 1): readonly Instruction[] => {
  const access = [...exception.access].reduce((bits, kind) => bits | accessBits[kind as keyof typeof accessBits], 0);
  const { major, minor } = exception;
  // Each test jumps past the exception when it fails; the distances are filled in below.
  const tests: readonly Instruction[] = [
    { code: opcode.jumpIfNotEqual, dst: register.type, immediate: deviceTypes[exception.type] },
    ...(rest === 0 ? coversAll(access) : touchesAny(access)),
    ...(major === undefined ? [] : [{ code: opcode.jumpIfNotEqual, dst: register.major, immediate: major }]),
    ...(minor === undefined ? [] : [{ code: opcode.jumpIfNotEqual, dst: register.minor, immediate: minor }]),
  ];
  const answer: readonly Instruction[] = [
    { code: opcode.moveImmediate, dst: register.answer, immediate: rest ^ 1 },
    { code: opcode.exit },
  ];
  return [
    ...tests.map((test, at) =>
      test.code === opcode.jumpIfNotEqual || test.code === opcode.jumpIfEqual
        ? { ...test, offset: tests.length - at - 1 + answer.length }
        : test,
    ),
    ...answer,
  ];
};

/** An allowed device must be allowed all that is asked by one exception, … */
const coversAll = (access: number): readonly Instruction[] =>
  access === allAccess
    ? []
    : [
        { code: opcode.move, dst: register.scratch, src: register.access },
        { code: opcode.and, dst: register.scratch, immediate: allAccess & ~access },
        { code: opcode.jumpIfNotEqual, dst: register.scratch, immediate: 0 },
      ];

/** … a denied one is denied when any of it is. */
const touchesAny = (access: number): readonly Instruction[] => [
  { code: opcode.move, dst: register.scratch, src: register.access },
  { code: opcode.and, dst: register.scratch, immediate: access },
  { code: opcode.jumpIfEqual, dst: register.scratch, immediate: 0 },
];

const encode = (program: readonly Instruction[]): Uint8Array => {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [at, { code, dst = 0, src = 0, offset = 0, immediate = 0 }] of program.entries()) {
    view.setUint8(at * 8, code);
    view.setUint8(at * 8 + 1, (src << 4) | dst);
    view.setInt16(at * 8 + 2, offset, true);
    view.setInt32(at * 8 + 4, immediate, true);
  }
  return bytes;
};
