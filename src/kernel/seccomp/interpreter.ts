/** The kernel's machine for filters (net/core/filter.c, kernel/seccomp.c), for tests: what a filter answers to a call. */

/** struct seccomp_data, without the instruction pointer, which no filter of ours looks at. */
export interface Call {
  readonly architecture: number;
  readonly number: number;
  readonly args: readonly bigint[];
}

const instructionLimit = 4096;

interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly value: number;
}

export const decodeProgram = (bytes: Uint8Array): readonly Instruction[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / 8 }, (_, at) => ({
    code: view.getUint16(at * 8, true),
    jumpTrue: view.getUint8(at * 8 + 2),
    jumpFalse: view.getUint8(at * 8 + 3),
    value: view.getUint32(at * 8 + 4, true),
  }));
};

/** Throws what seccomp(2) would answer EINVAL to: unknown instructions, jumps out of the program, no end. */
export const checkProgram = (program: readonly Instruction[]): void => {
  if (program.length === 0 || program.length > instructionLimit) throw new Error(`${program.length} instructions`);
  if (program.at(-1)?.code !== 0x06) throw new Error("the last instruction is no return");
  for (const [at, { code, jumpTrue, jumpFalse, value }] of program.entries()) {
    if (!knownCodes.has(code)) throw new Error(`unknown instruction ${code} at ${at}`);
    if (code === 0x20 && (value % 4 !== 0 || value >= 64)) throw new Error(`a load from nowhere at ${at}`);
    const reach = code === 0x05 ? value : Math.max(jumpTrue, jumpFalse);
    if (code !== 0x06 && at + 1 + reach >= program.length) throw new Error(`a jump out of the program at ${at}`);
  }
};

const knownCodes: ReadonlySet<number> = new Set([0x05, 0x06, 0x15, 0x20, 0x25, 0x35, 0x54]);

/** The action that the program answers with, and how many instructions that took. */
export const runProgram = (
  program: readonly Instruction[],
  call: Call,
): { readonly action: number; readonly steps: number } => {
  const data = dataOf(call);
  let accumulator = 0;
  for (let at = 0, steps = 1; ; at++, steps++) {
    const { code, jumpTrue, jumpFalse, value } = program[at]!;
    if (code === 0x06) return { action: value, steps };
    if (code === 0x20) accumulator = data.getUint32(value, true);
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (code === 0x05) at += value;
    else if (code === 0x15) at += accumulator === value ? jumpTrue : jumpFalse;
    else if (code === 0x25) at += accumulator > value ? jumpTrue : jumpFalse;
    else if (code === 0x35) at += accumulator >= value ? jumpTrue : jumpFalse;
    else throw new Error(`unknown instruction ${code} at ${at}`);
  }
};

const dataOf = ({ architecture, number, args }: Call): DataView => {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, architecture, true);
  for (const [index, value] of args.entries()) data.setBigUint64(16 + 8 * index, value, true);
  return data;
};
