/** The ways into the kernel that a machine has: its own, and those of the older programs it can run. */

import { armSyscalls } from "../numbers/syscalls-arm.ts";
import { arm64Syscalls } from "../numbers/syscalls-arm64.ts";
import { i386Syscalls } from "../numbers/syscalls-i386.ts";
import { x32Bit, x32Syscalls, x8664Syscalls } from "../numbers/syscalls-x86-64.ts";
import { seccompError } from "./errors.ts";

export interface Abi {
  /** libseccomp's name. */
  readonly name: string;
  /** linux/audit.h: AUDIT_ARCH_…, which the kernel tells a filter. */
  readonly auditArch: number;
  readonly syscalls: ReadonlyMap<string, number>;
  /** Two ABIs of one architecture are told apart by their numbers: the first and the last of this one. */
  readonly first: number;
  readonly last: number;
  /** Numbers from here on are the architecture's private ones: none of them is "newer than the newest". */
  readonly privateFrom: number;
}

const abi = (
  name: string,
  auditArch: number,
  syscalls: Abi["syscalls"],
  rest: Partial<Pick<Abi, "first" | "last" | "privateFrom">> = {},
): Abi => ({ name, auditArch, syscalls, first: 0, last: 0xffff_ffff, privateFrom: 2 ** 32, ...rest });

export const abis: Readonly<Record<string, Abi>> = {
  SCMP_ARCH_X86_64: abi("SCMP_ARCH_X86_64", 0xc000_003e, x8664Syscalls, { last: x32Bit - 1 }),
  SCMP_ARCH_X86: abi("SCMP_ARCH_X86", 0x4000_0003, i386Syscalls),
  SCMP_ARCH_X32: abi("SCMP_ARCH_X32", 0xc000_003e, x32Syscalls, { first: x32Bit }),
  SCMP_ARCH_AARCH64: abi("SCMP_ARCH_AARCH64", 0xc000_00b7, arm64Syscalls),
  SCMP_ARCH_ARM: abi("SCMP_ARCH_ARM", 0x4000_0028, armSyscalls, { privateFrom: 0xf_0000 }),
};

/** libseccomp's names that are none of ours: a profile may list them, for other machines. */
export const foreignAbis: ReadonlySet<string> = new Set(
  `MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64
  M68K SH SHEB`
    .split(/\s+/)
    .map((name) => `SCMP_ARCH_${name}`),
);

export interface Machine {
  /** libseccomp's name of its own ABI. */
  readonly native: string;
  /** Go's name, by which profiles say "includes" and "excludes". */
  readonly goName: string;
}

const machines: Readonly<Record<string, Machine>> = {
  x86_64: { native: "SCMP_ARCH_X86_64", goName: "amd64" },
  aarch64: { native: "SCMP_ARCH_AARCH64", goName: "arm64" },
};

/** The machine of uname's name for it. */
export const machineOf = (architecture: string): Machine => {
  if (!Object.hasOwn(machines, architecture)) throw seccompError("unsupportedArchitecture", { architecture });
  return machines[architecture]!;
};
