/** A seccomp profile as a value: Docker's, or a user's. */
import type { Action } from "./actions.ts";

/** libseccomp's comparisons of an argument, 64 bits wide and unsigned. */
export type Comparison = "EQ" | "NE" | "LT" | "LE" | "GT" | "GE" | "MASKED_EQ";

export interface Condition {
  /** Which of the six arguments. */
  readonly index: number;
  readonly comparison: Comparison;
  /** What is compared with. */
  readonly value: bigint;
  /** MASKED_EQ: the bits that count. */
  readonly mask?: bigint;
}

/** When a rule counts: on these architectures (Go's names), with all these capabilities, from this kernel on. */
export interface Circumstances {
  readonly architectures?: readonly string[];
  readonly capabilities?: readonly string[];
  readonly minKernel?: readonly [major: number, minor: number];
}

export interface ProfileRule {
  readonly names: readonly string[];
  readonly action: Action;
  /** All must hold. */
  readonly conditions?: readonly Condition[];
  readonly includes?: Circumstances;
  readonly excludes?: Circumstances;
}

export interface Profile {
  readonly otherwise: Action;
  /** libseccomp's name of the machine's architecture → those whose programs may run beside its own. */
  readonly architectures: Readonly<Record<string, readonly string[]>>;
  readonly rules: readonly ProfileRule[];
  /** Flags of seccomp(2). */
  readonly flags: number;
}

/** linux/seccomp.h: SECCOMP_FILTER_FLAG_… */
export const filterFlags = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
} as const;

/** As runc: a filter alone is no reason to slow a program down for Spectre's sake; the kernel agrees since 5.16. */
export const defaultFlags = filterFlags.SECCOMP_FILTER_FLAG_SPEC_ALLOW;
